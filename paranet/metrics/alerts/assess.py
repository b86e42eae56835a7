"""What a rule's expressions give on a source: who is active, who has data at all, who may be let go."""

import copy
import math

import attrs

from paranet.metrics.alerts.alert import Assessment, Change, Machine, key_of
from paranet.metrics.labels import Labels
from paranet.metrics.promql.ast import Binary, Node, Number
from paranet.metrics.promql.binary import COMPARISONS
from paranet.metrics.promql.evaluate import Result, evaluate
from paranet.metrics.promql.values import Source, Vector


def basis(node: Node) -> Node | None:
    """Return the part whose series say whether there is data: what a comparison filters. None where it cannot be told."""
    if isinstance(node, Binary):
        if node.op in COMPARISONS and not node.bool:
            return node.right if isinstance(node.left, Number) else node.left
        if node.op in ("and", "unless"):
            return basis(node.left)
    return None


def vector_of(result: Result) -> dict[Labels, float]:
    """Return the values of an instant result by what identifies an alert; a scalar is one without labels."""
    value = result.value
    if isinstance(value, Vector):
        return {key_of(value.labels[i]): float(value.values[i, 0]) for i in range(len(value)) if value.present[i, 0]}
    return {} if isinstance(value, str) or math.isnan(float(value[0])) else {(): float(value[0])}


def assess(node: Node, clear: Node | None, source: Source, at: int, *, look: bool) -> Assessment:
    """Evaluate at one moment (ms). With *look* the data behind a comparison is looked at too."""
    active = vector_of(evaluate(node, source, start=at, end=at, step=1))
    cleared = None if clear is None else frozenset(vector_of(evaluate(clear, source, start=at, end=at, step=1)))
    known = None
    behind = basis(node) if look else None
    if behind is not None:
        known = frozenset(vector_of(evaluate(behind, source, start=at, end=at, step=1)))
    return Assessment(active=active, known=known, cleared=cleared)


def replayed(machine: Machine, result: Result, clear: Result | None) -> list[Change]:
    """Step a machine through a range query's answers; return what it would have done."""
    changes: list[Change] = []
    for column, at in enumerate(result.times.tolist()):
        active = _column(result, column)
        cleared = None if clear is None else frozenset(_column(clear, column))
        found = machine.advance(Assessment(active=active, cleared=cleared), at / 1000)
        changes += [attrs.evolve(c, alert=copy.copy(c.alert)) for c in found]
    return changes


def _column(result: Result, column: int) -> dict[Labels, float]:
    value = result.value
    if isinstance(value, Vector):
        return {key_of(value.labels[i]): float(value.values[i, column]) for i in range(len(value)) if value.present[i, column]}
    return {} if isinstance(value, str) else {(): float(value[column])}
