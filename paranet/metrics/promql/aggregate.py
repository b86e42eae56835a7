"""Aggregations: many series into few, step by step."""

import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from paranet.errors import InvalidInput, QueryFailed
from paranet.metrics.labels import NAME, Labels, only, replaced, without
from paranet.metrics.promql.ast import Aggregate
from paranet.metrics.promql.ranges import quantile
from paranet.metrics.promql.selecting import number_text
from paranet.metrics.promql.sums import column_sums, exact_mean, exact_sum, is_delicate
from paranet.metrics.promql.values import Floats, Mask, Value, Vector, empty

if TYPE_CHECKING:
    from paranet.metrics.promql.evaluate import Engine

Group = Callable[[Floats, Mask], Floats]
"""values and presence of a group's rows -> a value for each step"""
_HASH = 2.0**64


def _columns(measure: Callable[[Floats], float]) -> Group:
    """Apply *measure* to what is present at each step."""

    def apply(values: Floats, present: Mask) -> Floats:
        found = np.zeros(values.shape[1])
        for step in np.flatnonzero(present.any(axis=0)):
            found[step] = measure(values[present[:, step], step])
        return found

    return apply


def _sum(values: Floats, present: Mask) -> Floats:
    here = np.where(present, values, 0.0)
    if len(values) > 2 and is_delicate(here):
        return column_sums(here)
    total: Floats = here.sum(axis=0)
    return total


def _mean(values: Floats, present: Mask) -> Floats:
    mean: Floats = _sum(values, present) / present.sum(axis=0)
    bad = ~np.isfinite(mean) & present.any(axis=0)
    if bad.any():
        mean[bad] = _columns(exact_mean)(values[:, bad], present[:, bad])
    return mean


def _extreme(values: Floats, present: Mask, ufunc: np.ufunc) -> Floats:
    return np.asarray(ufunc.reduce(np.where(present, values, math.nan), axis=0))


def _variance(values: Floats) -> float:
    mean = exact_mean(values)
    return exact_sum((values - mean) ** 2) / len(values)


_GROUPED: dict[str, Group] = {
    "sum": _sum,
    "avg": _mean,
    "min": partial(_extreme, ufunc=np.fmin),
    "max": partial(_extreme, ufunc=np.fmax),
    "count": lambda _, present: present.sum(axis=0).astype(np.float64),
    "group": lambda _, present: np.ones(present.shape[1]),
    "stddev": _columns(lambda v: math.sqrt(_variance(v))),
    "stdvar": _columns(_variance),
}


def aggregate(engine: "Engine", node: Aggregate) -> Value:
    """Return the aggregation's value at every step."""
    if node.op in _CHOOSERS:
        return _choose(engine, node, engine.vector(node.inner))
    if node.op == "count_values":
        return _count_values(engine, node, engine.vector(node.inner))
    vector = engine.vector(node.inner)
    measure = _GROUPED.get(node.op)
    if node.op == "quantile":
        measure = _quantiles(engine, node)
    if measure is None:
        raise InvalidInput(f"{node.op} is not served by this hub")
    groups = _groups(node, vector)
    values = np.zeros((len(groups), engine.steps))
    present = np.zeros((len(groups), engine.steps), dtype=np.bool_)
    drop = []
    for row, members in enumerate(groups.values()):
        here = vector.present[members]
        present[row] = here.any(axis=0)
        values[row] = measure(vector.values[members], here)
        drop.append(vector.drop[members[0]])
    return Vector(list(groups), values, present, drop)


def _groups(node: Aggregate, vector: Vector) -> dict[Labels, list[int]]:
    groups: dict[Labels, list[int]] = defaultdict(list)
    gone = (*node.labels, NAME)
    for i, labels in enumerate(vector.labels):
        groups[only(labels, node.labels) if node.keep else without(labels, gone)].append(i)
    return groups


def _parameter(engine: "Engine", node: Aggregate) -> Floats:
    if node.param is None:
        raise InvalidInput(f"{node.op} needs a parameter")
    return engine.scalar(node.param)


