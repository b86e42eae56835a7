"""Telemetry as clients see it: live on its channel, afterwards over REST."""

import time
from collections.abc import AsyncIterator

import attrs
import pytest

from hub.settings import Network, Settings
from tests.hub.api import Api, sign_in
from tests.hub.houses import opened
from tests.hub.networks import NODES, build_square
from tests.hub.sockets import connected


@pytest.fixture
async def ticking(settings: Settings) -> AsyncIterator[Api]:
    """The API as an operator, over a square whose counters are read twenty times a second."""
    async with opened(attrs.evolve(settings, network=Network(interval=0.05))) as (_, client):
        api = await sign_in(client, "operator")
        await build_square(api)
        yield api


async def test_every_tick_is_an_event(ticking: Api) -> None:
    """The readings of each node with their time in UNIX ms; offsets go on without a gap."""
    async with connected(ticking, "/ws/telemetry") as socket:
        ok = await socket.hear("ok")
        first = await socket.until("events")
        second = await socket.hear("events")
    assert (ok["id"], ok["ch"]) == (0, "telemetry")
    assert second["from"] == first["to"] + 1
    item = next(item for frame in (first, second) for item in frame["items"] if item["node"])  # without a node are the hub's own figures
    assert set(item) == {"ts", "node", "values"}
    assert item["node"] in NODES
    assert item["ts"] > 1.7e12
    assert item["values"]["paranet_node_up"] == 1.0


async def test_a_filter_lets_only_what_is_wanted_through(ticking: Api) -> None:
    """By node and by metric with all its labels, in the address as in `sub`."""
    async with connected(ticking, "/ws/telemetry?nodes=r1&metrics=paranet_node_up,paranet_link_utilization_ratio") as socket:
        for _ in range(3):
            items = (await socket.until("events"))["items"]
            assert {item["node"] for item in items} == {"r1"}
            names = {name.partition("{")[0] for name in items[0]["values"]}
            assert names == {"paranet_node_up", "paranet_link_utilization_ratio"}


async def test_a_filter_by_labels(ticking: Api) -> None:
    """Only series that have them."""
    async with connected(ticking, "/ws/telemetry?labels=link=r1-r2") as socket:
        items = (await socket.until("events"))["items"]
        assert {item["node"] for item in items} == {"r1", "r2"}
        assert all('link="r1-r2"' in name for item in items for name in item["values"])
    async with connected(ticking) as socket:
        await socket.say(type="sub", id=1, ch="telemetry", filter={"labels": ["link"]})
        assert (await socket.hear("error"))["error"]["code"] == "invalid"


async def test_a_filter_for_changes(ticking: Api) -> None:
    """In the address as in `sub`: what is pushed comes once, however often the same value is pushed."""
    now = int(time.time() * 1000)
    async with connected(ticking, "/ws/telemetry?nodes=probe&changes=true") as socket, connected(ticking) as other:
        await other.subscribe("telemetry", filter={"nodes": ["probe"], "changes": True})
        for i, value in enumerate((1, 1, 2)):
            body = [{"metric": "heat", "labels": {"node": "probe"}, "ts": now + i, "value": value}]
            assert (await ticking.call("POST", "/monitor/metrics", json=body))[0] == 200
        for one in (socket, other):
            told: list[float] = []
            while told[-1:] != [2.0]:
                told += [item["values"]["heat"] for item in (await one.until("events"))["items"]]
            assert told == [1.0, 2.0]


async def test_who_comes_later_starts_with_the_newest_readings(ticking: Api) -> None:
    """The snapshot has one item a node."""
    async with connected(ticking, "/ws/telemetry") as socket:
        for _ in range(2):
            await socket.until("events")
    async with connected(ticking) as socket:
        await socket.subscribe("telemetry")
        state = await socket.hear("snapshot")
    assert sorted(item["node"] for item in state["data"] if item["node"]) == sorted(NODES)


async def test_what_was_missed_is_replayed(ticking: Api) -> None:
    """`since` works as on any channel."""
    async with connected(ticking, "/ws/telemetry") as socket:
        seen = await socket.until("events")
        await socket.hear("events")
    async with connected(ticking, f"/ws/telemetry?since={seen['epoch']}:{seen['to']}") as socket:
        assert (await socket.hear("ok"))["recovered"] is True
        assert (await socket.hear("events"))["from"] == seen["to"] + 1


async def test_samples_are_read_by_name_and_node(ticking: Api) -> None:
    """GET /monitor/metrics: series with their labels, points of UNIX ms and value, oldest first."""
    async with connected(ticking, "/ws/telemetry") as socket:
        for _ in range(3):
            await socket.until("events")
    status, body, _ = await ticking.call("GET", "/monitor/metrics?names=paranet_node_up&nodes=r1,r2")
    assert (status, body["tier"]) == (200, "raw")
    assert [series["metric"] for series in body["series"]] == [{"__name__": "paranet_node_up", "node": node} for node in ("r1", "r2")]
    points = body["series"][0]["points"]
    assert len(points) >= 2
    assert points == sorted(points)
    assert {value for _, value in points} == {1.0}


async def test_one_node_has_an_address(ticking: Api) -> None:
    """GET /monitor/metrics/{node_id} holds all its metrics and nobody else's."""
    async with connected(ticking, "/ws/telemetry") as socket:
        await socket.until("events")
    _, body, _ = await ticking.call("GET", "/monitor/metrics/r3")
    assert {series["metric"]["node"] for series in body["series"]} == {"r3"}
    assert {"paranet_node_up", "paranet_link_transmit_bytes_total"} <= {series["metric"]["__name__"] for series in body["series"]}


async def test_a_time_without_samples_is_empty(ticking: Api) -> None:
    """No error, no series."""
    status, body, _ = await ticking.call("GET", "/monitor/metrics?start=0&end=1")
    assert (status, body["series"]) == (200, [])
