"""The engine: evaluates an expression at all steps at once."""

import math

import attrs
import numpy as np

from paranet.errors import InvalidInput, QueryTooLarge
from paranet.metrics.labels import Labels
from paranet.metrics.promql import aggregate, binary, functions, labelling, ranges
from paranet.metrics.promql.ast import (
    Aggregate,
    At,
    Binary,
    Call,
    Negate,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
)
from paranet.metrics.promql.values import (
    Annotations,
    Floats,
    Index,
    Mask,
    Matrix,
    Row,
    Source,
    Times,
    Value,
    Vector,
    empty,
    finished,
    is_stale,
    merged,
    stacked,
)

LOOKBACK = 5 * 60_000
"""ms that an instant selector looks back for a sample"""
SUBQUERY_STEP = 60_000
"""ms of a subquery that names no step"""
MAX_STEPS = 11_000
MAX_CELLS = 20_000_000
"""series times steps that one part of an expression may have"""


@attrs.frozen(kw_only=True)
class Options:
    """What a caller may choose; times in ms."""

    lookback: int = LOOKBACK
    subquery_step: int = SUBQUERY_STEP


class Engine:
    """Evaluates at *times* (ms, ascending, evenly spaced)."""

    def __init__(
        self, source: Source, times: Times, options: Options, annotations: Annotations, bounds: tuple[int, int], interval: int = 0
    ) -> None:
        self.source = source
        self.times = times
        self.options = options
        self.annotations = annotations
        self.start: int = bounds[0]
        self.end: int = bounds[1]
        self.interval: int = interval

    @property
    def steps(self) -> int:
        """How many there are."""
        return len(self.times)

    def value(self, node: Node) -> Value:
        """Return what an expression is worth at every step. Raise QueryFailed or QueryTooLarge."""
        found = self._value(node)
        if isinstance(found, Vector):
            self.bound(len(found))
        return found

    def bound(self, series: int) -> None:
        """Raise QueryTooLarge where so many series have too many steps."""
        if series * self.steps > MAX_CELLS:
            raise QueryTooLarge(f"{series} series at {self.steps} steps are more than this hub computes at once")

    def _value(self, node: Node) -> Value:
        match node:
            case Number():
                return np.full(self.steps, node.value)
            case Text():
                return node.value
            case Selector():
                return self.instant(node)[0]
            case Call():
                return self._call(node)
            case Aggregate():
                return aggregate.aggregate(self, node)
            case Binary():
                return binary.operate(self, node)
            case Negate():
                return self._negate(node)
            case _:
                raise InvalidInput("a range vector has to be wrapped in a function")

    def vector(self, node: Node) -> Vector:
        """Return a vector's value."""
        found = self.value(node)
        if not isinstance(found, Vector):
            raise InvalidInput("an instant vector is needed here")
        return found

    def scalar(self, node: Node) -> Floats:
        """Return a scalar's value at every step."""
        found = self.value(node)
        if isinstance(found, (Vector, str)):
            raise InvalidInput("a scalar is needed here")
        return found

    def text(self, node: Node) -> str:
        """Return a string's value."""
        if not isinstance(node, Text):
            raise InvalidInput("a string is needed here")
        return node.value

    def shifted(self, at: At, offset: int) -> Times:
        """Return the times that @ and offset mean."""
        if at is None:
            return self.times - offset
        fixed = {"start": self.start, "end": self.end}[at] if isinstance(at, str) else at
        return np.full(self.steps, fixed - offset, dtype=np.int64)

    def instant(self, node: Selector) -> tuple[Vector, Floats]:
        """Return an instant selector's vector, and the times of its samples in s."""
        moments = self.shifted(node.at, node.offset)
        lookback = self.options.lookback
        labels: list[Labels] = []
        values, present, stamps = [], [], []
        known: dict[int, tuple[Times, Index, Times, Mask]] = {}
        for series in self.source.select(node, int(moments.min()) - lookback + 1, int(moments.max())):
            times = series.times
            if not len(times):
                continue
            if id(times) not in known:  # of series that are measured together the times are one array
                at = np.searchsorted(times, moments, side="right") - 1
                seen = np.maximum(at, 0)
                known[id(times)] = times, seen, times[seen] / 1000.0, (at >= 0) & (times[seen] > moments - lookback)
            _, seen, stamp, recent = known[id(times)]
            value = series.values[seen]
            here = recent & ~is_stale(value)
            if here.any():
                labels.append(series.labels)
                values.append(value)
                present.append(here)
                stamps.append(stamp)
                self.bound(len(labels))
        vector = merged(stacked(labels, values, present, [False] * len(labels), self.steps))
        return vector, np.array(stamps) if len(vector) == len(stamps) and stamps else np.zeros(vector.values.shape)

    def matrix(self, node: Node, function: str) -> Matrix:
        """Return the windows of a range selector or a subquery."""
        if isinstance(node, Range):
            ends = self.shifted(node.selector.at, node.selector.offset)
            starts = ends - node.window
            found = self.source.select(node.selector, int(starts.min()) + 1, int(ends.max()), function)
            series = [(s.labels, s.times, s.values, False) for s in found]
        elif isinstance(node, Subquery):
            ends = self.shifted(node.at, node.offset)
            starts = ends - node.window
            series = self._inner(node, int(starts.min()), int(ends.max()))
        else:
            raise InvalidInput("a range vector is needed here")
        rows = []
        known: dict[int, tuple[Times, Index, Index, bool]] = {}
        for labels, times, values, drop in series:
            if len(values) and np.isnan(values.min()):
                live = ~is_stale(values)
                times, values = (times, values) if live.all() else (times[live], values[live])
            if id(times) not in known:  # of series that are measured together the times are one array
                low, high = np.searchsorted(times, starts, side="right"), np.searchsorted(times, ends, side="right")
                known[id(times)] = times, low, high, bool((high > low).any())
            _, low, high, any_samples = known[id(times)]
            if any_samples:
                rows.append(Row(labels, times, values, low, high, drop))
        return Matrix(rows, starts, ends, node.window)

    def _inner(self, node: Subquery, after: int, end: int) -> list[tuple[Labels, Times, Floats, bool]]:
        """Evaluate a subquery on multiples of its step."""
        step = node.step or self.options.subquery_step
        first = math.trunc(after / step) * step
        if first <= after:
            first += step
        if (end - first) // step > MAX_STEPS * 10:
            raise QueryTooLarge("the subquery has too many steps")
        if end < first:
            return []
        grid = np.arange(first, end + 1, step, dtype=np.int64)
        engine = Engine(self.source, grid, self.options, self.annotations, (self.start, self.end), step)
        value = engine.value(node.inner)
        if isinstance(value, np.ndarray):
            return [((), grid, value, False)]
        if isinstance(value, str):
            raise InvalidInput("a subquery of a string means nothing")
        vector = merged(value)
        return [
            (vector.labels[i], grid[vector.present[i]], vector.values[i][vector.present[i]], vector.drop[i]) for i in range(len(vector))
        ]

    def _call(self, node: Call) -> Value:
        if node.name in ranges.FUNCTIONS:
            return ranges.call(self, node)
        if node.name in labelling.FUNCTIONS:
            return labelling.FUNCTIONS[node.name](self, node)
        function = functions.FUNCTIONS.get(node.name)
        if function is None:
            raise InvalidInput(f"{node.name}() is not served by this hub")
        return function(self, node)

    def _negate(self, node: Negate) -> Value:
        inner = self.value(node.inner)
        if isinstance(inner, Vector):
            return inner.unnamed(-inner.values)
        if isinstance(inner, str):
            raise InvalidInput("a string cannot be negated")
        return -inner


