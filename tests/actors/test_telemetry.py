"""actors.telemetry"""

import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.channels import Filter, Outlets, Subscribe
from actors.device import Readings
from actors.runtime import ActorSystem, Ref
from actors.runtime.inspect import state_of
from actors.storage import Database
from actors.telemetry import Flush, ReadMetrics, Sweep, TelemetryCollector, select
from paranet.controller.driver import Sample
from paranet.errors import TooLarge
from tests.actors.conftest import Clock
from tests.actors.recorder import Recorder

T = 10.0
START = 1_750_000_000_000


class Bench:
    """A collector with the means to feed and read it."""

    def __init__(self, system: ActorSystem, database: Database, outlets: Outlets, collector: Ref) -> None:
        self.system, self.database, self.outlets, self.collector = system, database, outlets, collector

    def feed(self, at: int, node: str = "a", **values: float) -> None:
        """Hand in a node's readings of metrics by name."""
        samples = tuple(Sample(metric=metric, labels={"node": node}, value=value) for metric, value in values.items())
        self.collector.tell(Readings(node=node, at=at, samples=samples))

    async def read(self, *names: str, nodes: tuple[str, ...] = (), start: int = 0, end: int = 1 << 53) -> dict[tuple[str, str], list[Any]]:
        """Return the points by (metric, node)."""
        request = ReadMetrics(names=frozenset(names), nodes=frozenset(nodes), start=start, end=end)
        found = await self.collector.ask(request, timeout=T)
        return {(p.metric["__name__"], p.metric["node"]): list(p.points) for p in found}

    async def attach(self, path: str, wanted: Filter | None = None) -> Recorder:
        recorder = Recorder()
        self.outlets.add(path, recorder)
        await self.collector.ask(Subscribe(channel="telemetry", subscriber=path, reply_to=0, filter=wanted or Filter()), timeout=T)
        return recorder

    async def counts(self) -> dict[str, object]:
        await self.read()
        cell = self.system.cell("telemetry")
        assert cell is not None
        return state_of(cell)


@asynccontextmanager
async def collecting(folder: Path, now: Clock, *, flush_every: float = 30.0, max_series: int = 100) -> AsyncIterator[Bench]:
    """A collector on the folder's database, for as long as the block runs."""
    database, outlets = await Database.open(folder / "telemetry.sqlite3", "telemetry"), Outlets()

    def make() -> TelemetryCollector:
        return TelemetryCollector(database, outlets, now, flush_every=flush_every, retention=3600.0, max_series=max_series)

    try:
        async with ActorSystem(now=now) as system:
            yield Bench(system, database, outlets, await system.spawn("telemetry", make))
    finally:
        await database.close()


