"""Functions of instant vectors and scalars: mathematics, time, sorting, and what turns one kind of value into another."""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from paranet.metrics.promql import histograms, selecting
from paranet.metrics.promql.ast import Call, Node, Selector, children
from paranet.metrics.promql.values import Floats, Value, Vector, anywhere, empty

if TYPE_CHECKING:
    from paranet.metrics.promql.evaluate import Engine

Function = Callable[["Engine", Call], Value]


def orders(node: Node) -> bool:
    """Tell whether the expression sorts somewhere."""
    return (isinstance(node, Call) and node.name in SORTS) or any(orders(child) for child in children(node))


def _mapped(function: Callable[[Any], Any]) -> Function:
    def apply(engine: "Engine", node: Call) -> Value:
        vector = engine.vector(node.args[0])
        return vector.unnamed(function(vector.values).astype(np.float64))

    return apply


def _round(engine: "Engine", node: Call) -> Value:
    vector = engine.vector(node.args[0])
    nearest = engine.scalar(node.args[1]) if len(node.args) > 1 else np.ones(engine.steps)
    inverse = 1.0 / nearest
    return vector.unnamed(np.floor(vector.values * inverse + 0.5) / inverse)


def _clamp(engine: "Engine", node: Call, *, low: int | None, high: int | None) -> Value:
    vector = engine.vector(node.args[0])
    least = engine.scalar(node.args[low]) if low else np.full(engine.steps, -np.inf)
    most = engine.scalar(node.args[high]) if high else np.full(engine.steps, np.inf)
    values = np.maximum(least, np.minimum(most, vector.values))
    return vector.unnamed(values, present=vector.present & ~(least > most))


def _scalar(engine: "Engine", node: Call) -> Value:
    vector = engine.vector(node.args[0])
    alone = vector.present.sum(axis=0) == 1
    total: Floats = np.where(vector.present, vector.values, 0.0).sum(axis=0) if len(vector) else np.zeros(engine.steps)
    return np.where(alone, total, math.nan)


def _vector(engine: "Engine", node: Call) -> Value:
    return Vector([()], engine.scalar(node.args[0])[np.newaxis].copy(), np.ones((1, engine.steps), dtype=np.bool_), [False])


def _time(engine: "Engine", node: Call) -> Value:
    return engine.times / 1000.0


def _timestamp(engine: "Engine", node: Call) -> Value:
    if isinstance(node.args[0], Selector):
        vector, stamps = engine.instant(node.args[0])
        return vector.unnamed(stamps)
    vector = engine.vector(node.args[0])
    return vector.unnamed(np.broadcast_to(engine.times / 1000.0, vector.values.shape).copy())


def _absent(engine: "Engine", node: Call) -> Value:
    missing = ~anywhere(engine.vector(node.args[0]).present)
    if not missing.any():
        return empty(engine.steps)
    return Vector([selecting.equal_labels(node.args[0])], np.ones((1, engine.steps)), missing[np.newaxis], [False])


def _sorted(engine: "Engine", node: Call, *, descending: bool) -> Value:
    """NaN goes last either way. In a range query it has no effect: there is no one order for all steps."""
    vector = engine.vector(node.args[0])
    if engine.steps != 1:
        return vector
    rows = [i for i in range(len(vector)) if vector.present[i, 0]]
    sign = -1.0 if descending else 1.0
    rows.sort(key=lambda i: (math.isnan(vector.values[i, 0]), sign * vector.values[i, 0]))
    return vector.rows(rows)


def _sorted_by_label(engine: "Engine", node: Call, *, descending: bool) -> Value:
    vector = engine.vector(node.args[0])
    if engine.steps != 1:
        return vector
    names = [engine.text(arg) for arg in node.args[1:]]

    def key(i: int) -> tuple[Any, ...]:
        labels = dict(vector.labels[i])
        return (*(natural(labels.get(name, "")) for name in names), vector.labels[i])

    return vector.rows(sorted(range(len(vector)), key=key, reverse=descending))


def natural(text: str) -> tuple[Any, ...]:
    """Return a sort key in which numbers within a text count as numbers."""
    parts: list[Any] = []
    digits = ""
    for character in text:
        if character.isdigit():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits), ""))
            digits = ""
        parts.append((1, 0, character))
    if digits:
        parts.append((0, int(digits), ""))
    return tuple(parts)


