"""Routes by destination, of every protocol that forwards so: one path a route, one entry a node and prefix."""

import math
from collections.abc import Iterable, Mapping

import attrs

from paranet.compiler.diagnostics import Log
from paranet.compiler.explain import explain, would_do
from paranet.compiler.ir import RouteOp
from paranet.compiler.pairs import Reserves, same
from paranet.compiler.paths import Edge, Found, Network, Query, Reserved, cheapest, speakers
from paranet.compiler.spread import equal_ways, shares, walks
from paranet.models.device import Span
from paranet.models.intent import NamePromise, Path, Reach, Reservation
from paranet.models.topology import Modality, Topology
from paranet.models.units import format_bandwidth


@attrs.define
class Entry:
    """The ways on from one node to one prefix, for the intents that agreed on them, and the way to take when these fail."""

    edges: tuple[Edge, ...]
    span: Span
    owners: set[str]
    backup: Edge | None = None


Tree = dict[str, Entry]
"""What each node does with one prefix."""


@attrs.define
class Routed:
    """What became of the routes: *trees* by modality and prefix, and the *ends* of each of these."""

    trees: dict[tuple[Modality, str], Tree] = attrs.field(factory=dict)
    ends: dict[tuple[Modality, str], dict[str, set[str]]] = attrs.field(factory=dict)
    operations: list[RouteOp] = attrs.field(factory=list)
    paths: list[Path] = attrs.field(factory=list)
    reaches: list[Reach] = attrs.field(factory=list)
    names: list[NamePromise] = attrs.field(factory=list)
    reservations: list[Reservation] = attrs.field(factory=list)


