"""The WebSocket: signing in, subscribing, resuming, and frames that are none."""

import asyncio
import json
from typing import Any

import pytest

from tests.hub.api import Api, Client
from tests.hub.networks import build_square, compiled
from tests.hub.sockets import Socket, connected


async def snapshot(socket: Socket, channel: str = "topology", **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Subscribe; return `ok` and the snapshot after it."""
    return await socket.subscribe(channel, **more), await socket.hear("snapshot")


# -- signing in


async def test_the_first_frame_is_a_welcome(viewer: Api) -> None:
    """With the heartbeat in s, when the token ends (UNIX s) and the limits."""
    async with viewer.http.ws_connect("/ws", headers=viewer.headers) as ws:
        frame = await Socket(ws).hear("welcome")
    assert set(frame) == {"type", "request", "ping", "expires", "limits"}
    assert (frame["ping"], frame["limits"]) == (20.0, {"frame": 65536, "subscriptions": 64, "rate": 200.0})
    assert frame["expires"] > 1e9


async def test_the_subprotocol_is_negotiated(viewer: Api) -> None:
    """`paranet.v1.json` where the client offers it."""
    async with viewer.http.ws_connect("/ws", headers=viewer.headers, protocols=("x", "paranet.v1.json")) as ws:
        assert ws.protocol == "paranet.v1.json"


async def test_hello_signs_in(anonymous: Client, viewer: Api) -> None:
    """On /ws without a token at the upgrade the first frame may bring it."""
    async with anonymous.ws_connect("/ws") as ws:
        socket = Socket(ws)
        await socket.say(type="hello", token=viewer.token)
        await socket.hear("welcome")


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "hello", "token": "nonsense"},
        {"type": "hello"},
        {"type": "sub", "id": 1, "ch": "topology"},
        "text",
        {"type": "pong"},
    ],
    ids=str,
)
async def test_who_does_not_say_hello_first_is_let_go(anonymous: Client, frame: object) -> None:
    """An error frame, then 4500: the same client need not come back with this."""
    async with anonymous.ws_connect("/ws") as ws:
        socket = Socket(ws)
        await ws.send_str(json.dumps(frame))
        error = await socket.hear("error")
        assert error["error"]["code"] in ("unauthenticated", "invalid")
        assert await socket.closed() == 4500


async def test_no_hello_in_time_is_the_end(anonymous: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """4500 when nothing comes."""
    monkeypatch.setattr("hub.ws.endpoint.HELLO_WITHIN", 0.05)
    async with anonymous.ws_connect("/ws") as ws:
        socket = Socket(ws)
        assert (await socket.hear("error"))["error"]["code"] == "unauthenticated"
        assert await socket.closed() == 4500


async def test_hello_twice_is_an_error(viewer: Api) -> None:
    """Renewing is `auth`."""
    async with connected(viewer) as socket:
        await socket.say(type="hello", token=viewer.token)
        assert (await socket.hear("error"))["error"]["code"] == "invalid"


async def test_auth_renews_the_token(viewer: Api) -> None:
    """`ok` with the new end."""
    async with connected(viewer) as socket:
        await socket.say(type="auth", id=5, token=viewer.token)
        ok = await socket.hear("ok")
        assert (ok["id"], set(ok)) == (5, {"type", "id", "expires"})


async def test_auth_is_not_for_somebody_else(viewer: Api, admin: Api) -> None:
    """A socket never changes hands."""
    async with connected(viewer) as socket:
        await socket.say(type="auth", id=5, token=admin.token)
        frame = await socket.hear("error")
        assert (frame["id"], frame["error"]["code"]) == (5, "forbidden")


async def test_auth_with_a_bad_token_leaves_the_old_one(viewer: Api) -> None:
    """An error, and the socket goes on."""
    async with connected(viewer) as socket:
        await socket.say(type="auth", id=5, token="nonsense")
        assert (await socket.hear("error"))["error"]["code"] == "unauthenticated"
        await snapshot(socket)


# -- subscribing


async def test_a_subscription_starts_with_the_state(square: Api) -> None:
    """`ok` with the position, then the snapshot at that position: what GET /topology says."""
    _, body, _ = await square.call("GET", "/topology")
    async with connected(square) as socket:
        ok, state = await snapshot(socket)
    assert (ok["id"], ok["ch"], ok["offset"], ok["recovered"]) == (1, "topology", 1, False)
    assert (state["epoch"], state["offset"], state["part"], state["last"]) == (ok["epoch"], 1, 0, True)
    assert state["data"] == body


async def test_a_write_arrives_as_the_event_of_its_revision(square: Api) -> None:
    """`to` is the number in the ETag; the item says what changed and who did it."""
    async with connected(square) as socket:
        await snapshot(socket)
        _, _, headers = await square.call("POST", "/topology/nodes", json={"id": "r9"})
        events = await socket.hear("events")
    assert f'"{events["to"]}"' == headers["ETag"]
    assert events["from"] == events["to"] == 2
    (item,) = events["items"]
    assert (item["revision"], item["author"], item["summary"]) == (2, "operator", "added r9")
    assert item["nodes"]["added"][0]["id"] == "r9"
    assert item["links"] == {"added": [], "changed": [], "removed": []}


async def test_since_replays_exactly_what_is_missing(square: Api) -> None:
    """Every revision after the position, once, in order, without a snapshot; then what comes."""
    async with connected(square) as socket:
        ok, _ = await snapshot(socket)
    for i in range(3):
        await square.call("POST", "/topology/nodes", json={"id": f"x{i}"})
    async with connected(square) as socket:
        again = await socket.subscribe("topology", since=f"{ok['epoch']}:{ok['offset'] + 1}")
        replay = await socket.hear("events")
        await square.call("POST", "/topology/nodes", json={"id": "x3"})
        live = await socket.hear("events")
    assert (again["recovered"], again["offset"]) == (True, 4)
    assert [item["summary"] for item in replay["items"]] == ["added x1", "added x2"]
    assert (replay["from"], replay["to"], live["from"]) == (3, 4, 5)


async def test_an_etag_is_a_position(square: Api) -> None:
    """The revision of a REST answer, with the channel's epoch, resumes there."""
    async with connected(square) as socket:
        ok, _ = await snapshot(socket)
        _, _, headers = await square.call("GET", "/topology")
        await square.call("POST", "/topology/nodes", json={"id": "r9"})
    async with connected(square) as socket:
        await socket.subscribe("topology", since=f"{ok['epoch']}:{headers['ETag'].strip(chr(34))}")
        assert (await socket.hear("events"))["from"] == 2


async def test_since_now_replays_nothing(square: Api) -> None:
    """Who has everything gets `ok` alone, then what is new."""
    async with connected(square) as socket:
        ok, _ = await snapshot(socket)
        again = await socket.subscribe("topology", since=f"{ok['epoch']}:{ok['offset']}")
        assert again["recovered"] is True
        await square.call("POST", "/topology/nodes", json={"id": "r9"})
        assert (await socket.hear("events"))["from"] == 2


@pytest.mark.parametrize("position", ["other:1", "{epoch}:99"])
async def test_since_a_place_the_channel_has_not_gives_the_state(square: Api, position: str) -> None:
    """Another epoch or a future offset: `recovered` is false and a snapshot follows; never a part."""
    async with connected(square) as socket:
        ok, _ = await snapshot(socket)
        again, state = await snapshot(socket, since=position.format(epoch=ok["epoch"]))
    assert (again["recovered"], state["offset"]) == (False, 1)


async def test_a_position_that_is_none_is_an_error(square: Api) -> None:
    """`epoch:offset` or nothing."""
    for since in ["1", "a", "a:b", ":1", "a:-1", "a:" + "1" * 30]:
        async with connected(square) as socket:
            await socket.say(type="sub", id=3, ch="topology", since=since)
            frame = await socket.hear("error")
            assert (frame["id"], frame["error"]["code"]) == (3, "invalid")


async def test_subscribing_again_replaces(square: Api) -> None:
    """Events come once."""
    async with connected(square) as socket:
        await snapshot(socket)
        await snapshot(socket)
        await square.call("POST", "/topology/nodes", json={"id": "r9"})
        await socket.hear("events")
        await socket.say(type="unsub", id=9, ch="topology")
        assert (await socket.hear("ok"))["id"] == 9


async def test_unsub_stops_the_events(square: Api) -> None:
    """After its `ok` nothing of the channel comes."""
    async with connected(square) as socket:
        await snapshot(socket)
        await socket.say(type="unsub", id=2, ch="topology")
        assert await socket.hear("ok") == {"type": "ok", "id": 2, "ch": "topology"}
        await square.call("POST", "/topology/nodes", json={"id": "r9"})
        await socket.say(type="unsub", id=3, ch="topology")
        assert (await socket.hear("ok"))["id"] == 3


async def test_a_channel_that_is_not_there_is_an_error(admin: Api) -> None:
    """`not-found`, with at most a few words of the name."""
    for channel in ["nothing", "", "deploy", "deploy/", "topology/", "x" * 1000, "deploy/nothing"]:
        async with connected(admin) as socket:
            await socket.say(type="sub", id=1, ch=channel)
            frame = await socket.hear("error")
            assert (frame["id"], frame["error"]["code"]) == (1, "not-found")
            assert len(frame["error"]["detail"]) < 200


async def test_a_deployment_is_one_channel(square: Api) -> None:
    """`deploy/<id>/more` is none."""
    compile_id = await compiled(square)
    _, body, _ = await square.call("POST", "/deploy/execute", json={"compile_id": compile_id})
    async with connected(square) as socket:
        await socket.subscribe(f"deploy/{body['deploy_id']}")
        await socket.until("events")
        await socket.say(type="sub", id=2, ch=f"deploy/{body['deploy_id']}/more")
        assert (await socket.until("error"))["id"] == 2


async def test_a_socket_has_its_subscription_from_its_address(square: Api) -> None:
    """/ws/telemetry: `ok` with id 0 and the snapshot come by themselves."""
    async with connected(square, "/ws/telemetry?nodes=r1&metrics=paranet_node_up") as socket:
        ok = await socket.hear("ok")
        assert (ok["id"], ok["ch"]) == (0, "telemetry")
        assert (await socket.hear("snapshot"))["data"] == []


async def test_a_bad_position_in_the_address_is_told(square: Api) -> None:
    """The error frame answers subscription 0; the socket stays."""
    async with connected(square, "/ws/telemetry?since=nonsense") as socket:
        frame = await socket.hear("error")
        assert (frame["id"], frame["error"]["code"]) == (0, "invalid")
        await snapshot(socket)


# -- frames that are none


NO_FRAMES = [
    ("", None),
    ("{", None),
    ("[]", None),
    ("7", None),
    ("null", None),
    ('{"type": "sub", "id": 1, "ch": NaN}', None),
    ("[" * 10_000, None),
    ('{"id": 1}', 1),
    ('{"type": "shout", "id": 2}', 2),
    ('{"type": ["sub"], "id": 2}', 2),
    ('{"type": "sub", "id": 3}', 3),
    ('{"type": "sub", "id": "3", "ch": "topology"}', None),
    ('{"type": "sub", "id": 4, "ch": 7}', 4),
    ('{"type": "sub", "id": 5, "ch": "topology", "colour": "blue"}', 5),
    ('{"type": "sub", "id": 6, "ch": "topology", "filter": {"nodes": "r1"}}', 6),
    ('{"type": "sub", "id": true, "ch": "topology"}', None),
    ('{"type": "pong", "id": 7}', 7),
]
"""text and the id that the error names"""


async def test_a_frame_that_is_none_gets_an_error_and_the_socket_stays(viewer: Api) -> None:
    """With the frame's id where it has one; after all of them the socket is as good as new."""
    async with connected(viewer) as socket:
        for text, reply_to in NO_FRAMES:
            await socket.ws.send_str(text)
            frame = await socket.hear("error")
            assert (frame["id"], frame["error"]["code"], frame["error"]["retryable"]) == (reply_to, "invalid", False), text[:100]
        await snapshot(socket)


async def test_a_fault_in_a_frame_has_its_path(viewer: Api) -> None:
    """As over REST."""
    async with connected(viewer) as socket:
        await socket.say(type="sub", id=1, ch="topology", filter={"nodes": ["a", 7]})
        frame = await socket.hear("error")
        assert [fault["path"] for fault in frame["error"]["errors"]] == ["filter.nodes[1]"]


async def test_a_binary_frame_gets_an_error_and_the_socket_stays(viewer: Api) -> None:
    """Frames are text."""
    async with connected(viewer) as socket:
        await socket.ws.send_bytes(b"{}")
        assert (await socket.hear("error"))["error"]["code"] == "invalid"
        await snapshot(socket)


async def test_an_oversize_frame_closes_with_1009(viewer: Api) -> None:
    """The limit is in the welcome."""
    async with connected(viewer) as socket:
        await socket.ws.send_str("x" * 65537)
        assert await socket.closed() == 1009


async def test_a_client_that_goes_is_forgotten(viewer: Api, admin: Api) -> None:
    """Its session ends, and the channel drops it with the next event."""
    async with connected(viewer) as socket:
        await snapshot(socket)
        assert (await admin.call("GET", "/system/info"))[1]["clients"] == 1
    async with asyncio.timeout(10):
        while (await admin.call("GET", "/system/info"))[1]["clients"]:
            pass
    await build_square(admin)
    _, body, _ = await admin.call("GET", "/system/actors/topology")
    assert body["state"]["subscribers"] == 0


async def test_a_websocket_error_is_no_page(anonymous: Client) -> None:
    """A refused upgrade is a problem document too."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "1", "Sec-WebSocket-Key": "x"}
    async with anonymous.get("/ws", headers=headers) as response:
        assert response.content_type == "application/problem+json"
        assert response.status == 400
