"""What operators see and do when actors fail: over REST, on channel `actors`, and as problem documents."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, cast

import aiohttp
import attrs
import pytest

from actors.device import Readings
from actors.runtime import Actor, Message, Request, handles
from hub.house import House
from hub.operations import Access, Call, Operation, Reply
from hub.rest import OPERATIONS
from paranet.controller.driver import Sample
from tests.hub.api import Api, Client
from tests.hub.sockets import Socket, connected

WATCHERS = 200


@attrs.frozen(kw_only=True)
class Turn(Request[int]):
    """Ask the next one."""

    to: str


@attrs.frozen(kw_only=True)
class Nothing(Message):
    """Takes room in a mailbox."""


class Dancer(Actor):
    """Asks whom it is told to, and that one asks back."""

    @handles
    async def turn(self, message: Turn) -> int:
        return await self.system.ref(message.to).ask(Turn(to=self.ref.path), timeout=5.0)


async def _dance(call: Call) -> Reply:
    return Reply(body={"turns": await call.house.system.ref("one").ask(Turn(to="two"), timeout=5.0)})


DANCE = Operation(name="dance", method="GET", path="/api/v1/dance", access=Access.VIEWER, handler=_dance, summary="Turn for ever")


@pytest.fixture
def dancing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add an operation whose actors would wait for each other; before the application is made."""
    monkeypatch.setattr("hub.app.OPERATIONS", (*OPERATIONS, DANCE))


async def shown(admin: Api, path: str) -> dict[str, Any]:
    """Return one actor as operators see it."""
    status, body, _ = await admin.call("GET", f"/system/actors/{path}")
    assert status == 200
    assert isinstance(body, dict)
    return body


async def _told(watcher: Socket, metric: str) -> float:
    """Return the first value of a metric; the hub's own figures come over the same channel."""
    while True:
        for item in (await watcher.until("events"))["items"]:
            if metric in item["values"]:
                return float(item["values"][metric])


async def test_a_poisoned_collector_is_one_restart_and_nobody_is_disconnected(house: House, admin: Api) -> None:
    """200 watchers of telemetry hear `resync` and go on; an operator's socket sees the restart."""
    async with AsyncExitStack() as stack:
        unlimited = aiohttp.ClientSession(admin.http.make_url("/"), connector=aiohttp.TCPConnector(limit=0))
        crowd = Api(cast("Client", await stack.enter_async_context(unlimited)), admin.token)
        watchers = [await stack.enter_async_context(connected(crowd)) for _ in range(WATCHERS)]
        await asyncio.gather(*(watcher.subscribe("telemetry") for watcher in watchers))
        operator = await stack.enter_async_context(connected(crowd))
        await operator.subscribe("actors")
        at = int(house.system.now() * 1000)
        poison = Readings(node="r1", at=at, samples=(Sample(metric="m", labels={"node": "r1"}, value="no number"),))  # type: ignore[arg-type]  # what makes it poison
        assert house.system.ref("telemetry").tell(poison)
        await asyncio.gather(*(watcher.until("resync") for watcher in watchers))
        house.system.ref("telemetry").tell(Readings(node="r1", at=at + 1, samples=(Sample(metric="m", labels={"node": "r1"}, value=1.0),)))
        assert set(await asyncio.gather(*(_told(watcher, "m") for watcher in watchers))) == {1.0}
        while True:
            frame = await operator.until("events")
            found = [item for item in frame["items"] if item["path"] == "telemetry" and item["restarts"]]
            if found:
                break
        assert found[0]["restarts"] == 1
        assert (await admin.call("GET", "/system/info"))[1]["clients"] == WATCHERS + 1
    state = await shown(admin, "telemetry")
    assert (state["restarts"], state["poison"], state["generation"]) == (1, 1, 2)
    _, letters, _ = await admin.call("GET", "/system/dead-letters")
    assert [(letter["to"], letter["reason"]) for letter in letters["items"]] == [("telemetry", "poison")]


