"""Who is connected, and what reaches open sockets from outside."""

import asyncio
import json
from contextlib import aclosing
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.client import HubClient
from hub.operations import Access
from hub.settings import Settings
from hub.ws.messages import SendAway
from hub.ws.protocol import CHANNELS, SUBPROTOCOL, ChannelRoute
from tests.hub.api import Api, Client, sign_in
from tests.hub.houses import opened, realtime
from tests.hub.sockets import Socket, connected


async def shown(api: Api, user: str) -> dict[str, Any]:
    """Return the one client of a user as operators see it."""
    status, body, _ = await api.call("GET", "/system/clients")
    assert status == 200
    (found,) = [client for client in body["items"] if client["user"] == user]
    assert isinstance(found, dict)
    return found


async def test_operators_see_who_is_connected(operator: Api, viewer: Api) -> None:
    """User, address, age, subscriptions, and what was acknowledged."""
    async with connected(viewer) as socket:
        await socket.subscribe("topology")
        await socket.say(type="ack", ch="topology", offset=3)
        await socket.say(type="unsub", id=2, ch="nothing")
        await socket.until("ok")
        found = await shown(operator, "viewer")
        assert (found["role"], found["address"], found["subscriptions"]) == ("viewer", "127.0.0.1", ["topology"])
        assert (found["backlog"], found["conflated"], found["acknowledged"]) == (0, 0, {"topology": 3})
        assert 0 <= found["age"] < 60
    assert (await viewer.call("GET", "/system/clients"))[0] == 403


async def test_an_operator_disconnects_a_client(operator: Api, viewer: Api) -> None:
    """4503: it is not to come back by itself; the audit log says who did it."""
    async with connected(viewer) as socket:
        client = await shown(operator, "viewer")
        assert (await operator.call("DELETE", f"/system/clients/{client['id']}"))[0] == 204
        assert (await socket.hear("bye"))["code"] == 4503
        assert await socket.closed() == 4503
    assert (await operator.call("DELETE", "/system/clients/999"))[0] == 404
    _, audit, _ = await operator.call("GET", "/system/audit")
    deeds = [(e["action"], e["outcome"]) for e in audit["items"] if e["action"] != "auth.login"]
    assert deeds == [("disconnect", "not-found"), ("disconnect", "ok")]


async def test_signing_out_reaches_sockets_at_once(anonymous: Client) -> None:
    """Those of that token; another session of the same user stays."""
    one, other = await sign_in(anonymous, "viewer"), await sign_in(anonymous, "viewer")
    async with connected(one) as ends, connected(other) as stays:
        await one.call("POST", "/auth/logout")
        assert (await ends.hear("bye"))["code"] == 4500
        await stays.subscribe("topology")


async def demote(admin: Api, username: str) -> None:
    """Make a user a viewer."""
    _, users, _ = await admin.call("GET", "/auth/users")
    user = next(user for user in users["items"] if user["username"] == username)
    assert (await admin.call("PUT", f"/auth/users/{user['id']}", json={"role": "viewer"}))[0] == 200


async def test_a_lost_role_ends_the_subscriptions_it_allowed(admin: Api, operator: Api) -> None:
    """With an error frame that names the channel; the socket stays for the others."""
    async with connected(operator) as socket:
        await socket.subscribe("actors")
        await socket.until("snapshot")
        await demote(admin, "operator")
        error = await socket.until("error")
        assert (error["id"], error["ch"], error["error"]["code"]) == (None, "actors", "forbidden")
        await socket.subscribe("topology")


