"""TelemetryCollector: owns the series, their hot window and the way of samples to disk, answers queries, and publishes every tick."""

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from actors import queries
from actors.backlog import Backlog
from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.chunks import Batch, ChunkStore, decoded
from actors.device import Readings
from actors.ids import epoch
from actors.ingestion import Intake
from actors.latest import Latest, Parcel, Shelf, deliver
from actors.runtime import Actor, Mailbox, Message, Overflow, handles
from actors.samples import (
    Answer,
    AssessRules,
    FindLabels,
    FindSeries,
    Ingest,
    Points,
    Query,
    QueryRange,
    ReadMetrics,
    Touched,
    Verdicts,
    Watch,
)
from actors.selection import newest_readings, select
from paranet.errors import ParaNetError, StorageFailed, TooFast
from paranet.metrics.alerts.assess import assess, basis
from paranet.metrics.hot import SEAL, HotSeries, shown_name
from paranet.metrics.index import Index
from paranet.metrics.labels import Labels, labels_of, series_name
from paranet.metrics.promql.parse import parse

log = logging.getLogger(__name__)

GATHER = 0.05
"""seconds that devices have to hand in a tick before it is published"""
SWEEP = 60.0
"""seconds between two looks for what is too old"""
BEHIND = 5_000_000
"""samples that may wait for the disk before more are refused"""
SILENT = 60_000
"""ms after which a node's readings leave the snapshot"""


@attrs.frozen(kw_only=True)
class Flush(Message):
    """Publish what the devices have handed in."""


@attrs.frozen(kw_only=True)
class Save(Message):
    """Write to disk what has come since."""


@attrs.frozen(kw_only=True)
class Saved(Message):
    """A batch is on disk, or it is not and *error* says why. *journal* is the row it made there."""

    journal: int = 0
    error: str | None = None


@attrs.frozen(kw_only=True)
class Shared(Message):
    """The latest readings lie on the shelf; what it did not take comes back as *left*."""

    left: Parcel | None = None


@attrs.frozen(kw_only=True)
class Sweep(Message):
    """Forget what is too old."""


@attrs.frozen(kw_only=True)
class Swept(Message):
    """What was too old is gone; so may be series of these ids."""

    gone: frozenset[int] = frozenset()


@attrs.frozen(kw_only=True)
class Forgotten(Message):
    """They are gone."""


