"""Queries: what of them is in memory and what on disk, brought together and evaluated beside the collector's mailbox."""

import asyncio
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from actors.chunks import Arrays, ChunkStore, decoded, decoded_rollups
from actors.samples import Answer, FindLabels, FindSeries, Points, ReadMetrics
from paranet.errors import ParaNetError, QueryTooLarge
from paranet.metrics import rollup
from paranet.metrics.alerts.alert import Assessment, key_of
from paranet.metrics.alerts.assess import vector_of
from paranet.metrics.columns import Columns
from paranet.metrics.hot import HotSeries
from paranet.metrics.index import Index
from paranet.metrics.labels import NAME, Labels
from paranet.metrics.matchers import Matcher
from paranet.metrics.plan import Need, needs, on_rollups
from paranet.metrics.promql.ast import Binary, Node, Number, Range, Selector
from paranet.metrics.promql.evaluate import LOOKBACK, Options, evaluate
from paranet.metrics.promql.values import Samples, Times, is_stale

MAX_SERIES = 20_000
"""series that one query may touch"""
MAX_SAMPLES = 20_000_000
MAX_POINTS = 100_000
"""points of an answer that is samples as they are"""
TIER_NAMES = {0: "raw", rollup.MINUTE: "1m", rollup.HOUR: "1h"}

Pending = Mapping[int, Sequence[Arrays]]
"""samples by series that are sealed and not on disk yet"""


@attrs.frozen(kw_only=True)
class Part:
    """What a query needs of one series: *warm* is in memory, older samples are to come from the disk before *since*."""

    id: int
    labels: Labels
    warm: tuple[Samples, ...]
    since: int


@attrs.frozen(kw_only=True)
class Prepared:
    """A query with everything that is in memory, copied: ready to leave the actor."""

    node: Node
    start: int
    end: int
    step: int
    tier: int
    parts: tuple[tuple[Need, tuple[Part, ...]], ...]


class HotSource:
    """The samples in memory, as a source for the engine. For whoever asks about the last minutes only."""

    def __init__(self, index: Index, pending: Pending) -> None:
        self.pending = pending
        self._index = index
        self._kept: dict[Any, list[HotSeries]] = {}
        self._generation = -1

    def series(self, selector: Selector) -> list[HotSeries]:
        """Return the series that a selector means; kept until series come or go."""
        if self._generation != self._index.generation or len(self._kept) > 20_000:
            self._kept.clear()
            self._generation = self._index.generation
        found = self._kept.get(selector.alternatives)
        if found is None:
            found = self._kept[selector.alternatives] = self._index.select(selector.alternatives)
        return found

    def reaches(self, selector: Selector, start: int) -> bool:
        """Tell whether all samples of a selector since *start* are in memory."""
        return all(s.since <= start or s.unsealed == len(s) or s.last < start for s in self.series(selector))

    def holds(self, nodes: Iterable[Node | None], at: int) -> bool:
        """Tell whether expressions can be evaluated at a moment from memory alone."""
        return all(self.reaches(need.selector, need.start) for node in nodes if node is not None for need in needs(node, at, at))

    def select(self, selector: Selector, start: int, end: int, function: str = "") -> Iterable[Samples]:
        """Return series with samples, as Source says."""
        return [s.samples(start, end) for s in self.series(selector) if s.last >= start]


class _Fetched:
    """A source of what was fetched before."""

    def __init__(self, found: Mapping[tuple[Selector, str], list[Samples]]) -> None:
        self._found = found

    def select(self, selector: Selector, start: int, end: int, function: str = "") -> Iterable[Samples]:
        bounds: dict[int, tuple[Times, int, int]] = {}
        for samples in self._found.get((selector, function), ()):
            times = samples.times
            found = bounds.get(id(times))
            if found is None:
                low, high = np.searchsorted(times, start, side="left"), np.searchsorted(times, end, side="right")
                found = bounds[id(times)] = times[low:high], int(low), int(high)
            yield Samples(samples.labels, found[0], samples.values[found[1] : found[2]])


