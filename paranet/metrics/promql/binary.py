"""Operators: between scalars, of a vector with a scalar, and between vectors that match."""

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from paranet.errors import InvalidInput, QueryFailed
from paranet.metrics.labels import NAME, Labels, only, replaced, without
from paranet.metrics.promql.ast import Binary, Matching
from paranet.metrics.promql.values import Mask, Value, Vector, anywhere, duplicate, empty, merged

if TYPE_CHECKING:
    from paranet.metrics.promql.evaluate import Engine

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


def operate(engine: "Engine", node: Binary) -> Value:
    """Return left op right."""
    left, right = engine.value(node.left), engine.value(node.right)
    if isinstance(left, str) or isinstance(right, str):
        raise InvalidInput("strings have no operators")
    if isinstance(left, Vector) and isinstance(right, Vector):
        if node.op in ("and", "or", "unless"):
            return _set(node.op, left, right, node.matching)
        return _matched(node, left, right)
    if isinstance(left, Vector) or isinstance(right, Vector):
        return _with_scalar(node, left, right)
    if node.op in COMPARISONS:
        return COMPARISONS[node.op](left, right).astype(np.float64)  # type: ignore[no-any-return]
    return ARITHMETIC[node.op](left, right)  # type: ignore[no-any-return]


def _with_scalar(node: Binary, left: Any, right: Any) -> Vector:
    vector: Vector = left if isinstance(left, Vector) else right
    a, b = (left.values, right) if vector is left else (left, right.values)
    if node.op in ARITHMETIC:
        return vector.unnamed(ARITHMETIC[node.op](a, b))
    passed = COMPARISONS[node.op](a, b)
    if node.bool:
        return vector.unnamed(passed.astype(np.float64))
    return vector.named(vector.values, present=vector.present & passed)


def signature(labels: Labels, matching: Matching) -> Labels:
    """Return what two series must share to match."""
    return only(labels, matching.labels) if matching.on else without(labels, (*matching.labels, NAME))


def _groups(vector: Vector, matching: Matching) -> dict[Labels, list[int]]:
    found: dict[Labels, list[int]] = defaultdict(list)
    for i, labels in enumerate(vector.labels):
        found[signature(labels, matching)].append(i)
    return found


def _any(vector: Vector, rows: list[int], steps: int) -> Mask:
    if not rows:
        return np.zeros(steps, dtype=np.bool_)
    return anywhere(vector.present[rows])


def _seen(vector: Vector, there: dict[Labels, Mask], matching: Matching) -> Mask:
    """Return where each row has a counterpart."""
    nowhere = np.zeros(vector.present.shape[1], dtype=np.bool_)
    found = [there.get(signature(labels, matching), nowhere) for labels in vector.labels]
    return np.array(found, dtype=np.bool_).reshape(vector.present.shape)