class TelemetryCollector(Actor):
    """Samples are in memory at once and in the journal or a chunk within *flush_every* seconds; a stop writes the rest."""

    mailbox = Mailbox(capacity=8192, lossy={Readings: Overflow.DROP_OLDEST})
    jobs_limit = 6

    def __init__(
        self,
        store: ChunkStore,
        outlets: Outlets,
        now: Callable[[], float],
        *,
        flush_every: float,
        retention: float,
        max_series: int,
        max_bytes: int = 1 << 62,
        shelf: Shelf | None = None,
    ) -> None:
        self._store = store
        self._outlets = outlets
        self._now = now
        self._flush_every = flush_every
        self._retention = int(retention * 1000)
        self._max_series = max_series
        self._max_bytes = max_bytes
        self._shelf = shelf

    async def on_start(self) -> None:
        self._index = Index()
        self._backlog = Backlog(self._index)
        self._saving = self._sweeping = self._sharing = False
        self._hot = queries.HotSource(self._index, self._backlog.pending)
        self._watchers: dict[str, frozenset[str]] = {}
        await self._recover()
        self._gathered: deque[dict[str, Any]] = deque()
        self._latest = Latest(self._shelf)
        await self._latest.load()
        self._channel = Channel("telemetry", self._outlets, epoch=epoch(), select=select, conflate=newest_readings)
        self._channel.reopen(self._snapshot)
        self.timers.every("save", Save(), interval=self._flush_every)
        self.timers.every("sweep", Sweep(), interval=SWEEP)

    async def on_stop(self) -> None:
        """Journal first, which is quick; then chunks piece by piece; the journal goes last. Cut short anywhere, nothing is lost."""
        try:
            for piece in self._backlog.rest(self._intake):
                await self._store.write(piece)
        except StorageFailed as error:
            log.warning("what is not in the journal is lost: %s", error.detail)

    def inspect(self) -> Mapping[str, object]:
        return {
            "series": len(self._index),
            "subscribers": self._channel.subscribers,
            "waiting": self._backlog.waiting,
            "unsaved": self._backlog.unsaved(self._intake),
            "damaged": dict(+self._store.damaged),
            **self._intake.counts,
        }

    async def _recover(self) -> None:
        """Take up what is on disk: series, chunks that were still open, and the journal."""
        by_id: dict[int, HotSeries] = {}
        for row in await self._store.series():
            by_id[row.id] = series = HotSeries(row.id, row.labels, row.last)
            self._index.add(series)
        self._intake = Intake(
            self._index,
            next_id=max(by_id, default=0) + 1,
            max_series=self._max_series,
            retention=self._retention,
            seal=self._backlog.seal,
        )
        open_chunks, damaged = decoded(await self._store.open_chunks())
        await self._store.discard("chunk", damaged)
        for series_id, (times, values) in open_chunks.items():
            self._replay(by_id.get(series_id), times, values, reopened=True)
        entries, self._backlog.journal = await self._store.journal()
        for series_id, (times, values) in entries:
            self._replay(by_id.get(series_id), times, values)
        for series in by_id.values():
            series.saved = series.unsealed

    def _replay(self, series: HotSeries | None, times: Any, values: Any, *, reopened: bool = False) -> None:
        """Append what a former life of the hub knew; what a chunk holds already is left out."""
        if series is None:
            return
        after = 0 if reopened else series.last
        new = times > after
        times, values = times[new], values[new]
        while len(times):
            room = SEAL - series.unsealed
            series.extend(times[:room].tolist(), values[:room].tolist())
            times, values = times[room:], values[room:]
            if series.is_full:
                self._backlog.seal(series)

    # What comes in.

    @handles
    async def readings(self, message: Readings) -> None:
        values: dict[str, float] = {}
        now = int(self._now() * 1000)
        for sample in message.samples:
            labels = labels_of(sample.metric, sample.labels)
            if self._intake.take(labels, message.at, sample.value, now) == "accepted":
                values[series_name(sample.metric, [p for p in sample.labels.items() if p[0] != "node"])] = sample.value
        if values:
            self._publish_later({"ts": message.at, "node": message.node, "values": values})
            self._touched(frozenset(s.metric for s in message.samples), message.at)

    @handles
    async def ingest(self, message: Ingest) -> Verdicts:
        if self._backlog.waiting > BEHIND:
            raise TooFast(f"{self._backlog.waiting} samples wait for the disk", retry_after=1)
        verdicts = self._intake.batch(message.lines, int(self._now() * 1000))
        self._announce(message)
        return verdicts

    def _announce(self, message: Ingest) -> None:
        """Tell those who watch metrics of what was pushed, and, if somebody looks or other hubs may, publish its newest values."""
        looked_at = self._channel.subscribers or self._shelf is not None
        if not (looked_at or self._watchers):
            return
        new = [
            series
            for line in message.lines
            if line.times and (series := self._index.get(line.labels)) is not None and series.last == line.times[-1]
        ]
        if looked_at:
            self._show(new)
        if self._watchers and new:
            self._touched(frozenset(series.metric for series in new), max(series.last for series in new))

    def _show(self, pushed: Iterable[HotSeries]) -> None:
        """Publish newest values, an item for each node and time."""
        items: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
        for series in pushed:
            items[series.node, series.last][shown_name(series.labels)] = series.newest()
        for (node, ts), values in items.items():
            self._publish_later({"ts": ts, "node": node, "values": values})

    def _publish_later(self, item: dict[str, Any]) -> None:
        self._latest.take(item)
        if not self._gathered:
            self.timers.once("flush", Flush(), after=GATHER)
        self._gathered.append(item)

    def _touched(self, metrics: frozenset[str], at: int) -> None:
        for path, wanted in self._watchers.items():
            touched = metrics & wanted
            if touched:
                self.system.ref(path).tell(Touched(metrics=touched, at=at))

    @handles
    async def watch_metrics(self, message: Watch) -> None:
        self._watchers[message.path] = message.metrics
        if not message.metrics:
            del self._watchers[message.path]

    @handles
    async def flush(self, message: Flush) -> None:
        items = list(self._gathered)
        self._gathered.clear()
        self._channel.publish(items)

    # To disk.

    @handles
    async def save(self, message: Save) -> None:
        await self._share()
        if self._saving:
            return
        batch = self._backlog.batch(self._intake)
        if batch is not None:
            self._saving = True
            await self.pipe_to_self(self._write(batch), name="save")

    async def _share(self) -> None:
        """Lay the latest readings where other hubs, and the next start of this one, find them."""
        parcel = None if self._sharing else self._latest.parcel()
        if parcel is not None and self._shelf is not None:
            self._sharing = True
            await self.pipe_to_self(self._deliver(parcel, self._shelf), name="share")

    async def _deliver(self, parcel: Parcel, shelf: Shelf) -> Message:
        return Shared(left=None if await deliver(parcel, shelf) else parcel)

    @handles
    async def shared(self, message: Shared) -> None:
        self._sharing = False
        if message.left is not None:
            self._latest.returned(message.left)

    async def _write(self, batch: Batch) -> Message:
        try:
            return Saved(journal=await self._store.write(batch))
        except StorageFailed as error:
            return Saved(error=error.detail)

    @handles
    async def saved(self, message: Saved) -> None:
        self._saving = False
        if message.error is not None:
            log.error("samples wait: %s", message.error)
        else:
            self._backlog.written(message.journal)

    @handles
    async def sweep(self, message: Sweep) -> None:
        now = int(self._now() * 1000)
        self._latest.forget_before(now - SILENT)
        if not self._sweeping:
            self._sweeping = True
            await self.pipe_to_self(self._retain(now, [s.id for s in self._silent(now)]), name="sweep")

    def _silent(self, now: int) -> list[HotSeries]:
        """Return the series without a sample that is young enough, on disk or on its way there."""
        return [s for s in self._index if s.last < now - self._retention and not self._backlog.holds(s)]

    async def _retain(self, now: int, silent: list[int]) -> Message:
        """Delete what is too old. Series of which nothing is left are to go; where there is no room for others, silent ones too."""
        try:
            await self._store.retain(now, self._retention, self._max_bytes)
            full = len(self._index) >= self._max_series
            return Swept(gone=frozenset(silent if full else await self._store.without_samples(silent)))
        except StorageFailed as error:
            log.warning("nothing could be deleted: %s", error.detail)
        return Swept()

    @handles
    async def swept(self, message: Swept) -> None:
        gone = [s for s in self._silent(int(self._now() * 1000)) if s.id in message.gone]
        for series in gone:
            self._index.remove(series)
            series.clear()  # what of it is in no chunk is too old for one
        await self.pipe_to_self(self._forget([s.id for s in gone]), name="sweep")

    async def _forget(self, gone: list[int]) -> Message:
        try:
            await self._store.forget(gone)
        except StorageFailed as error:
            log.warning("nothing could be deleted: %s", error.detail)
        return Forgotten()

    @handles
    async def forgotten(self, message: Forgotten) -> None:
        self._sweeping = False

    # Questions.

    @handles
    async def read(self, message: ReadMetrics) -> tuple[Points, ...]:
        prepared = queries.prepare(self._hot, queries.everything(message), (message.end, message.end, 1), 0)
        return await self.defer(queries.points(self._store, prepared))

    @handles
    async def query(self, message: Query) -> Answer:
        return await self._ask(message.promql, message.at, message.at, 1)

    @handles
    async def query_range(self, message: QueryRange) -> Answer:
        return await self._ask(message.promql, message.start, message.end, message.step)

    async def _ask(self, promql: str, start: int, end: int, step: int) -> Answer:
        raw_since = int(self._now() * 1000) - self._retention
        prepared = queries.prepare(self._hot, parse(promql), (start, end, step), raw_since)
        return await self.defer(queries.answer(self._store, prepared))

    @handles
    async def assess_rules(self, message: AssessRules) -> tuple[Any, ...]:
        found: list[Any] = []
        cold: list[int] = []
        for i, (node, clear, look) in enumerate(message.items):
            try:
                quick = queries.quickly(self._hot, node, message.at, look=look) if clear is None else None
                if quick is not None:
                    found.append(quick)
                elif self._hot.holds((node, clear), message.at):
                    found.append(assess(node, clear, self._hot, message.at, look=look))
                else:
                    cold.append(i)
                    found.append(queries.cold(self._hot, (node, clear, basis(node) if look else None), message.at))
            except ParaNetError as error:
                found.append(error)
        return await self.defer(queries.with_cold(self._store, found, cold)) if cold else tuple(found)

    @handles
    async def find_series(self, message: FindSeries) -> tuple[Labels, ...]:
        return queries.found_series(self._index, message)

    @handles
    async def find_labels(self, message: FindLabels) -> tuple[str, ...]:
        return queries.found_labels(self._index, message)

    def _snapshot(self) -> list[dict[str, Any]]:
        return self._latest.items()

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, self._snapshot)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)
