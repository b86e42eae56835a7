"""Functions of a range: one value for each window of samples. Windows are left-open; stale markers are gone already."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import attrs
import numpy as np

from paranet.errors import InvalidInput, QueryFailed
from paranet.metrics.labels import NAME
from paranet.metrics.promql import selecting
from paranet.metrics.promql.ast import Call
from paranet.metrics.promql.sums import exact_mean, exact_sum, reduced, segment_sums
from paranet.metrics.promql.values import Floats, Index, Mask, Matrix, Row, Times, Value, Vector, empty

if TYPE_CHECKING:
    from paranet.metrics.promql.evaluate import Engine

Outcome = tuple[Floats, Mask]

COUNT_OF_ROLLUPS = "count_over_time of rollups"
"""no name that could be written: each value counts for as many samples as it says"""


@attrs.frozen
class Windows:
    """One series' windows: samples [low, high) of each step, which lie in (starts, ends].

    Series of the same times are one table of values, a row each; everything else they have in common.
    """

    times: Times
    values: Floats
    low: Index
    high: Index
    starts: Times
    ends: Times
    window: int

    @property
    def count(self) -> Index:
        """Samples in each window."""
        return self.high - self.low

    def at(self, array: Floats, index: Index) -> Floats:
        """Return array[index], whatever for indices outside."""
        found: Floats = array[..., np.clip(index, 0, array.shape[-1] - 1)]
        return found


def _extrapolated(w: Windows, *, counter: bool, per_second: bool) -> Outcome:
    """rate, increase and delta: what the samples show, stretched to the window's ends where it seems to go on there."""
    present = w.count >= 2
    first, last = w.at(w.values, w.low), w.at(w.values, w.high - 1)
    t0, t1 = w.at(w.times, w.low), w.at(w.times, w.high - 1)
    change = last - first
    if counter:
        change = change + _resets(w)
    sampled = (t1 - t0) / 1000.0
    average = sampled / (w.count - 1)
    before, after = (t0 - w.starts) / 1000.0, (w.ends - t1) / 1000.0
    threshold = average * 1.1
    before = np.where(before >= threshold, average / 2, before)
    if counter:
        zero = np.where((change > 0) & (first >= 0), sampled * (first / change), before)
        before = np.minimum(before, zero)
    after = np.where(after >= threshold, average / 2, after)
    factor = (sampled + before + after) / sampled
    if per_second:
        factor = factor / (w.window / 1000.0)
    return change * factor, present


def _resets(w: Windows) -> Floats:
    """Return what a counter had counted in each window before it began anew."""
    old, new = w.values[..., :-1], w.values[..., 1:]
    fell = new < old
    return _prefix(np.where(fell, old, 0.0), w) if fell.any() else np.zeros(len(w.low))


def _prefix(steps: Floats, w: Windows) -> Floats:
    """Return the sums over the windows of *steps*, of which there is one from each sample to the next."""
    total = np.zeros((*steps.shape[:-1], steps.shape[-1] + 1))
    np.cumsum(steps, axis=-1, out=total[..., 1:])
    found: Floats = w.at(total, w.high - 1) - w.at(total, w.low)
    return found


def _last_two(w: Windows, *, per_second: bool) -> Outcome:
    present = w.count >= 2
    last, previous = w.at(w.values, w.high - 1), w.at(w.values, w.high - 2)
    if not per_second:
        return last - previous, present
    seconds = (w.at(w.times, w.high - 1) - w.at(w.times, w.high - 2)) / 1000.0
    return np.where(last < previous, last, last - previous) / seconds, present & (seconds > 0)


def _transitions(w: Windows, *, resets: bool) -> Outcome:
    old, new = w.values[..., :-1], w.values[..., 1:]
    moved = (new < old) if resets else (new != old) & ~(np.isnan(new) & np.isnan(old))
    return _prefix(moved.astype(np.float64), w), w.count > 0


