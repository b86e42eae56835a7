"""What nodes do with packets, read from rows: next hops over links that are there, and whose an address is."""

from collections.abc import Mapping
from functools import cached_property
from ipaddress import ip_interface
from typing import Any

from paranet.models.addressing import router_addresses
from paranet.models.device import Row
from paranet.models.topology import Modality, Topology
from paranet.verifier.incremental import Hop, Rule
from paranet.verifier.prefixes import Prefix

FAMILY = "ip.route"


class Links:
    """Which neighbour a link leads to, and why it does not."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.hops: dict[tuple[str, str, str], Hop] = {}
        """the ways there are, by node, neighbour and link"""
        for link in topology.links.values():
            if link.enabled:
                near, far = link.source.node, link.target.node
                self.hops[near, far, link.id] = (link.id, (far, None))
                if not link.directed:
                    self.hops[far, near, link.id] = (link.id, (near, None))

    def obstacle(self, node: str, neighbour: str, link_id: str) -> str | None:
        """Return why *node* cannot hand a packet to *neighbour* over that link, None if it can."""
        if (node, neighbour, link_id) in self.hops:
            return None
        link = self.topology.links.get(link_id)
        if link is None:
            return f"there is no link {link_id!r}"
        ends = (link.source.node, link.target.node)
        if (node, neighbour) != ends and (link.directed or (neighbour, node) != ends):
            return f"link {link_id!r} does not lead to {neighbour!r}"
        return f"link {link_id!r} is disabled"

    def latency(self, link_ids: tuple[str, ...]) -> float:
        return sum(self.topology.links[link_id].latency for link_id in link_ids)


def named_hops(value: Mapping[str, object], name: str = "next_hops") -> list[tuple[str, str]]:
    """Return the (node, link) pairs that can be read of a row's next hops; a row may come from a device and hold anything."""
    hops: Any = value.get(name)
    if not isinstance(hops, (list, tuple)):
        return []
    return [(str(hop.get("node")), str(hop.get("link"))) for hop in hops if isinstance(hop, (dict, Mapping))]


def route(node: str, row: Row, links: Links) -> tuple[int, Rule] | None:
    """Return the IP version and the rule that an `ip.route` row means, None for somebody else's that matches no packet.

    A key that is not in canonical form is none of ours: so there is one row a prefix on a node.
    """
    try:
        prefix = Prefix.of(row.key)
    except ValueError:
        return None
    if prefix.text != row.key:
        return None
    hops, faults = [], []
    for neighbour, link in named_hops(row.value):
        if hop := links.hops.get((node, neighbour, link)):
            hops.append(hop)
        else:
            obstacle = links.obstacle(node, neighbour, link)
            faults.append(f"{node!r} sends {prefix.text} to {neighbour!r}, but {obstacle}")
    if not hops and not faults:
        faults.append(f"the row for {prefix.text} on {node!r} has no next hop")
    return prefix.version, Rule(node, prefix.low, prefix.high + 1, prefix.length, tuple(hops), tuple(faults), row)


class Routes:
    """Reads the rows by which nodes forward over IP."""

    families = (FAMILY,)
    modality = Modality.IP

    def __init__(self, links: Links) -> None:
        self._links = links

    def read(self, node: str, row: Row) -> tuple[int, Rule] | None:
        """Return the IP version and the rule that a row means, None where it forwards nothing."""
        return route(node, row, self._links)


class Ownership:
    """Whose an address is."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def owns(self, node: str, version: int, address: int) -> bool:
        """Tell whether an address or a subnet of *node* holds the address."""
        return any(p.version == version and p.low <= address <= p.high for p in self.local(node))

    def local(self, node: str) -> list[Prefix]:
        """Return the node's addresses and subnets."""
        return self._local.get(node, [])

    def addresses(self, node: str, version: int) -> list[int]:
        """Return the node's own addresses of an IP version."""
        return [p.low for p in self._own.get(node, ()) if p.version == version]

    @cached_property
    def _own(self) -> Mapping[str, list[Prefix]]:
        found = {i: [Prefix.of(str(address))] for i, address in router_addresses(self._topology).items()}
        for node in self._topology.nodes.values():
            found[node.id] += [Prefix.of(str(ip_interface(i.address).ip)) for i in node.interfaces if i.address]
        return found

    @cached_property
    def _local(self) -> Mapping[str, list[Prefix]]:
        found = {node: list(own) for node, own in self._own.items()}
        for node in self._topology.nodes.values():
            found[node.id] += [Prefix.of(str(ip_interface(i.address).network)) for i in node.interfaces if i.address]
        return {node: sorted(set(prefixes), key=lambda p: (p.version, p.low, p.length)) for node, prefixes in found.items()}
