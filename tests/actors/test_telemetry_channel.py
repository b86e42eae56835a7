"""actors.telemetry: what its channel shows to whom."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.channels import Filter, Position
from actors.device import Readings
from actors.telemetry import Flush, Sweep
from paranet.controller.driver import Sample
from tests.actors.collecting import START, Bench, collecting
from tests.actors.conftest import Clock


@pytest.fixture
async def bench(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    """An empty collector."""
    async with collecting(tmp_path, clock) as started:
        yield started


async def test_a_tick_is_one_frame(bench: Bench) -> None:
    """What all devices handed in, one item a node, each value under its series' name."""
    recorder = await bench.attach("ws/1")
    samples = (
        Sample(metric="tx", labels={"node": "a", "link": "l", "interface": "e"}, value=1.0),
        Sample(metric="up", labels={"node": "a"}, value=1.0),
    )
    bench.collector.tell(Readings(node="a", at=START, samples=samples))
    bench.feed(START, "b", up=0.0)
    bench.feed(START, "silent")
    await recorder.until(lambda r: r.of("events"))
    (events,) = recorder.of("events")
    assert events["items"] == [
        {"ts": START, "node": "a", "values": {'tx{link="l",interface="e"}': 1.0, "up": 1.0}},
        {"ts": START, "node": "b", "values": {"up": 0.0}},
    ]


async def test_nothing_gathered_is_no_frame(bench: Bench) -> None:
    """Flushing twice publishes once."""
    recorder = await bench.attach("ws/1")
    bench.feed(START, cpu=1.0)
    bench.collector.tell(Flush())
    bench.collector.tell(Flush())
    await bench.read()
    assert len(recorder.of("events")) == 1


async def test_filters_choose_nodes_and_metrics(bench: Bench) -> None:
    """In the snapshot and live; a metric is meant with all its labels."""
    bench.feed(START, "a", cpu=1.0, load=2.0)
    bench.feed(START, "b", cpu=3.0)
    only_b = await bench.attach("ws/1", Filter(nodes=frozenset({"b"})))
    only_load = await bench.attach("ws/2", Filter(metrics=frozenset({"load"})))
    bench.collector.tell(Flush())
    await bench.read()
    for recorder, wanted in ((only_b, [("b", {"cpu": 3.0})]), (only_load, [("a", {"load": 2.0})])):
        (snapshot,) = recorder.of("snapshot")
        assert [(item["node"], item["values"]) for item in snapshot["data"]] == wanted
        assert [(item["node"], item["values"]) for item in recorder.items] == wanted


async def test_a_filter_for_changes_spares_what_stays(bench: Bench) -> None:
    """After the snapshot, which has everything; whoever comes later to the same filter, and who resumes, misses no change."""
    wanted = Filter(changes=True)

    async def tick(at: int, cpu: float, load: float) -> None:
        bench.feed(at, cpu=cpu, load=load)
        bench.collector.tell(Flush())
        await bench.read()

    await tick(START, cpu=1.0, load=5.0)
    first = await bench.attach("ws/1", wanted)
    plain = await bench.attach("ws/2")
    await tick(START + 1, cpu=1.0, load=5.0)
    await tick(START + 2, cpu=2.0, load=5.0)
    second = await bench.attach("ws/3", wanted)
    await tick(START + 3, cpu=2.0, load=5.0)
    await tick(START + 4, cpu=1.0, load=6.0)
    assert [item["values"] for item in first.items] == [{"cpu": 2.0}, {"cpu": 1.0, "load": 6.0}]
    assert [item["values"] for item in second.items] == [{"cpu": 1.0, "load": 6.0}]
    assert [item["ts"] for item in plain.items] == [START + i for i in range(1, 5)]
    position = Position(epoch=first.of("events")[0]["epoch"], offset=first.of("events")[0]["to"])
    resumed = await bench.attach("ws/4", wanted, position)
    assert [item["values"] for item in resumed.items] == [{"cpu": 2.0, "load": 5.0}, {"cpu": 1.0, "load": 6.0}]


async def test_the_snapshot_forgets_nodes_that_went_silent(bench: Bench, clock: Clock) -> None:
    """A minute after their last reading, at the next sweep."""
    bench.feed(START, "a", cpu=1.0)
    bench.feed(START + 50_000, "b", cpu=1.0)
    clock.now = START / 1000 + 61
    bench.collector.tell(Sweep())
    (snapshot,) = (await bench.attach("ws/1")).of("snapshot")
    assert [item["node"] for item in snapshot["data"]] == ["b"]
