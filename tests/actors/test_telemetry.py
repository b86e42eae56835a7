"""actors.telemetry"""

import asyncio
import logging
import random
import shutil
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.channels import Outlets
from actors.chunks import Batch, ChunkStore
from actors.runtime import ActorSystem
from actors.samples import Ingest, Line, QueryRange
from actors.storage import Database
from actors.telemetry import TelemetryCollector
from paranet.errors import QueryTooLarge, StorageFailed
from paranet.metrics.labels import labels_of
from paranet.metrics.promql.values import Vector
from tests.actors.collecting import START, Bench, T, collecting, times
from tests.actors.conftest import Clock


@pytest.fixture
async def bench(tmp_path: Path, clock: Clock) -> AsyncIterator[Bench]:
    """An empty collector."""
    async with collecting(tmp_path, clock) as started:
        yield started


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
                await bench.save()
        assert (await bench.read())["cpu", "a"] == fed
    async with collecting(tmp_path, clock) as bench:
        assert (await bench.read())["cpu", "a"] == fed
        more = [(at, 1.0) for at in times(10, first=100)]
        for at, value in more:
            bench.feed(at, cpu=value)
        assert (await bench.read())["cpu", "a"] == fed + more
        assert (await bench.read(start=START + 95_000, end=START + 102_000))["cpu", "a"] == (fed + more)[95:103]


async def test_a_long_series_leaves_memory_not_the_disk(tmp_path: Path, clock: Clock) -> None:
    """Samples that have left the hot window are read from chunks, each once; what is sealed and not written yet too."""
    async with collecting(tmp_path, clock) as bench:
        fed = [(at, float(i)) for i, at in enumerate(times(2000))]
        for i, (at, value) in enumerate(fed):
            bench.feed(at, cpu=value)
            if i in (700, 1500):
                await bench.save()
        assert (await bench.read())["cpu", "a"] == fed
        await bench.save()
        assert (await bench.read())["cpu", "a"] == fed
        assert await bench.database.fetch("SELECT n FROM chunk ORDER BY t0") == [(600,), (600,), (600,)]
        assert (await bench.read(start=fed[590][0], end=fed[610][0]))["cpu", "a"] == fed[590:611]


async def test_what_is_on_no_chunk_is_in_the_journal(tmp_path: Path, clock: Clock) -> None:
    """A collector that ends without a word has lost nothing of what was saved; its open chunk grows on."""
    folder, database, outlets = tmp_path, await Database.open(tmp_path / "telemetry.sqlite3", "telemetry"), Outlets()
    async with ActorSystem(now=clock) as system:
        options = {"flush_every": 3600.0, "retention": 3600.0, "max_series": 100}
        make = lambda: TelemetryCollector(ChunkStore(database), outlets, clock, **options)  # type: ignore[arg-type]  # noqa: E731
        bench = Bench(system, database, outlets, await system.spawn("telemetry", make), clock)
        for at in times(50):
            bench.feed(at, cpu=float(at))
        await bench.save()
        for at in times(50, first=50):
            bench.feed(at, cpu=float(at))
        await bench.save()
        shutil.copytree(folder, tmp_path / "killed")
    await database.close()
    async with collecting(tmp_path / "killed", clock) as bench:
        assert (await bench.read())["cpu", "a"] == [(at, float(at)) for at in times(100)]
        for at in times(550, first=100):
            bench.feed(at, cpu=float(at))
        await bench.save()
        assert (await bench.read())["cpu", "a"] == [(at, float(at)) for at in times(650)]
        assert await bench.database.fetch("SELECT n FROM chunk") == [(600,)]


