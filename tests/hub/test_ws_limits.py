"""What a WebSocket client may cost, and how the hub says goodbye."""

import asyncio
import base64
import socket as net
import struct
from typing import Any

import attrs
import pytest

from hub.settings import Settings
from hub.ws.closecodes import CloseCode
from tests.hub.api import Api, Client, sign_in
from tests.hub.houses import opened, realtime
from tests.hub.sockets import Socket, connected

MIB = 2**20


async def clients(api: Api, *, until: int) -> None:
    """Wait until the hub counts that many sockets."""
    async with asyncio.timeout(10):
        while (await api.call("GET", "/system/info"))[1]["clients"] != until:
            pass


# -- how many, how much


async def test_subscriptions_are_bounded(settings: Settings) -> None:
    """One too many is an error; subscribing again to what one has is not one more."""
    async with opened(realtime(settings, max_subscriptions=1)) as (_, client), connected(await sign_in(client, "admin")) as socket:
        await socket.subscribe("topology")
        await socket.hear("snapshot")
        await socket.say(type="sub", id=2, ch="telemetry")
        frame = await socket.hear("error")
        assert (frame["id"], frame["error"]["code"]) == (2, "invalid")
        await socket.subscribe("topology")
        await socket.hear("snapshot")
        await socket.say(type="unsub", id=3, ch="topology")
        await socket.hear("ok")
        await socket.subscribe("telemetry")


async def test_clients_are_bounded(settings: Settings) -> None:
    """One too many is told to come back later, and let go with 4000; the first stays; its place is free when it goes."""
    async with opened(realtime(settings, max_clients=1)) as (_, client):
        admin = await sign_in(client, "admin")
        async with connected(admin) as first:
            async with client.ws_connect("/ws", headers=admin.headers) as ws:
                second = Socket(ws)
                error = (await second.hear("error"))["error"]
                assert (error["code"], error["retryable"], error["retry_ms"]) == ("too-many-clients", True, 5000)
                assert (await second.hear("bye"))["code"] == 4000
                assert await second.closed() == 4000
            await first.subscribe("topology")
        await clients(admin, until=0)
        async with connected(admin):
            pass


async def test_sockets_of_one_user_are_bounded(settings: Settings) -> None:
    """One too many is let go with 4014; others still come in, and the user again when a place is free."""
    async with opened(realtime(settings, max_per_user=1)) as (_, client):
        admin, viewer = await sign_in(client, "admin"), await sign_in(client, "viewer")
        async with connected(viewer) as first:
            async with client.ws_connect("/ws", headers=viewer.headers) as ws:
                second = Socket(ws)
                error = (await second.hear("error"))["error"]
                assert (error["code"], error["status"], error["retry_ms"]) == ("too-many-sockets", 429, 5000)
                assert (await second.hear("bye"))["code"] == 4014
                assert await second.closed() == 4014
            async with connected(admin) as other:
                await other.subscribe("topology")
            await first.subscribe("topology")
        await clients(admin, until=0)
        async with connected(viewer):
            pass


async def test_the_frame_limit_is_a_setting(settings: Settings) -> None:
    """1009 above, an answer below."""
    async with opened(realtime(settings, max_frame=2000)) as (_, client), connected(await sign_in(client, "viewer")) as socket:
        await socket.ws.send_str("x" * 1900)
        await socket.hear("error")
        await socket.ws.send_str("x" * 2001)
        assert await socket.closed() == 1009


# -- heartbeat


async def test_a_client_that_answers_pings_stays(settings: Settings) -> None:
    """Ping after ping."""
    async with opened(realtime(settings, ping=0.05)) as (_, client), connected(await sign_in(client, "viewer")) as socket:
        for _ in range(5):
            await socket.hear("ping", skip=())
            await socket.say(type="pong")
        await socket.subscribe("topology")


async def test_an_idle_client_that_does_not_answer_is_let_go(settings: Settings) -> None:
    """4012 with a `bye`: the ping itself is no sign of life."""
    async with opened(realtime(settings, ping=0.05)) as (_, client), connected(await sign_in(client, "viewer")) as socket:
        async with asyncio.timeout(3):
            bye = await socket.until("bye")
            assert bye["code"] == CloseCode.NO_PONG
            assert await socket.closed() == 4012


async def test_any_frame_is_a_sign_of_life(settings: Settings) -> None:
    """Also one that is none."""
    async with opened(realtime(settings, ping=0.05)) as (_, client), connected(await sign_in(client, "viewer")) as socket:
        for _ in range(5):
            await socket.hear("ping", skip=("error",))
            await socket.ws.send_str("nonsense")
        await socket.until("error")


