"""The cheapest path under constraints.

Without waypoints this is label setting for the resource-constrained shortest path (Joksch 1966; Desrochers and Soumis
1988): a label (cost, latency) at a node is dropped when another there is no worse in both. With waypoints the path must
stay loop-free across its legs, which makes the problem hard; the labels are then tried first, and where they miss
the lower bound an enumeration of simple paths, best first and of bounded length, looks for a better one.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import attrs

from paranet.models.topology import Link, Modality, Topology

BUDGET = 5_000
"""How many partial paths the enumeration looks at."""
_SLACK = 1 + 1e-9  # sums of floats may differ from their bound in the last digits


class Edge(NamedTuple):
    """One direction of a link: where it leads, and what it takes. latency in s, bandwidth in bit/s."""

    node: str
    link: str
    cost: float
    latency: float
    bandwidth: float


Edges = Mapping[str, Sequence[Edge]]
"""The edges that leave each node."""


@attrs.frozen(kw_only=True)
class Query:
    """A path is wanted from *source* to *stops* in order, the last of which is the target, passing none of them early.

    *forced* are nodes that may be left by one edge only. With *fastest* latency stands in for cost. With a *toll* what is to be avoided
    may be passed, at that cost each time.
    """

    source: str
    stops: tuple[str, ...]
    avoid_nodes: frozenset[str] = frozenset()
    avoid_links: frozenset[str] = frozenset()
    bandwidth: float = 0.0
    latency: float = math.inf
    forced: Mapping[str, Edge] = attrs.field(factory=dict)
    fastest: bool = False
    toll: float = 0.0


@attrs.frozen(kw_only=True)
class Found:
    """A loop-free path: nodes, and the edges between them."""

    hops: tuple[str, ...]
    edges: tuple[Edge, ...]
    cost: float
    latency: float


Reserved = dict[tuple[str, str], float]
"""bit/s taken, by link and the node that sends"""


class Network:
    """The links between *nodes*, and what is reserved on them. Reservations hold per direction (links are full duplex).

    Networks of several modalities share what is *reserved*, as they share the links.
    """

    def __init__(
        self, topology: Topology, nodes: Modality | Collection[str], *, disabled: bool = False, reserved: Reserved | None = None
    ) -> None:
        self._edges: defaultdict[str, list[Edge]] = defaultdict(list)
        self._reserved: Reserved = {} if reserved is None else reserved
        self._trees: dict[str, Mapping[str, Edge]] = {}
        speaking = speakers(topology, nodes) if isinstance(nodes, Modality) else nodes
        self._nodes = sorted(speaking)  # numbers in the order of ids, so that both break ties alike
        self._numbers = {node: number for number, node in enumerate(self._nodes)}
        self._backwards: list[list[tuple[int, float, float, Edge]]] = [[] for _ in self._nodes]
        for link in topology.links.values():
            if (link.enabled or disabled) and link.source.node in speaking and link.target.node in speaking:
                self._add(link)

    def _add(self, link: Link) -> None:
        ends = [(link.source.node, link.target.node), (link.target.node, link.source.node)]
        for origin, node in ends[:1] if link.directed else ends:
            edge = Edge(node, link.id, link.cost, link.latency, link.bandwidth)
            self._edges[origin].append(edge)
            self._backwards[self._numbers[node]].append((self._numbers[origin], link.cost, link.latency, edge))

    def reserve(self, origin: str, edge: Edge, bandwidth: float) -> None:
        self._reserved[edge.link, origin] = self._reserved.get((edge.link, origin), 0.0) + bandwidth

    def leaving(self, node: str) -> Sequence[Edge]:
        """Return the edges that leave *node*."""
        return self._edges.get(node, ())

    def toward(self, target: str) -> Mapping[str, Edge]:
        """Return the way on from each node to *target* when nothing else is asked: one tree for all who go there."""
        if target not in self._trees:
            number = self._numbers.get(target)
            self._trees[target] = {} if number is None else _tree(self._nodes, self._backwards, number)
        return self._trees[target]

    def room(self, origin: str, edge: Edge) -> float:
        """Return what is left of the link's bandwidth in this direction, in bit/s."""
        return edge.bandwidth - self._reserved.get((edge.link, origin), 0.0)

    def rooms(self) -> list[float]:
        """Return every different amount of bandwidth that is left somewhere, ascending."""
        return sorted({room for origin, edges in self._edges.items() for e in edges if (room := self.room(origin, e)) > 0})

    @property
    def whole_cost(self) -> float:
        """The cost of all edges together, which is more than that of any path."""
        return sum(edge.cost for edges in self._edges.values() for edge in edges)

    def usable(self, query: Query) -> Edges:
        """Return the edges that the query may use."""
        found: dict[str, Sequence[Edge]] = dict(self._edges)
        if query.bandwidth or query.avoid_nodes or query.avoid_links:
            for origin, edges in found.items():
                found[origin] = [e for e in edges if self.permits(query, origin, e)]
        if query.toll:
            found = {n: [e._replace(cost=e.cost + query.toll * self._shunned(query, e)) for e in edges] for n, edges in found.items()}
        if query.fastest:
            found = {origin: [e._replace(cost=e.latency) for e in edges] for origin, edges in found.items()}
        for origin, only in query.forced.items():
            found[origin] = [e for e in found.get(origin, ()) if (e.link, e.node) == (only.link, only.node)]
        return found

    def _shunned(self, query: Query, edge: Edge) -> int:
        return (edge.node in query.avoid_nodes) + (edge.link in query.avoid_links)

    def permits(self, query: Query, origin: str, edge: Edge) -> bool:
        """Tell whether the query may use the edge, forced nodes aside."""
        if not query.toll and (edge.node in query.avoid_nodes or origin in query.avoid_nodes or edge.link in query.avoid_links):
            return False
        return not query.bandwidth or query.bandwidth <= self.room(origin, edge) * _SLACK