@pytest.fixture
async def bench(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    """An empty collector."""
    async with collecting(tmp_path, clock) as started:
        yield started


def times(n: int, first: int = 0) -> range:
    return range(START + 1000 * first, START + 1000 * (first + n), 1000)


async def test_samples_are_there_at_once(bench: Bench) -> None:
    """By metric, by node and by time, both ends included."""
    for at in times(5):
        bench.feed(at, "a", cpu=0.5, load=1.0)
        bench.feed(at, "b", cpu=0.25)
    assert set(await bench.read()) == {("cpu", "a"), ("load", "a"), ("cpu", "b")}
    assert await bench.read("cpu", nodes=("b",), start=START + 1000, end=START + 3000) == {
        ("cpu", "b"): [(START + 1000, 0.25), (START + 2000, 0.25), (START + 3000, 0.25)]
    }
    assert await bench.read("missing") == {}
    assert await bench.read(start=START + 10_000) == {}


async def test_what_was_measured_is_read_back_after_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Over many chunks, bit by bit, and joined with what comes after."""
    dice = random.Random(1)
    fed = [(at, dice.choice([0.0, -1.5, 1e300, 5e-324, dice.random(), float(2**53)])) for at in times(100)]
    async with collecting(tmp_path, clock) as bench:
        for i, (at, value) in enumerate(fed):
            bench.feed(at, cpu=value)
            if i % 40 == 39:
                bench.collector.tell(Sweep())
        assert (await bench.read())["cpu", "a"] == fed
    async with collecting(tmp_path, clock) as bench:
        assert (await bench.read())["cpu", "a"] == fed
        more = [(at, 1.0) for at in times(10, first=100)]
        for at, value in more:
            bench.feed(at, cpu=value)
        assert (await bench.read())["cpu", "a"] == fed + more
        assert (await bench.read(start=START + 95_000, end=START + 102_000))["cpu", "a"] == (fed + more)[95:103]


async def test_a_long_series_leaves_memory_not_the_disk(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples that have left the hot window are read from chunks, each once."""
    monkeypatch.setattr("actors.telemetry.HOT", 20)
    async with collecting(tmp_path, clock, flush_every=10.0) as bench:
        for i, at in enumerate(times(200)):
            bench.feed(at, cpu=float(i))
            if i % 10 == 9:
                bench.collector.tell(Sweep())
        assert (await bench.read())["cpu", "a"] == [(at, float(i)) for i, at in enumerate(times(200))]


async def test_nothing_is_lost_when_sweeps_are_rare(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has left the hot window was on disk before."""
    monkeypatch.setattr("actors.telemetry.HOT", 20)
    async with collecting(tmp_path, clock, flush_every=3600.0) as bench:
        for at in times(50):
            bench.feed(at, cpu=1.0)
        bench.collector.tell(Sweep())
        assert len((await bench.read())["cpu", "a"]) == 50


@pytest.mark.parametrize("flush_every", [0.5, 5.0, 30.0])
async def test_a_sweep_puts_everything_on_disk(tmp_path: Path, clock: Clock, flush_every: float) -> None:
    """However few samples there are, and once only."""
    async with collecting(tmp_path, clock, flush_every=flush_every) as bench:
        bench.feed(START, cpu=1.0)
        bench.feed(START + 10_000, cpu=2.0)
        for _ in range(3):
            bench.collector.tell(Sweep())
        assert (await bench.read())["cpu", "a"] == [(START, 1.0), (START + 10_000, 2.0)]
        assert await bench.database.fetch("SELECT sum(n) FROM chunk") == [(2,)]


async def test_samples_out_of_order_are_counted_and_refused(bench: Bench) -> None:
    """One that is not newer than the last of its series; others of the same readings are taken."""
    bench.feed(START, cpu=1.0)
    bench.feed(START, cpu=2.0)
    bench.feed(START - 1, cpu=3.0, load=1.0)
    assert await bench.read() == {("cpu", "a"): [(START, 1.0)], ("load", "a"): [(START - 1, 1.0)]}
    counts = await bench.counts()
    assert (counts["accepted"], counts["out_of_order"]) == (2, 2)


async def test_the_number_of_series_has_a_limit(tmp_path: Path, clock: Clock) -> None:
    """What is beyond it is counted, also after a restart; what is known goes on."""
    for turn in range(2):
        async with collecting(tmp_path, clock, max_series=2) as bench:
            bench.feed(START + turn, one=1.0, two=2.0, three=3.0, four=4.0)
            assert set(await bench.read()) == {("one", "a"), ("two", "a")}
            assert (await bench.counts())["over_limit"] == 2


async def test_a_damaged_chunk_is_left_out(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """With a word in the log; the other chunks are read."""
    async with collecting(tmp_path, clock, flush_every=3.0) as bench:
        for i, at in enumerate(times(9)):
            bench.feed(at, cpu=float(i))
            if i % 3 == 2:
                bench.collector.tell(Sweep())
        await bench.read()
    async with collecting(tmp_path, clock) as bench:
        ((chunk, blob),) = await bench.database.fetch("SELECT id, blob FROM chunk WHERE t0 = ?", (START + 3000,))
        assert isinstance(blob, bytes)
        damaged = blob[:-1] + bytes([blob[-1] ^ 1])
        async with bench.database.transaction() as tx:
            await tx.execute("UPDATE chunk SET blob = ? WHERE id = ?", (damaged, chunk))
        with caplog.at_level(logging.ERROR):
            found = (await bench.read())["cpu", "a"]
    assert [value for _, value in found] == [0.0, 1.0, 2.0, 6.0, 7.0, 8.0]
    assert f"chunk {chunk!r} of series cpu is damaged" in caplog.text


async def test_what_is_too_old_is_deleted(tmp_path: Path, clock: Clock) -> None:
    """Chunks whose last sample is older than the retention, at the next sweep."""
    async with collecting(tmp_path, clock, flush_every=1.0) as bench:
        bench.feed(START, cpu=1.0)
        bench.collector.tell(Sweep())
        bench.feed(START + 1_800_000, cpu=2.0)
        bench.collector.tell(Sweep())
        assert len(await bench.read()) == 1
        clock.now = START / 1000 + 3601
        bench.collector.tell(Sweep())
        await bench.read()
        assert await bench.database.fetch("SELECT t0 FROM chunk") == [(START + 1_800_000,)]


async def test_a_full_disk_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    """What could not be written is written when there is room again; the collector goes on meanwhile."""
    async with collecting(tmp_path, clock, flush_every=1.0) as bench:
        bench.feed(START, cpu=1.0)
        await bench.database.fetch("PRAGMA query_only = ON")
        bench.collector.tell(Sweep())
        bench.feed(START + 1000, cpu=2.0)
        assert (await bench.read())["cpu", "a"] == [(START, 1.0), (START + 1000, 2.0)]
        await bench.database.fetch("PRAGMA query_only = OFF")
        bench.collector.tell(Sweep())
        await bench.read()
        assert await bench.database.fetch("SELECT sum(n) FROM chunk") == [(2,)]


async def test_too_many_points_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrower question is answered."""
    monkeypatch.setattr("actors.telemetry.MAX_POINTS", 5)
    for at in times(10):
        bench.feed(at, cpu=1.0)
    with pytest.raises(TooLarge):
        await bench.read()
    assert len((await bench.read(start=START + 5000))["cpu", "a"]) == 5


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


def test_a_metric_is_chosen_with_all_its_labels() -> None:
    """And an item of which nothing is left is none."""
    item = {"ts": 1, "node": "a", "values": {'tx{link="l"}': 1.0, 'tx{link="m"}': 2.0, "tx_rate": 3.0}}
    assert select(item, Filter(metrics=frozenset({"tx"}))) == {**item, "values": {'tx{link="l"}': 1.0, 'tx{link="m"}': 2.0}}
    assert select(item, Filter(metrics=frozenset({"t"}))) is None
    assert select(item, Filter(nodes=frozenset({"b"}), metrics=frozenset({"tx"}))) is None


async def test_the_snapshot_forgets_nodes_that_went_silent(bench: Bench, clock: Clock) -> None:
    """A minute after their last reading, at the next sweep."""
    bench.feed(START, "a", cpu=1.0)
    bench.feed(START + 50_000, "b", cpu=1.0)
    clock.now = START / 1000 + 61
    bench.collector.tell(Sweep())
    (snapshot,) = (await bench.attach("ws/1")).of("snapshot")
    assert [item["node"] for item in snapshot["data"]] == ["b"]