async def test_the_journal_stays_short(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open chunks are written in rounds; what they hold leaves the journal."""
    monkeypatch.setattr("actors.backlog.CHECKPOINT", 3)
    async with collecting(tmp_path, clock) as bench:
        for at in times(30):
            bench.feed(at, cpu=1.0)
            bench.feed(at, "b", cpu=1.0)
            await bench.save()
        ((rows,),) = await bench.database.fetch("SELECT count(*) FROM journal")
        assert isinstance(rows, int)
        assert rows < 12
        assert len((await bench.read())["cpu", "b"]) == 30


async def test_a_stop_puts_everything_on_disk(tmp_path: Path, clock: Clock) -> None:
    """In one chunk a series, and nothing stays in the journal."""
    async with collecting(tmp_path, clock) as bench:
        bench.feed(START, cpu=1.0)
        bench.feed(START + 10_000, cpu=2.0)
        await bench.save()
    async with collecting(tmp_path, clock) as bench:
        assert (await bench.read())["cpu", "a"] == [(START, 1.0), (START + 10_000, 2.0)]
        assert await bench.database.fetch("SELECT n FROM chunk") == [(2,)]
        assert await bench.database.fetch("SELECT * FROM journal") == []


async def test_a_stop_that_is_cut_short_loses_nothing(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one of the samples that were sealed in a hurry either: the journal had them before the first chunk was begun."""
    async with collecting(tmp_path, clock) as bench:
        begun, go_on, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

        def endless(batch: Batch) -> Any:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(T)
            raise StorageFailed("too late")

        monkeypatch.setattr("actors.chunks._encoded", endless)
        lines = [Line(labels=labels_of("m", {"node": str(i)}), times=list(times(700)), values=[1.5] * 700) for i in range(50)]
        clock.now = times(700)[-1] / 1000
        assert (await bench.collector.ask(Ingest(lines=lines), timeout=T)).accepted == 35_000
        stopping = asyncio.create_task(bench.system.drain(T), name="stop")
        await begun.wait()
        cell = bench.system.cell("telemetry")
        assert cell is not None
        cell.kill()
        await stopping
        go_on.set()
        assert await bench.database.fetch("SELECT count(*) FROM chunk") == [(0,)]
    monkeypatch.undo()
    async with collecting(tmp_path, clock) as bench:
        found = await bench.read()
        assert len(found) == 50
        assert all(points == [(at, 1.5) for at in times(700)] for points in found.values())
        await bench.save()
    async with collecting(tmp_path, clock) as bench:
        assert await bench.database.fetch("SELECT sum(n), count(*) FROM chunk") == [(35_000, 100)]
        assert await bench.database.fetch("SELECT id FROM journal") == []


async def test_rollups_answer_long_queries(tmp_path: Path, clock: Clock) -> None:
    """By the minute, with the column that the function is about; samples in memory are part of it."""
    async with collecting(tmp_path, clock) as bench:
        first = START - START % 60_000
        for i in range(1300):
            bench.feed(first + 1000 * i, cpu=float(i))
        await bench.save()
        span = {"start": first + 3 * 60_000, "end": first + 21 * 60_000, "step": 60_000}
        clock.now += 3600 + 1300  # raw samples are too old now to be counted on
        for function, wanted in (("max", 179.0), ("min", 120.0), ("sum", sum(range(120, 180))), ("count", 60.0), ("avg", 149.5)):
            answer = await bench.collector.ask(QueryRange(promql=f"{function}_over_time(cpu[1m])", **span), timeout=T)
            assert answer.tier == "1m"
            assert isinstance(answer.result.value, Vector)
            values = dict(zip(answer.result.times.tolist(), answer.result.value.values[0].tolist(), strict=True))
            assert values[first + 3 * 60_000] == wanted, function


async def test_every_sample_has_its_verdict(bench: Bench, clock: Clock) -> None:
    """What is bad is counted and named; what is good is taken beside it."""
    node = {"node": "a"}
    cpu, load = labels_of("cpu", node), labels_of("load", node)
    later = int(clock.now * 1000) + 3_600_000
    request = Ingest(
        lines=(
            Line(labels=cpu, times=(START, START, START - 500, START - 10**7, START + 1000, later), values=(1.0,) * 6),
            Line(labels=load, times=(START, START + 1000), values=(1.0, 2.0)),
        )
    )
    verdicts = await bench.collector.ask(request, timeout=T)
    assert verdicts.accepted == 4
    assert verdicts.rejected == {"duplicate": 1, "out_of_order": 1, "too_old": 1, "in_future": 1}
    assert [(o.series, o.reason) for o in verdicts.first][:2] == [("cpu", "duplicate"), ("cpu", "out_of_order")]
    assert await bench.read() == {("cpu", "a"): [(START, 1.0), (START + 1000, 1.0)], ("load", "a"): [(START, 1.0), (START + 1000, 2.0)]}


async def test_a_clock_that_jumps_loses_nothing_that_was_taken(bench: Bench, clock: Clock) -> None:
    """Back: refused until the time is reached again; forth: taken."""
    bench.feed(START, cpu=1.0)
    clock.now -= 100
    bench.feed(START - 100_000, cpu=2.0)
    clock.now += 3000
    bench.feed(START + 2_900_000, cpu=3.0)
    assert (await bench.read())["cpu", "a"] == [(START, 1.0), (START + 2_900_000, 3.0)]
    assert (await bench.counts())["out_of_order"] == 1


async def test_the_number_of_series_has_a_limit(tmp_path: Path, clock: Clock) -> None:
    """What is beyond it is counted, also after a restart; what is known goes on."""
    for turn in range(2):
        async with collecting(tmp_path, clock, max_series=2) as bench:
            bench.feed(START + turn, one=1.0, two=2.0, three=3.0, four=4.0)
            assert set(await bench.read()) == {("one", "a"), ("two", "a")}
            assert (await bench.counts())["over_limit"] == 2


async def test_silent_series_make_room_for_others(tmp_path: Path, clock: Clock) -> None:
    """When their newest sample is too old, however few they had; on disk and in memory, after a restart too."""
    async with collecting(tmp_path, clock, max_series=2) as bench:
        for node in "ab":
            bench.feed(START, node, cpu=1.0)
        await bench.save()
        bench.feed(START + 1000, "b", cpu=1.0)
        clock.now = START / 1000 + 3600.5
        await bench.sweep()
        assert (await bench.counts())["series"] == 1
        bench.feed(START + 3_600_500, "c", cpu=3.0)
        await bench.save()
        assert sorted(await bench.read()) == [("cpu", "b"), ("cpu", "c")]
    async with collecting(tmp_path, clock, max_series=2) as bench:
        clock.now += 1
        await bench.sweep()
        bench.feed(START + 3_601_600, "d", cpu=4.0)
        await bench.save()
        assert sorted(await bench.read()) == [("cpu", "c"), ("cpu", "d")]
        assert await bench.database.fetch("SELECT labels FROM series ORDER BY id") == [('{"node":"c"}',), ('{"node":"d"}',)]


async def test_a_lower_limit_mixes_nothing_up(tmp_path: Path, clock: Clock) -> None:
    """Series that were there before it go on; new ones have to wait until there is room."""
    async with collecting(tmp_path, clock) as bench:
        for node, at in (("a", START), ("b", START + 2000), ("c", START + 2000)):
            bench.feed(at, node, cpu=1.0)
        await bench.save()
    async with collecting(tmp_path, clock, max_series=2) as bench:
        clock.now = START / 1000 + 3601
        await bench.sweep()  # a is gone
        for node in "bcd":
            bench.feed(START + 3_601_000, node, cpu=4.0)
        await bench.save()
        assert (await bench.counts())["over_limit"] == 1
    async with collecting(tmp_path, clock) as bench:
        points = [(START + 2000, 1.0), (START + 3_601_000, 4.0)]
        assert await bench.read() == {("cpu", "b"): points, ("cpu", "c"): points}


async def test_a_flood_of_series_stops_at_the_limit(tmp_path: Path, clock: Clock) -> None:
    """100,000 series against 20,000: each that is too many is counted, ten are named, and what is known goes on."""
    async with collecting(tmp_path, clock, max_series=20_000) as bench:
        counts: Counter[str] = Counter()
        for start in range(0, 100_000, 10_000):
            lines = [Line(labels=labels_of("m", {"i": str(i)}), times=(START,), values=(1.0,)) for i in range(start, start + 10_000)]
            verdicts = await bench.collector.ask(Ingest(lines=lines), timeout=T)
            counts += Counter({"accepted": verdicts.accepted, **verdicts.rejected})
        assert counts == {"accepted": 20_000, "over_limit": 80_000}
        assert len(verdicts.first) == 10
        known = Line(labels=labels_of("m", {"i": "0"}), times=(START + 1,), values=(2.0,))
        assert (await bench.collector.ask(Ingest(lines=[known]), timeout=T)).accepted == 1
        assert (await bench.counts())["series"] == 20_000


async def test_a_damaged_chunk_is_left_out(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """With a word in the log, once: it is deleted. The other chunks are read."""
    async with collecting(tmp_path, clock) as bench:
        for i, at in enumerate(times(1900)):
            bench.feed(at, cpu=float(i))
        await bench.save()
    async with collecting(tmp_path, clock) as bench:
        ((chunk, blob),) = await bench.database.fetch("SELECT id, blob FROM chunk WHERE t0 = ?", (START + 600_000,))
        assert isinstance(blob, bytes)
        damaged = blob[:-1] + bytes([blob[-1] ^ 1])
        async with bench.database.transaction() as tx:
            await tx.execute("UPDATE chunk SET blob = ? WHERE id = ?", (damaged, chunk))
        with caplog.at_level(logging.ERROR):
            found = (await bench.read())["cpu", "a"]
        assert [value for _, value in found] == [float(i) for i in (*range(600), *range(1200, 1900))]
        assert f"chunk {chunk!r} of series" in caplog.text
        assert await bench.database.fetch("SELECT id FROM chunk WHERE id = ?", (chunk,)) == []


async def test_what_is_too_old_is_deleted(tmp_path: Path, clock: Clock) -> None:
    """Chunks whose last sample is older than the retention, at the next sweep; rollups eight times as late, then the series itself."""
    async with collecting(tmp_path, clock) as bench:
        for at in times(600):
            bench.feed(at, cpu=1.0)
        await bench.save()
        await bench.sweep()
        assert await bench.database.fetch("SELECT count(*) FROM chunk") == [(1,)]
        clock.now = START / 1000 + 3600 + 601
        await bench.sweep()
        assert await bench.database.fetch("SELECT count(*) FROM chunk") == [(0,)]
        question = QueryRange(promql="sum_over_time(cpu[1m])", start=START + 120_000, end=START + 480_000, step=60_000)
        answer = await bench.collector.ask(question, timeout=T)
        assert isinstance(answer.result.value, Vector)
        assert (answer.tier, answer.result.value.values.tolist()) == ("1m", [[60.0] * 7])
        clock.now = START / 1000 + 8 * 3600 + 661
        await bench.sweep()
        assert (await bench.counts())["series"] == 0
        assert await bench.database.fetch("SELECT * FROM series") == []


@pytest.mark.parametrize("away", [4000, 40_000])
async def test_a_device_that_was_away_for_long_is_taken_up_again(tmp_path: Path, clock: Clock, away: int) -> None:
    """Its samples get to disk, whether rollups of it are left or not."""
    async with collecting(tmp_path, clock) as bench:
        for at in times(600):
            bench.feed(at, cpu=1.0)
        await bench.save()
        clock.now += away
        await bench.sweep()
        for at in times(600, first=600 + away):
            bench.feed(at, cpu=2.0)
        await bench.save()
        assert await bench.database.fetch("SELECT t0, n FROM chunk") == [(START + 1000 * (600 + away), 600)]
        assert await bench.database.fetch("SELECT count(*) FROM series") == [(1,)]


async def test_where_there_is_no_room_silent_series_go_with_their_rollups(tmp_path: Path, clock: Clock) -> None:
    """A limit full of devices that are long gone lets new ones in."""
    async with collecting(tmp_path, clock, max_series=1) as bench:
        for at in times(600):
            bench.feed(at, "gone", cpu=1.0)
        await bench.save()
        clock.now += 4000
        await bench.sweep()
        bench.feed(START + 4_600_000, "new", cpu=2.0)
        await bench.save()
        assert [*await bench.read()] == [("cpu", "new")]
        assert await bench.database.fetch("SELECT count(*) FROM rollup") == [(0,)]


async def test_a_cap_on_bytes_makes_the_oldest_go(tmp_path: Path, clock: Clock) -> None:
    """However young it is."""
    dice = random.Random(1)
    async with collecting(tmp_path, clock, max_bytes=700_000) as bench:
        line = [dice.random() for _ in range(120_000)]
        request = Ingest(
            lines=(Line(labels=labels_of("cpu", {"node": "a"}), times=[START - 120_000 + i for i in range(120_000)], values=line),)
        )
        await bench.collector.ask(request, timeout=T)
        await bench.save()
        assert await ChunkStore(bench.database).size() > 700_000
        await bench.sweep()
        assert await ChunkStore(bench.database).size() <= 700_000


async def test_a_full_disk_loses_nothing(tmp_path: Path, clock: Clock) -> None:
    """What could not be written is written when there is room again; the collector goes on meanwhile."""
    async with collecting(tmp_path, clock) as bench:
        for at in times(700):
            bench.feed(at, "a", cpu=random.random(), **{f"m{i}": random.random() for i in range(9)})
        ((pages,),) = await bench.database.fetch("PRAGMA page_count")
        await bench.database._connection.execute(f"PRAGMA max_page_count = {pages!r}")
        await bench.save()
        assert await bench.database.fetch("SELECT sum(n) FROM chunk") == [(None,)]
        bench.feed(START + 700_000, cpu=2.0)
        assert len((await bench.read())["cpu", "a"]) == 701
        await bench.database._connection.execute("PRAGMA max_page_count = 100000")
        await bench.save()
        assert await bench.database.fetch("SELECT sum(n) FROM chunk") == [(6000,)]
    async with collecting(tmp_path, clock) as bench:
        assert len((await bench.read())["cpu", "a"]) == 701


async def test_too_many_points_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrower question is answered."""
    monkeypatch.setattr("actors.queries.MAX_POINTS", 5)
    for at in times(10):
        bench.feed(at, cpu=1.0)
    with pytest.raises(QueryTooLarge):
        await bench.read()
    assert len((await bench.read(start=START + 5000))["cpu", "a"]) == 5
