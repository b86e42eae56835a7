"""Prefixes and addresses as integers."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

import attrs

_LENGTHS = frozenset(map(str, range(33)))


@attrs.frozen
class Prefix:
    """The addresses *low* to *high* of an IP version, as integers; *length* leading bits are fixed."""

    version: int
    low: int
    high: int
    length: int
    text: str = attrs.field(eq=False)

    @staticmethod
    @lru_cache(maxsize=65536)  # the same prefixes are on all devices
    def of(text: str) -> "Prefix":
        """Return the prefix, its *text* in canonical form. Raise ValueError when *text* is no IP prefix."""
        address, _, bits = text.partition("/")
        if ":" not in address and bits in _LENGTHS:  # the usual form, five times as fast
            value, size = int(IPv4Address(address)), 1 << (32 - int(bits))
            if value % size == 0:
                return Prefix(4, value, value + size - 1, int(bits), text)
        network = ip_network(text, strict=False)
        return Prefix(network.version, int(network.network_address), int(network.broadcast_address), network.prefixlen, str(network))

    def overlaps(self, other: "Prefix") -> bool:
        return self.version == other.version and self.low <= other.high and other.low <= self.high


def text(version: int, address: int) -> str:
    """Return the address as people write it."""
    return str(IPv4Address(address) if version == 4 else IPv6Address(address))
