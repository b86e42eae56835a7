"""The hub's door: what is no HTTP, how many connections there may be, and a way out that cuts nobody off."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from hub import settings as s
from hub.house import House
from hub.listening import listening
from hub.settings import Settings
from tests.hub.staff import PASSWORD, hire
from tests.journeys.hub import running, signed_in

GET = b"GET /healthz HTTP/1.1\r\nHost: hub\r\n"
POST = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
BROKEN = {
    "no HTTP": (b"nonsense\r\n\r\n", 400, "bad-request"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad-request"),
    "a version that never was": (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400, "bad-request"),
    "a header without a colon": (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400, "bad-request"),
    "a length below zero": (POST + b"Content-Length: -1\r\n\r\n", 400, "bad-request"),
    "a length and chunks": (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad-request"),
    "a chunk of no size": (CHUNKED + b"zz\r\n{}\r\n", 400, "bad-request"),
    "a long header": (GET + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 431, "headers-too-large"),
    "many headers": (GET + b"".join(b"X-%d: a\r\n" % i for i in range(300)) + b"\r\n", 431, "headers-too-large"),
    "a long address": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "headers-too-large"),
    **{
        f"coding {name.decode()}": (
            POST + b"Content-Length: 2\r\nConnection: close\r\nContent-Encoding: " + name + b"\r\n\r\n{}",
            415,
            "unsupported-coding",
        )
        for name in (b"br", b"zstd", b"compress", b"x", b"gzip, br")
    },
}


@attrs.frozen
class Answer:
    """What came back on a connection until it was closed."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


@asynccontextmanager
async def door(settings: Settings, **limits: Any) -> AsyncIterator[tuple[House, str]]:
    """Open a house and its door."""
    settings = attrs.evolve(settings, limits=s.Limits(**limits), server=attrs.evolve(settings.server, port=0))
    await hire(settings.server.data_dir)
    async with House(settings, show_first_password=lambda _: None) as house, listening(house) as url:
        yield house, url


async def exchange(url: str, *parts: bytes) -> Answer:
    """Send bytes; return what was answered until the hub closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        async with asyncio.timeout(20):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return read(await reader.read())
    finally:
        writer.close()


def read(raw: bytes) -> Answer:
    """Read one answer."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert len(body) == int(headers["content-length"])
    return Answer(int(first.split()[1]), headers, json.loads(body))


async def test_what_is_no_http_is_a_problem_like_any_other(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """With a stable code and the headers of every answer; it does not repeat what came, and strangers do not fill the log."""
    wrong = {}
    async with door(settings) as (_, url):
        for name, (raw, status, code) in BROKEN.items():
            answer = await exchange(url, raw)
            assert answer.headers["content-type"].startswith("application/problem+json"), name
            assert answer.headers["x-content-type-options"] == "nosniff", name
            assert ("aaaa" in str(answer.body), "zz" in str(answer.body)) == (False, False)
            if (answer.status, answer.body["status"], answer.body["code"]) != (status, status, code):
                wrong[name] = answer
            if status == 415:
                assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert wrong == {}
    assert caplog.text == ""


async def test_chunks_that_break_off_in_the_middle_are_a_problem(settings: Settings) -> None:
    """Also when the request had begun well; it is answered once and the connection ends."""
    async with door(settings) as (_, url):
        answer = await exchange(url, CHUNKED + b"2\r\n{}\r\n", b"zz\r\n")
    assert answer.status == 400
    assert answer.body["code"] in ("invalid", "bad-request")


# -- how many


@asynccontextmanager
async def idle(url: str, count: int) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Open connections that have each had one answer."""
    opened = []
    try:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            opened.append(writer)
            writer.write(GET + b"\r\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        yield opened
    finally:
        for writer in opened:
            writer.close()


async def test_an_address_has_so_many_connections(settings: Settings) -> None:
    """One more is told why and when to come again; where one ends, another may begin. The figures tell."""
    async with door(settings, connections=3) as (house, url), idle(url, 3) as opened:
        answer = await exchange(url, GET + b"\r\n")
        assert (answer.status, answer.body["code"], answer.headers["retry-after"]) == (429, "too-many-connections", "5")
        assert (len(house.connections), house.connections.refused) == (3, 1)
        opened[0].close()
        await opened[0].wait_closed()
        async with idle(url, 1):
            assert len(house.connections) == 3
    assert len(house.connections) == 0


async def test_a_silent_client_that_is_refused_is_let_go(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a moment to read why, whether or not it ever says anything."""
    monkeypatch.setattr("hub.connections.LINGER", 0.01)
    async with door(settings, connections=1) as (_, url), idle(url, 1):
        assert (await exchange(url)).status == 429


async def test_a_user_has_so_many_connections(settings: Settings) -> None:
    """From however many places; a socket, once open, is none of them, and another user is not affected."""
    proxied = attrs.evolve(settings, server=attrs.evolve(settings.server, trusted_proxies="127.0.0.0/8"))
    async with door(proxied, connections=2) as (house, url), aiohttp.ClientSession(url) as client:
        tokens = {}
        for name in ("viewer", "operator"):
            response = await client.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD})
            tokens[name] = {"Authorization": f"Bearer {(await response.json())['access_token']}"}

        async with (
            client.ws_connect("/ws", headers=tokens["viewer"]),
            aiohttp.ClientSession(url) as one,
            aiohttp.ClientSession(url) as two,
            aiohttp.ClientSession(url) as three,
        ):
            found = []
            for session, name in ((one, "viewer"), (two, "viewer"), (three, "viewer"), (three, "operator"), (one, "operator")):
                async with session.get("/api/v1/auth/me", headers=tokens[name]) as response:
                    found.append(response.status)
            assert found == [200, 200, 429, 200, 200]
            async with client.get("/api/v1/auth/me", headers=tokens["viewer"]) as response:
                assert response.status == 200
        assert house.connections.refused == 1


