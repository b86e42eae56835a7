"""The forwarding tables of a network: longest prefix match over rows, next hops over links that are there."""

from collections.abc import Mapping
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network
from typing import Any

import attrs

from paranet.models.addressing import router_addresses
from paranet.models.device import Rows
from paranet.models.topology import Topology
from paranet.verifier.report import Step

FAMILY = "ip.route"


@attrs.frozen(order=True)
class Prefix:
    """The addresses *low* to *high* of an IP version, as integers; *length* leading bits are fixed. Orders by range."""

    version: int
    low: int
    high: int
    length: int
    text: str = attrs.field(order=False, eq=False)

    @classmethod
    def of(cls, text: str) -> "Prefix":
        """Raise ValueError when *text* is no IP prefix."""
        network = ip_network(text, strict=False)
        return cls(network.version, int(network.network_address), int(network.broadcast_address), network.prefixlen, str(network))

    def __contains__(self, address: "Destination") -> bool:
        return self.version == address.version and self.low <= address.value <= self.high


@attrs.frozen
class Destination:
    """An address as an integer."""

    version: int
    value: int

    @classmethod
    def of(cls, address: IPv4Address | IPv6Address) -> "Destination":
        return cls(address.version, int(address))

    def __str__(self) -> str:
        return str(IPv4Address(self.value) if self.version == 4 else IPv6Address(self.value))


@attrs.frozen(kw_only=True)
class Match:
    """The row that a packet meets on a node, and the (node, link) pairs it names as next hops."""

    step: Step
    length: int
    next_hops: tuple[tuple[str, str], ...]


class Forwarding:
    """What every node does with a destination."""

    def __init__(self, topology: Topology, rows_by_node: Mapping[str, Rows]) -> None:
        self._topology = topology
        self._tables: dict[str, dict[tuple[int, int], dict[int, Match]]] = {}  # node -> (version, length) -> network -> row
        self.holders: dict[Prefix, list[str]] = {}
        for node, rows in sorted(rows_by_node.items()):
            for (family, key), row in sorted(rows.items()):
                if family == FAMILY:
                    self._add(node, key, row.value, row.owners)
        for table in self._tables.values():
            for length in sorted(table, reverse=True):
                table[length] = table.pop(length)  # longest first

    def _add(self, node: str, key: str, value: Mapping[str, object], owners: tuple[str, ...]) -> None:
        try:
            prefix = Prefix.of(key)
        except ValueError:
            return  # a row of somebody else's that matches no packet
        match = Match(step=Step(node, key, owners), length=prefix.length, next_hops=_next_hops(value))
        self._tables.setdefault(node, {}).setdefault((prefix.version, prefix.length), {})[prefix.low] = match
        self.holders.setdefault(prefix, []).append(node)

    def match(self, node: str, destination: Destination, *, longer_than: int = -1) -> Match | None:
        """Return the row of the longest prefix that holds *destination*, of those longer than *longer_than* bits."""
        for (version, length), networks in self._tables.get(node, {}).items():
            if version == destination.version and length > longer_than:
                shift = (32 if version == 4 else 128) - length
                if found := networks.get(destination.value >> shift << shift):
                    return found
        return None

    def obstacle(self, node: str, neighbour: str, link_id: str) -> str | None:
        """Return why *node* cannot hand a packet to *neighbour* over that link, None if it can."""
        link = self._topology.links.get(link_id)
        if link is None:
            return f"there is no link {link_id!r}"
        ends = (link.source.node, link.target.node)
        if (node, neighbour) != ends and (link.directed or (neighbour, node) != ends):
            return f"link {link_id!r} does not lead to {neighbour!r}"
        return None if link.enabled else f"link {link_id!r} is disabled"

    def owns(self, node: str, destination: Destination) -> bool:
        """Tell whether an address or a subnet of *node* holds the destination."""
        return any(destination in prefix for prefix in self._local.get(node, ()))

    @cached_property
    def _local(self) -> Mapping[str, list[Prefix]]:
        found = {i: [Prefix.of(str(address))] for i, address in router_addresses(self._topology).items()}
        for node in self._topology.nodes.values():
            found[node.id] += [Prefix.of(str(ip_interface(i.address).network)) for i in node.interfaces if i.address]
        return found


def _next_hops(value: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return what can be read of a row's next hops; a row may come from a device and hold anything."""
    hops: Any = value.get("next_hops")
    if not isinstance(hops, (list, tuple)):
        return ()
    return tuple((str(h.get("node")), str(h.get("link"))) for h in hops if isinstance(h, Mapping))


def representative(prefix: Prefix, inner: list[Prefix]) -> Destination:
    """Return the first address of *prefix* that none of *inner* (prefixes inside it) holds, its very first if all are held."""
    value = prefix.low
    for other in sorted(inner):
        if other.low > value:
            break
        value = max(value, other.high + 1)
    return Destination(prefix.version, value if value <= prefix.high else prefix.low)
