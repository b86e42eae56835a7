"""Next hops, written down as rows hold them."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_interface

from paranet.compiler.paths import Edge
from paranet.models.topology import Endpoint, Link, Topology

Address = IPv4Address | IPv6Address


class Hops:
    """The neighbours of every node: over which interface, and at which address."""

    def __init__(self, topology: Topology, addresses: Mapping[str, Address]) -> None:
        self._topology = topology
        self._addresses = addresses
        self._known: dict[tuple[str, str, int], Mapping[str, object]] = {}
        self._own: dict[str, Mapping[str, Address]] = {}

    def ends(self, node: str, link_id: str) -> tuple[Endpoint, Endpoint]:
        """Return the ends of the link, that of *node* first."""
        link = self._topology.links[link_id]
        return (link.source, link.target) if link.source.node == node else (link.target, link.source)

    def next_hop(self, node: str, edge: Edge, version: int = 4) -> Mapping[str, object]:
        """Return {node, link, interface, address, weight}."""
        if (node, edge.link, version) not in self._known:
            near, far = self.ends(node, edge.link)
            address = self._address(self._topology.links[edge.link], near, far, version)
            hop = {"node": far.node, "link": edge.link, "interface": near.interface, "address": str(address), "weight": 1}
            self._known[node, edge.link, version] = hop
        return self._known[node, edge.link, version]

    def router_address(self, node: str) -> Address:
        return self._addresses[node]

    def way(self, node: str, edge: Edge) -> Mapping[str, object]:
        """Return {node, link, interface}."""
        near, far = self.ends(node, edge.link)
        return {"node": far.node, "link": edge.link, "interface": near.interface}

    def port(self, node: str, link_id: str) -> int:
        """Return the number of the port that the link has on the node, from 1: named interfaces first, as they stand, without `lo`."""
        named = [i.name for i in self._topology.nodes[node].interfaces if not i.name.lower().startswith("lo")]
        near, _ = self.ends(node, link_id)
        if near.interface in named:
            return named.index(near.interface) + 1
        unnamed = [k.id for k in self._topology.links_of(node) if self.ends(node, k.id)[0].interface not in named]
        return len(named) + unnamed.index(link_id) + 1

    def _address(self, link: Link, near: Endpoint, far: Endpoint, version: int) -> Address:
        """Return the peer's address on the link when both ends have one, else its router address.

        One of the prefix's IP version is preferred; failing that the other version carries it (RFC 8950).
        """
        here = self._addresses_of(near.node).get(near.interface or "")
        there = self._addresses_of(far.node).get(far.interface or "")
        numbered = [there] if here and there else []
        known = (*numbered, self._addresses[far.node], *self._addresses_of(far.node).values())
        return next((a for a in known if a.version == version), known[0])

    def _addresses_of(self, node: str) -> Mapping[str, Address]:
        """Return the addresses of the node's interfaces by name, the first of each name."""
        if node not in self._own:
            found: dict[str, Address] = {}
            for interface in self._topology.nodes[node].interfaces:
                if interface.address:
                    found.setdefault(interface.name, ip_interface(interface.address).ip)
            self._own[node] = found
        return self._own[node]