def prepare(source: HotSource, node: Node, span: tuple[int, int, int], raw_since: int) -> Prepared:
    """Copy out of memory what the query needs. Raise QueryTooLarge."""
    start, end, step = span
    tier = rollup.tier_for(start, end, step, raw_since)
    if tier:
        node = on_rollups(node)
    parts = []
    total = 0
    for need in needs(node, start, end, _lookback(tier)):
        series = source.series(need.selector)
        total += len(series)
        if total > MAX_SERIES:
            raise QueryTooLarge(f"the query touches more than {MAX_SERIES} series")
        parts.append((need, tuple(_part(s, need, source.pending, tier) for s in series)))
    return Prepared(node=node, start=start, end=end, step=step, tier=tier, parts=tuple(parts))


def _lookback(tier: int) -> int:
    return max(LOOKBACK, tier * 3 // 2)


def _part(series: HotSeries, need: Need, pending: Pending, tier: int) -> Part:
    warm = []
    if tier:  # what is sealed is in rollups already
        pieces = [*pending.get(series.id, ()), series.tail(series.unsealed)]
        warm = [Samples(series.labels, times, values) for times, values in pieces if len(times)]
        return Part(id=series.id, labels=series.labels, warm=tuple(warm), since=1 << 62)
    since = series.since
    for times, values in pending.get(series.id, ()):
        if int(times[0]) < since:
            cut = int(np.searchsorted(times, since))
            warm.append(Samples(series.labels, times[:cut], values[:cut]))
    warm.append(series.samples(need.start, need.end))
    oldest = min([since, *(int(s.times[0]) for s in warm if len(s.times))])
    return Part(id=series.id, labels=series.labels, warm=tuple(warm), since=oldest)


async def answer(store: ChunkStore, prepared: Prepared) -> Answer:
    """Fetch what is on disk and evaluate, in a thread."""
    found: dict[tuple[Selector, str], list[Samples]] = {}
    for need, parts in prepared.parts:
        cold = [p.id for p in parts if p.since > need.start]
        rows: list[Any] = []
        if cold and prepared.tier:
            rows = await store.rollups(cold, rollup.MINUTE, need.start, need.end)
        elif cold:
            rows = await store.chunks(cold, need.start, need.end)
        if sum(row[2] for row in rows) > MAX_SAMPLES:
            raise QueryTooLarge(f"the query touches more than {MAX_SAMPLES} samples")
        joined, damaged = await asyncio.to_thread(_joined, need, parts, rows, prepared.tier)
        await store.discard("rollup" if prepared.tier else "chunk", damaged)
        found[need.selector, need.function] = joined
        if sum(len(s.times) for s in joined) > MAX_SAMPLES:
            raise QueryTooLarge(f"the query touches more than {MAX_SAMPLES} samples")
    options = Options(lookback=_lookback(prepared.tier))
    source = _Fetched(found)
    result = await asyncio.to_thread(
        evaluate, prepared.node, source, start=prepared.start, end=prepared.end, step=prepared.step, options=options
    )
    return Answer(result=result, tier=TIER_NAMES[prepared.tier])


def _joined(need: Need, parts: Sequence[Part], rows: Sequence[Any], tier: int) -> tuple[list[Samples], list[int]]:
    """Put together what each series has on disk and in memory. Runs in a thread."""
    if tier:
        return _joined_rollups(need, parts, rows, tier)
    cold, damaged = decoded(rows)
    together = Columns()
    return [_join(part, cold.get(part.id), together) for part in parts], damaged


def _joined_rollups(need: Need, parts: Sequence[Part], rows: Sequence[Any], tier: int) -> tuple[list[Samples], list[int]]:
    here = {(p.id, int(s.times[0])) for p in parts for s in p.warm}
    buckets, damaged = decoded_rollups([row for row in rows if (row[1], row[5]) not in here], rollup.MINUTE)
    joined = []
    for part in parts:
        pieces = [rollup.rolled(s.times, s.values, rollup.MINUTE) for s in part.warm]
        if part.id in buckets:
            pieces.insert(0, buckets[part.id])
        joined.append(Samples(part.labels, *rollup.column(rollup.merged(pieces, tier), tier, need.function)))
    return joined, damaged


def _join(part: Part, cold: Arrays | None, together: Columns) -> Samples:
    pieces = [(together.same(s.times), s.values) for s in part.warm if len(s.times)]
    if cold is not None:
        times, values = cold
        cut = len(times) if times[-1] < part.since else int(np.searchsorted(times, part.since))
        pieces.insert(0, (together.head(times, cut), values[:cut]))
    if len(pieces) == 1:
        return Samples(part.labels, *pieces[0])
    if not pieces:
        return Samples(part.labels, np.empty(0, dtype=np.int64), np.empty(0))
    return Samples(part.labels, together.joined([t for t, _ in pieces]), np.concatenate([v for _, v in pieces]))


def everything(message: ReadMetrics) -> Range:
    """Return the range selector that means the samples asked for."""
    wanted = (NAME, message.names), ("node", message.nodes)
    matchers = [Matcher(name, "=~", "|".join(map(_escaped, sorted(values)))) for name, values in wanted if values]
    return Range(selector=Selector(alternatives=(tuple(matchers),)), window=message.end - message.start + 1)


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c == "_" else f"\\{c}" for c in text)