@attrs.frozen(kw_only=True)
class Result:
    """A query's answer. *value* is a Vector over *times*, scalars, a string, or (of an instant query) a range's samples."""

    kind: str
    times: Times
    value: Value
    samples: list[Row] = attrs.field(factory=list)
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


def evaluate(node: Node, source: Source, *, start: int, end: int, step: int, options: Options | None = None) -> Result:
    """Return the expression's worth at start, start + step .. end (ms). Raise QueryFailed, QueryTooLarge or InvalidInput."""
    if step <= 0:
        raise InvalidInput("the step must be above zero")
    if (end - start) // step >= MAX_STEPS:
        raise QueryTooLarge(f"more than {MAX_STEPS} steps: ask for a longer step or a shorter time")
    times = np.arange(start, end + 1, step, dtype=np.int64)
    annotations = Annotations()
    engine = Engine(source, times, options or Options(), annotations, (start, end), step)
    with np.errstate(all="ignore"):
        kind, value, samples = _evaluated(engine, node)
    if start != end and functions.orders(node):
        annotations.warn("sort is ineffective for range queries since results are always ordered by labels")
    return Result(
        kind=kind, times=times, value=value, samples=samples, warnings=tuple(annotations.warnings), infos=tuple(annotations.infos)
    )


def _evaluated(engine: Engine, node: Node) -> tuple[str, Value, list[Row]]:
    if isinstance(node, (Range, Subquery)):
        if engine.start != engine.end:
            raise InvalidInput("a range vector has no value at each of several steps: wrap it in a function")
        return "matrix", empty(1), engine.matrix(node, "").rows
    value = engine.value(node)
    if isinstance(value, Vector):
        return "vector", finished(value), []
    return ("string" if isinstance(value, str) else "scalar"), value, []
