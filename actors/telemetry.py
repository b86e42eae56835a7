"""TelemetryCollector: owns the series, their hot window and the chunks on disk, and publishes every tick."""

import logging
import zlib
from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import orjson

from actors.channels import Channel, Filter, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.device import Readings
from actors.ids import epoch
from actors.runtime import Actor, Mailbox, Message, Overflow, Request, handles
from actors.storage import Database
from paranet.errors import TooLarge

log = logging.getLogger(__name__)

HOT = 900
"""samples a series keeps in memory"""
UNSEALED = 4 * HOT
"""samples a series keeps for a disk that takes none; then the oldest are lost"""
GATHER = 0.05
"""seconds that devices have to hand in a tick before it is published"""
RAW = 1
"""codec 1: the times as little-endian int64 UNIX ms, then the values as float64, zlib"""
MAX_POINTS = 100_000

SeriesKey = tuple[str, tuple[tuple[str, str], ...]]


@attrs.frozen(kw_only=True)
class Points:
    """One series: *points* are (UNIX ms, value), oldest first."""

    metric: Mapping[str, str]
    points: tuple[tuple[int, float], ...]


@attrs.frozen(kw_only=True)
class ReadMetrics(Request[tuple[Points, ...]]):
    """Return samples with *start* <= time <= *end* (UNIX ms) of the metrics and nodes named (all when empty)."""

    names: frozenset[str]
    nodes: frozenset[str]
    start: int
    end: int


@attrs.frozen(kw_only=True)
class Flush(Message):
    """Publish what the devices have handed in."""


@attrs.frozen(kw_only=True)
class Sweep(Message):
    """Write what is due and forget what is too old."""


class Series:
    """One series: its newest samples, and how many of them are not on disk yet."""

    __slots__ = ("id", "labels", "metric", "name", "node", "times", "unsealed", "values")

    def __init__(self, series_id: int, metric: str, labels: Mapping[str, str]) -> None:
        self.id = series_id
        self.metric = metric
        self.labels = labels
        self.node = labels.get("node", "")
        rest = ",".join(f"{k}={_quoted(v)}" for k, v in labels.items() if k != "node")
        self.name = f"{metric}{{{rest}}}" if rest else metric
        self.times = array("q")
        self.values = array("d")
        self.unsealed = 0

    def add(self, at: int, value: float) -> bool:
        """Append one sample; one that is not newer than the last is refused."""
        if self.times and at <= self.times[-1]:
            return False
        self.times.append(at)
        self.values.append(value)
        self.unsealed = min(self.unsealed + 1, UNSEALED)
        keep = max(HOT, self.unsealed)
        if len(self.times) >= keep + HOT:
            del self.times[:-keep], self.values[:-keep]
        return True

    def chunk(self) -> tuple[int, int, int, int, int, int, bytes]:
        """Return (series, t0, t1, n, codec, crc, blob) of what is not on disk yet."""
        n = self.unsealed
        blob = zlib.compress(self.times[-n:].tobytes() + self.values[-n:].tobytes(), 1)
        return self.id, self.times[-n], self.times[-1], n, RAW, zlib.crc32(blob), blob


