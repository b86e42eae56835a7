"""Routes by destination, of every protocol that forwards so: one path a route, one entry a node and prefix."""

import math
from collections.abc import Iterable, Mapping

import attrs

from paranet.compiler.diagnostics import Log
from paranet.compiler.explain import explain, would_do
from paranet.compiler.ir import RouteOp
from paranet.compiler.pairs import Reserves, same
from paranet.compiler.paths import Edge, Found, Network, Query, Reserved, cheapest, speakers
from paranet.compiler.spread import Ways, passed, shares, walks
from paranet.compiler.widening import Spread, Widening
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
        self._protected: set[int] = set()
        """trees in which some nodes have a backup, by identity"""
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
        queries = [attrs.evolve(_query(op, t, forced), closed=self._closed(op, t, targets)) for t in targets]
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

    def _closed(self, op: RouteOp, target: str, targets: tuple[str, ...]) -> frozenset[str]:
        """Return the nodes that answer Interests themselves, so that none go on from there."""
        if op.modality is not Modality.NDN or op.strategy == "multicast":
            return frozenset()
        ends = self.routed.ends.get((op.modality, op.prefix), {})
        return frozenset((*targets, *ends)) - {target, op.source}

    def _take(self, op: RouteOp, found: Found, tree: Tree) -> None:
        ways: Ways = {n: (e,) for n, e in zip(found.hops, found.edges, strict=False)}
        backup: Found | None = None
        if op.ecmp > 1 or (op.backup and id(tree) in self._spread):
            spread = self._widen(op, found, tree)
            if spread is None:
                return
            ways, backup = spread.ways, spread.backup
        elif op.backup:
            pair = self._pair(op, found, tree)
            if pair is None:
                return
            found, backup = pair
            ways = {n: (e,) for n, e in zip(found.hops, found.edges, strict=False)}
        if self._circles(op, ways, backup, tree):
            return
        for node, edges in ways.items():
            entry = tree.setdefault(node, Entry(edges, op.span, set()))
            entry.owners.add(op.intent)
            if op.strategy == "multicast":
                entry.edges = tuple(dict.fromkeys((*entry.edges, *edges)))
        if backup:
            self._protect(op, backup, tree)
            self._protected.add(id(tree))
        if id(tree) in self._protected and (spoilt := self._spoilt(op, tree)):
            message = (
                f"{op.intent!r} leaves {spoilt!r} without a disjoint backup to {op.prefix}: their ways in reserve lead into each other"
            )
            self._log.error("PN309", op.place("backup"), message, hint="write no backup, or give the routes different prefixes")
            return
        if op.ecmp > 1:
            self._spread.add(id(tree))
        if id(tree) in self._spread and not self._inherit(op, tree):
            return
        self._note(op, found, backup, tree)

    def _circles(self, op: RouteOp, ways: Ways, backup: Found | None, tree: Tree) -> bool:
        """Tell whether Interests could come back to a node, after reporting it."""
        if op.strategy == "multicast" and (node := _circling(ways, tree)):
            message = f"{op.intent!r} would send {op.prefix} in a ring through {node}"
            self._log.error("PN306", op.span, message, hint="use another strategy, or avoid the node")
            return True
        if backup and op.modality is Modality.NDN and (node := _circling(_both(ways, backup), tree)):
            message = f"{op.intent!r} can have no backup: Interests that turn to it could come back to {node}"
            self._log.error("PN309", op.place("backup"), message, hint="write no backup, or avoid the node")
            return True
        return False

    def _pair(self, op: RouteOp, found: Found, tree: Tree) -> tuple[Found, Found] | None:
        """Return the path and a second one, None after reporting why there is none."""
        forced = {n: entry.edges[0] for n, entry in tree.items()}
        reserves = Reserves(op, _query(op, op.target, {}), self.network(op.modality, (op.source, op.target)), forced)
        if pair := reserves.pair(found):
            return pair
        if op.via and (spread := self._widening(op, tree).spread(found)) and spread.backup:
            return walks(spread.ways, op.source, op.target)[0], spread.backup
        reserves.explain(found, self._log)
        return None

    def _protect(self, op: RouteOp, backup: Found, tree: Tree) -> None:
        """Enter the backup: beside the way where the paths meet, as a way of its own elsewhere."""
        for node, edge in zip(backup.hops, backup.edges, strict=False):
            entry = tree.setdefault(node, Entry((edge,), op.span, set()))
            entry.owners.add(op.intent)
            if not any(same(edge, e) for e in entry.edges):
                entry.backup = entry.backup or edge

    def _spoilt(self, op: RouteOp, tree: Tree) -> str | None:
        """Return an intent whose packets, when every node with a backup uses it, do not arrive or take a link that they usually take."""
        placed = (o for o in self.routed.operations if (o.modality, o.prefix) == (op.modality, op.prefix))
        for each in (*placed, op):
            if each.source in tree and (each.backup or tree[each.source].backup):
                usual, second = (_links(tree, each, reserve=reserve) for reserve in (False, True))
                if second is None or not (usual or second).isdisjoint(second):
                    return each.intent
        return None

    def _widen(self, op: RouteOp, found: Found, tree: Tree) -> Spread | None:
        """Return *op.ecmp* equal ways and their backup, None after reporting why there are fewer."""
        widening = self._widening(op, tree)
        spread = widening.spread(found)
        if spread is None:
            widening.explain(found, self._log)
        return spread

    def _widening(self, op: RouteOp, tree: Tree) -> Widening:
        query = attrs.evolve(_query(op, op.target, {}), closed=self._closed(op, op.target, op.targets))
        return Widening(op, query, self.network(op.modality, (op.source, op.target)), {n: e.edges for n, e in tree.items()})

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
                parts = shares({n: e.edges for n, e in tree.items()}, op.source, op.target, op.bandwidth).items()
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
            backup=op.backup,
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


def _circling(ways: Ways, tree: Tree) -> str | None:
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


def _links(tree: Tree, op: RouteOp, *, reserve: bool) -> set[str] | None:
    """Return the links from source to target by every node's ways, or its backup in *reserve*; None where packets do not arrive."""
    ways = {n: (entry.backup,) if reserve and entry.backup else entry.edges for n, entry in tree.items()}
    taken = passed(ways, op.source, op.target)
    return None if taken is None else {e.link for edges in taken.values() for e in edges}


def _both(ways: Ways, backup: Found) -> Ways:
    """Return the ways on from every node when a way or the backup may be taken at each."""
    return {**ways, **{node: (*ways.get(node, ()), edge) for node, edge in zip(backup.hops, backup.edges, strict=False)}}
