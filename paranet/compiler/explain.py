"""Why there is no path: which wish is the tight one, and what would relax it."""

import math
from collections.abc import Callable, Mapping
from itertools import combinations

import attrs

from paranet.compiler.diagnostics import Log
from paranet.compiler.ir import RouteOp
from paranet.compiler.paths import Found, Network, Query, cheapest, speakers
from paranet.models.topology import Topology
from paranet.models.units import format_bandwidth, format_seconds

_RELAX: Mapping[str, Callable[[Query], Query]] = {
    "avoid": lambda q: attrs.evolve(q, avoid_nodes=frozenset(), avoid_links=frozenset()),
    "via": lambda q: attrs.evolve(q, stops=q.stops[-1:]),
    "latency": lambda q: attrs.evolve(q, latency=math.inf),
    "bandwidth": lambda q: attrs.evolve(q, bandwidth=0.0),
}


def explain(op: RouteOp, query: Query, network: Network, topology: Topology, log: Log) -> None:
    """Report why *query*, which is made from *op* and has no answer, has none."""
    ends = f"no path from {op.source} to {op.target}"
    if log.full:
        log.error("PN301", op.span, ends)
        return
    given = [kind for kind, relax in _RELAX.items() if relax(query) != query]
    for count in range(len(given) + 1):
        for kinds in combinations(given, count):
            relaxed = query
            for kind in kinds:
                relaxed = _RELAX[kind](relaxed)
            if kinds and (found := cheapest(network, relaxed)):
                if count == 1:
                    _DETAIL[kinds[0]](ends, op, query, network, found, log)
                else:
                    message = f"{ends} meets {' and '.join(kinds)} together; without them the path is {_way(found)}"
                    log.error("PN307", op.span, message)
                return
    _unconnected(ends, op, topology, log)


def _unconnected(ends: str, op: RouteOp, topology: Topology, log: Log) -> None:
    bare = Query(source=op.source, stops=(op.target,))
    found = cheapest(Network(topology, speakers(topology, op.modality) | {op.source, op.target}, disabled=True), bare)
    if found is None:
        log.error("PN301", op.place("to"), f"{ends}: no links connect them over nodes that speak {op.modality}")
        return
    off = [e.link for e in found.edges if not topology.links[e.link].enabled]
    message = f"{ends}: link {', '.join(off)} is disabled; with it the path is {_way(found)}"
    log.error("PN301", op.place("to"), message)


def _avoid(ends: str, op: RouteOp, query: Query, network: Network, found: Found, log: Log) -> None:
    """Name the one node or link that cuts off, if it is one."""
    single = [(n, attrs.evolve(query, avoid_nodes=query.avoid_nodes - {n})) for n in op.avoid_nodes]
    single += [(k, attrs.evolve(query, avoid_links=query.avoid_links - {k})) for k in op.avoid_links]
    for name, relaxed in single:
        if way := cheapest(network, relaxed):
            log.error("PN302", op.place("avoid"), f"{ends}: avoiding {name} cuts it off; without it the path is {_way(way)}")
            return
    names = ", ".join((*op.avoid_nodes, *op.avoid_links))
    log.error("PN302", op.place("avoid"), f"{ends}: avoiding {names} cuts it off; without that the path is {_way(found)}")


def _via(ends: str, op: RouteOp, query: Query, network: Network, found: Found, log: Log) -> None:
    order = ", then ".join(op.via)
    for name in op.via if len(op.via) > 1 else ():
        if way := cheapest(network, attrs.evolve(query, stops=tuple(s for s in query.stops if s != name))):
            log.error("PN303", op.place("via"), f"{ends} through {order} without a loop; without {name} the path is {_way(way)}")
            return
    log.error("PN303", op.place("via"), f"{ends} through {order} without a loop; otherwise the path is {_way(found)}")


def _latency(ends: str, op: RouteOp, query: Query, network: Network, found: Found, log: Log) -> None:
    fastest = cheapest(network, attrs.evolve(query, latency=math.inf, fastest=True)) or found
    took, bound = format_seconds(fastest.latency), format_seconds(query.latency)
    log.error("PN304", op.place("latency"), f"{ends} in time: the fastest, {_way(fastest)}, takes {took}; the bound is {bound}")


def _bandwidth(ends: str, op: RouteOp, query: Query, network: Network, found: Found, log: Log) -> None:
    rooms = network.rooms()
    widest, way = 0.0, found
    low, high = 0, len(rooms)
    while low < high:
        middle = (low + high) // 2
        if fitting := cheapest(network, attrs.evolve(query, bandwidth=rooms[middle])):
            low, widest, way = middle + 1, rooms[middle], fitting
        else:
            high = middle
    wanted = format_bandwidth(query.bandwidth)
    most = f"the most that fits is {format_bandwidth(widest)}, on {_way(way)}" if widest else "nothing is left"
    log.error("PN305", op.place("bandwidth"), f"{ends} has {wanted} left: {most}")


_DETAIL = {"avoid": _avoid, "via": _via, "latency": _latency, "bandwidth": _bandwidth}


def _way(found: Found) -> str:
    return " > ".join(found.hops)