def _sum(w: Windows) -> Outcome:
    return segment_sums(w.values, w.low, w.high), w.count > 0


def _average(w: Windows) -> Outcome:
    total = segment_sums(w.values, w.low, w.high)
    mean = total / w.count
    for i in np.flatnonzero(np.isinf(total) & (w.count > 0)):
        mean[i] = exact_mean(w.values[w.low[i] : w.high[i]])
    return mean, w.count > 0


def _extreme(w: Windows, ufunc: np.ufunc) -> Outcome:
    return reduced(ufunc, w.values, w.low, w.high), w.count > 0


def _pick(w: Windows, *, last: bool, time: bool = False) -> Outcome:
    index = w.high - 1 if last else w.low
    found = w.at(w.times, index) / 1000.0 if time else w.at(w.values, index)
    return found.astype(np.float64), w.count > 0


def _each(w: Windows, measure: Callable[[Floats], float], least: int = 1) -> Outcome:
    """Apply *measure* to every window in turn."""
    found = np.zeros(len(w.low))
    present = w.count >= least
    for i in np.flatnonzero(present):
        found[i] = measure(w.values[w.low[i] : w.high[i]])
    return found, present


def _variance(values: Floats) -> float:
    mean = exact_mean(values)
    return exact_sum((values - mean) ** 2) / len(values)


def quantile(q: float, values: Floats) -> float:
    """Return the q-quantile, interpolated; out of [0, 1] is an infinity, NaN values sort first."""
    if not len(values) or math.isnan(q):
        return math.nan
    if q < 0:
        return -math.inf
    if q > 1:
        return math.inf
    ordered = np.sort(values)
    gaps = int(np.isnan(ordered).sum())
    ordered = np.roll(ordered, gaps)  # numpy sorts NaN last, Prometheus first
    rank = q * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    weight = rank - low
    return float(ordered[low] * (1 - weight) + ordered[high] * weight)


def _mad(values: Floats) -> float:
    middle = quantile(0.5, values)
    return quantile(0.5, np.abs(values - middle))


def _regression(w: Windows, i: int, origin: int) -> tuple[float, float]:
    """Return slope per second and value at *origin* (ms) of the least-squares line through a window."""
    values = w.values[w.low[i] : w.high[i]]
    if (values == values[0]).all():
        return (math.nan, math.nan) if math.isinf(values[0]) else (0.0, float(values[0]))
    x = (w.times[w.low[i] : w.high[i]] - origin) / 1000.0
    n = len(values)
    sum_x, sum_y = exact_sum(x), exact_sum(values)
    covariance = exact_sum(x * values) - sum_x * sum_y / n
    variance = exact_sum(x * x) - sum_x * sum_x / n
    slope = covariance / variance if variance else math.nan
    return slope, sum_y / n - slope * sum_x / n


def _derivative(w: Windows) -> Outcome:
    found, present = np.zeros(len(w.low)), w.count >= 2
    for i in np.flatnonzero(present):
        found[i] = _regression(w, int(i), int(w.times[w.low[i]]))[0]
    return found, present


def _predicted(w: Windows, evaluated: Times, ahead: Floats) -> Outcome:
    found, present = np.zeros(len(w.low)), w.count >= 2
    for i in np.flatnonzero(present):
        slope, intercept = _regression(w, int(i), int(evaluated[i]))
        found[i] = slope * ahead[i] + intercept
    return found, present


def _smoothed(values: Floats, smoothing: float, trend: float) -> float:
    """Holt's double exponential smoothing."""
    before = level = float(values[0])
    slope = float(values[1] - values[0])
    for i in range(1, len(values)):
        raw = smoothing * float(values[i])
        if i > 1:
            slope = trend * (level - before) + (1 - trend) * slope
        before = level
        level = raw + (1 - smoothing) * (before + slope)
    return level


