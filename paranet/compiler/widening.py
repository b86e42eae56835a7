"""Equal ways through waypoints, and a way in reserve beside them: which, and if there are too few, what is in the way.

Forwarding is by destination, hop by hop: a node has the same ways on wherever its packets come from. So it may lie on one leg only,
else they could skip a waypoint or circle. Where all equal ways together would break this, or leave no backup, some are given up: a node
that two want is taken from the one or from the other, both are tried, and what has the fewest such nodes left is looked at first (as
conflict-based search does, Sharon et al. 2015).
"""

import heapq
import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs

from paranet.compiler.diagnostics import Log
from paranet.compiler.ir import RouteOp
from paranet.compiler.pairs import Reserves, same
from paranet.compiler.paths import Edge, Found, Network, Query, cheapest
from paranet.compiler.spread import Ban, Leg, Ways, cheapest_leg, count_ways, equal_ways, walks

BUDGET = 400
"""how many ways of giving up nodes are looked at in small networks"""
_EDGES, _FEWEST = 200_000, 50
"""in larger ones so many that all together look at that many edges, but not fewer than these"""
_SLACK = 1 + 1e-9
_RESERVE = -1
"""the backup, where others are numbers of legs"""

Bans = frozenset[tuple[int, Ban]]
"""What each leg or the backup may not pass."""


@attrs.frozen(kw_only=True)
class Spread:
    """The edges by which each node is left on *number* equal ways (those it has already, where it has), and the *backup* beside them."""

    ways: Ways
    number: int
    backup: Found | None = None


@attrs.frozen
class _Attempt:
    """What is left of the equal ways with these bans."""

    bans: Bans
    legs: Sequence[Leg]
    ways: Sequence[Ways]
    backup: Found | None

    @property
    def cost(self) -> float:
        return sum(leg.cost for leg in self.legs)

    @property
    def number(self) -> int:
        return count_ways(self.legs, self.ways)