def cheapest(network: Network, query: Query) -> Found | None:
    """Return the cheapest path; among equals the fastest, and then the first by the ids of its nodes and links.

    The answer is exact without waypoints, and with them as long as the enumeration fits its budget.
    """
    if len(query.stops) == 1 and not query.fastest and not query.toll and (found := _along(network, query)):
        return found
    edges = network.usable(query)
    if len(query.stops) == 1 and query.latency == math.inf:
        return _search(edges, query, None, exact=False)[0]
    bounds = _Bounds(edges, query)
    least = bounds.cost(query.source, 0)
    if least == math.inf or bounds.latency(query.source, 0) > query.latency * _SLACK:
        return None
    found, _ = _search(edges, query, bounds, exact=False)
    if len(query.stops) == 1 or (found and found.cost <= least * _SLACK):
        return found
    better, complete = _search(edges, query, bounds, exact=True)
    return better if complete or better else found


def _along(network: Network, query: Query) -> Found | None:
    """Return the path that is the cheapest without any wish, if it happens to meet those of the query."""
    tree = network.toward(query.stops[0])
    node, cost, latency = query.source, 0.0, 0.0
    hops, edges = [node], []
    while node != query.stops[0]:
        edge = tree.get(node)
        if edge is None or not network.permits(query, node, edge):
            return None
        if (only := query.forced.get(node)) and (only.link, only.node) != (edge.link, edge.node):
            return None
        cost += edge.cost
        latency += edge.latency
        node = edge.node
        hops.append(node)
        edges.append(edge)
    return Found(hops=tuple(hops), edges=tuple(edges), cost=cost, latency=latency) if latency <= query.latency * _SLACK else None


Backwards = Sequence[Sequence[tuple[int, float, float, Edge]]]
"""The edges that lead to each node, by its number: the number of the node it leaves, cost, latency, edge."""


def _tree(nodes: Sequence[str], backwards: Backwards, target: int) -> Mapping[str, Edge]:
    """Return the edge by which each of *nodes* is left on its cheapest, then fastest, then first way to the one numbered *target*."""
    costs, latencies = [math.inf] * len(nodes), [math.inf] * len(nodes)
    chosen: list[Edge | None] = [None] * len(nodes)
    settled = [False] * len(nodes)
    costs[target] = 0.0
    heap = [(0.0, 0.0, target)]
    while heap:
        cost, latency, node = heapq.heappop(heap)
        if settled[node]:
            continue
        settled[node] = True
        for origin, more, later, edge in backwards[node]:
            longer, held = cost + more, costs[origin]
            if longer > held:
                continue
            if longer == held and (settled[origin] or not _earlier(latency + later, edge, latencies[origin], chosen[origin])):
                continue
            costs[origin], latencies[origin], chosen[origin] = longer, latency + later, edge
            heapq.heappush(heap, (longer, latency + later, origin))
    return {name: edge for name, edge in zip(nodes, chosen, strict=True) if edge}