def _extreme_time(w: Windows, *, largest: bool) -> Outcome:
    """The time of the largest or smallest sample; of several the last."""
    found = np.zeros(len(w.low))
    for i in np.flatnonzero(w.count > 0):
        part = w.values[w.low[i] : w.high[i]]
        if np.isnan(part).all():
            at = len(part) - 1
        else:
            best = np.nanmax(part) if largest else np.nanmin(part)
            at = int(np.flatnonzero(part == best)[-1])
        found[i] = w.times[w.low[i] + at] / 1000.0
    return found, w.count > 0


_PLAIN: dict[str, Callable[[Windows], Outcome]] = {
    "rate": partial(_extrapolated, counter=True, per_second=True),
    "increase": partial(_extrapolated, counter=True, per_second=False),
    "delta": partial(_extrapolated, counter=False, per_second=False),
    "irate": partial(_last_two, per_second=True),
    "idelta": partial(_last_two, per_second=False),
    "changes": partial(_transitions, resets=False),
    "resets": partial(_transitions, resets=True),
    "deriv": _derivative,
    "sum_over_time": _sum,
    "avg_over_time": _average,
    COUNT_OF_ROLLUPS: _sum,
    "min_over_time": partial(_extreme, ufunc=np.fmin),
    "max_over_time": partial(_extreme, ufunc=np.fmax),
    "count_over_time": lambda w: (w.count.astype(np.float64), w.count > 0),
    "present_over_time": lambda w: (np.ones(len(w.low)), w.count > 0),
    "last_over_time": partial(_pick, last=True),
    "first_over_time": partial(_pick, last=False),
    "ts_of_last_over_time": partial(_pick, last=True, time=True),
    "ts_of_first_over_time": partial(_pick, last=False, time=True),
    "ts_of_max_over_time": partial(_extreme_time, largest=True),
    "ts_of_min_over_time": partial(_extreme_time, largest=False),
    "stddev_over_time": lambda w: _each(w, lambda v: math.sqrt(_variance(v))),
    "stdvar_over_time": lambda w: _each(w, _variance),
    "mad_over_time": lambda w: _each(w, _mad),
}
_KEEPS_NAME = frozenset({"last_over_time", "first_over_time"})
_PARAMETERS = {"quantile_over_time": 1, "predict_linear": 0, "double_exponential_smoothing": 0}
_ONE_BY_ONE = frozenset(
    {
        *("sum_over_time", "avg_over_time", COUNT_OF_ROLLUPS, "deriv", *_PARAMETERS),
        *("ts_of_max_over_time", "ts_of_min_over_time", "stddev_over_time", "stdvar_over_time", "mad_over_time"),
    }
)
"""functions that look at a series as a whole, at each of its windows, or at the step they are evaluated at"""
AT_ONCE = 32_768
"""samples that are computed at once: few enough to stay near the processor"""
FUNCTIONS = frozenset({*_PLAIN, *_PARAMETERS, "absent_over_time"})


def call(engine: "Engine", node: Call) -> Value:
    """Return the function's value at every step."""
    matrix = engine.matrix(node.args[_PARAMETERS.get(node.name, 0)], node.name)
    if node.name == "absent_over_time":
        return _absent(engine, node, matrix)
    plain = _PLAIN.get(node.name)
    measure: Callable[[Windows], Outcome] = plain if plain is not None else _with_parameters(engine, node)
    keep = node.name in _KEEPS_NAME
    if node.name in ("rate", "increase"):
        _doubt(engine, matrix)
    rows = matrix.rows
    engine.bound(len(rows))
    values, present = np.zeros((len(rows), engine.steps)), np.zeros((len(rows), engine.steps), dtype=np.bool_)
    for some in ([i] for i in range(len(rows))) if node.name in _ONE_BY_ONE else _batches(rows):
        found, here = measure(_windows([rows[i] for i in some], matrix))
        values[some] = np.where(here, found, 0.0).reshape(-1, engine.steps)
        present[some] = here.reshape(-1, engine.steps)
    seen = np.flatnonzero(present.any(axis=1)).tolist()
    return Vector([row.labels for row in rows], values, present, [row.drop or not keep for row in rows]).rows(seen)


