"""Routes to IP: one path a route, one row a node and prefix."""

import math
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network

import attrs

from paranet.compiler.diagnostics import Log
from paranet.compiler.explain import explain
from paranet.compiler.ir import RouteOp
from paranet.compiler.paths import Edge, Found, Network, Query, cheapest
from paranet.models.addressing import router_addresses
from paranet.models.device import Row, Span
from paranet.models.intent import Path, Reach
from paranet.models.topology import Endpoint, Link, Modality, Node, Topology

FAMILY = "ip.route"


@attrs.define
class _Entry:
    """The way on from one node to one prefix, for the intents that agreed on it."""

    edge: Edge
    span: Span
    owners: set[str]


@attrs.frozen(kw_only=True)
class Routed:
    """The rows of each device that gets any, the paths they make and what they promise."""

    rows: Mapping[str, tuple[Row, ...]]
    paths: tuple[Path, ...]
    reaches: tuple[Reach, ...]


def route(operations: Iterable[RouteOp], topology: Topology, log: Log) -> Routed:
    """Find a path for each operation, in order, on what the earlier ones left; what cannot be met is reported.

    Forwarding is by destination: where an earlier route has a row for the same prefix, a later one has to follow it.
    """
    router = _Router(topology, log)
    for operation in operations:
        router.add(operation)
    return Routed(rows=router.rows(), paths=tuple(router.paths), reaches=tuple(router.reaches))


class _Router:
    def __init__(self, topology: Topology, log: Log) -> None:
        self._topology = topology
        self._log = log
        self._network = Network(topology, Modality.IP)
        self._trees: dict[str, dict[str, _Entry]] = {}  # by prefix, then by node
        self.paths: list[Path] = []
        self.reaches: list[Reach] = []

    def add(self, op: RouteOp) -> None:
        tree = self._trees.setdefault(op.prefix, {})
        query = Query(
            source=op.source,
            stops=(*op.via, op.target),
            avoid_nodes=frozenset(op.avoid_nodes),
            avoid_links=frozenset(op.avoid_links),
            bandwidth=op.bandwidth,
            latency=math.inf if op.latency is None else op.latency,
            forced={node: entry.edge for node, entry in tree.items()},
        )
        found = cheapest(self._network, query)
        if found is None:
            free = attrs.evolve(query, forced={})
            if tree and (wanted := cheapest(self._network, free)):
                self._conflict(op, wanted, tree)
            else:
                explain(op, free, self._network, self._topology, self._log)
            return
        self._take(op, found, tree)

    def _take(self, op: RouteOp, found: Found, tree: dict[str, _Entry]) -> None:
        if op.bandwidth:
            self._network.reserve(found, op.bandwidth)
        for node, edge in zip(found.hops, found.edges, strict=False):
            tree.setdefault(node, _Entry(edge, op.span, set())).owners.add(op.intent)
        links = tuple(e.link for e in found.edges)
        path = Path(intent=op.intent, modality=Modality.IP, hops=found.hops, links=links, latency=found.latency, bandwidth=op.bandwidth)
        self.paths.append(path)
        avoid = tuple(sorted(op.avoid_nodes))
        reach = Reach(intent=op.intent, source=op.source, target=op.target, prefix=op.prefix, via=op.via, avoid=avoid)
        self.reaches.append(reach)

    def _conflict(self, op: RouteOp, wanted: Found, tree: Mapping[str, _Entry]) -> None:
        """Report the first node at which the path that *op* needs leaves the tree of its prefix."""
        for node, edge in zip(wanted.hops, wanted.edges, strict=False):
            entry = tree.get(node)
            if entry and (entry.edge.link, entry.edge.node) != (edge.link, edge.node):
                first = ", ".join(map(repr, sorted(entry.owners)))
                message = (
                    f"{op.intent!r} needs {op.prefix} to go from {node} to {edge.node} (link {edge.link}), "
                    f"but {first} sends it to {entry.edge.node} (link {entry.edge.link})"
                )
                hint = "forwarding by destination cannot do both; give them the same constraints or different prefixes"
                self._log.error("PN306", op.span, message, hint=hint)
                return

    def rows(self) -> Mapping[str, tuple[Row, ...]]:
        hops = _Hops(self._topology)
        found: dict[str, list[Row]] = {}
        for prefix, tree in sorted(self._trees.items()):
            for node, entry in tree.items():
                value = {"next_hops": [hops.next_hop(node, entry.edge, ip_network(prefix).version)]}
                row = Row(family=FAMILY, key=prefix, value=value, owners=tuple(sorted(entry.owners)), span=entry.span)
                found.setdefault(node, []).append(row)
        return {node: tuple(found[node]) for node in sorted(found)}


class _Hops:
    """Writes next hops down as rows hold them."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._addresses = router_addresses(topology)

    def next_hop(self, node: str, edge: Edge, version: int) -> Mapping[str, object]:
        link = self._topology.links[edge.link]
        near, far = (link.source, link.target) if link.source.node == node else (link.target, link.source)
        address = self._address(link, near, far, version)
        return {"node": far.node, "link": link.id, "interface": near.interface, "address": str(address), "weight": 1}

    def _address(self, link: Link, near: Endpoint, far: Endpoint, version: int) -> IPv4Address | IPv6Address:
        """Return the peer's address on the link when both ends have one, else its router address.

        One of the prefix's IP version is preferred; failing that the other version carries it (RFC 8950).
        """
        nodes = self._topology.nodes
        here, there = _on(nodes[near.node], near.interface), _on(nodes[far.node], far.interface)
        numbered = [there] if here and there else []
        router = self._addresses[far.node]
        others = [ip_interface(i.address).ip for i in nodes[far.node].interfaces if i.address]
        known = (*numbered, router, *others)
        return next((a for a in known if a.version == version), known[0])


def _on(node: Node, interface: str | None) -> IPv4Address | IPv6Address | None:
    """Return the address of the node's interface of that name."""
    return next((ip_interface(i.address).ip for i in node.interfaces if i.name == interface and i.address), None)