@pytest.mark.usefixtures("dancing")
async def test_a_cycle_of_asks_is_a_problem_with_its_path(house: House, admin: Api) -> None:
    """500 ask-cycle at once, naming who would wait for whom."""
    for name in ("one", "two"):
        await house.system.spawn(name, Dancer)
    status, body, headers = await admin.call("GET", "/dance")
    assert (status, body["code"], headers["Content-Type"]) == (500, "ask-cycle", "application/problem+json")
    assert body["path"] == ["two", "one", "two"]


async def test_no_answer_in_time_is_a_problem(admin: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """504 ask-timeout naming the actor that was suspended; after resume it answers again."""
    monkeypatch.setattr("hub.rest.topology.ASK", 0.05)
    assert (await admin.call("POST", "/system/actors/topology/suspend"))[0] == 200
    status, body, _ = await admin.call("GET", "/topology")
    assert (status, body["code"], body["actor"]) == (504, "ask-timeout", "topology")
    assert (await admin.call("POST", "/system/actors/topology/resume"))[0] == 200
    monkeypatch.setattr("hub.rest.topology.ASK", 5.0)
    assert (await admin.call("GET", "/topology"))[0] == 200


async def test_a_full_mailbox_is_a_problem_that_says_when_to_come_again(house: House, admin: Api) -> None:
    """503 mailbox-full with Retry-After."""
    await admin.call("POST", "/system/actors/topology/suspend")
    while house.system.ref("topology").tell(Nothing()):
        pass
    status, body, headers = await admin.call("GET", "/topology")
    assert (status, body["code"], headers["Retry-After"]) == (503, "mailbox-full", "1")


async def test_what_operators_do_is_written_down(admin: Api) -> None:
    """Also what was refused, with the code."""
    assert (await admin.call("POST", "/system/actors/telemetry/restart"))[0] == 200
    assert (await admin.call("POST", "/system/actors/nobody/suspend"))[0] == 404
    _, body, _ = await admin.call("GET", "/system/audit")
    assert [(e["author"], e["action"], e["target"], e["outcome"]) for e in body["items"]] == [
        ("admin", "suspend", "nobody", "not-found"),
        ("admin", "restart", "telemetry", "ok"),
        ("", "auth.login", "admin", "ok"),
    ]


@pytest.mark.parametrize("path", ["accounts", "audit", "ws"])
async def test_the_way_in_cannot_be_halted(admin: Api, path: str) -> None:
    """Who suspends what lets operators in could not get in to resume it."""
    assert (await admin.call("POST", f"/system/actors/{path}/suspend"))[0] == 403


async def test_a_trace_records_what_an_actor_handles(admin: Api) -> None:
    """Each message with who sent it and how it ended."""
    await admin.call("POST", "/system/actors/topology/trace")
    await admin.call("GET", "/topology")
    assert [entry["type"] for entry in (await shown(admin, "topology"))["trace"]] == ["GetTopology"]


async def test_the_hubs_own_lag_is_told_without_the_tree(admin: Api) -> None:
    """The page asks for it every few seconds; the tree comes over the channel."""
    status, body, _ = await admin.call("GET", "/system/info")
    assert status == 200
    assert body["lag"].keys() >= {"p50", "p99", "max", "samples"}
    assert isinstance(body["blocks"], list)


async def test_the_health_of_the_stores_is_told(admin: Api) -> None:
    """Both databases answer and have a size; a Redis that nobody has set is no fault."""
    _, body, _ = await admin.call("GET", "/system/info")
    databases = body["health"]["databases"]
    assert [(found["name"], found["ok"]) for found in databases] == [("control", True), ("telemetry", True)]
    assert all(found["bytes"] > 0 and 0 <= found["answers_in"] < 2 for found in databases)
    assert body["health"]["redis"] == {"configured": False, "ok": True, "why": ""}