def _batches(rows: list[Row]) -> Iterator[list[int]]:
    """Yield which series can be computed at once: those of the same times, and some of the others."""
    groups: dict[int, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        groups[id(row.times)].append(i)
    alone = [members[0] for members in groups.values() if len(members) == 1]
    for members in (*(found for found in groups.values() if len(found) > 1), alone):
        many = max(AT_ONCE // max((len(rows[i].times) for i in members), default=1), 1)
        yield from (members[start : start + many] for start in range(0, len(members), many))


def _doubt(engine: "Engine", matrix: Matrix) -> None:
    """Say so where what is taken for a counter is not called like one."""
    for row in matrix.rows:
        name = dict(row.labels).get(NAME, "")
        if name and not row.drop and not name.endswith(("_total", "_sum", "_count", "_bucket")):
            text = f'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"'
            engine.annotations.inform(text)


def _windows(rows: list[Row], matrix: Matrix) -> Windows:
    """Return the windows of series: of the same times as a table, of different ones as if they were one, end to end."""
    row = rows[0]
    if len(rows) == 1:
        return Windows(row.times, row.values, row.low, row.high, matrix.starts, matrix.ends, matrix.window)
    if rows[1].times is row.times:
        return Windows(row.times, np.array([one.values for one in rows]), row.low, row.high, matrix.starts, matrix.ends, matrix.window)
    bases = np.cumsum([0, *(len(row.times) for row in rows[:-1])])
    return Windows(
        np.concatenate([row.times for row in rows]),
        np.concatenate([row.values for row in rows]),
        np.concatenate([row.low + base for row, base in zip(rows, bases, strict=True)]),
        np.concatenate([row.high + base for row, base in zip(rows, bases, strict=True)]),
        np.tile(matrix.starts, len(rows)),
        np.tile(matrix.ends, len(rows)),
        matrix.window,
    )


def _with_parameters(engine: "Engine", node: Call) -> Callable[[Windows], Outcome]:
    if node.name == "quantile_over_time":
        return _quantiles(engine, engine.scalar(node.args[0]))
    if node.name == "predict_linear":
        ahead = engine.scalar(node.args[1])
        return lambda w: _predicted(w, engine.times, ahead)
    smoothing, trend = (float(engine.scalar(arg)[0]) for arg in node.args[1:3])
    for factor, what in ((smoothing, "smoothing"), (trend, "trend")):
        if not 0 <= factor <= 1:
            raise QueryFailed(f"invalid {what} factor. Expected: 0 <= {what[0:2]} <= 1, got: {factor:g}")
    return lambda w: _each(w, lambda v: _smoothed(v, smoothing, trend), least=2)


def _quantiles(engine: "Engine", q: Floats) -> Callable[[Windows], Outcome]:
    for bad in q[(q < 0) | (q > 1) | np.isnan(q)][:1]:
        engine.annotations.warn(f"quantile value should be between 0 and 1, got {selecting.number_text(float(bad))}")

    def measure(w: Windows) -> Outcome:
        found = np.zeros(len(w.low))
        for i in np.flatnonzero(w.count > 0):
            found[i] = quantile(float(q[i]), w.values[w.low[i] : w.high[i]])
        return found, w.count > 0

    return measure


def _absent(engine: "Engine", node: Call, matrix: Matrix) -> Vector:
    seen = np.zeros(engine.steps, dtype=np.bool_)
    for row in matrix.rows:
        seen |= row.high > row.low
    if seen.all():
        return empty(engine.steps)
    if len(node.args) != 1:
        raise InvalidInput("absent_over_time() takes one range")
    labels = selecting.equal_labels(node.args[0])
    return Vector([labels], np.ones((1, engine.steps)), ~seen[np.newaxis], [False])
