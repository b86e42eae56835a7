"""Several ways to one place: equal-cost multipath, leg by leg, and a pair of disjoint paths.

Disjoint pairs are found by two augmentations of a flow with potentials (Suurballe 1974; Bhandari 1999), first with every
node passed once, then with every link.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import attrs

from paranet.compiler.paths import Edge, Edges, Found

_SLACK = 1 + 1e-9
_MAX_WAYS = 64

Ways = Mapping[str, tuple[Edge, ...]]
"""The edges by which each node is left, without a ring."""


Ban = tuple[str, str]
"""("node", id) or ("link", id): what equal ways may not pass"""


@attrs.frozen
class Leg:
    """All cheapest ways from *start* to *end*: the nodes that may lie on them, the farthest first, and the edges *onward* from each."""

    start: str
    end: str
    cost: float
    order: tuple[str, ...]
    onward: Ways


def cheapest_leg(edges: Edges, start: str, end: str, banned: Collection[Ban] = ()) -> Leg | None:
    """Return all cheapest ways that pass nothing *banned*, None when there are none."""
    nodes, links = ({name for kind, name in banned if kind == wanted} for wanted in ("node", "link"))
    if start in nodes or end in nodes:
        return None
    rank = _ranks(edges, end, nodes, links)
    if start not in rank:
        return None
    onward = {n: tuple(e for e in edges.get(n, ()) if e.link not in links and e.node in rank and _nearer(n, e, rank)) for n in rank}
    order = sorted((n for n in rank if n != end), key=lambda n: (-rank[n][0], -rank[n][1], n))
    return Leg(start, end, rank[start][0], tuple(order), onward)


def equal_ways(legs: Sequence[Leg], width: int, latency: float, whole: Collection[str] = ()) -> list[Ways]:
    """Return, for each leg and node on the way, up to *width* edges, of the nodes *whole* all.

    No path through all legs takes longer than *latency*.
    """
    ahead = 0.0
    fastest: list[dict[str, float]] = []
    for leg in reversed(legs):
        rest = {leg.end: ahead}
        for node in reversed(leg.order):
            rest[node] = min((e.latency + rest[e.node] for e in leg.onward[node]), default=math.inf)
        fastest.insert(0, rest)
        ahead = rest[leg.start]
    late = 0.0
    found: list[Ways] = []
    for leg, rest in zip(legs, fastest, strict=True):
        ways, late = _in_time(leg, rest, late, latency, lambda node: None if node in whole else width)
        found.append(ways)
    return found


def _in_time(leg: Leg, rest: Mapping[str, float], late: float, latency: float, width: Callable[[str], int | None]) -> tuple[Ways, float]:
    """Return the ways of one leg whose packets set out as *late*, and how late they come to its end; *rest* is the least still to come."""
    arrival = {leg.start: late}
    ways: dict[str, tuple[Edge, ...]] = {}
    for node in leg.order:
        if node in arrival:
            fitting = [e for e in leg.onward[node] if arrival[node] + e.latency + rest[e.node] <= latency * _SLACK]
            ways[node] = tuple(sorted(fitting, key=lambda e: (e.latency + rest[e.node], e.node, e.link))[: width(node)])
            for edge in ways[node]:
                arrival[edge.node] = max(arrival.get(edge.node, 0.0), arrival[node] + edge.latency)
    return ways, arrival.get(leg.end, math.inf)


def count_ways(legs: Sequence[Leg], ways: Sequence[Ways]) -> int:
    """Return how many paths there are through all legs."""
    product = 1
    for leg, onward in zip(legs, ways, strict=True):
        number = {leg.end: 1}
        for node in reversed(leg.order):
            number[node] = sum(number.get(e.node, 0) for e in onward.get(node, ()))
        product *= number[leg.start]
    return product


def _ranks(edges: Edges, target: str, nodes: Collection[str], links: Collection[str]) -> dict[str, tuple[float, int]]:
    """Return (cost, hops) of the cheapest way from each node to *target*, over none of *nodes* and *links*.

    The hops order nodes that free links join.
    """
    backwards: defaultdict[str, list[tuple[str, Edge]]] = defaultdict(list)
    for origin, leaving in edges.items():
        for edge in leaving if origin not in nodes else ():
            if edge.link not in links:
                backwards[edge.node].append((origin, edge))
    rank: dict[str, tuple[float, int]] = {}
    heap = [(0.0, 0, target)]
    while heap:
        cost, hops, node = heapq.heappop(heap)
        if node not in rank:
            rank[node] = cost, hops
            for origin, edge in backwards.get(node, ()):
                if origin not in rank:
                    heapq.heappush(heap, (cost + edge.cost, hops + 1, origin))
    return rank


def _nearer(node: str, edge: Edge, rank: Mapping[str, tuple[float, int]]) -> bool:
    if rank[edge.node][0] + edge.cost > rank[node][0] * _SLACK + 1e-12:
        return False
    return (edge.cost > 0 and rank[edge.node][0] < rank[node][0]) or rank[edge.node][1] < rank[node][1]


def passed(ways: Ways, source: str, target: str) -> dict[str, tuple[Edge, ...]] | None:
    """Return the part of *ways* that packets from *source* take, None where some circle or do not get to *target*."""
    ahead = {n: edges for n, edges in ways.items() if n != target}
    order = {node: at for at, node in enumerate(_topological(ahead, source))}
    for node, at in order.items():
        if node != target and not ahead.get(node):
            return None
        if any(order[e.node] <= at for e in ahead.get(node, ())):
            return None
    return {node: ahead[node] for node in order if node != target}


def walks(ways: Ways, source: str, target: str) -> list[Found]:
    """Return the paths that *ways* allow, at most 64."""
    return [found for _, found in zip(range(_MAX_WAYS), _walks(ways, source, target, ()), strict=False)]


def _walks(ways: Ways, node: str, target: str, done: tuple[tuple[str, Edge], ...]) -> Iterator[Found]:
    if node == target:
        edges = tuple(e for _, e in done)
        hops = (*(n for n, _ in done), target)
        yield Found(hops=hops, edges=edges, cost=sum(e.cost for e in edges), latency=sum(e.latency for e in edges))
        return
    for edge in ways.get(node, ()):
        if all(edge.node != n for n, _ in done):
            yield from _walks(ways, edge.node, target, (*done, (node, edge)))


def shares(ways: Ways, source: str, target: str, amount: float) -> dict[tuple[str, Edge], float]:
    """Return what passes each edge when every node divides what it gets evenly."""
    found: dict[tuple[str, Edge], float] = {}
    waiting = {source: amount}
    for node in _topological(ways, source):
        part = waiting.get(node, 0.0) / max(1, len(ways.get(node, ())))
        for edge in ways.get(node, ()) if node != target else ():
            found[node, edge] = part
            waiting[edge.node] = waiting.get(edge.node, 0.0) + part
    return found


def _topological(ways: Ways, source: str) -> list[str]:
    done: dict[str, None] = {}
    begun: set[str] = set()
    open_: list[tuple[str, bool]] = [(source, False)]
    while open_:
        node, left = open_.pop()
        if left:
            done.setdefault(node)
        elif node not in begun:
            begun.add(node)
            open_.append((node, True))
            open_ += [(e.node, False) for e in ways.get(node, ()) if e.node not in begun]
    return list(reversed(done))


def disjoint_pair(edges: Edges, source: str, target: str) -> tuple[Found, Found] | None:
    """Return two paths that share no node if there are such, else two that share no link; together they are the cheapest."""
    return _pair(edges, source, target, by_node=True) or _pair(edges, source, target, by_node=False)


_Place = tuple[str, int]
"""A node's entrance (0) and exit (1); with *by_node* one path only may pass from one to the other."""
_Arc = tuple[_Place, _Place, Edge | None]