class Router:
    """Finds a path for each operation, in order, on what the earlier ones left; what cannot be met is reported.

    Where an earlier route has an entry for the same prefix, a later one has to follow it.
    """

    def __init__(self, topology: Topology, log: Log) -> None:
        self._topology = topology
        self._log = log
        self._networks: dict[tuple[Modality, frozenset[str]], Network] = {}
        self.reserved: Reserved = {}
        self.routed = Routed()
        self.free = True
        """Whether no wish has kept a route from the way it would take alone, so that their order has not mattered."""
        self._spread: set[int] = set()
        """trees with several ways to one target, by identity"""

    def network(self, modality: Modality, ends: Iterable[str] = ()) -> Network:
        """Return the network of *modality*; P4 switches carry packets for *ends* that are none."""
        added = frozenset(ends) if modality is Modality.P4 else frozenset()
        if (modality, added) not in self._networks:
            nodes = speakers(self._topology, modality) | added
            self._networks[modality, added] = Network(self._topology, nodes, reserved=self.reserved)
        return self._networks[modality, added]

    def add(self, op: RouteOp) -> None:
        tree = self.routed.trees.setdefault((op.modality, op.prefix), {})
        targets = op.targets or (op.target,)
        several = targets if op.strategy == "multicast" else ()
        if not several and (quick := self._quick(op, targets, tree)):
            self._take(op, quick, tree)
            return
        self.free = False
        for chosen in several or (None,):
            found = self._best(op, (chosen,) if chosen else targets, tree)
            if found is None:
                return
            self._take(op if op.target == found.hops[-1] else attrs.evolve(op, target=found.hops[-1]), found, tree)

    def _quick(self, op: RouteOp, targets: tuple[str, ...], tree: Tree) -> Found | None:
        """Return the way that is the cheapest for all who go there, when the route asks for nothing that keeps it from that."""
        if op.via or op.ecmp > 1 or op.backup or len(targets) > 1:
            return None
        network = self.network(op.modality, (op.source, op.target))
        toward = network.toward(op.target)
        node, cost, latency = op.source, 0.0, 0.0
        hops, edges = [node], []
        while node != op.target:
            edge, entry = toward.get(node), tree.get(node)
            if edge is None or (entry and not same(entry.edges[0], edge)):
                return None
            if op.bandwidth and op.bandwidth > network.room(node, edge):
                return None
            cost, latency, node = cost + edge.cost, latency + edge.latency, edge.node
            hops.append(node)
            edges.append(edge)
        avoided = (op.avoid_nodes and not set(op.avoid_nodes).isdisjoint(hops)) or any(e.link in op.avoid_links for e in edges)
        late = op.latency is not None and latency > op.latency
        return None if avoided or late else Found(hops=tuple(hops), edges=tuple(edges), cost=cost, latency=latency)

    def _best(self, op: RouteOp, targets: tuple[str, ...], tree: Tree) -> Found | None:
        """Return the cheapest path to one of *targets*, else report why there is none."""
        forced = {} if op.strategy == "multicast" else {node: entry.edges[0] for node, entry in tree.items()}
        network = self.network(op.modality, (op.source, *targets))
        queries = [_query(op, target, forced) for target in targets]
        found = [f for q in queries if (f := cheapest(network, q))]
        if found:
            return min(found, key=lambda f: (f.cost, f.latency, f.hops))
        free = [f for q in queries if forced and (f := cheapest(network, attrs.evolve(q, forced={})))]
        if free:
            instead = None if self._log.full else would_do(queries, network)
            self._conflict(op, min(free, key=lambda f: (f.cost, f.latency, f.hops)), tree, instead)
        else:
            explain(op, queries, network, self._topology, self._log)
        return None

    def _take(self, op: RouteOp, found: Found, tree: Tree) -> None:
        ways: dict[str, tuple[Edge, ...]] = {n: (e,) for n, e in zip(found.hops, found.edges, strict=False)}
        backup: Found | None = None
        if op.backup:
            pair = self._pair(op, found, tree)
            if pair is None:
                return
            found, backup = pair
            ways = {n: (e,) for n, e in zip(found.hops, found.edges, strict=False)}
        elif op.ecmp > 1:
            widened = self._widen(op, found, tree)
            if widened is None:
                return
            ways = widened
        if op.strategy == "multicast" and (node := _circling(ways, tree)):
            message = f"{op.intent!r} would send {op.prefix} in a ring through {node}"
            self._log.error("PN306", op.span, message, hint="use another strategy, or avoid the node")
            return
        if backup and op.modality is Modality.NDN and (node := _circling(_both(found, backup), tree)):
            message = f"{op.intent!r} can have no backup: Interests that turn to it could come back to {node}"
            self._log.error("PN309", op.place("backup"), message, hint="write no backup, or avoid the node")
            return
        for node, edges in ways.items():
            entry = tree.setdefault(node, Entry(edges, op.span, set()))
            entry.owners.add(op.intent)
            if op.strategy == "multicast":
                entry.edges = tuple(dict.fromkeys((*entry.edges, *edges)))
        if backup:
            self._protect(op, backup, tree)
        if op.ecmp > 1:
            self._spread.add(id(tree))
        if id(tree) in self._spread and not self._inherit(op, tree):
            return
        self._note(op, found, backup, tree)

    def _pair(self, op: RouteOp, found: Found, tree: Tree) -> tuple[Found, Found] | None:
        """Return the path and a second one, None after reporting why there is none."""
        forced = {n: entry.edges[0] for n, entry in tree.items()}
        reserves = Reserves(op, _query(op, op.target, {}), self.network(op.modality, (op.source, op.target)), forced)
        pair = reserves.pair(found)
        if pair is None:
            reserves.explain(found, self._log)
        return pair

    def _protect(self, op: RouteOp, backup: Found, tree: Tree) -> None:
        """Enter the backup: beside the way where the paths meet, as a way of its own elsewhere."""
        for node, edge in zip(backup.hops, backup.edges, strict=False):
            entry = tree.setdefault(node, Entry((edge,), op.span, set()))
            entry.owners.add(op.intent)
            if not any(same(edge, e) for e in entry.edges):
                entry.backup = entry.backup or edge

    def _widen(self, op: RouteOp, found: Found, tree: Tree) -> dict[str, tuple[Edge, ...]] | None:
        """Return *op.ecmp* equal ways, else report how many there are."""
        query = _query(op, op.target, {n: e.edges[0] for n, e in tree.items()})
        edges = self.network(op.modality).usable(query)
        ways = equal_ways(edges, op.source, op.target, op.ecmp, query.latency)
        ways = {n: tree[n].edges if n in tree else chosen for n, chosen in ways.items()}
        count = len(walks(ways, op.source, op.target))
        if count >= op.ecmp:
            return ways
        there = "is one path" if count < 2 else f"are {count} paths"
        message = f"{op.intent!r} wants {op.ecmp} equal paths: there {there} of the least cost, {found.cost:g}"
        fewer = f"ecmp: {count}" if count > 1 else "no ecmp"
        self._log.error("PN308", op.place("ecmp"), message, hint=f"write {fewer}, or give links the same cost")
        return None

    def _inherit(self, op: RouteOp, tree: Tree) -> bool:
        """Tell whether the ways that an earlier route spread its packets over suit this one too; report when not."""
        ways = {n: e.edges for n, e in tree.items()}
        limit = math.inf if op.latency is None else op.latency * (1 + 1e-9)
        for way in walks(ways, op.source, op.target):
            passed = [n for n in way.hops if n in op.via]
            links = {e.link for e in way.edges}
            if set(way.hops) & set(op.avoid_nodes) or links & set(op.avoid_links) or passed != list(op.via) or way.latency > limit:
                owners = ", ".join(repr(o) for o in sorted({o for e in tree.values() if len(e.edges) > 1 for o in e.owners} - {op.intent}))
                message = f"{op.intent!r} would also take {' > '.join(way.hops)}, as {owners or op.intent} spreads packets to {op.prefix}"
                self._log.error("PN306", op.span, message, hint="give them different prefixes, or the same constraints")
                return False
        return True

    def _note(self, op: RouteOp, found: Found, backup: Found | None, tree: Tree) -> None:
        """Keep what was found: reservations, paths and promises."""
        routed = self.routed
        routed.operations.append(op)
        routed.ends.setdefault((op.modality, op.prefix), {}).setdefault(op.target, set()).add(op.intent)
        ways = [found]
        if id(tree) in self._spread:
            ways = walks({n: e.edges for n, e in tree.items()}, op.source, op.target)
        if op.bandwidth:
            parts: Iterable[tuple[tuple[str, Edge], float]] = ((step, op.bandwidth) for step in zip(found.hops, found.edges, strict=False))
            if len(ways) > 1:
                onward = {n: tree[n].edges for way in ways for n in way.hops[:-1]}
                parts = shares(onward, op.source, op.target, op.bandwidth).items()
            network = self.network(op.modality, (op.source, op.target))
            for (node, edge), part in parts:
                if len(ways) > 1 and part > network.room(node, edge) * (1 + 1e-9):
                    self._no_room(op, node, edge, part, network.room(node, edge))
                    return
                network.reserve(node, edge, part)
                routed.reservations.append(Reservation(intent=op.intent, link=edge.link, bandwidth=part, source=node))
        routed.paths += [self.path(op, way, share=len(ways)) for way in ways]
        routed.paths += [attrs.evolve(self.path(op, backup), bandwidth=0.0, backup=True)] if backup else []
        if op.modality in (Modality.IP, Modality.P4):
            routed.reaches.append(self.reach(op))
        elif op.modality is Modality.NDN:
            producers = (op.target,) if op.strategy == "multicast" else op.targets
            promise = NamePromise(
                intent=op.intent,
                consumer=op.source,
                name=op.prefix,
                producers=producers,
                width=op.ecmp,
                backup=op.backup,
                via=op.via,
                avoid=tuple(sorted(op.avoid_nodes)),
                latency=op.latency,
            )
            routed.names.append(promise)

    def _no_room(self, op: RouteOp, node: str, edge: Edge, part: float, room: float) -> None:
        """Report a way that an earlier route spreads packets over and that has no room for this one's part."""
        message = (
            f"{op.intent!r} would send {format_bandwidth(part)} of {op.prefix} from {node} to {edge.node} (link {edge.link}), "
            f"where {format_bandwidth(max(0.0, room))} are left"
        )
        self._log.error("PN306", op.place("bandwidth"), message, hint="ask for less, or give the routes different prefixes")

    def path(self, op: RouteOp, found: Found, *, share: int = 1) -> Path:
        """Return the path that *op* takes, with one of *share* parts of its packets."""
        links = tuple(e.link for e in found.edges)
        bandwidth = op.bandwidth / share
        return Path(intent=op.intent, modality=op.modality, hops=found.hops, links=links, latency=found.latency, bandwidth=bandwidth)

    def reach(self, op: RouteOp) -> Reach:
        """Return what *op* promises."""
        avoid = tuple(sorted(op.avoid_nodes))
        return Reach(
            intent=op.intent,
            source=op.source,
            target=op.target,
            prefix=op.prefix,
            via=op.via,
            avoid=avoid,
            width=op.ecmp,
            latency=op.latency,
            modality=op.modality,
        )

    def _conflict(self, op: RouteOp, wanted: Found, tree: Tree, instead: str | None) -> None:
        """Report the first node at which the path that *op* needs leaves the tree of its prefix; with *instead* it could follow it."""
        for node, edge in zip(wanted.hops, wanted.edges, strict=False):
            entry = tree.get(node)
            if entry and not same(entry.edges[0], edge):
                first = ", ".join(map(repr, sorted(entry.owners)))
                other = entry.edges[0]
                message = (
                    f"{op.intent!r} needs {op.prefix} to go from {node} to {edge.node} (link {edge.link}), "
                    f"but {first} sends it to {other.node} (link {other.link})"
                )
                hint = "forwarding by destination cannot do both; give them the same constraints or different prefixes"
                hint += f", or write {instead}" if instead else ""
                self._log.error("PN306", op.span, message, hint=hint)
                return


