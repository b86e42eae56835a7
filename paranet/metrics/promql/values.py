"""What expressions evaluate to, over all steps at once, and what can be wrong with them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

from paranet.errors import QueryFailed
from paranet.metrics.labels import NAME, Labels, shown, without
from paranet.metrics.promql.ast import Selector

Floats = NDArray[Any]
"""float64; numpy's own stubs lose element types in every other operation, so these names say what mypy cannot"""
Times = NDArray[Any]
"""int64, UNIX ms"""
Mask = NDArray[Any]
"""bool"""
Index = NDArray[Any]
"""intp"""

STALE_BITS = 0x7FF0000000000002
STALE = float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])
"""the NaN that Prometheus writes where a series ends"""


@attrs.frozen
class Samples:
    """One series' samples, times in UNIX ms, strictly ascending."""

    labels: Labels
    times: Times
    values: Floats


class Source(Protocol):
    """Where the engine takes samples from. What it returns covers at least the times asked for."""

    def select(self, selector: Selector, start: int, end: int, function: str = "") -> Iterable[Samples]:
        """Return the series a selector means, with samples of *start* <= time <= *end*.

        *function* is what they are for (`rate`, `max_over_time`, or empty): a source of rollups chooses its column by it.
        """


@attrs.define
class Vector:
    """Series by rows, steps by columns. *drop* says whose metric name is to go at the very end."""

    labels: list[Labels]
    values: Floats
    present: Mask
    drop: list[bool]

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: Sequence[int]) -> "Vector":
        """Return some rows, in the order given."""
        index = np.asarray(chosen, dtype=np.intp)
        return Vector([self.labels[i] for i in chosen], self.values[index], self.present[index], [self.drop[i] for i in chosen])

    def named(self, values: Floats, *, present: Mask | None = None) -> "Vector":
        """Return the same series with other values, their names still shown."""
        return Vector(self.labels, values, self.present if present is None else present, self.drop)

    def unnamed(self, values: Floats, *, present: Mask | None = None) -> "Vector":
        """Return the same series with other values, their names to be dropped."""
        return Vector(self.labels, values, self.present if present is None else present, [True] * len(self.labels))


Value = Vector | Floats | str
"""a vector, a scalar for each step, or a string"""


@attrs.define
class Row:
    """One series under a range function: its samples, and for each step the window [low, high) of them."""

    labels: Labels
    times: Times
    values: Floats
    low: Index
    high: Index
    drop: bool = False


@attrs.define
class Matrix:
    """Series for a range function. Windows are left-open: *starts* < time <= *ends*, in ms, one of each a step."""

    rows: list[Row]
    starts: Times
    ends: Times
    window: int


@attrs.define
class Annotations:
    """What a query's reader should know, without repetition."""

    warnings: dict[str, None] = attrs.field(factory=dict)
    infos: dict[str, None] = attrs.field(factory=dict)

    def warn(self, text: str) -> None:
        """Add a warning."""
        self.warnings[f"PromQL warning: {text}"] = None

    def inform(self, text: str) -> None:
        """Add an info."""
        self.infos[f"PromQL info: {text}"] = None


def empty(steps: int) -> Vector:
    """Return a vector of no series."""
    return Vector([], np.empty((0, steps)), np.empty((0, steps), dtype=np.bool_), [])


def stacked(labels: list[Labels], values: Sequence[Floats], present: Sequence[Mask], drop: list[bool], steps: int) -> Vector:
    """Return a vector of rows."""
    return Vector(labels, np.array(values), np.array(present, dtype=np.bool_), drop) if labels else empty(steps)


def finished(vector: Vector) -> Vector:
    """Drop the names that are to go, merge what has become one series. Raise QueryFailed where two have a value at once."""
    if any(vector.drop):
        vector = Vector(
            [without(labels, (NAME,)) if drop else labels for labels, drop in zip(vector.labels, vector.drop, strict=True)],
            vector.values,
            vector.present,
            [False] * len(vector),
        )
    return merged(vector)


def merged(vector: Vector) -> Vector:
    """Make rows with the same labels one. Raise QueryFailed where two have a value at once."""
    if len(set(vector.labels)) == len(vector.labels):
        return vector
    first: dict[Labels, int] = {}
    values, present = vector.values.copy(), vector.present.copy()
    for i, labels in enumerate(vector.labels):
        j = first.setdefault(labels, i)
        if j != i:
            if bool((present[j] & present[i]).any()):
                raise QueryFailed("vector cannot contain metrics with the same labelset")
            values[j] = np.where(present[i], values[i], values[j])
            present[j] |= present[i]
    kept = list(first.values())
    return Vector(list(first), values[kept], present[kept], [vector.drop[i] for i in kept])


def as_dict(labels: Labels) -> Mapping[str, str]:
    """Return labels for looking up."""
    return dict(labels)


def duplicate(side: str, group: Labels, first: Labels, second: Labels) -> QueryFailed:
    """Return Prometheus' words for two series of one match group."""
    pair = ", ".join(shown(labels) for labels in sorted((first, second)))
    return QueryFailed(
        f"found duplicate series for the match group {shown(group)} on the {side} hand-side of the operation: [{pair}]"
        ";many-to-many matching not allowed: matching labels must be unique on one side"
    )


def anywhere(present: Mask) -> Mask:
    """Return at which steps any row has a value."""
    return np.asarray(present.any(axis=0))


def is_stale(values: Floats) -> Any:
    """Return where values are stale markers."""
    return values.view(np.int64) == STALE_BITS
