"""GEO: positions, regions and a next hop for every node and region.

Packets go to the neighbour that is nearest to the region (greedy). Where none is nearer, the way out is that of
perimeter mode (Karp and Kung 2000): around the faces of the planar Gabriel graph by the right-hand rule, up to the first
node that is nearer than the place where greedy forwarding ended. Links are not always those of a unit disk graph, so
where the faces lead nowhere the nearest such node by number of hops is taken. Following next hops never makes a ring:
every way out ends nearer to the region than it began, and is taken as a whole.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import attrs

from paranet.compiler.board import Board
from paranet.compiler.context import Area, Context
from paranet.compiler.diagnostics import Log
from paranet.compiler.explain import listed, still_avoided
from paranet.compiler.hops import Hops
from paranet.compiler.ir import GeoOp, RegionOp
from paranet.compiler.paths import Edge, Network, Query, cheapest
from paranet.models.device import Span
from paranet.models.geometry import distance_to
from paranet.models.intent import Path, RegionPromise
from paranet.models.topology import Location, Modality
from paranet.models.units import DISTANCE, parse_quantity

_Test = Callable[[str], bool]


@attrs.frozen
class Onward:
    """What a node does with packets for a region: *edge* is None where they are delivered."""

    edge: Edge | None
    mode: str


class Compass:
    """Writes the rows of places and regions."""

    def __init__(self, context: Context, network: Network, hops: Hops, board: Board) -> None:
        self._context = context
        self._network = network
        self._hops = hops
        self._board = board
        self._log: Log = context.log
        self._speaking = [n for n in context.topology.nodes.values() if Modality.GEO in n.modalities]
        self.paths: list[Path] = []
        self.promises: list[RegionPromise] = []

    def know(self, op: RegionOp) -> None:
        """Let every device know the region and where it is itself."""
        for node in self._speaking:
            self._place(node.id, op.region, op.polygon, op.intent, op.span)

    def forward(self, op: GeoOp) -> None:
        """Lead packets into the region from every node that can reach it."""
        area = self._context.areas[op.region]
        places = {n.id: n.location for n in self._speaking if n.location}
        query = Query(source=op.sources[0], stops=(), avoid_nodes=frozenset(op.avoid_nodes), avoid_links=frozenset(op.avoid_links))
        usable = self._network.usable(query)
        edges = {n: [e for e in usable.get(n, ()) if e.node in places] for n in places}
        onward = directions(places, edges, area)
        lost = [s for s in op.sources if s not in onward]
        if lost:
            self._explain(op, lost, places, area)
            return
        for node, way in onward.items():
            self._place(node, op.region, area.polygon, op.intent, op.span)
            hops = [self._hops.way(node, way.edge)] if way.edge else []
            value = {"next_hops": hops, "mode": way.mode}
            self._board.add(node, "geo.forward", op.region, value, {op.intent}, op.span)
        for source in op.sources:
            self.promises.append(RegionPromise(intent=op.intent, source=source, region=op.region, avoid=tuple(sorted(op.avoid_nodes))))
            self.paths.append(_path(op, source, onward))

    def _place(self, node: str, region: str, polygon: Sequence[tuple[float, float]], intent: str, span: Span) -> None:
        described = self._context.topology.nodes[node]
        if described.location:
            self._board.add(node, "geo.position", "self", position(described.location, described.properties), {intent}, span)
        self._board.add(node, "geo.region", region, {"polygon": [list(p) for p in polygon]}, {intent}, span)

    def _explain(self, op: GeoOp, lost: Sequence[str], places: Mapping[str, Location], area: Area) -> None:
        unplaced = [s for s in lost if s not in places]
        inside = [n for n in places if distance_to(places[n], area.polygon) == 0.0]
        if unplaced:
            message = f"node {unplaced[0]!r} has no location, so nothing leads its packets to region {op.region!r}"
        elif not inside:
            message = f"no node that speaks geo lies in region {op.region!r}"
        else:
            message = f"no links over nodes that speak geo lead from {', '.join(lost)} into region {op.region!r}"
            if left := self._avoidable(op, lost, places, inside):
                self._log.error("PN230", op.place("avoid"), f"{message} past what it avoids", hint=f"write {listed('avoid', left)}")
                return
        self._log.error("PN230", op.place("from") if unplaced else op.place("to"), message)

    def _avoidable(self, op: GeoOp, lost: Sequence[str], places: Mapping[str, Location], inside: Sequence[str]) -> list[str] | None:
        """Return what can be avoided so that packets of all sources arrive, None where that is not the reason or there is no way."""
        network = Network(self._context.topology, places.keys())
        wanted, left = {*op.avoid_nodes, *op.avoid_links}, {*op.avoid_nodes, *op.avoid_links}
        for source in lost if wanted else ():
            still = still_avoided([_into(op, source, n, left) for n in inside], network)
            if still is None:
                return None
            left = still
        for name in sorted(wanted - left):  # what was lifted for one source may have become needless by another
            if all(any(cheapest(network, _into(op, s, n, left | {name})) for n in inside) for s in op.sources):
                left.add(name)
        return sorted(left) if wanted else None


def _into(op: GeoOp, source: str, target: str, avoided: set[str]) -> Query:
    """Return the query for a way into a region, to one of the nodes in it, past those of *op*'s places that are *avoided*."""
    nodes, links = avoided.intersection(op.avoid_nodes), avoided.intersection(op.avoid_links)
    return Query(source=source, stops=(target,), avoid_nodes=frozenset(nodes), avoid_links=frozenset(links))


