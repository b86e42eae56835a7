"""A path and a second one in reserve: which, and if there is none, what is in the way."""

import math
from collections.abc import Iterator, Mapping

import attrs

from paranet.compiler.diagnostics import Log
from paranet.compiler.explain import at_most, listed
from paranet.compiler.ir import RouteOp
from paranet.compiler.paths import Edge, Found, Network, Query, cheapest
from paranet.compiler.spread import disjoint_pair

Pair = tuple[Found, Found]


class Reserves:
    """Finds pairs for one route, on the ways that *forced* nodes go already. *query* is the route's own, with its target."""

    def __init__(self, op: RouteOp, query: Query, network: Network, forced: Mapping[str, Edge]) -> None:
        self._op = op
        self._query = query
        self._network = network
        self._forced = forced

    def pair(self, found: Found) -> Pair | None:
        """Return *found* or a better path, and one that shares no node with it, or at least no link."""
        return self._pair(self._query, found)

    def _pair(self, query: Query, found: Found) -> Pair | None:
        elsewhere = {n: edge for n, edge in self._forced.items() if n != query.source}
        edges = self._network.usable(attrs.evolve(query, forced=elsewhere))
        pair = disjoint_pair(edges, query.source, query.stops[-1]) if len(query.stops) == 1 else None
        if pair and pair[0].latency <= query.latency:
            kept = self._forced.get(query.source)
            if kept is None or same(kept, pair[0].edges[0]):
                return pair
            if same(kept, pair[1].edges[0]):
                return pair[1], pair[0]
        others = attrs.evolve(query, stops=query.stops[-1:], latency=math.inf, forced=elsewhere)
        for nodes in (frozenset(found.hops[1:-1]), frozenset[str]()):
            if second := self._beside(others, found, nodes):
                return found, second
        return None

    def _beside(self, query: Query, found: Found, nodes: frozenset[str]) -> Found | None:
        links = frozenset(e.link for e in found.edges)
        return cheapest(self._network, attrs.evolve(query, avoid_nodes=query.avoid_nodes | nodes, avoid_links=query.avoid_links | links))

    def explain(self, found: Found, log: Log) -> None:
        """Report why *found* has no second path: the links that every way uses, and what would do."""
        op, query = self._op, self._query
        ends = f"{op.intent!r} can have no disjoint backup"
        if log.full:
            log.error("PN309", op.place("backup"), ends)
            return
        bare = attrs.evolve(query, stops=query.stops[-1:], latency=math.inf, forced={})
        shared = [e.link for e in found.edges if not cheapest(self._network, self._without(bare, e.link))]
        if shared:
            words = f"every way from {op.source} to {query.stops[-1]} uses link {' and '.join(shared)}"
        else:
            words = f"no second way avoids every link of {' > '.join(found.hops)}"
        instead = next((w for wished, w in self._nearer() if (f := cheapest(self._network, wished)) and self._pair(wished, f)), None)
        ways_out = ["write no backup", instead, f"add a link beside {' and '.join(shared)}" if shared else None]
        log.error("PN309", op.place("backup"), f"{ends}: {words}", hint=", or ".join(filter(None, ways_out)))

    def _without(self, query: Query, link: str) -> Query:
        return attrs.evolve(query, avoid_links=query.avoid_links | {link})

    def _nearer(self) -> Iterator[tuple[Query, str]]:
        """Yield queries that ask for less, and the words for it: one place less to avoid, none, less bandwidth."""
        query = attrs.evolve(self._query, forced=self._forced)
        shunned = sorted(query.avoid_nodes | query.avoid_links)
        for name in shunned:
            left = [n for n in shunned if n != name]
            yield attrs.evolve(query, avoid_nodes=query.avoid_nodes - {name}, avoid_links=query.avoid_links - {name}), listed("avoid", left)
        if len(shunned) > 1:
            yield attrs.evolve(query, avoid_nodes=frozenset(), avoid_links=frozenset()), listed("avoid", [])
        for room in reversed(self._network.rooms()):
            if room < query.bandwidth:
                yield attrs.evolve(query, bandwidth=room), f"bandwidth: {at_most(room)}"


def same(one: Edge, other: Edge) -> bool:
    """Tell whether both go over one link to one node."""
    return (one.link, one.node) == (other.link, other.node)
