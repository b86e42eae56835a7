"""Circles among nodes."""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from paranet.verifier.incremental import Rule
from paranet.verifier.report import Step


@attrs.frozen(order=True)
class Ring:
    """The nodes of a circle in their order, the least first, and the rows that close it; the same for everybody who finds it."""

    version: int
    nodes: tuple[str, ...]
    steps: tuple[Step, ...] = attrs.field(order=False)


def ring_of(version: int, rules: Sequence[Rule]) -> Ring:
    """Return the ring that *rules* make, each of which leads to the next one's node."""
    turn = min(range(len(rules)), key=lambda i: rules[i].node)
    turned = (*rules[turn:], *rules[:turn])
    steps = sorted((Step.of(r.node, r.row) for r in turned if r.row), key=lambda s: s.row)
    return Ring(version, tuple(r.node for r in turned), tuple(steps))


def rings(version: int, rules: Mapping[str, Rule]) -> Iterator[Ring]:
    """Yield circles of an atom, at least one for every set of nodes that reach each other: those which a search in order closes."""
    seen: set[str] = set()
    for start in sorted(rules):
        way: list[str] = []
        ahead: list[Iterator[str]] = [iter((start,))] if start not in seen else []
        while ahead:
            node = next(ahead[-1], None)
            if node is None:
                ahead.pop()
                if way:
                    way.pop()
            elif node in way:
                yield ring_of(version, [rules[n] for n in way[way.index(node) :]])
            elif node not in seen and node in rules:
                seen.add(node)
                way.append(node)
                ahead.append(iter([neighbour for _, (neighbour, _) in rules[node].hops]))
