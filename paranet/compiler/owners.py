"""Which node a prefix leads to."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_interface

import attrs

from paranet.models.addressing import router_addresses
from paranet.models.topology import Topology


@attrs.frozen
class _Port:
    """An address of a node, and the range [low, high] of its subnet; all as integers."""

    node: str
    version: int
    address: int
    low: int
    high: int
    length: int


class Owners:
    """Looks prefixes up among the addresses of a topology."""

    def __init__(self, topology: Topology) -> None:
        self.addresses: Mapping[str, IPv4Address | IPv6Address] = router_addresses(topology)
        self._ports = list(map(_port, self._texts(topology)))
        self._found: dict[IPv4Network | IPv6Network, list[str]] = {}

    def _texts(self, topology: Topology) -> list[tuple[str, str]]:
        given = [(n.id, i.address) for n in topology.nodes.values() for i in n.interfaces if i.address]
        having = {node for node, _ in given}
        return given + [(node, str(address)) for node, address in self.addresses.items() if node not in having]

    def of(self, prefix: IPv4Network | IPv6Network) -> list[str]:
        """Return the nodes that own *prefix* best, sorted.

        A node with an address inside the prefix comes before one whose subnet merely contains it; among equals the
        one whose subnet contains the whole prefix, and then the longest such subnet.
        """
        if prefix not in self._found:
            low, high = int(prefix.network_address), int(prefix.broadcast_address)
            scores: dict[str, tuple[bool, bool, int]] = {}
            for port in self._ports:
                inside = low <= port.address <= high
                around = port.low <= low and high <= port.high
                if port.version == prefix.version and (inside or around):
                    score = (inside, around, port.length if around else 0)
                    scores[port.node] = max(score, scores.get(port.node, score))
            best = max(scores.values(), default=None)
            self._found[prefix] = sorted(node for node, score in scores.items() if score == best)
        return self._found[prefix]


def _port(given: tuple[str, str]) -> _Port:
    interface = ip_interface(given[1])
    network = interface.network
    low, high = int(network.network_address), int(network.broadcast_address)
    return _Port(given[0], interface.version, int(interface.ip), low, high, network.prefixlen)