class Widening:
    """Finds equal ways for one route. *taken* are the ways on from the nodes that have some already."""

    def __init__(self, op: RouteOp, query: Query, network: Network, taken: Ways) -> None:
        self._op = op
        self._query = query
        self._network = network
        self._taken = taken
        self._known: dict[tuple[tuple[str, ...], bool], Spread | None] = {}
        self._forced = {n: edges[0] for n, edges in taken.items()}

    def spread(self, found: Found) -> Spread | None:
        """Return as many ways as the route wants, as cheap as its path *found*, and a backup if it wants one; None without."""
        most = self._most(self._query, found, backup=self._op.backup)
        return most if most and most.number >= self._op.ecmp else None

    def _most(self, query: Query, path: Found, *, backup: bool) -> Spread | None:
        """Return enough ways, else the most that there are; a backup shares no node with them, or where that cannot be no link."""
        if (query.stops, backup) in self._known:
            return self._known[query.stops, backup]
        best: Spread | None = None
        for kind in ("node", "link") if backup else ("",):
            search = _Search(attrs.evolve(query, forced=self._forced), self._network, self._edges(query), self._op.ecmp, self._taken, kind)
            found = [self._merged(attempt)] if (attempt := search.widest(path)) else []
            best = max((*found, *filter(None, (best,))), key=lambda s: s.number, default=None)
            if best and best.number >= self._op.ecmp:
                break
        self._known[query.stops, backup] = best
        return best

    def _edges(self, query: Query) -> Mapping[str, Sequence[Edge]]:
        edges = dict(self._network.usable(query))
        for node, taken in self._taken.items():
            edges[node] = [e for e in edges.get(node, ()) if any(same(e, t) for t in taken)]
        return edges

    def _merged(self, attempt: _Attempt) -> Spread:
        """Return the ways of all legs as one; a node that has ways already keeps them."""
        ways = {n: self._taken.get(n, edges) for leg in attempt.ways for n, edges in leg.items()}
        number = len(walks({**self._taken, **ways}, self._query.source, self._query.stops[-1]))
        return Spread(ways=ways, number=number, backup=attempt.backup)

    def explain(self, found: Found, log: Log) -> None:
        """Report why there are fewer ways, and what would do."""
        op = self._op
        alone = self._most(self._query, found, backup=False)
        number = alone.number if alone else 1
        if number >= op.ecmp:
            self._explain_backup(found, number, log)
            return
        there = "is one path" if number < 2 else f"are {number} paths"
        through = f" through {', then '.join(op.via)}" if op.via else ""
        message = f"{op.intent!r} wants {op.ecmp} equal paths{through}: there {there} of the least cost, {found.cost:g}"
        ways_out = [] if log.full else [self._fewer(found, number), self._straight(), "give links the same cost"]
        log.error("PN308", op.place("ecmp"), message, hint=_written(ways_out))

    def _explain_backup(self, found: Found, number: int, log: Log) -> None:
        op, target = self._op, self._query.stops[-1]
        bare = attrs.evolve(self._query, stops=(target,), latency=math.inf)
        without = (attrs.evolve(bare, avoid_links=bare.avoid_links | {e.link}) for e in found.edges)
        shared = [] if log.full else [e.link for e, q in zip(found.edges, without, strict=True) if not cheapest(self._network, q)]
        why = (
            f"every way from {op.source} to {target} uses link {' and '.join(shared)}" if shared else "no way beside them avoids all links"
        )
        message = f"{op.intent!r} can have no disjoint backup{f' for {op.ecmp} equal paths' if op.ecmp > 1 else ''}: {why}"
        ways_out = [] if log.full else ["no backup", self._fewer(found, number)]
        log.error("PN309", op.place("backup"), message, hint=_written(ways_out))

    def _fewer(self, found: Found, number: int) -> str | None:
        """Return what to write for as many ways as there are: *number* without a backup."""
        op = self._op
        if op.ecmp == 1:
            return None
        most = self._most(self._query, found, backup=op.backup)
        if most and most.number > 1:
            return _equal(most.number)
        if not op.backup or most or Reserves(op, attrs.evolve(self._query, forced={}), self._network, self._forced).pair(found):
            return "no ecmp"
        return f"{_equal(number)} and no backup" if number < op.ecmp else None

    def _straight(self) -> str | None:
        """Return what to write when there are enough ways past the waypoints."""
        query = attrs.evolve(self._query, stops=self._query.stops[-1:])
        path = cheapest(self._network, attrs.evolve(query, forced=self._forced)) if query != self._query else None
        most = self._most(query, path, backup=self._op.backup) if path else None
        return "no via" if most and most.number >= self._op.ecmp else None


def _equal(number: int) -> str:
    return f"ecmp: {number}" if number > 1 else "no ecmp"


def _written(ways_out: Sequence[str | None]) -> str | None:
    return f"write {', or '.join(filter(None, ways_out))}" if ways_out else None