# -- tokens


@attrs.define
class Clock:
    """A wall clock that the test sets."""

    at: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


async def test_a_token_that_ends_is_announced_and_ends_the_socket(settings: Settings) -> None:
    """`expiring` within its last minute, then `bye` and 4001: come back with another."""
    clock = Clock()
    async with opened(settings, now=clock) as (_, client):
        viewer = await sign_in(client, "viewer")
        clock.at += settings.auth.access_ttl - 0.1
        async with connected(viewer) as socket:
            expiring = await socket.hear("expiring", skip=())
            assert 0 <= expiring["in"] <= 0.1
            assert (await socket.hear("bye"))["code"] == 4001
            assert await socket.closed() == 4001


async def test_auth_in_time_keeps_the_socket(settings: Settings) -> None:
    """With a newer token the old end does not count any more."""
    clock = Clock()
    async with opened(settings, now=clock) as (_, client):
        old = await sign_in(client, "viewer")
        clock.at += settings.auth.access_ttl - 1.0
        new = await sign_in(client, "viewer")
        async with connected(old) as socket:
            await socket.hear("expiring", skip=())
            await socket.say(type="auth", id=1, token=new.token)
            assert (await socket.hear("ok"))["expires"] > clock.at + 800
            with pytest.raises(TimeoutError):
                await socket.ws.receive(timeout=1.2)


async def test_a_clock_that_is_set_back_does_not_end_a_socket_early(settings: Settings) -> None:
    """The time left is counted from when the socket came."""
    clock = Clock()
    async with opened(settings, now=clock) as (_, client), connected(await sign_in(client, "viewer")) as socket:
        clock.at -= 3600
        await socket.subscribe("topology")


async def test_signing_out_ends_the_sockets_of_the_token(settings: Settings) -> None:
    """At the next beat: `bye` and 4500, this token is no use any more."""
    async with opened(realtime(settings, ping=0.05)) as (_, client):
        viewer = await sign_in(client, "viewer")
        async with connected(viewer) as socket:
            await viewer.call("POST", "/auth/logout")
            assert (await socket.until("bye"))["code"] == 4500
            assert await socket.closed() == 4500


# -- slow clients


