"""Prefixes and addresses as integers."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

import attrs


@attrs.frozen(order=True)
class Prefix:
    """The addresses *low* to *high* of an IP version, as integers; *length* leading bits are fixed. Orders by range."""

    version: int
    low: int
    high: int
    length: int
    text: str = attrs.field(order=False, eq=False)

    @staticmethod
    @lru_cache(maxsize=65536)  # the same prefixes are on all devices
    def of(text: str) -> "Prefix":
        """Raise ValueError when *text* is no IP prefix."""
        network = ip_network(text, strict=False)
        return Prefix(network.version, int(network.network_address), int(network.broadcast_address), network.prefixlen, str(network))

    def overlaps(self, other: "Prefix") -> bool:
        return self.version == other.version and self.low <= other.high and other.low <= self.high


def text(version: int, address: int) -> str:
    """Return the address as people write it."""
    return str(IPv4Address(address) if version == 4 else IPv6Address(address))
