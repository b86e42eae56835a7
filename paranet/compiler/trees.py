"""Multicast: the tree of the cheapest paths from a source to all members of a group."""

import heapq
from collections.abc import Mapping

import attrs

from paranet.compiler.board import Board
from paranet.compiler.diagnostics import Log
from paranet.compiler.explain import explain
from paranet.compiler.hops import Hops
from paranet.compiler.ir import MulticastOp
from paranet.compiler.paths import Edge, Edges, Network, Query
from paranet.models.intent import GroupPromise, Path, Reservation
from paranet.models.topology import Topology


@attrs.frozen(kw_only=True)
class Branching:
    """A tree: over which edge each node gets its packets, and over which it sends them on."""

    op: MulticastOp
    incoming: Mapping[str, tuple[str, Edge]]
    outgoing: Mapping[str, tuple[Edge, ...]]


class Planter:
    """Grows a tree for each operation on what earlier ones left."""

    def __init__(self, topology: Topology, log: Log) -> None:
        self._topology = topology
        self._log = log
        self.paths: list[Path] = []
        self.reservations: list[Reservation] = []
        self.promises: list[GroupPromise] = []

    def grow(self, op: MulticastOp, network: Network) -> Branching | None:
        """Return the tree, None after reporting the members that cannot be reached."""
        query = Query(
            source=op.source,
            stops=op.members,
            avoid_nodes=frozenset(op.avoid_nodes),
            avoid_links=frozenset(op.avoid_links),
            bandwidth=op.bandwidth,
        )
        came = _reach(network.usable(query), op.source)
        missing = [m for m in op.members if m not in came]
        for member in missing:
            explain(op.route(member), [attrs.evolve(query, stops=(member,))], network, self._topology, self._log)
        if missing:
            return None
        incoming = {n: came[n] for m in op.members for n in _way(came, m)}
        outgoing: dict[str, list[Edge]] = {}
        for origin, edge in incoming.values():
            outgoing.setdefault(origin, []).append(edge)
            if op.bandwidth:
                network.reserve(origin, edge, op.bandwidth)
                self.reservations.append(Reservation(intent=op.intent, link=edge.link, bandwidth=op.bandwidth, source=origin))
        sorted_out = {n: tuple(sorted(edges, key=lambda e: (e.node, e.link))) for n, edges in outgoing.items()}
        promise = GroupPromise(intent=op.intent, source=op.source, group=op.group, members=op.members, avoid=tuple(sorted(op.avoid_nodes)))
        self.promises.append(promise)
        self.paths += [_path(op, came, m) for m in op.members]
        return Branching(op=op, incoming=incoming, outgoing=sorted_out)


def write_tree(tree: Branching, hops: Hops, board: Board, *, only: frozenset[str] | None = None) -> None:
    """Write the `ip.mcast` rows of a tree, on the nodes *only* when these are given."""
    op = tree.op
    for node in {op.source, *tree.incoming}:
        if only is None or node in only:
            before = tree.incoming.get(node)
            arriving = hops.way(node, before[1]) if before else None
            value = {
                "group": op.group,
                "source": str(hops.router_address(op.source)),
                "incoming": arriving,
                "outgoing": [hops.way(node, e) for e in tree.outgoing.get(node, ())],
                "local": node in op.members,
            }
            board.add(node, "ip.mcast", f"{value['source']},{op.group}", value, {op.intent}, op.span)


def _reach(edges: Edges, source: str) -> Mapping[str, tuple[str, Edge]]:
    """Return the last step of the cheapest, then fastest way from *source* to every node."""
    came: dict[str, tuple[str, Edge]] = {}
    best: dict[str, tuple[float, float, str, str]] = {}
    settled: set[str] = set()
    heap = [(0.0, 0.0, source)]
    while heap:
        cost, latency, node = heapq.heappop(heap)
        if node in settled:
            continue
        settled.add(node)
        for edge in edges.get(node, ()):
            rank = (cost + edge.cost, latency + edge.latency, node, edge.link)
            if edge.node not in settled and (edge.node not in best or rank < best[edge.node]):
                best[edge.node], came[edge.node] = rank, (node, edge)
                heapq.heappush(heap, (rank[0], rank[1], edge.node))
    return came


def _way(came: Mapping[str, tuple[str, Edge]], member: str) -> list[str]:
    """Return the nodes from *member* back to the source, without the source."""
    way = [member]
    while (origin := came[way[-1]][0]) in came:
        way.append(origin)
    return way


def _path(op: MulticastOp, came: Mapping[str, tuple[str, Edge]], member: str) -> Path:
    nodes = list(reversed(_way(came, member)))
    edges = [came[n][1] for n in nodes]
    links, latency = tuple(e.link for e in edges), sum(e.latency for e in edges)
    hops = (op.source, *nodes)
    return Path(intent=op.intent, modality=op.modality, hops=hops, links=links, latency=latency, bandwidth=op.bandwidth)