def _pair(edges: Edges, source: str, target: str, *, by_node: bool) -> tuple[Found, Found] | None:
    used: set[_Arc] = set()
    potential: dict[_Place, float] = defaultdict(float)
    for _ in range(2):
        reached = _augment(edges, (source, 1), (target, 0), used, potential, by_node=by_node)
        if reached is None:
            return None
        for arc in reached:
            back = (arc[1], arc[0], arc[2])
            if back in used:
                used.remove(back)
            else:
                used.add(arc)
    flow: dict[str, list[Edge]] = defaultdict(list)
    for (node, _), _, edge in used:
        if edge is not None:
            flow[node].append(edge)
    paths = sorted((_follow(flow, source, target) for _ in range(2)), key=lambda f: (f.cost, f.latency, f.hops))
    return paths[0], paths[1]


def _augment(
    edges: Edges, start: _Place, goal: _Place, used: set[_Arc], potential: dict[_Place, float], *, by_node: bool
) -> list[_Arc] | None:
    """Return the cheapest way to push one more path through, as arcs; against the direction of a used one where that is undone."""
    undo: dict[_Place, list[_Arc]] = defaultdict(list)
    for arc in used:
        undo[arc[1]].append(arc)
    taken = {arc[2].link for arc in used if arc[2]}
    best: dict[_Place, float] = {start: 0.0}
    came: dict[_Place, _Arc] = {}
    settled: set[_Place] = set()
    heap = [(0.0, start)]
    while heap:
        length, place = heapq.heappop(heap)
        if place in settled:
            continue
        settled.add(place)
        for arc, cost in _arcs(edges, place, used, undo, taken, by_node=by_node):
            reduced = length + max(0.0, cost + potential[place] - potential[arc[1]])
            if arc[1] not in settled and reduced < best.get(arc[1], math.inf):
                best[arc[1]], came[arc[1]] = reduced, arc
                heapq.heappush(heap, (reduced, arc[1]))
    if goal not in settled:
        return None
    for place in settled:
        potential[place] += best[place] - best[goal] if best[place] < best[goal] else 0.0
    way = []
    while goal != start:
        way.append(came[goal])
        goal = came[goal][0]
    return way


