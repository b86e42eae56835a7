"""Quantiles and fractions of classic histograms: series of one bucket each, cumulative, told apart by `le`."""

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from paranet.metrics.labels import Labels, replaced, without
from paranet.metrics.promql.ast import Call
from paranet.metrics.promql.selecting import number_text
from paranet.metrics.promql.values import Floats, Value, Vector, anywhere, merged, stacked

if TYPE_CHECKING:
    from paranet.metrics.promql.evaluate import Engine

_TOLERANCE = 1e-12
"""relative dips of cumulative counts that are rounding, not faults"""


def _histograms(vector: Vector) -> dict[Labels, tuple[list[float], list[int]]]:
    """Return upper bounds and rows by histogram, ascending. Series without a readable `le` are none."""
    found: dict[Labels, list[tuple[float, int]]] = defaultdict(list)
    for i, labels in enumerate(vector.labels):
        try:
            bound = float(dict(labels).get("le", ""))
        except ValueError:
            continue
        found[without(labels, ("le",))].append((bound, i))
    return {key: ([b for b, _ in sorted(rows)], [i for _, i in sorted(rows)]) for key, rows in found.items()}


def _each(engine: "Engine", vector: Vector, measure: "Measure") -> Vector:
    labels, values, present = [], [], []
    for key, (bounds, rows) in _histograms(vector).items():
        value, here = np.full(engine.steps, math.nan), anywhere(vector.present[rows])
        for step in np.flatnonzero(here):
            chosen = [(b, float(vector.values[i, step])) for b, i in zip(bounds, rows, strict=True) if vector.present[i, step]]
            value[step] = measure(int(step), *_clean(chosen))
        labels.append(key)
        values.append(value)
        present.append(here)
    return merged(stacked(labels, values, present, [True] * len(labels), engine.steps))


def _clean(buckets: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Join buckets of the same bound, and make counts monotonic."""
    bounds: list[float] = []
    counts: list[float] = []
    for bound, count in buckets:
        if bounds and bounds[-1] == bound:
            counts[-1] += count
        else:
            bounds.append(bound)
            counts.append(count)
    for i in range(1, len(counts)):
        near = abs(counts[i] - counts[i - 1]) <= _TOLERANCE * max(abs(counts[i]), abs(counts[i - 1]))
        if counts[i] < counts[i - 1] or near:
            counts[i] = counts[i - 1]
    return bounds, counts


def bucket_quantile(q: float, bounds: list[float], counts: list[float]) -> float:
    """Return the q-quantile by linear interpolation within its bucket; NaN where the buckets say nothing."""
    if math.isnan(q):
        return math.nan
    if q < 0:
        return -math.inf
    if q > 1:
        return math.inf
    if len(bounds) < 2 or not math.isinf(bounds[-1]) or counts[-1] == 0 or math.isnan(counts[-1]):
        return math.nan
    rank = q * counts[-1]
    at = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if at == len(counts) - 1:
        return bounds[-2]
    if at == 0 and bounds[0] <= 0:
        return bounds[0]
    start, end = (bounds[at - 1] if at else 0.0), bounds[at]
    before = counts[at - 1] if at else 0.0
    count = counts[at] - before
    return start + (end - start) * ((rank - before) / count) if count else math.nan


def bucket_fraction(lower: float, upper: float, bounds: list[float], counts: list[float]) -> float:
    """Return the share of observations between two values."""
    if len(bounds) < 2 or not math.isinf(bounds[-1]) or not counts[-1] or any(map(math.isnan, (lower, upper, counts[-1]))):
        return math.nan
    if lower >= upper:
        return 0.0
    return (_rank(upper, bounds, counts) - _rank(lower, bounds, counts)) / counts[-1]


def _rank(value: float, bounds: list[float], counts: list[float]) -> float:
    """Return how many observations are below *value*."""
    if value == -math.inf:
        return 0.0
    start, before = (0.0 if bounds[0] > 0 else -math.inf), 0.0
    for bound, count in zip(bounds, counts, strict=True):
        if value < bound:
            if value <= start or math.isinf(start):
                return before
            return before if math.isinf(bound) else before + (count - before) * (value - start) / (bound - start)
        start, before = bound, count
    return before


def _warn_of(engine: "Engine", q: Floats) -> None:
    for bad in q[(q < 0) | (q > 1) | np.isnan(q)][:1]:
        engine.annotations.warn(f"quantile value should be between 0 and 1, got {number_text(float(bad))}")


def quantile(engine: "Engine", node: Call) -> Value:
    """histogram_quantile(q, buckets)."""
    q = engine.scalar(node.args[0])
    _warn_of(engine, q)
    return _each(engine, engine.vector(node.args[1]), lambda step, bounds, counts: bucket_quantile(float(q[step]), bounds, counts))


def quantiles(engine: "Engine", node: Call) -> Value:
    """histogram_quantiles(buckets, label, q...): one series a quantile."""
    vector, label = engine.vector(node.args[0]), engine.text(node.args[1])
    labels, values, present = [], [], []
    for arg in node.args[2:]:
        q = engine.scalar(arg)
        _warn_of(engine, q)
        found = _each(engine, vector, lambda step, b, c, q=q: bucket_quantile(float(q[step]), b, c))  # type: ignore[misc]
        labels += [replaced(row, label, number_text(float(q[0]))) for row in found.labels]
        values += list(found.values)
        present += list(found.present)
    return merged(stacked(labels, values, present, [True] * len(labels), engine.steps))


def fraction(engine: "Engine", node: Call) -> Value:
    """histogram_fraction(lower, upper, buckets)."""
    lower, upper = engine.scalar(node.args[0]), engine.scalar(node.args[1])
    return _each(
        engine,
        engine.vector(node.args[2]),
        lambda step, bounds, counts: bucket_fraction(float(lower[step]), float(upper[step]), bounds, counts),
    )


if TYPE_CHECKING:
    from collections.abc import Callable

    Measure = Callable[[int, list[float], list[float]], float]
