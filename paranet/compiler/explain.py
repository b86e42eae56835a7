"""Why there is no path: which wish is the tight one, and how little has to be given up.

Of all sets of wishes that suffice when they are given up the smallest are told, each as the nearest values that have a path: the least
latency, the most bandwidth, the fewest nodes and links passed after all, the fewest waypoints left out.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import attrs

from paranet.compiler.diagnostics import Log
from paranet.compiler.ir import RouteOp
from paranet.compiler.paths import Found, Network, Query, cheapest, speakers
from paranet.models.topology import Topology
from paranet.models.units import format_bandwidth, format_seconds, parse_bandwidth, parse_seconds

_SLACK = 1 + 1e-9  # as paths are compared with their bounds
MAX_TRIED = 200
"""sets of waypoints to leave out that are looked at; where none of them helps all are left out"""


@attrs.frozen(kw_only=True)
class Eased:
    """A query with nearer wishes, which has the path *found*; *price* is by how much they are nearer, *words* what to write."""

    query: Query
    found: Found
    price: tuple[float, ...] = ()
    words: tuple[str, ...] = ()


def explain(op: RouteOp, queries: Sequence[Query], network: Network, topology: Topology, log: Log) -> None:
    """Report why none of *queries*, made from *op* for one target each, has an answer."""
    targets = dict.fromkeys(q.stops[-1] for q in queries)
    ends = f"no path from {op.source} to {' or '.join(targets)}"
    if log.full:
        log.error("PN301", op.span, ends)
        return
    found = _ways_out(queries, network)
    if not found:
        _unconnected(ends, op, list(targets), topology, log)
        return
    kinds, eased = found[0]
    single = len(kinds) == 1
    code, message = _TELL[kinds[0]](op, eased, queries) if single else _together(kinds, eased)
    log.error(code, op.place(kinds[0]) if single else op.span, f"{ends}{message}", hint=f"write {_words(found)}")


def would_do(queries: Sequence[Query], network: Network) -> str | None:
    """Return what to write instead, so that one of *queries* has an answer: `latency: 5ms, or no avoid`."""
    return _words(_ways_out(queries, network)) or None


def still_avoided(queries: Sequence[Query], network: Network) -> set[str] | None:
    """Return what can be avoided when as little as can be is passed, None where avoiding is not what is in the way."""
    best = _best(("avoid",), queries, network)
    return {*best.query.avoid_nodes, *best.query.avoid_links} if best else None


def _ways_out(queries: Sequence[Query], network: Network) -> list[tuple[Sequence[str], Eased]]:
    """Return the smallest sets of wishes that suffice when they are eased."""
    given = [kind for kind, relax in _RELAX.items() if any(relax(q) != q for q in queries)]
    for count in range(1, len(given) + 1):
        found: list[tuple[Sequence[str], Eased]] = []
        found += ((kinds, best) for kinds in combinations(given, count) if (best := _best(kinds, queries, network)))
        if found:
            return found
    return []


def _words(found: Sequence[tuple[Sequence[str], Eased]]) -> str:
    return ", or ".join(" and ".join(eased.words) for _, eased in found)


def _best(kinds: Sequence[str], queries: Sequence[Query], network: Network) -> Eased | None:
    """Return the nearest query of all targets that has a path, with the wishes of these kinds eased one after the other."""
    eased = [e for query in queries if (e := _eased(kinds, query, network))]
    return min(eased, key=lambda e: (e.price, e.found.cost, e.found.hops), default=None)


def _eased(kinds: Sequence[str], query: Query, network: Network) -> Eased | None:
    relaxed = query
    for kind in kinds:
        relaxed = _RELAX[kind](relaxed)
    found = cheapest(network, relaxed)
    if found is None:
        return None
    eased = Eased(query=relaxed, found=found)
    for kind in kinds:
        eased = _NEAREST[kind](eased, query, network)
    return eased


_RELAX: Mapping[str, Callable[[Query], Query]] = {
    "avoid": lambda q: attrs.evolve(q, avoid_nodes=frozenset(), avoid_links=frozenset()),
    "via": lambda q: attrs.evolve(q, stops=q.stops[-1:]),
    "latency": lambda q: attrs.evolve(q, latency=math.inf),
    "bandwidth": lambda q: attrs.evolve(q, bandwidth=0.0),
}


def _fewest_avoided(eased: Eased, wanted: Query, network: Network) -> Eased:
    """Avoid again all but the fewest nodes and links."""
    tolled = attrs.evolve(eased.query, avoid_nodes=wanted.avoid_nodes, avoid_links=wanted.avoid_links, toll=network.whole_cost + 1)
    found = cheapest(network, tolled) or eased.found
    nodes = wanted.avoid_nodes - set(found.hops)
    links = wanted.avoid_links - {e.link for e in found.edges}
    query = attrs.evolve(eased.query, avoid_nodes=nodes, avoid_links=links)
    lifted = len(wanted.avoid_nodes | wanted.avoid_links) - len(nodes | links)
    left = sorted(nodes | links)
    return _with(eased, query, network, float(lifted), listed("avoid", left))


def _fewest_left_out(eased: Eased, wanted: Query, network: Network) -> Eased:
    """Pass again all but the fewest waypoints."""
    via, target = wanted.stops[:-1], wanted.stops[-1]
    tried = 0
    for count in range(len(via) - 1, 0, -1):
        for kept in combinations(via, count):
            query = attrs.evolve(eased.query, stops=(*kept, target))
            if (tried := tried + 1) > MAX_TRIED:
                break
            if cheapest(network, query):
                return _with(eased, query, network, float(len(via) - count), listed("via", kept))
    return _with(eased, eased.query, network, float(len(via)), listed("via", ()))


def _least_latency(eased: Eased, wanted: Query, network: Network) -> Eased:
    fastest = cheapest(network, attrs.evolve(eased.query, fastest=True)) or eased.found
    least = min(fastest.latency, eased.found.latency)
    return _with(eased, attrs.evolve(eased.query, latency=least), network, least, f"latency: {_exactly(least)}")


def _most_bandwidth(eased: Eased, wanted: Query, network: Network) -> Eased:
    rooms = network.rooms()
    low, high = 0, len(rooms)
    while low < high:
        middle = (low + high) // 2
        if cheapest(network, attrs.evolve(eased.query, bandwidth=rooms[middle])):
            low = middle + 1
        else:
            high = middle
    most = rooms[low - 1] if low else 0.0
    return _with(
        eased, attrs.evolve(eased.query, bandwidth=most), network, -most, f"bandwidth: {at_most(most)}" if most else "no bandwidth"
    )


_NEAREST = {"avoid": _fewest_avoided, "via": _fewest_left_out, "latency": _least_latency, "bandwidth": _most_bandwidth}


def _with(eased: Eased, query: Query, network: Network, price: float, words: str) -> Eased:
    found = cheapest(network, query) or eased.found
    return Eased(query=query, found=found, price=(*eased.price, price), words=(*eased.words, words))


def _avoid(op: RouteOp, eased: Eased, queries: Sequence[Query]) -> tuple[str, str]:
    passed = {*eased.found.hops, *(e.link for e in eased.found.edges)}
    lifted = [name for name in (*op.avoid_nodes, *op.avoid_links) if name in passed]
    return (
        "PN302",
        f": avoiding {', '.join(lifted)} cuts it off; without {'it' if len(lifted) == 1 else 'these'} the path is {_way(eased.found)}",
    )


def _via(op: RouteOp, eased: Eased, queries: Sequence[Query]) -> tuple[str, str]:
    dropped = ", ".join(n for n in op.via if n not in eased.query.stops)
    order = ", then ".join(op.via)
    return "PN303", f" through {order} without a loop; without {dropped} the path is {_way(eased.found)}"


def _latency(op: RouteOp, eased: Eased, queries: Sequence[Query]) -> tuple[str, str]:
    took, bound = format_seconds(eased.query.latency), format_seconds(queries[0].latency)
    return "PN304", f" in time: the fastest, {_way(eased.found)}, takes {took}; the bound is {bound}"


def _bandwidth(op: RouteOp, eased: Eased, queries: Sequence[Query]) -> tuple[str, str]:
    most = eased.query.bandwidth
    words = f"the most that fits is {format_bandwidth(most)}, on {_way(eased.found)}" if most else "nothing is left"
    return "PN305", f" has {format_bandwidth(queries[0].bandwidth)} left: {words}"


_TELL = {"avoid": _avoid, "via": _via, "latency": _latency, "bandwidth": _bandwidth}


def _together(kinds: Sequence[str], eased: Eased) -> tuple[str, str]:
    return "PN307", f" meets {' and '.join(kinds)} together; with less of them the path is {_way(eased.found)}"


def _unconnected(ends: str, op: RouteOp, targets: Sequence[str], topology: Topology, log: Log) -> None:
    speaking = speakers(topology, op.modality) | {op.source, *targets}
    everything = Network(topology, speaking, disabled=True)
    off = frozenset(k.id for k in topology.links.values() if not k.enabled)
    bare = [Query(source=op.source, stops=(t,), avoid_links=off, toll=everything.whole_cost + 1) for t in targets]
    found = [f for query in bare if (f := cheapest(everything, query))]
    if not found:
        log.error("PN301", op.place("to"), f"{ends}: no links connect them over nodes that speak {op.modality}")
        return
    best = min(found, key=lambda f: (sum(e.link in off for e in f.edges), f.cost))
    needed = [e.link for e in best.edges if e.link in off]
    words = f"link {needed[0]} is" if len(needed) == 1 else f"links {', '.join(needed)} are"
    log.error("PN301", op.place("to"), f"{ends}: {words} disabled; with {'it' if len(needed) == 1 else 'them'} the path is {_way(best)}")


def _exactly(seconds: float) -> str:
    """Return a time that is no less, in as few digits as that takes."""
    for digits in range(4, 18):
        text = format_seconds(seconds, digits)
        if parse_seconds(text) * _SLACK >= seconds:
            return text
    return f"{seconds!r}s"


def at_most(bandwidth: float) -> str:
    """Return a bandwidth that is no more, in as few digits as that takes."""
    for digits in range(4, 18):
        text = format_bandwidth(bandwidth, digits)
        if parse_bandwidth(text) <= bandwidth * _SLACK:
            return text
    return f"{bandwidth!r}bps"


def listed(attribute: str, names: Sequence[str]) -> str:
    """Return an attribute that names these, or that there is none."""
    words = ", ".join(f'"{name}"' if ":" in name else name for name in names)
    return f"{attribute}: [{words}]" if words else f"no {attribute}"


def _way(found: Found) -> str:
    return " > ".join(found.hops)