def position(location: Location, properties: Mapping[str, object]) -> Mapping[str, object]:
    """Return the value of a `geo.position` row; *properties* may hold the range of the node's radio in metres."""
    found: dict[str, object] = {"latitude": location.latitude, "longitude": location.longitude}
    if location.altitude is not None:
        found["altitude"] = location.altitude
    reach = properties.get("range")
    if isinstance(reach, (str, int, float)) and not isinstance(reach, bool):
        with suppress(ValueError):  # a property is the user's own word
            found["range"] = parse_quantity(str(reach), DISTANCE, what="distance")
    return found


def directions(places: Mapping[str, Location], edges: Mapping[str, Sequence[Edge]], area: Area) -> dict[str, Onward]:
    """Return what every node that can reach the region does with packets for it."""
    far = {n: distance_to(p, area.polygon) for n, p in places.items()}
    reaching = _reaching(edges, [n for n in places if far[n] == 0.0])
    onward: dict[str, Onward] = {}
    stuck: list[str] = []
    for node in sorted(reaching):
        if far[node] == 0.0:
            onward[node] = Onward(None, "deliver")
            continue
        ahead = [e for e in edges[node] if e.node in reaching and far[e.node] < far[node]]
        if ahead:
            onward[node] = Onward(min(ahead, key=lambda e: (far[e.node], e.cost, e.node, e.link)), "greedy")
        else:
            stuck.append(node)
    planar = gabriel(places, edges) if stuck else {}
    for node in sorted(stuck, key=lambda n: (far[n], n)):
        if node not in onward:
            _lead_out(node, far, edges, planar, onward, reaching)
    return onward


def _lead_out(
    node: str,
    far: Mapping[str, float],
    edges: Mapping[str, Sequence[Edge]],
    planar: Mapping[str, Sequence[Edge]],
    onward: dict[str, Onward],
    reaching: set[str],
) -> None:
    """Enter a way out of a local minimum, up to a node that is nearer to the region or has a way out already."""

    def out(at: str) -> bool:
        return at != node and (far[at] < far[node] or (at in onward and onward[at].mode == "perimeter"))

    way = _around(node, planar, out, reaching) or _nearest(node, edges, out, reaching)
    for at, edge in way:
        onward[at] = Onward(edge, "perimeter")


