"""TelemetryCollector: owns the series, their hot window and the way of samples to disk, answers queries, and publishes every tick."""

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from actors import queries
from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.chunks import Arrays, Batch, ChunkStore, decoded
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
from paranet.metrics.hot import SEAL, HotSeries, Run, shown_name
from paranet.metrics.index import Index
from paranet.metrics.labels import NAME, Labels, labels_of, series_name
from paranet.metrics.matchers import Matcher
from paranet.metrics.promql.ast import Range, Selector
from paranet.metrics.promql.parse import parse

log = logging.getLogger(__name__)

GATHER = 0.05
"""seconds that devices have to hand in a tick before it is published"""
CHECKPOINT = 300
"""turns of saving within which every open chunk is written once, so that the journal stays short"""
SWEEP = 60.0
"""seconds between two looks for what is too old"""
BEHIND = 5_000_000
"""samples that may wait for the disk before more are refused"""
ROW = 2000
"""series that one row of the journal holds at most: not more than a few MiB"""
PIECE = 500
"""chunks that are written at once at the end"""
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
    """What was too old is gone."""


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
        self._pending: dict[int, list[Arrays]] = defaultdict(list)
        self._hasty: list[tuple[int, Arrays]] = []
        self._waiting = 0
        self._collected = self._on_disk = 0
        self._batch: Batch | None = None
        self._saving = self._sweeping = self._sharing = False
        self._to_checkpoint: list[HotSeries] = []
        self._journal = self._mark = 0
        self._turn = 0
        self._hot = queries.HotSource(self._index, self._pending)
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
            for piece in self._rest():
                await self._store.write(piece)
        except StorageFailed as error:
            log.warning("what is not in the journal is lost: %s", error.detail)

    def _rest(self) -> Iterator[Batch]:
        last, left = self._collect(), self._batch or Batch()  # what is under way may be on disk or not: its chunks are pending still
        yield Batch(series=[*left.series, *last.series], fresh=[*left.fresh, *last.fresh], hasty=[*left.hasty, *last.hasty])
        for i in range(0, len(last.sealed), PIECE):
            yield Batch(sealed=last.sealed[i : i + PIECE])
        still_open = [s for s in self._index if s.unsealed]
        for i in range(0, len(still_open), PIECE):
            yield Batch(open=[(s.id, s.tail(s.unsealed)) for s in still_open[i : i + PIECE]])
        yield Batch(forget_journal=1 << 62)

    def inspect(self) -> Mapping[str, object]:
        return {
            "series": len(self._index),
            "subscribers": self._channel.subscribers,
            "waiting": self._waiting,
            "unsaved": self._intake.counts["accepted"] - self._on_disk,
            "damaged": dict(+self._store.damaged),
            **self._intake.counts,
        }

    async def _recover(self) -> None:
        """Take up what is on disk: series, chunks that were still open, and the journal."""
        known = await self._store.series(self._max_series)
        by_id: dict[int, HotSeries] = {}
        for row in known:
            by_id[row.id] = series = HotSeries(row.id, row.labels, row.last)
            self._index.add(series)
        self._intake = Intake(
            self._index,
            next_id=max(by_id, default=0) + 1,
            max_series=self._max_series,
            retention=self._retention,
            seal=self._seal,
        )
        open_chunks, damaged = decoded(await self._store.open_chunks())
        await self._store.discard("chunk", damaged)
        for series_id, (times, values) in open_chunks.items():
            self._replay(by_id.get(series_id), times, values, reopened=True)
        entries, self._journal = await self._store.journal()
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
                self._seal(series)

    def _seal(self, series: HotSeries) -> None:
        times, values, saved = series.seal()
        if len(times):
            self._pending[series.id].append((times, values))
            self._waiting += len(times)
            if saved < len(times):
                self._hasty.append((series.id, (times[saved:], values[saved:])))

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
        if self._waiting > BEHIND:
            raise TooFast(f"{self._waiting} samples wait for the disk", retry_after=1)
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
        if self._batch is None:
            self._batch = self._collect()
            self._collected = self._intake.counts["accepted"]
        if not self._batch:
            self._batch = None
            return
        self._saving = True
        await self.pipe_to_self(self._write(self._batch), name="save")

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

    def _collect(self) -> Batch:
        """Return what is to be written now."""
        sealed = [(i, arrays) for i, pieces in self._pending.items() for arrays in pieces]
        batch = Batch(series=self._intake.unwritten, sealed=sealed)
        self._intake.unwritten = []
        batch.hasty = [Run.joined(self._hasty[i : i + ROW]) for i in range(0, len(self._hasty), ROW)]
        self._hasty = []
        fresh = [s for s in self._index if s.unsealed > s.saved]
        batch.fresh = [Run.fresh(fresh[i : i + ROW]) for i in range(0, len(fresh), ROW)]
        batch.open, batch.forget_journal = self._checkpoint()
        return batch

    def _checkpoint(self) -> tuple[list[tuple[int, Arrays]], int]:
        """Return the next open chunks to be written, and the journal row up to which all are, once a round is done."""
        self._turn += 1
        if not self._to_checkpoint:
            done, self._mark = self._mark, self._journal
            self._to_checkpoint = [s for s in self._index if s.unsealed] if self._turn >= CHECKPOINT else []
            if not self._to_checkpoint:
                self._mark = 0
                return [], done
            self._turn = 0
            return [], done
        many = max(len(self._to_checkpoint) // max(CHECKPOINT - self._turn, 1), 10)
        chosen, self._to_checkpoint = self._to_checkpoint[:many], self._to_checkpoint[many:]
        return [(s.id, s.tail(s.unsealed)) for s in chosen if s.unsealed], 0

    async def _write(self, batch: Batch) -> Message:
        try:
            return Saved(journal=await self._store.write(batch))
        except StorageFailed as error:
            return Saved(error=error.detail)

    @handles
    async def saved(self, message: Saved) -> None:
        self._saving = False
        batch = self._batch
        assert batch is not None
        if message.error is not None:
            log.error("samples wait: %s", message.error)
            return
        self._journal = max(self._journal, message.journal)
        self._on_disk = self._collected
        self._batch = None
        for series_id, arrays in batch.sealed:
            self._waiting -= len(arrays[0])
            pieces = self._pending[series_id]
            pieces.pop(0)
            if not pieces:
                del self._pending[series_id]

    @handles
    async def sweep(self, message: Sweep) -> None:
        now = int(self._now() * 1000)
        self._latest.forget_before(now - SILENT)
        gone = [s for s in self._index if s.last < now - self._retention and not s.unsealed and s.id not in self._pending]
        for series in gone:
            self._index.remove(series)
        if not self._sweeping:
            self._sweeping = True
            await self.pipe_to_self(self._retain(now, [s.id for s in gone]), name="sweep")

    async def _retain(self, now: int, gone: list[int]) -> Message:
        try:
            await self._store.retain(now, self._retention, self._max_bytes)
            await self._store.forget(gone)
        except StorageFailed as error:
            log.warning("nothing could be deleted: %s", error.detail)
        return Swept()

    @handles
    async def swept(self, message: Swept) -> None:
        self._sweeping = False

    # Questions.

    @handles
    async def read(self, message: ReadMetrics) -> tuple[Points, ...]:
        matchers = [Matcher(name, "=~", "|".join(map(_escaped, sorted(values)))) for name, values in _wanted(message) if values]
        node = Range(selector=Selector(alternatives=(tuple(matchers),)), window=message.end - message.start + 1)
        prepared = queries.prepare(self._hot, self._pending, node, (message.end, message.end, 1), 0)
        return await self.defer(queries.points(self._store, prepared))

    @handles
    async def query(self, message: Query) -> Answer:
        return await self._ask(message.promql, message.at, message.at, 1)

    @handles
    async def query_range(self, message: QueryRange) -> Answer:
        return await self._ask(message.promql, message.start, message.end, message.step)

    async def _ask(self, promql: str, start: int, end: int, step: int) -> Answer:
        raw_since = int(self._now() * 1000) - self._retention
        prepared = queries.prepare(self._hot, self._pending, parse(promql), (start, end, step), raw_since)
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
                    found.append(queries.cold(self._hot, self._pending, (node, clear, basis(node) if look else None), message.at))
            except ParaNetError as error:
                found.append(error)
        if not cold:
            return tuple(found)
        return await self.defer(queries.with_cold(self._store, found, cold))

    @handles
    async def find_series(self, message: FindSeries) -> tuple[Labels, ...]:
        found: dict[Labels, None] = {}
        for selector in message.selectors or (_ALL,):
            for series in self._index.select(selector.alternatives):
                if series.last >= message.start:
                    found[series.labels] = None
                if len(found) >= message.limit:
                    return tuple(found)
        return tuple(found)

    @handles
    async def find_labels(self, message: FindLabels) -> tuple[str, ...]:
        if not message.selectors:
            names = self._index.label_values(message.label) if message.label else self._index.label_names()
            return tuple(names[: message.limit])
        found = {
            value if message.label else name
            for selector in message.selectors
            for series in self._index.select(selector.alternatives)
            for name, value in series.labels
            if message.label in (None, name)
        }
        return tuple(sorted(found)[: message.limit])

    def _snapshot(self) -> list[dict[str, Any]]:
        return self._latest.items()

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, self._snapshot)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)


_ALL = Selector(alternatives=((),))


def _wanted(message: ReadMetrics) -> tuple[tuple[str, frozenset[str]], ...]:
    return (NAME, message.names), ("node", message.nodes)


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c == "_" else f"\\{c}" for c in text)