def _query(op: RouteOp, target: str, forced: Mapping[str, Edge]) -> Query:
    return Query(
        source=op.source,
        stops=(*op.via, target),
        avoid_nodes=frozenset(op.avoid_nodes),
        avoid_links=frozenset(op.avoid_links),
        bandwidth=op.bandwidth,
        latency=math.inf if op.latency is None else op.latency,
        forced=forced,
    )


def _circling(ways: Mapping[str, tuple[Edge, ...]], tree: Tree) -> str | None:
    """Return a node that *ways* and those there are lead back to, whichever is taken; None without one."""
    onward = {n: {e.node for e in (*entry.edges, *filter(None, (entry.backup,)))} for n, entry in tree.items()}
    for node, edges in ways.items():
        onward.setdefault(node, set()).update(e.node for e in edges)
    for node, edges in ways.items():
        seen: set[str] = set()
        open_ = [e.node for e in edges]
        while open_:
            if (at := open_.pop()) == node:
                return node
            if at not in seen:
                seen.add(at)
                open_ += onward.get(at, ())
    return None


def _both(found: Found, backup: Found) -> Mapping[str, tuple[Edge, ...]]:
    """Return the ways on from every node when the way or its backup may be taken at each."""
    ways: dict[str, tuple[Edge, ...]] = {}
    for way in (found, backup):
        for node, edge in zip(way.hops, way.edges, strict=False):
            ways[node] = (*ways.get(node, ()), edge)
    return ways
