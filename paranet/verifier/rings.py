"""Circles of IP packets."""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from paranet.verifier.circles import circles
from paranet.verifier.incremental import Rule
from paranet.verifier.report import Step


@attrs.frozen
class Ring:
    """The nodes of a circle in their order, the least first, and the rows that close it; the same for everybody who finds it."""

    version: int
    nodes: tuple[str, ...]
    steps: tuple[Step, ...]


def ring_of(version: int, rules: Sequence[Rule]) -> Ring:
    """Return the ring that *rules* make, each of which leads to the next one's node."""
    turn = min(range(len(rules)), key=lambda i: rules[i].node)
    turned = (*rules[turn:], *rules[:turn])
    steps = sorted((Step.of(r.node, r.row) for r in turned if r.row), key=lambda s: s.row)
    return Ring(version, tuple(r.node for r in turned), tuple(steps))


def rings(version: int, rules: Mapping[str, Rule]) -> Iterator[Ring]:
    """Yield circles of an atom."""

    def following(node: str) -> list[str]:
        return [neighbour for _, (neighbour, _) in rules[node].hops] if node in rules else []

    for nodes in circles(sorted(rules), following):
        yield ring_of(version, [rules[n] for n in nodes])
