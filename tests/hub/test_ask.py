"""Every REST operation over a socket."""

import asyncio
from typing import Any

import pytest

from hub.house import House
from hub.rest import OPERATIONS
from tests.hub.api import Api
from tests.hub.sockets import Socket, connected


async def ask(socket: Socket, method: str, **params: Any) -> dict[str, Any]:
    """Ask; return the `ok` or `error` frame."""
    await socket.say(type="ask", id=7, method=method, params=params)
    while True:
        frame: dict[str, Any] = await socket.ws.receive_json(timeout=10)
        if frame.get("id") == 7:
            return frame


def operation(method: str, path: str) -> str:
    """Return the name of an operation."""
    return next(o.name for o in OPERATIONS if (o.method, o.path) == (method, f"/api/v1{path}"))


async def test_a_read_gives_the_same_body_and_etag(square: Api) -> None:
    """As over REST."""
    _, body, headers = await square.call("GET", "/topology")
    async with connected(square) as socket:
        frame = await ask(socket, operation("GET", "/topology"))
    assert (frame["type"], frame["status"], frame["etag"], frame["body"]) == ("ok", 200, headers["ETag"], body)


async def test_what_has_not_changed_is_not_sent_again(square: Api) -> None:
    """304 with nothing, for a revision given as a number."""
    async with connected(square) as socket:
        frame = await ask(socket, operation("GET", "/topology"), if_none_match=1)
    assert (frame["status"], frame["body"]) == (304, None)


async def test_a_write_has_a_body_and_a_location(operator: Api) -> None:
    """What it made is there for REST too."""
    async with connected(operator) as socket:
        frame = await ask(socket, operation("POST", "/topology/nodes"), body={"id": "r1"})
    assert (frame["status"], frame["location"]) == (201, "/api/v1/topology/nodes/r1")
    assert (await operator.call("GET", "/topology/nodes/r1"))[0] == 200


async def test_path_and_query_are_params(square: Api) -> None:
    """By their names; what nobody knows is refused."""
    async with connected(square) as socket:
        refused = await ask(socket, operation("DELETE", "/topology/nodes/{id}"), id="r1", cascade=True, whatever=1)
        assert (refused["type"], refused["error"]["code"]) == ("error", "invalid")
        assert "?whatever=" in refused["error"]["detail"]
        assert (await ask(socket, operation("DELETE", "/topology/nodes/{id}"), id="r1", cascade=True))["status"] in (200, 204)
        missing = await ask(socket, operation("GET", "/topology/nodes/{id}"))
    assert missing["error"]["detail"] == "params.id: is required"


async def test_errors_are_those_of_rest(square: Api) -> None:
    """Code, status, and the members that belong to it."""
    async with connected(square) as socket:
        frame = await ask(socket, operation("PUT", "/topology/nodes/{id}"), id="r1", if_match=99, body={"id": "r1"})
        assert (frame["error"]["code"], frame["error"]["status"], frame["error"]["revision"]) == ("stale-revision", 412, 1)
        assert (await ask(socket, "no.such"))["error"]["code"] == "not-found"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_roles_are_those_of_rest(viewer: Api, method: str) -> None:
    """A viewer writes nothing over a socket either."""
    path = "/topology/nodes" if method == "POST" else "/topology/nodes/{id}"
    async with connected(viewer) as socket:
        frame = await ask(socket, operation(method, path), id="r1")
    assert (frame["error"]["code"], frame["error"]["status"]) == ("forbidden", 403)


async def test_asks_do_not_wait_for_each_other(square: Api) -> None:
    """More than run at once are answered all the same, each once."""
    async with connected(square) as socket:
        for n in range(20):
            await socket.say(type="ask", id=n, method=operation("GET", "/topology/nodes/{id}"), params={"id": "r1"})
        async with asyncio.timeout(10):
            answers = [await socket.hear("ok") for _ in range(20)]
    assert sorted(answer["id"] for answer in answers) == list(range(20))


async def test_text_goes_as_it_is_with_its_type(operator: Api) -> None:
    """An upload over a socket."""
    dot = "<graphml xmlns='http://graphml.graphdrawing.org/xmlns'><graph edgedefault='undirected'><node id='0'/></graph></graphml>"
    async with connected(operator) as socket:
        frame = await ask(socket, operation("POST", "/topology/import"), body=dot, content_type="application/xml", format="graphml")
    assert (frame["status"], frame["body"]["added"]["nodes"]) == (200, ["0"])


async def test_answers_that_pile_up_keep_no_frame_out(house: House, viewer: Api) -> None:
    """While a subscription takes its time, many answers come in; the frame after it is handled all the same."""
    topology, telemetry = house.system.cell("topology"), house.system.cell("telemetry")
    assert topology is not None
    assert telemetry is not None
    async with connected(viewer) as socket:
        topology.suspend()
        telemetry.suspend()
        for n in range(1, 41):
            await socket.say(type="ask", id=n, method="topology.get", params={})
        await socket.say(type="sub", id=41, ch="telemetry")
        await socket.say(type="unsub", id=42, ch="topology")
        async with asyncio.timeout(10):
            while not telemetry.queued:
                await viewer.call("GET", "/system/info")
            topology.resume()
            (session,) = (cell for cell in house.system.cells() if cell.path.startswith("ws/"))
            while session.queued < 41:
                await viewer.call("GET", "/system/info")
        telemetry.resume()
        answers = {(await socket.hear("ok", skip=("snapshot", "events")))["id"] for _ in range(42)}
    assert answers == set(range(1, 43))