def _when(engine: "Engine", node: Call) -> Vector:
    """Return the moments a date function is about: its argument, or now."""
    if node.args:
        return engine.vector(node.args[0])
    return Vector([()], (engine.times / 1000.0)[np.newaxis], np.ones((1, engine.steps), dtype=np.bool_), [True])


def _date(part: Callable[[Any], Any]) -> Function:
    def apply(engine: "Engine", node: Call) -> Value:
        vector = _when(engine, node)
        known = np.isfinite(vector.values)
        seconds = np.where(known, np.floor(np.where(known, vector.values, 0.0)), 0.0).astype(np.int64).astype("datetime64[s]")
        return vector.unnamed(np.where(known, part(seconds).astype(np.float64), math.nan))

    return apply


def _unit(seconds: Any, unit: str, of: str) -> Any:
    return (seconds.astype(f"datetime64[{unit}]") - seconds.astype(f"datetime64[{of}]").astype(f"datetime64[{unit}]")).astype(np.int64)


def _days_in_month(seconds: Any) -> Any:
    month = seconds.astype("datetime64[M]")
    return ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)


def _extremum(engine: "Engine", node: Call, *, function: Callable[[Any, Any], Any]) -> Value:
    found: Value = function(engine.scalar(node.args[0]), engine.scalar(node.args[1]))
    return found


def _bounds(engine: "Engine", node: Call, *, end: bool) -> Value:
    return np.full(engine.steps, (engine.end if end else engine.start) / 1000.0)


def _of_native_histograms(engine: "Engine", node: Call) -> Value:
    """This hub keeps no native histograms, and of plain numbers these functions say nothing."""
    engine.vector(node.args[-1])
    return empty(engine.steps)


def _sign(values: Any) -> Any:
    return np.where(values == 0, values, np.sign(values))


SORTS = {
    "sort": partial(_sorted, descending=False),
    "sort_desc": partial(_sorted, descending=True),
    "sort_by_label": partial(_sorted_by_label, descending=False),
    "sort_by_label_desc": partial(_sorted_by_label, descending=True),
}
_MATHEMATICS: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sgn": _sign,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "deg": np.degrees,
    "rad": np.radians,
}
_DATES: dict[str, Callable[[Any], Any]] = {
    "year": lambda s: s.astype("datetime64[Y]").astype(np.int64) + 1970,
    "month": lambda s: _unit(s, "M", "Y") + 1,
    "day_of_month": lambda s: _unit(s, "D", "M") + 1,
    "day_of_week": lambda s: (s.astype("datetime64[D]").astype(np.int64) + 4) % 7,
    "day_of_year": lambda s: _unit(s, "D", "Y") + 1,
    "days_in_month": _days_in_month,
    "hour": lambda s: _unit(s, "h", "D"),
    "minute": lambda s: _unit(s, "m", "h"),
}
FUNCTIONS: dict[str, Function] = {
    **{name: _mapped(function) for name, function in _MATHEMATICS.items()},
    **{name: _date(part) for name, part in _DATES.items()},
    **SORTS,
    "round": _round,
    "clamp": partial(_clamp, low=1, high=2),
    "clamp_min": partial(_clamp, low=1, high=None),
    "clamp_max": partial(_clamp, low=None, high=1),
    "scalar": _scalar,
    "vector": _vector,
    "time": _time,
    "timestamp": _timestamp,
    "absent": _absent,
    "pi": lambda engine, _: np.full(engine.steps, math.pi),
    "step": lambda engine, _: np.full(engine.steps, engine.interval / 1000.0),
    "range": lambda engine, _: np.full(engine.steps, (engine.end - engine.start) / 1000.0),
    "start": partial(_bounds, end=False),
    "end": partial(_bounds, end=True),
    "max_of": partial(_extremum, function=np.fmax),
    "min_of": partial(_extremum, function=np.fmin),
    **dict.fromkeys(("histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar"), _of_native_histograms),
    "histogram_quantile": histograms.quantile,
    "histogram_quantiles": histograms.quantiles,
    "histogram_fraction": histograms.fraction,
}