class _Search:
    """Looks for the widest equal ways of one query on its *edges*, and a backup that shares nothing of *kind* with them ("": none).

    All edges of the nodes *whole* are taken.
    """

    def __init__(
        self, query: Query, network: Network, edges: Mapping[str, Sequence[Edge]], width: int, whole: Collection[str], kind: str
    ) -> None:
        self._query = query
        self._width = width
        self._whole = whole
        self._kind = kind
        self._points = (query.source, *query.stops)
        self._legs: dict[tuple[int, frozenset[Ban]], Leg | None] = {}
        self._edges = edges
        forced = {n: edge for n, edge in query.forced.items() if n != query.source}
        self._beside = network.usable(attrs.evolve(query, stops=query.stops[-1:], forced=forced)) if kind else {}
        self._toll = network.whole_cost + 1
        self._budget = max(_FEWEST, min(BUDGET, _EDGES // (1 + sum(map(len, edges.values())))))

    def widest(self, found: Found) -> _Attempt | None:
        """Return *width* ways that cost no more than *found*, else the most that there are; None for none."""
        best: _Attempt | None = None
        heap: list[tuple[bool, int, float, int, _Attempt]] = []
        tried: set[Bans] = set()
        waiting: list[Bans] = [frozenset(), self._as(found)]
        while waiting or heap:
            for bans in waiting:
                if bans not in tried and (made := self._attempt(bans)) and made.cost <= found.cost * _SLACK:
                    heapq.heappush(heap, (made.number < self._width, len(self._clashes(made)), made.cost, len(tried), made))
                tried.add(bans)
            if not heap or len(tried) > self._budget:
                break
            attempt = heapq.heappop(heap)[-1]
            waiting = []
            if best and attempt.number <= best.number and attempt.cost * _SLACK >= found.cost:
                continue
            if clashes := self._clashes(attempt):
                at_once = frozenset[tuple[int, Ban]]().union(*(one for one, _ in clashes))  # which often is all that it takes
                waiting = [attempt.bans | more for more in (at_once, *clashes[0])]
                continue
            best = attempt
            if attempt.number >= self._width:
                break
        return best

    def _as(self, found: Found) -> Bans:
        """Return the bans that leave each node of *found* on the leg that it lies on there."""
        bans: set[tuple[int, Ban]] = set()
        leg = 0
        for node in found.hops[1:-1]:
            if node == self._points[leg + 1]:
                leg += 1
            else:
                bans |= {(other, ("node", node)) for other in range(len(self._query.stops)) if other != leg}
        return frozenset(bans)

    def _attempt(self, bans: Bans) -> _Attempt | None:
        """Return what the bans leave, None when that is nothing."""
        legs: list[Leg] = []
        for at in range(len(self._query.stops)):
            leg = self._leg(at, frozenset(ban for where, ban in bans if where == at))
            if leg is None:
                return None
            legs.append(leg)
        ways = equal_ways(legs, self._width, self._query.latency, self._whole)
        made = _Attempt(bans, legs, ways, None)
        if not made.number or not self._kind:
            return made if made.number else None
        backup = self._backup({ban for where, ban in bans if where == _RESERVE}, set(self._passed(ways)))
        return attrs.evolve(made, backup=backup) if backup else None

    def _leg(self, at: int, bans: frozenset[Ban]) -> Leg | None:
        if (at, bans) not in self._legs:
            start, end = self._points[at : at + 2]
            others = {("node", point) for point in self._points if point not in (start, end)}
            self._legs[at, bans] = cheapest_leg(self._edges, start, end, bans | others)
        return self._legs[at, bans]

    def _backup(self, bans: set[Ban], held: set[Ban]) -> Found | None:
        """Return the way that passes least of what is *held*, the cheapest of such. It need not pass waypoints, nor be in time."""
        edges = {
            node: [e._replace(cost=e.cost + self._toll * ((("node", e.node) in held) + (("link", e.link) in held))) for e in leaving]
            for node, leaving in self._beside.items()
        }
        source, target = self._points[0], self._points[-1]
        leg = cheapest_leg(edges, source, target, bans)
        if leg is None:
            return None
        hops, way = [source], []
        while hops[-1] != target:
            chosen = min(leg.onward[hops[-1]], key=lambda e: (e.latency, e.node, e.link))
            way.append(next(e for e in self._beside[hops[-1]] if (e.link, e.node) == (chosen.link, chosen.node)))
            hops.append(chosen.node)
        return Found(hops=tuple(hops), edges=tuple(way), cost=sum(e.cost for e in way), latency=sum(e.latency for e in way))

    def _passed(self, ways: Sequence[Ways]) -> Iterator[Ban]:
        """Yield what the backup may not pass."""
        for leg in ways:
            for node, edges in leg.items():
                if self._kind == "node" and node not in (self._points[0], self._points[-1]):
                    yield "node", node
                yield from (("link", e.link) for e in edges)

    def _clashes(self, attempt: _Attempt) -> list[tuple[Bans, Bans]]:
        """Return for each clash the two bans either of which ends it."""
        found: list[tuple[Bans, Bans]] = []
        first: dict[str, int] = {}
        for at, leg in enumerate(attempt.ways):
            both = [(node, first[node]) for node in leg if first.setdefault(node, at) != at]
            found += ((frozenset({(at, ("node", node))}), frozenset({(other, ("node", node))})) for node, other in both)
        if attempt.backup:
            held = set(self._passed(attempt.ways))
            passed: list[Ban] = [*(("node", n) for n in attempt.backup.hops), *(("link", e.link) for e in attempt.backup.edges)]
            everywhere = range(len(attempt.legs))
            found += ((frozenset((at, ban) for at in everywhere), frozenset({(_RESERVE, ban)})) for ban in passed if ban in held)
        return found