def _set(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """Set operators look at presence only, step by step."""
    steps = left.values.shape[1]
    if op == "or":
        there = {sign: _any(left, rows, steps) for sign, rows in _groups(left, matching).items()}
        rest = right.present & ~_seen(right, there, matching)
        return Vector(
            left.labels + right.labels,
            np.concatenate((left.values, right.values)),
            np.concatenate((left.present, rest)),
            left.drop + right.drop,
        )
    there = {sign: _any(right, rows, steps) for sign, rows in _groups(right, matching).items()}
    seen = _seen(left, there, matching)
    return left.named(left.values, present=left.present & (seen if op == "and" else ~seen))


def _matched(node: Binary, left: Vector, right: Vector) -> Vector:
    """Pair the rows of the `many` side with those of the `one` side."""
    matching = node.matching
    swapped = matching.card == "one-to-many"
    many, one = (right, left) if swapped else (left, right)
    fills = tuple(reversed(matching.fill)) if swapped else matching.fill
    steps = left.values.shape[1]
    filled = any(f is not None for f in matching.fill)
    if not filled and not (len(many) and len(one)):
        return empty(steps)
    groups, lookup = _groups(many, matching), _groups(one, matching)
    _refuse_duplicates(one, lookup, many, matching, "left" if swapped else "right", filled)
    pairs: list[tuple[int, int, Labels]] = []
    for sign, rows in groups.items():
        found = lookup.get(sign)
        if found:
            pairs += [(m, o, sign) for m in rows for o in found]
    out = _paired(node, many, one, pairs, swapped)
    if filled:
        extra = _filled(node, many, one, (groups, lookup), fills, swapped)
        out = Vector(
            out.labels + extra.labels,
            np.concatenate((out.values, extra.values)),
            np.concatenate((out.present, extra.present)),
            out.drop + extra.drop,
        )
    try:
        return merged(out)
    except QueryFailed:
        if matching.card == "one-to-one":
            raise QueryFailed("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)") from None
        raise QueryFailed("multiple matches for labels: grouping labels must ensure unique matches") from None


def _refuse_duplicates(one: Vector, lookup: dict[Labels, list[int]], many: Vector, matching: Matching, side: str, filled: bool) -> None:
    """Raise QueryFailed where two series of a match group have a value at a step that has a counterpart at all."""
    busy = many.present.any(axis=0) | filled
    for sign, rows in lookup.items():
        if len(rows) > 1:
            twice = (one.present[rows].sum(axis=0) > 1) & busy
            if twice.any():
                step = int(np.argmax(twice))
                first, second = [one.labels[i] for i in rows if one.present[i, step]][:2]
                raise duplicate(side, sign, first, second)


def _paired(node: Binary, many: Vector, one: Vector, pairs: list[tuple[int, int, Labels]], swapped: bool) -> Vector:
    if not pairs:
        return empty(many.values.shape[1])
    m, o = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    here = many.present[m] & one.present[o]
    a, b = many.values[m], one.values[o]
    values, present, dropped = _computed(node, *((b, a) if swapped else (a, b)), here)
    if node.matching.card == "one-to-one":
        _refuse_crowds(pairs, here)
    labels = [_result(node.matching, many.labels[i], one.labels[j]) for i, j, _ in pairs]
    return Vector(labels, values, present, [dropped or many.drop[i] for i, _, _ in pairs])


def _refuse_crowds(pairs: list[tuple[int, int, Labels]], here: Mask) -> None:
    """Raise QueryFailed where two series of the left side have met the same one of the right at one step."""
    by_one: dict[int, list[int]] = defaultdict(list)
    for i, (_, o, _) in enumerate(pairs):
        by_one[o].append(i)
    for rows in by_one.values():
        if len(rows) > 1 and bool((here[rows].sum(axis=0) > 1).any()):
            raise QueryFailed("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")


def _computed(node: Binary, a: Any, b: Any, here: Mask) -> tuple[Any, Any, bool]:
    """Return values, presence, and whether the name goes."""
    if node.op in ARITHMETIC:
        return ARITHMETIC[node.op](a, b), here, True
    passed = COMPARISONS[node.op](a, b)
    if node.bool:
        return passed.astype(np.float64), here, True
    return np.broadcast_to(a, here.shape).copy(), here & passed, False


def _result(matching: Matching, many: Labels, one: Labels) -> Labels:
    if matching.card == "one-to-one":
        many = only(many, matching.labels) if matching.on else without(many, matching.labels)
    if matching.include:
        other = dict(one)
        for name in matching.include:
            many = replaced(many, name, other.get(name, ""))
    return many


def _filled(
    node: Binary,
    many: Vector,
    one: Vector,
    groups: tuple[dict[Labels, list[int]], dict[Labels, list[int]]],
    fills: tuple[float | None, ...],
    swapped: bool,
) -> Vector:
    """Return the rows of series that miss their counterpart at some steps, where `fill` gives it a value."""
    steps = many.values.shape[1]
    by_many, by_one = groups
    labels, values, present, drop = [], [], [], []
    jobs = [(many, i, _any(one, by_one.get(sign, []), steps), fills[1], False) for sign, rows in by_many.items() for i in rows]
    jobs += [(one, i, _any(many, by_many.get(sign, []), steps), fills[0], True) for sign, rows in by_one.items() for i in rows]
    for vector, i, met, fill, of_one in jobs:
        if fill is None:
            continue
        a: Any = vector.values[i]
        b: Any = np.full(steps, fill)
        if of_one != swapped:
            a, b = b, a
        value, here, dropped = _computed(node, a, b, vector.present[i] & ~met)
        result = _result(node.matching, vector.labels[i], ()) if not of_one else signature(vector.labels[i], node.matching)
        if of_one and node.matching.include:
            own = dict(vector.labels[i])
            for name in node.matching.include:
                result = replaced(result, name, own.get(name, ""))
        labels.append(result)
        values.append(value)
        present.append(here)
        drop.append(dropped)
    return Vector(labels, np.array(values), np.array(present), drop) if labels else empty(steps)