def _quantiles(engine: "Engine", node: Aggregate) -> Group:
    q = _parameter(engine, node)
    for bad in q[(q < 0) | (q > 1) | np.isnan(q)][:1]:
        engine.annotations.warn(f"quantile value should be between 0 and 1, got {number_text(float(bad))}")

    def measure(values: Floats, present: Mask) -> Floats:
        return np.array([quantile(float(q[s]), values[present[:, s], s]) for s in range(values.shape[1])])

    return measure


def _ranked(rows: list[int], values: Floats, k: int, *, largest: bool) -> list[int]:
    """Return the k best rows, best first; NaN is worst, equal values stay in order."""
    sign = -1.0 if largest else 1.0
    return sorted(rows, key=lambda i: (math.isnan(values[i]), sign * values[i]))[:k]


def _choose(engine: "Engine", node: Aggregate, vector: Vector) -> Vector:
    """topk, bottomk, limitk, limit_ratio: some of the series, with all their labels."""
    parameter = _parameter(engine, node)
    _check(engine, node.op, parameter)
    groups = _groups(node, vector)
    present = np.zeros(vector.present.shape, dtype=np.bool_)
    order: list[int] = []
    for members in groups.values():
        for step in range(engine.steps):
            here = [i for i in members if vector.present[i, step]]
            chosen = _CHOOSERS[node.op](vector, here, step, float(parameter[step]))
            present[chosen, step] = True
            if engine.steps == 1:
                order += chosen
    if engine.steps == 1:
        return vector.rows(order) if order else empty(1)
    return vector.named(vector.values, present=present)


def _check(engine: "Engine", op: str, parameter: Floats) -> None:
    if op == "limit_ratio":
        if np.isnan(parameter).any():
            raise QueryFailed("Ratio value is NaN")
        if (np.abs(parameter) > 1).any():
            bad = float(parameter[np.abs(parameter) > 1][0])
            capped = "1" if bad > 0 else "-1"
            engine.annotations.warn(f"ratio value should be between -1 and 1, got {number_text(bad)}, capping to {capped}")
        return
    if np.isnan(parameter).any():
        raise QueryFailed("Parameter value is NaN")
    for bad in parameter[(parameter <= -(2.0**63)) | (parameter >= 2.0**63)][:1]:
        raise QueryFailed(f"Scalar value {number_text(float(bad))} {'under' if bad < 0 else 'over'}flows int64")


def _ratio(vector: Vector, rows: list[int], step: int, ratio: float) -> list[int]:
    """Keep a share of the series, always the same ones; a negative ratio keeps the others."""
    ratio = max(-1.0, min(1.0, ratio))
    kept = []
    for i in rows:
        offset = _fraction(vector.labels[i])
        if (offset < ratio) if ratio >= 0 else (offset >= 1.0 + ratio):
            kept.append(i)
    return kept


def _fraction(labels: Labels) -> float:
    """Return a number in [0, 1) that depends on the labels only (FNV-1a)."""
    found = 0xCBF29CE484222325
    for byte in repr(labels).encode():
        found = ((found ^ byte) * 0x100000001B3) % (1 << 64)
    found ^= found >> 29
    return float((found * 0xBF58476D1CE4E5B9) % (1 << 64)) / _HASH


_CHOOSERS: dict[str, Callable[[Vector, list[int], int, float], list[int]]] = {
    "topk": lambda v, rows, step, k: _ranked(rows, v.values[:, step], max(int(k), 0), largest=True),
    "bottomk": lambda v, rows, step, k: _ranked(rows, v.values[:, step], max(int(k), 0), largest=False),
    "limitk": lambda _v, rows, _step, k: rows[: max(int(k), 0)],
    "limit_ratio": _ratio,
}


def _count_values(engine: "Engine", node: Aggregate, vector: Vector) -> Vector:
    if node.param is None:
        raise InvalidInput("count_values needs a label's name")
    label = engine.text(node.param)
    if not label:
        raise QueryFailed(f'invalid label name "{label}"')
    counts: dict[Labels, Any] = {}
    for group, members in _groups(node, vector).items():
        for i in members:
            for step in np.flatnonzero(vector.present[i]):
                key = replaced(group, label, number_text(float(vector.values[i, step])))
                counts.setdefault(key, np.zeros(engine.steps))[step] += 1
    values = np.array(list(counts.values())).reshape(len(counts), engine.steps)
    return Vector(list(counts), values, values > 0, [False] * len(counts))