def gabriel(places: Mapping[str, Location], edges: Mapping[str, Sequence[Edge]]) -> dict[str, list[Edge]]:
    """Return the links whose circle holds no neighbour of either end, counterclockwise by direction: a planar graph where links are."""
    flat = {n: _flat(p) for n, p in places.items()}
    found: dict[str, list[Edge]] = {}
    for node, leaving in edges.items():
        kept: dict[str, Edge] = {}
        for edge in sorted(leaving, key=lambda e: (e.cost, e.link)):
            around = {e.node for e in (*leaving, *edges[edge.node])} - {node, edge.node}
            middle = tuple((a + b) / 2 for a, b in zip(flat[node], flat[edge.node], strict=True))
            radius = math.dist(flat[node], flat[edge.node]) / 2
            if all(math.dist(flat[w], middle) >= radius for w in around):
                kept.setdefault(edge.node, edge)
        found[node] = sorted(kept.values(), key=lambda e: _angle(flat[node], flat[e.node]))
    return found


def _flat(place: Location) -> tuple[float, float]:
    """Return the place on a plane, in degrees of latitude: near enough for angles between neighbours."""
    return place.longitude * math.cos(math.radians(place.latitude)), place.latitude


def _angle(origin: tuple[float, float], to: tuple[float, float]) -> float:
    return math.atan2(to[1] - origin[1], to[0] - origin[0])


def _around(node: str, planar: Mapping[str, Sequence[Edge]], out: _Test, allowed: set[str]) -> list[tuple[str, Edge]]:
    """Return the way along the face by the right-hand rule, without the detours on it; empty when it comes back."""
    if not planar.get(node):
        return []
    way: list[tuple[str, Edge]] = []
    at, edge = node, planar[node][0]
    seen: set[tuple[str, str]] = set()
    while (at, edge.link) not in seen:
        seen.add((at, edge.link))
        way.append((at, edge))
        if edge.node not in allowed:
            return []
        if out(edge.node):
            return _direct(way)
        here = planar[edge.node]
        back = next((i for i, e in enumerate(here) if e.node == at), None)
        if back is None:
            return []  # a link that leads one way only
        at, edge = edge.node, here[(back + 1) % len(here)]
    return []


def _direct(way: list[tuple[str, Edge]]) -> list[tuple[str, Edge]]:
    """Return *way* with what lies between two visits of a node cut out."""
    last = {at: i for i, (at, _) in enumerate(way)}
    found, i = [], 0
    while i < len(way):
        found.append(way[last[way[i][0]]])
        i = last[way[i][0]] + 1
    return found


def _nearest(node: str, edges: Mapping[str, Sequence[Edge]], out: _Test, allowed: set[str]) -> list[tuple[str, Edge]]:
    """Return the way of the fewest hops to a node that is out."""
    came: dict[str, tuple[str, Edge]] = {}
    waiting = deque([node])
    while waiting:
        at = waiting.popleft()
        for edge in sorted(edges[at], key=lambda e: (e.node, e.link)):
            if edge.node in came or edge.node == node or edge.node not in allowed:
                continue
            came[edge.node] = at, edge
            if out(edge.node):
                way = [came[edge.node]]
                while way[-1][0] != node:
                    way.append(came[way[-1][0]])
                return list(reversed(way))
            waiting.append(edge.node)
    return []


def _reaching(edges: Mapping[str, Sequence[Edge]], ends: Iterable[str]) -> set[str]:
    """Return the nodes from which links lead to one of *ends*."""
    backwards: dict[str, list[str]] = {}
    for origin, leaving in edges.items():
        for edge in leaving:
            backwards.setdefault(edge.node, []).append(origin)
    found = set(ends)
    open_ = list(found)
    while open_:
        for origin in backwards.get(open_.pop(), ()):
            if origin not in found:
                found.add(origin)
                open_.append(origin)
    return found


def _path(op: GeoOp, source: str, onward: Mapping[str, Onward]) -> Path:
    hops, edges = [source], []
    while (edge := onward[hops[-1]].edge) is not None:
        edges.append(edge)
        hops.append(edge.node)
    links, latency = tuple(e.link for e in edges), sum(e.latency for e in edges)
    return Path(intent=op.intent, modality=Modality.GEO, hops=tuple(hops), links=links, latency=latency, bandwidth=0.0)