async def test_a_request_that_never_ends_to_begin_is_cut_off(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers that trickle in hold no connection: the time runs from the connection's beginning, whatever comes meanwhile."""
    monkeypatch.setattr("hub.connections.IDLE", 0.2)
    async with door(settings) as (house, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(GET)
        trickle = asyncio.create_task(_trickle(writer))
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        trickle.cancel()
        writer.close()
        assert len(house.connections) == 0


async def _trickle(writer: asyncio.StreamWriter) -> None:
    timer = asyncio.Event()
    for i in range(1000):
        writer.write(b"X-%d: a\r\n" % i)
        try:
            async with asyncio.timeout(0.05):
                await timer.wait()
        except TimeoutError:
            continue


# -- the way out


async def test_an_answer_that_streams_goes_on_to_its_end(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Server-sent events under way when the hub is told to stop: the rest comes, and nobody new is let in meanwhile."""
    more = asyncio.Event()

    async def events(*_: object) -> AsyncGenerator[dict[str, Any], None]:
        yield {"kind": "delta", "turn": 1, "text": "one"}
        await more.wait()
        yield {"kind": "done", "turn": 1, "reply": "two"}

    monkeypatch.setattr("hub.rest.assistant.follow", events)
    client = aiohttp.ClientSession()
    async with client:
        async with door(settings) as (_, url):
            response = await client.post(f"{url}/api/v1/auth/login", json={"username": "viewer", "password": PASSWORD})
            headers = {"Authorization": f"Bearer {(await response.json())['access_token']}", "Accept": "text/event-stream"}
            ws = await client.ws_connect(f"{url}/ws", headers=headers)
            stream = await client.post(f"{url}/api/v1/intent/chat", json={"message": "hello"}, headers=headers)
            assert b"one" in await stream.content.readuntil(b"\n\n")
            rest = asyncio.create_task(_after(ws, more, stream, url))
        assert b"two" in await rest


async def _after(ws: aiohttp.ClientWebSocketResponse, more: asyncio.Event, stream: aiohttp.ClientResponse, url: str) -> bytes:
    """Once the socket has been sent away: see that nobody is let in, and read the rest."""
    assert [json.loads(message.data)["type"] async for message in ws][-1] == "bye"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    more.set()
    return await stream.content.read()


async def test_a_termination_lets_everybody_finish(tmp_path: Path) -> None:
    """A body under way is taken and answered, who follows the log gets its end, sockets hear when to come back; exit code 0 in time."""
    body = json.dumps({"nodes": [{"id": f"n{i}"} for i in range(1000)], "links": []}).encode()
    async with running(tmp_path / "data", PARANET_SERVER_DRAIN="8") as hub, signed_in(hub) as client:
        assert hub.url.startswith("http://127.0.0.1:")
        assert not hub.url.endswith(":0")
        ws = await client.ws_connect("/ws")
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
        idle_writer.write(GET + b"\r\n")
        assert b"200 OK" in await idle_reader.readuntil(b"}")
        log = await client.get("/api/v1/monitor/logs?follow=true", timeout=aiohttp.ClientTimeout(30))
        reader, writer = await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
        token = client.headers["Authorization"].encode()
        head = b"POST /api/v1/topology/import HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nAuthorization: " + token
        writer.write(head + b"\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
        writer.write(body[:100])
        await writer.drain()

        began = asyncio.get_running_loop().time()
        hub.process.send_signal(signal.SIGTERM)
        kinds = [json.loads(message.data)["type"] async for message in ws]
        assert (kinds[0], kinds[-1], ws.close_code) == ("welcome", "bye", 4000)  # come back
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
        await log.content.read()  # to a proper end, or this raises
        writer.write(body[100:])
        answer = read(await reader.read())
        assert (answer.status, len(answer.body["added"]["nodes"])) == (200, 1000)
        assert await idle_reader.read() == b""
        async with asyncio.timeout(10):
            assert await hub.process.wait() == 0
        assert asyncio.get_running_loop().time() - began < 10
        for one in (writer, idle_writer):
            one.close()


async def test_a_second_signal_waits_for_nobody(tmp_path: Path) -> None:
    """A client whose body never comes is cut off."""
    async with running(tmp_path / "data", PARANET_SERVER_DRAIN="600") as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(hub.url.rpartition(":")[2]))
        writer.write(POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n")
        assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
        async with signed_in(hub) as client:
            ws = await client.ws_connect("/ws")
            hub.process.terminate()
            assert [json.loads(message.data)["type"] async for message in ws][-1] == "bye"
        hub.process.terminate()
        async with asyncio.timeout(20):
            assert await hub.process.wait() == 0
        writer.close()