def _arcs(
    edges: Edges, place: _Place, used: set[_Arc], undo: Mapping[_Place, Sequence[_Arc]], taken: set[str], *, by_node: bool
) -> Iterator[tuple[_Arc, float]]:
    """Return the arcs that leave *place*, each with its cost."""
    node, exit_ = place
    for arc in undo.get(place, ()):
        yield (arc[1], arc[0], arc[2]), -(arc[2].cost if arc[2] else 0.0)
    if not exit_:
        inner = (place, (node, 1), None)
        if not by_node or inner not in used:
            yield inner, 0.0
        return
    for edge in edges.get(node, ()):
        if edge.link not in taken:
            yield (place, (edge.node, 0), edge), edge.cost


def _follow(flow: dict[str, list[Edge]], source: str, target: str) -> Found:
    """Take one path out of *flow*."""
    hops, edges = [source], []
    while hops[-1] != target:
        choice = min(flow[hops[-1]], key=lambda e: (e.cost, e.latency, e.node, e.link))
        flow[hops[-1]].remove(choice)
        edges.append(choice)
        hops.append(choice.node)
    found = Found(hops=tuple(hops), edges=tuple(edges), cost=sum(e.cost for e in edges), latency=sum(e.latency for e in edges))
    return _without_rings(found)


def _without_rings(found: Found) -> Found:
    hops, edges = list(found.hops), list(found.edges)
    for node in found.hops:
        if hops.count(node) > 1:
            first, last = hops.index(node), len(hops) - 1 - hops[::-1].index(node)
            del hops[first:last], edges[first:last]
    return Found(hops=tuple(hops), edges=tuple(edges), cost=sum(e.cost for e in edges), latency=sum(e.latency for e in edges))