async def deaf(client: Client, api: Api, sub: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, subscribe, and read no more than the answer to the upgrade."""
    sock = net.socket()
    sock.setsockopt(net.SOL_SOCKET, net.SO_RCVBUF, 4096)  # else the kernel alone takes tens of megabytes
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", client.port or 0))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    key = base64.b64encode(b"0123456789abcdef").decode()
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\nAuthorization: Bearer {api.token}\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    payload = sub.encode()
    writer.write(struct.pack("!BBBBBB", 0x81, 0x80 | len(payload), 0, 0, 0, 0) + payload)  # masked with zeros (RFC 6455, 5.2)
    return reader, writer


async def flood(api: Api, healthy: Socket, times: int) -> None:
    """Write large nodes; the healthy client has each before the next is written."""
    for i in range(times):
        body: dict[str, Any] = {"properties": {"text": f"{i}" + "x" * 900_000}}
        status, _, headers = await api.call("PUT", "/topology/nodes/r1", json=body)
        assert status == 200
        assert f'"{(await healthy.hear("events"))["to"]}"' == headers["ETag"]


async def test_a_client_that_does_not_read_is_let_go_and_delays_nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed with 4008, which it finds when it reads at last; another receives every event meanwhile."""
    monkeypatch.setattr("hub.ws.outbox.NO_PROGRESS", 0.3)
    async with opened(realtime(settings, max_backlog=2 * MIB)) as (_, client):
        admin = await sign_in(client, "admin")
        await admin.call("POST", "/topology/nodes", json={"id": "r1"})
        reader, writer = await deaf(client, admin, '{"type":"sub","id":1,"ch":"topology"}')
        try:
            async with connected(admin, max_msg_size=8 * MIB) as healthy:
                await healthy.subscribe("topology")
                await healthy.hear("snapshot")
                await clients(admin, until=2)
                async with asyncio.timeout(30):
                    await flood(admin, healthy, 14)
                await clients(admin, until=1)
                ending = await _rest(reader)
                assert ending.endswith(b"\x88\x06" + struct.pack("!H", 4008) + b"slow")
        finally:
            writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """Return the last bytes before the end."""
    last = b""
    async with asyncio.timeout(10):
        while chunk := await reader.read(2**16):
            last = (last + chunk)[-64:]
    return last


async def test_a_client_that_is_let_go_keeps_no_connection_open(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it never reads again: its session ends and the connection is cut, not left to drain for ever."""
    monkeypatch.setattr("hub.ws.outbox.NO_PROGRESS", 0.3)
    monkeypatch.setattr("hub.ws.socket.GOODBYE", 0.3)
    async with opened(realtime(settings, max_backlog=2 * MIB)) as (house, client):
        admin = await sign_in(client, "admin")
        await admin.call("POST", "/topology/nodes", json={"id": "r1"})
        _, writer = await deaf(client, admin, '{"type":"sub","id":1,"ch":"topology"}')
        try:
            async with connected(admin, max_msg_size=8 * MIB) as healthy:
                await healthy.subscribe("topology")
                await healthy.hear("snapshot")
                await clients(admin, until=2)
                assert len(house.sockets) == 2
                await flood(admin, healthy, 14)
                await clients(admin, until=1)
                async with asyncio.timeout(6):
                    while len(house.sockets) > 1:
                        await admin.call("GET", "/system/info")
        finally:
            writer.close()


async def test_what_a_client_has_not_taken_lies_in_the_hub(settings: Settings) -> None:
    """Not in the kernel, which would swallow megabytes of it that nobody could conflate any more."""
    async with opened(settings) as (_, client):
        admin = await sign_in(client, "admin")
        await admin.call("POST", "/topology/nodes", json={"id": "r1"})
        _, writer = await deaf(client, admin, '{"type":"sub","id":1,"ch":"topology"}')
        try:
            async with connected(admin, max_msg_size=8 * MIB) as healthy:
                await healthy.subscribe("topology")
                await healthy.hear("snapshot")
                await clients(admin, until=2)
                await flood(admin, healthy, 1)
                _, body, _ = await admin.call("GET", "/system/clients")
                assert max(one["backlog"] for one in body["items"]) > 600_000
        finally:
            writer.close()


async def test_a_client_that_reads_gets_what_is_larger_than_its_backlog(settings: Settings) -> None:
    """One large event or snapshot does not make a client slow: only what it leaves lying does."""
    async with opened(realtime(settings, max_backlog=10_000)) as (_, client):
        admin = await sign_in(client, "admin")
        async with connected(admin) as socket:
            await socket.subscribe("topology")
            await socket.hear("snapshot")
            await admin.call("POST", "/topology/nodes", json={"id": "r1", "properties": {"text": "x" * 100_000}})
            assert (await socket.hear("events"))["to"] == 1
        async with connected(admin) as socket:
            await socket.subscribe("topology")
            assert (await socket.hear("snapshot"))["offset"] == 1


# -- the end


async def test_a_drain_says_goodbye(settings: Settings) -> None:
    """Every socket gets `bye` with 4000 and a time to come back, then the same as close code."""
    async with opened(settings) as (house, client):
        viewer = await sign_in(client, "viewer")
        async with connected(viewer) as one, connected(viewer) as other:
            await one.subscribe("topology")
            await one.hear("snapshot")
            draining = asyncio.ensure_future(house.system.drain(5.0))
            byes = [await socket.hear("bye") for socket in (one, other)]
            assert [bye["code"] for bye in byes] == [4000, 4000]
            assert [await socket.closed() for socket in (one, other)] == [4000, 4000]
            assert await draining == {}
        assert all(isinstance(bye["retry_ms"], int) and bye["retry_ms"] > 0 for bye in byes)


async def test_who_has_not_said_hello_is_sent_away_too(settings: Settings) -> None:
    """The house waits for its goodbye."""
    async with opened(settings) as (house, client), client.ws_connect("/ws") as ws:
        closing = asyncio.ensure_future(house.sockets.close())
        assert (await Socket(ws).hear("bye"))["code"] == 4000
        assert not closing.done()
        assert await Socket(ws).closed() == 4000
        async with asyncio.timeout(2):
            await closing
        assert not len(house.sockets)


def test_close_codes_say_whether_to_come_back() -> None:
    """4000-4499: yes; 4500-4999: no."""
    assert {code.name: code.come_back for code in CloseCode if code >= 4000} == {
        "DRAIN": True,
        "TOKEN_EXPIRED": True,
        "SLOW": True,
        "NO_PONG": True,
        "RATE": True,
        "CROWD": True,
        "BAD_TOKEN": False,
        "PROTOCOL": False,
        "KICKED": False,
        "FORBIDDEN": False,
    }