def _quoted(value: str) -> str:
    """Return a label's value as PromQL writes it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def decode(n: int, crc: int, blob: bytes) -> "tuple[array[int], array[float]]":
    """Return times and values of a chunk. Raise ValueError when it is damaged."""
    if zlib.crc32(blob) != crc:
        raise ValueError("checksum does not match")
    plain = zlib.decompress(blob)
    times, values = array("q"), array("d")
    times.frombytes(plain[: 8 * n])
    values.frombytes(plain[8 * n :])
    return times, values


class TelemetryCollector(Actor):
    """Samples are in memory at once and on disk within *flush_every* seconds; a stop writes the rest."""

    mailbox = Mailbox(capacity=8192, lossy={Readings: Overflow.DROP_OLDEST})

    def __init__(
        self, database: Database, outlets: Outlets, now: Callable[[], float], *, flush_every: float, retention: float, max_series: int
    ) -> None:
        self._database = database
        self._outlets = outlets
        self._now = now
        self._flush_every = flush_every
        self._retention = retention
        self._max_series = max_series

    async def on_start(self) -> None:
        self._series: dict[SeriesKey, Series] = {}
        rows = await self._database.fetch("SELECT id, metric, labels FROM series ORDER BY id LIMIT ?", (self._max_series,))
        for series_id, metric, labels in rows:
            assert isinstance(series_id, int)
            self._make_series(series_id, str(metric), orjson.loads(str(labels)))
        self._next_id = max((s.id for s in self._series.values()), default=0) + 1
        self._unwritten: list[Series] = []
        self._gathered: deque[dict[str, Any]] = deque()
        self._latest: dict[str, dict[str, Any]] = {}
        self._counts = {"accepted": 0, "out_of_order": 0, "over_limit": 0}
        self._channel = Channel("telemetry", self._outlets, epoch=epoch(), select=select, conflate=newest_readings)
        self._channel.reopen(self._snapshot)
        self.timers.every("sweep", Sweep(), interval=self._flush_every)

    async def on_stop(self) -> None:
        await self._write()

    def inspect(self) -> Mapping[str, object]:
        return {"series": len(self._series), "subscribers": self._channel.subscribers, **self._counts}

    def _make_series(self, series_id: int, metric: str, labels: Mapping[str, str]) -> Series:
        series = Series(series_id, metric, labels)
        self._series[metric, tuple(labels.items())] = series
        return series

    @handles
    async def readings(self, message: Readings) -> None:
        values: dict[str, float] = {}
        for sample in message.samples:
            key = sample.metric, tuple(sample.labels.items())
            series = self._series.get(key)
            if series is None:
                if len(self._series) >= self._max_series:
                    self._counts["over_limit"] += 1
                    continue
                series = self._make_series(self._next_id, sample.metric, sample.labels)
                self._next_id += 1
                self._unwritten.append(series)
            if series.add(message.at, sample.value):
                self._counts["accepted"] += 1
                values[series.name] = sample.value
            else:
                self._counts["out_of_order"] += 1
        if not values:
            return
        item = {"ts": message.at, "node": message.node, "values": values}
        self._latest[message.node] = item
        if not self._gathered:
            self.timers.once("flush", Flush(), after=GATHER)
        self._gathered.append(item)

    @handles
    async def flush(self, message: Flush) -> None:
        items = list(self._gathered)
        self._gathered.clear()
        self._channel.publish(items)

    @handles
    async def sweep(self, message: Sweep) -> None:
        await self._write()
        now = int(self._now() * 1000)
        horizon = now - int(self._retention * 1000)
        async with self._database.transaction() as tx:
            await tx.execute("DELETE FROM chunk WHERE t1 < ?", (horizon,))
        stale = now - 60_000
        self._latest = {node: item for node, item in self._latest.items() if item["ts"] >= stale}

    async def _write(self) -> None:
        """Put every sample that is not on disk yet there, a chunk a series."""
        due = [s for s in self._series.values() if s.unsealed]
        chunks = [s.chunk() for s in due]
        async with self._database.transaction() as tx:
            await tx.execute_many(
                "INSERT OR IGNORE INTO series (id, metric, labels) VALUES (?, ?, ?)",
                [(s.id, s.metric, orjson.dumps(s.labels).decode()) for s in self._unwritten],
            )
            await tx.execute_many("INSERT OR REPLACE INTO chunk (series, t0, t1, n, codec, crc, blob) VALUES (?, ?, ?, ?, ?, ?, ?)", chunks)
        self._unwritten.clear()
        for series in due:
            series.unsealed = 0

    @handles
    async def read(self, message: ReadMetrics) -> tuple[Points, ...]:
        chosen = [
            s
            for s in self._series.values()
            if (not message.names or s.metric in message.names) and (not message.nodes or s.node in message.nodes)
        ]
        found: list[Points] = []
        total = 0
        for series in chosen:
            points = await self._points(series, message.start, message.end)
            total += len(points)
            if total > MAX_POINTS:
                raise TooLarge(f"more than {MAX_POINTS} points: ask for fewer series or a shorter time")
            if points:
                found.append(Points(metric={"__name__": series.metric, **series.labels}, points=points))
        return tuple(found)

    async def _points(self, series: Series, start: int, end: int) -> tuple[tuple[int, float], ...]:
        points: list[tuple[int, float]] = []
        hot = series.times[0] if series.times else end + 1
        if start < hot:
            rows = await self._database.fetch(
                "SELECT id, n, crc, blob FROM chunk WHERE series = ? AND t1 >= ? AND t0 <= ? ORDER BY t0 LIMIT 10000",
                (series.id, start, min(end, hot)),
            )
            for chunk_id, n, crc, blob in rows:
                assert isinstance(n, int)
                assert isinstance(crc, int)
                assert isinstance(blob, bytes)
                try:
                    times, values = decode(n, crc, blob)
                except (ValueError, zlib.error):
                    log.exception("chunk %s of series %s is damaged and left out", chunk_id, series.name)
                    continue
                points += [(t, v) for t, v in zip(times, values, strict=True) if start <= t <= end and t < hot]
        points += [(t, v) for t, v in zip(series.times, series.values, strict=True) if start <= t <= end]
        return tuple(points)

    def _snapshot(self) -> list[dict[str, Any]]:
        return list(self._latest.values())

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, self._snapshot)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)


def newest_readings(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one item a node, with the newest value of each of its series and the time of the last."""
    merged: dict[str, dict[str, Any]] = {}
    for item in items:
        before = merged.get(item["node"])
        merged[item["node"]] = item if before is None else {**item, "values": {**before["values"], **item["values"]}}
    return list(merged.values())


def select(item: dict[str, Any], wanted: Filter) -> dict[str, Any] | None:
    """Return the part of a node's readings a filter wants; a metric is meant with all its labels."""
    if wanted.nodes and item["node"] not in wanted.nodes:
        return None
    if not wanted.metrics:
        return item
    values = {name: value for name, value in item["values"].items() if name.partition("{")[0] in wanted.metrics}
    return {**item, "values": values} if values else None