async def points(store: ChunkStore, prepared: Prepared) -> tuple[Points, ...]:
    """Return the samples of a range selector, without stale markers. Raise QueryTooLarge."""
    found_now = await answer(store, prepared)
    found = []
    total = 0
    for row in found_now.result.samples:
        times, values = row.times[row.low[0] : row.high[0]], row.values[row.low[0] : row.high[0]]
        total += len(times)
        if total > MAX_POINTS:
            raise QueryTooLarge(f"more than {MAX_POINTS} points: ask for fewer series or a shorter time")
        points = tuple(zip(times.tolist(), values.tolist(), strict=True))
        metric = dict(row.labels)
        found.append(Points(metric={NAME: metric.pop(NAME, ""), **metric}, points=points))
    return tuple(found)


Cold = tuple[Prepared | None, ...]
"""a rule's expression, its clear expression and its basis, prepared"""


def cold(source: HotSource, nodes: Sequence[Node | None], at: int) -> Cold:
    """Prepare a rule that reaches further back than memory does."""
    return tuple(None if node is None else prepare(source, node, (at, at, 1), 0) for node in nodes)


async def with_cold(store: ChunkStore, found: list[Any], indices: list[int]) -> tuple[Any, ...]:
    """Return the assessments with those worked out that need the disk."""
    for i in indices:
        try:
            values = [None if p is None else vector_of((await answer(store, p)).result) for p in found[i]]
            active, cleared, known = values
            found[i] = Assessment(
                active=active or {},
                cleared=None if cleared is None else frozenset(cleared),
                known=None if known is None else frozenset(known),
            )
        except ParaNetError as error:
            found[i] = error
    return tuple(found)


def quickly(source: HotSource, node: Node, at: int, *, look: bool) -> Assessment | None:
    """Assess what most rules are, a selector against a number, from the newest samples only; None where that does not do."""
    if not (isinstance(node, Binary) and isinstance(node.left, Selector) and isinstance(node.right, Number) and node.op in _TESTS):
        return None
    if node.bool or node.left.offset or node.left.at is not None:
        return None
    passes, limit = _TESTS[node.op], node.right.value
    active: dict[Labels, float] = {}
    known = []
    for series in source.series(node.left):
        if series.last > at or (series.last > at - LOOKBACK and not len(series)):
            return None
        if series.last <= at - LOOKBACK:
            continue
        value = series.newest()
        if value != value and is_stale(np.array([value]))[0]:
            continue
        if look:
            known.append(key_of(series.labels))
        if passes(value, limit):
            active[key_of(series.labels)] = value
    return Assessment(active=active, known=frozenset(known) if look else None)


_TESTS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def found_series(index: Index, message: FindSeries) -> tuple[Labels, ...]:
    """Return the series that are asked for."""
    found: dict[Labels, None] = {}
    for selector in message.selectors or (_ALL,):
        for series in index.select(selector.alternatives):
            if series.last >= message.start:
                found[series.labels] = None
            if len(found) >= message.limit:
                return tuple(found)
    return tuple(found)


def found_labels(index: Index, message: FindLabels) -> tuple[str, ...]:
    """Return the names or values that are asked for, in order."""
    if not message.selectors:
        names = index.label_values(message.label) if message.label else index.label_names()
        return tuple(names[: message.limit])
    found = {
        value if message.label else name
        for selector in message.selectors
        for series in index.select(selector.alternatives)
        for name, value in series.labels
        if message.label in (None, name)
    }
    return tuple(sorted(found)[: message.limit])


_ALL = Selector(alternatives=((),))