def _earlier(latency: float, edge: Edge, other_latency: float, other: Edge | None) -> bool:
    """Tell whether *edge* comes before the other one of the same cost."""
    return other is None or (latency, edge.node, edge.link) < (other_latency, other.node, other.link)


def speakers(topology: Topology, modality: Modality) -> frozenset[str]:
    """Return the nodes that forward by *modality*."""
    return frozenset(n.id for n in topology.nodes.values() if modality in n.modalities)


class _Bounds:
    """What is at least still to come from a node on the way to stop *at*: distances backwards along each leg."""

    def __init__(self, edges: Edges, query: Query) -> None:
        backwards: defaultdict[str, list[tuple[str, Edge]]] = defaultdict(list)
        for origin, leaving in edges.items():
            for edge in leaving:
                backwards[edge.node].append((origin, edge))
        self._costs = [_distances(backwards, stop, by_latency=False) for stop in query.stops]
        self._latencies = [_distances(backwards, stop, by_latency=True) for stop in query.stops]
        self._stops = query.stops

    def cost(self, node: str, at: int) -> float:
        return self._rest(self._costs, node, at)

    def latency(self, node: str, at: int) -> float:
        return self._rest(self._latencies, node, at)

    def _rest(self, legs: list[dict[str, float]], node: str, at: int) -> float:
        total = 0.0
        for i in range(at, len(legs)):
            total += legs[i].get(node, math.inf)
            node = self._stops[i]
        return total


def _distances(backwards: Mapping[str, Sequence[tuple[str, Edge]]], target: str, *, by_latency: bool) -> dict[str, float]:
    """Return the distance to *target* from every node that reaches it (Dijkstra 1959)."""
    found: dict[str, float] = {}
    heap = [(0.0, target)]
    while heap:
        distance, node = heapq.heappop(heap)
        if node in found:
            continue
        found[node] = distance
        for origin, edge in backwards.get(node, ()):
            if origin not in found:
                heapq.heappush(heap, (distance + (edge.latency if by_latency else edge.cost), origin))
    return found


_Label = tuple[float, float, tuple[str, ...], tuple[str, ...], float, int]
"""(cost with what is at least to come, latency, nodes, links, cost, number of stops passed): compared in this order."""


def _search(edges: Edges, query: Query, bounds: _Bounds | None, *, exact: bool) -> tuple[Found | None, bool]:
    """Return the best path, and whether the search was complete.

    Labels at one node are dropped when dominated, unless *exact*, which then has a BUDGET. Without a latency bound one
    label a node is enough, as they come in order of cost.
    """
    kept: dict[tuple[str, int], float] = {}
    heap: list[_Label] = [(0.0, 0.0, (query.source,), (), 0.0, 0)]
    taken = 0
    while heap:
        label = heapq.heappop(heap)
        _, latency, nodes, links, cost, at = label
        if at == len(query.stops):
            way = tuple(next(e for e in edges[origin] if e.link == link) for origin, link in zip(nodes, links, strict=False))
            return Found(hops=nodes, edges=way, cost=cost, latency=latency), True
        if not exact:
            state = (nodes[-1], at)
            if state in kept and (query.latency == math.inf or latency >= kept[state]):
                continue
            kept[state] = latency
        elif (taken := taken + 1) > BUDGET:
            return None, False
        for edge in edges.get(nodes[-1], ()):
            if (following := _extend(label, edge, query, bounds)) and (exact or _new(following, kept, query)):
                heapq.heappush(heap, following)
    return None, True


def _new(label: _Label, kept: Mapping[tuple[str, int], float], query: Query) -> bool:
    settled = kept.get((label[2][-1], label[5]))
    return settled is None or (query.latency != math.inf and label[1] < settled)


def _extend(label: _Label, edge: Edge, query: Query, bounds: _Bounds | None) -> _Label | None:
    _, latency, nodes, links, cost, at = label
    if edge.node in nodes or edge.node in query.stops[at + 1 :]:
        return None
    at += edge.node == query.stops[at]
    cost += edge.cost
    latency += edge.latency
    least = cost
    if bounds:
        least += bounds.cost(edge.node, at)
        if least == math.inf or latency + bounds.latency(edge.node, at) > query.latency * _SLACK:
            return None
    return least, latency, (*nodes, edge.node), (*links, edge.link), cost, at