async def test_a_lost_role_ends_a_socket_that_was_opened_for_it(admin: Api, operator: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """4507: what its address stands for is not allowed any more."""
    monkeypatch.setitem(
        cast("dict[str, ChannelRoute]", CHANNELS), "telemetry", ChannelRoute(owner="telemetry", access=Access.OPERATOR, area="monitor")
    )
    async with connected(operator, "/ws/telemetry") as socket:
        await socket.hear("ok")
        await demote(admin, "operator")
        assert (await socket.until("bye"))["code"] == 4507
        assert await socket.closed() == 4507


async def test_a_ticket_lets_one_socket_in(viewer: Api, anonymous: Client) -> None:
    """Once, without any header; a made-up one does not."""
    status, body, headers = await viewer.call("POST", "/auth/ticket")
    assert (status, headers["Cache-Control"]) == (201, "no-store")
    async with anonymous.ws_connect(f"/ws/telemetry?ticket={body['ticket']}") as ws:
        assert (await Socket(ws).hear("welcome"))["expires"] > 0
        assert (await Socket(ws).hear("ok"))["ch"] == "telemetry"
    for ticket in (body["ticket"], viewer.token, "x"):
        async with anonymous.get(f"/ws?ticket={ticket}", headers={"Upgrade": "websocket"}) as response:
            assert response.status == 401


async def test_a_ticket_ends_with_its_token(anonymous: Client) -> None:
    """Signing out closes what the ticket had let in."""
    viewer = await sign_in(anonymous, "viewer")
    _, body, _ = await viewer.call("POST", "/auth/ticket")
    async with anonymous.ws_connect(f"/ws?ticket={body['ticket']}") as ws:
        await Socket(ws).hear("welcome")
        await viewer.call("POST", "/auth/logout")
        assert (await Socket(ws).hear("bye"))["code"] == 4500


async def test_a_flood_of_frames_ends_the_socket(settings: Settings) -> None:
    """4013 with a time to come back; what came before was answered."""
    async with opened(realtime(settings, max_rate=10.0)) as (_, client), connected(await sign_in(client, "viewer")) as socket:
        for _ in range(50):
            await socket.ws.send_str("{}")
        bye = await socket.until("bye")
        assert (bye["code"], bye["retry_ms"]) == (4013, 5000)
        assert await socket.closed() == 4013


async def test_a_flood_of_pings_is_one_too(settings: Settings) -> None:
    """Every frame counts, also those that no session sees; what a client does not take is not piled up for it."""
    async with opened(realtime(settings, max_rate=10.0)) as (_, client), connected(await sign_in(client, "viewer")) as socket:
        for _ in range(50):
            await socket.ws.ping(b"x" * 125)
        assert (await socket.until("bye"))["code"] == 4013


async def test_strangers_are_bounded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not said who it is takes no room from those who have: 503, and their sockets open as before."""
    monkeypatch.setattr("hub.ws.endpoint.STRANGERS", 2)
    async with opened(settings) as (_, client):
        viewer = await sign_in(client, "viewer")
        async with client.ws_connect("/ws") as first, client.ws_connect("/ws"):
            async with client.get("/ws", headers={"Upgrade": "websocket"}) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "10")
                assert (await response.json())["code"] == "too-many-clients"
            async with connected(viewer) as known:
                await known.subscribe("topology")
            await first.send_str(json.dumps({"type": "hello", "token": viewer.token}))
            await Socket(first).hear("welcome")
            async with client.ws_connect("/ws"):
                pass


async def test_the_python_client_tells_when_the_thread_is_lost(anonymous: Client, viewer: Api) -> None:
    """A position that the channel does not hold: `resync`, then the state; nobody takes it for what came next."""
    async with HubClient(str(anonymous.make_url("")), token=viewer.token) as hub:
        async with aclosing(hub.watch("topology", since="elsewhere:7")) as updates:
            lost, state = await anext(updates), await anext(updates)
        async with aclosing(hub.watch("topology")) as updates:
            assert (await anext(updates)).kind == "snapshot"
    assert (lost.kind, lost.items, state.kind) == ("resync", (), "snapshot")


async def test_the_python_client_asks_again_for_what_was_refused_for_now() -> None:
    """A channel whose actor is just not there: the refusal says when to come back, and it does."""
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,))
        await socket.prepare(request)
        asked.append(await socket.receive_json())
        error = {"code": "actor-stopped", "detail": "log is halted", "retryable": True, "retry_ms": 1}
        refusal, events = {"type": "error", "id": 1, "error": error}, {"type": "events", "epoch": "e", "to": 1, "items": ["news"]}
        await socket.send_json(refusal if len(asked) == 1 else events)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/ws", answer)
    async with (
        TestServer(app) as server,
        HubClient(str(server.make_url("")), token="any") as hub,
        asyncio.timeout(10),
        aclosing(hub.watch("log")) as updates,
    ):
        assert (await anext(updates)).items == ["news"]
    assert len(asked) == 2


async def test_a_foreign_page_cannot_use_the_cookie(anonymous: Client, viewer: Api) -> None:
    """403 for an upgrade from another origin, whatever the cookie says."""
    headers = {"Cookie": f"paranet_access={viewer.token}", "Origin": "https://evil.example", "Upgrade": "websocket"}
    async with anonymous.get("/ws", headers=headers) as response:
        assert response.status == 403


async def test_all_are_sent_away_before_the_end(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches, each client with a moment of its own to come back."""
    monkeypatch.setattr("hub.ws.door.BATCH", 2)
    async with opened(settings) as (house, client):
        viewer = await sign_in(client, "viewer")
        async with connected(viewer) as a, connected(viewer) as b, connected(viewer) as c:
            sent = asyncio.ensure_future(house.system.ref("ws").ask(SendAway(), timeout=10))
            byes = [await socket.hear("bye") for socket in (a, b, c)]
            assert await sent == 3
        assert {bye["code"] for bye in byes} == {4000}
        assert all(bye["retry_ms"] >= 500 for bye in byes)


async def test_the_protocol_is_there_for_machines(anonymous: Client) -> None:
    """An AsyncAPI 3 document, open to all, in which every reference leads somewhere."""
    async with anonymous.get("/asyncapi.json") as response:
        document = await response.json()
    assert document["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in document["channels"].values()} >= {"/ws", "/ws/telemetry", "/ws/deploy/{id}"}

    def check(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                found = document
                for part in value["$ref"].removeprefix("#/").split("/"):
                    found = found[part]
            for inner in value.values():
                check(inner)
        elif isinstance(value, list):
            for inner in value:
                check(inner)

    check(document)
