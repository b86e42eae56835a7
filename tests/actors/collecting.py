"""A telemetry collector on a real database, with the clock in the test's hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from actors.channels import Filter, Outlets, Position, Subscribe
from actors.chunks import ChunkStore
from actors.device import Readings
from actors.runtime import ActorSystem, Ref
from actors.runtime.inspect import state_of
from actors.samples import ReadMetrics
from actors.storage import Database
from actors.telemetry import Save, Sweep, TelemetryCollector
from paranet.controller.driver import Sample
from tests.actors.conftest import Clock
from tests.actors.recorder import Recorder

T = 10.0
"""s"""
START = 1_750_000_000_000
"""ms"""


class Bench:
    """A collector with the means to feed and read it."""

    def __init__(self, system: ActorSystem, database: Database, outlets: Outlets, collector: Ref, clock: Clock) -> None:
        self.system, self.database, self.outlets, self.collector, self.clock = system, database, outlets, collector, clock

    def feed(self, at: int, node: str = "a", **values: float) -> None:
        """Hand in a node's readings of metrics by name."""
        self.clock.now = max(self.clock.now, at / 1000)
        samples = tuple(Sample(metric=metric, labels={"node": node}, value=value) for metric, value in values.items())
        self.collector.tell(Readings(node=node, at=at, samples=samples))

    async def read(self, *names: str, nodes: tuple[str, ...] = (), start: int = 0, end: int = 1 << 53) -> dict[tuple[str, str], list[Any]]:
        """Return the points by (metric, node)."""
        request = ReadMetrics(names=frozenset(names), nodes=frozenset(nodes), start=start, end=end)
        found = await self.collector.ask(request, timeout=T)
        return {(p.metric["__name__"], p.metric["node"]): list(p.points) for p in found}

    async def attach(self, path: str, wanted: Filter | None = None, since: Position | None = None) -> Recorder:
        recorder = Recorder()
        self.outlets.add(path, recorder)
        await self.collector.ask(
            Subscribe(channel="telemetry", subscriber=path, reply_to=0, since=since, filter=wanted or Filter()), timeout=T
        )
        return recorder

    async def save(self) -> None:
        """Have everything written that is due, and wait for it."""
        await self.read("nothing")
        self.collector.tell(Save())
        await self.settled("_saving")

    async def sweep(self) -> None:
        """Have what is too old deleted, and wait for it."""
        self.collector.tell(Sweep())
        await self.settled("_sweeping")

    async def settled(self, flag: str) -> None:
        """Wait until the collector's job is done."""
        cell = self.system.cell("telemetry")
        assert cell is not None
        await self.read("nothing")
        while getattr(cell.actor, flag):
            await self.read("nothing")

    async def counts(self) -> dict[str, object]:
        await self.read("nothing")
        cell = self.system.cell("telemetry")
        assert cell is not None
        return state_of(cell)


@asynccontextmanager
async def collecting(folder: Path, now: Clock, *, max_series: int = 100, max_bytes: int = 1 << 62) -> AsyncIterator[Bench]:
    """A collector on the folder's database, for as long as the block runs."""
    database, outlets = await Database.open(folder / "telemetry.sqlite3", "telemetry"), Outlets()

    def make() -> TelemetryCollector:
        return TelemetryCollector(
            ChunkStore(database), outlets, now, flush_every=3600.0, retention=3600.0, max_series=max_series, max_bytes=max_bytes
        )

    try:
        async with ActorSystem(now=now) as system:
            yield Bench(system, database, outlets, await system.spawn("telemetry", make), now)
    finally:
        await database.close()


def times(n: int, first: int = 0) -> range:
    return range(START + 1000 * first, START + 1000 * (first + n), 1000)
