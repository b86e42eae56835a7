"""Compiling on a thread and in a process."""

import asyncio
import gc
from asyncio.subprocess import Process
from collections.abc import AsyncIterator

import attrs
import pytest

from actors import workshop
from actors.workshop import Job, Workshop, run
from paranet.errors import CompilerDied
from paranet.models.topology import Topology
from tests.paranet.compiler.networks import MIX

SOURCE = "route web { from: h1; to: h2 }\nacl shut { deny: { from: h1; to: r4 } }"


@pytest.fixture
async def bench() -> AsyncIterator[Workshop]:
    """A workshop whose process, if it had one, is gone."""
    working = Workshop()
    yield working
    await working.close()
    gc.collect()


def job(source: str = SOURCE, topology: Topology = MIX, revision: int = 1) -> Job:
    return Job(topology=topology, revision=revision, source=source, name="work", installed={n: {} for n in topology.nodes})


async def test_thread_and_process_agree(bench: Workshop) -> None:
    """A large source yields in the process what a small one yields on a thread."""
    large = job(SOURCE.ljust(workshop.SMALL_SOURCE + 1))
    assert not large.small
    compiled, report = await bench.build(large)
    assert (compiled, report) == run(large)
    assert report.ok
    assert compiled.rows == run(job())[0].rows


async def test_a_change_is_compiled_in_the_process_as_anywhere(bench: Workshop) -> None:
    """One changed route after another yields what a new compiler would."""
    routes = [f"route r{i} {{ from: h1; to: h2; bandwidth: 1kbps }}" for i in range(500)]
    for i, target in enumerate(("r3", "r4", "v6")):
        routes[i] = f"route r{i} {{ from: h1; to: {target} }}"
        changed = job("\n".join(routes))
        assert not changed.small
        assert await bench.build(changed) == run(changed)


def test_a_row_that_somebody_holds_otherwise() -> None:
    """The violation names the row, its device and both intents."""
    (mine,) = (r for r in run(job())[0].rows["r1"] if r.family == "ip.route")
    theirs = attrs.evolve(mine, value={"next_hops": []}, owners=("other/way",))
    _, report = run(attrs.evolve(job(), installed={"r1": {theirs.id: theirs}}))
    (found,) = report.violations
    assert (found.check, found.intents, found.witness.hops) == ("ownership", ("other/way", "work/web"), ("r1",))
    assert found.rows == (f"r1 ip.route {mine.key}",)


async def test_a_result_is_kept_for_its_topology(bench: Workshop) -> None:
    """The same source on the same revision is compiled once, on another revision again."""
    first, _ = await bench.build(job())
    second, _ = await bench.build(job())
    third, _ = await bench.build(job(revision=2))
    assert second is first
    assert third is not first


async def test_results_are_few(bench: Workshop) -> None:
    """Only the latest results are kept."""
    first, _ = await bench.build(job())
    for i in range(workshop.KEPT):
        await bench.build(job(f"// {i}"))
    again, _ = await bench.build(job())
    assert again is not first


async def test_who_goes_stops_the_process(bench: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that nobody waits for is ended with its process; the next job gets a new one."""
    slow = job("\n".join(f"route r{i} {{ from: h1; to: h2; via: [r4, r2]; latency: 1ms }}" for i in range(9_000)))
    asked, begun = workshop.ask, asyncio.Event()

    async def ask(process: Process, question: bytes) -> bytes:
        begun.set()
        return await asked(process, question)

    monkeypatch.setattr(workshop, "ask", ask)
    task = asyncio.create_task(bench.build(slow))
    await begun.wait()
    process = bench.process
    assert process is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert process.returncode is not None
    assert (await bench.build(job(SOURCE.ljust(workshop.SMALL_SOURCE + 1))))[1].ok


async def test_no_job_takes_for_ever(bench: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is out of time is refused, and its process ended."""
    monkeypatch.setattr(workshop, "TIMEOUT", 0.0)
    with pytest.raises(CompilerDied):
        await bench.build(job(SOURCE.ljust(workshop.SMALL_SOURCE + 1)))
    assert bench.process is None


def test_a_large_network_is_no_small_job() -> None:
    """Devices with many rows, too, are for the process."""
    rows = run(job())[0].rows["r1"]
    many = {str(i): rows[0] for i in range(workshop.SMALL_STATE + 1)}
    assert not attrs.evolve(job(), installed={"r1": {("ip.route", k): r for k, r in many.items()}}).small
