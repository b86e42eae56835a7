"""Circles in graphs of nodes."""

from collections.abc import Callable, Iterable, Iterator


def circles(starts: Iterable[str], following: Callable[[str], Iterable[str]]) -> Iterator[tuple[str, ...]]:
    """Yield the nodes of circles, at least one for every set of nodes that reach each other: those which a search in order closes."""
    seen: set[str] = set()
    for start in starts:
        way: list[str] = []
        ahead: list[Iterator[str]] = [iter((start,))] if start not in seen else []
        while ahead:
            node = next(ahead[-1], None)
            if node is None:
                ahead.pop()
                if way:
                    way.pop()
            elif node in way:
                yield tuple(way[way.index(node) :])
            elif node not in seen:
                seen.add(node)
                way.append(node)
                ahead.append(iter(following(node)))


def turned(ring: tuple[str, ...]) -> tuple[str, ...]:
    """Return the circle from its least node on."""
    turn = ring.index(min(ring))
    return (*ring[turn:], *ring[:turn])
