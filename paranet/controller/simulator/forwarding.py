"""How packets find their way over installed rows: longest prefix first, weighted next hops, 64 hops at most."""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

import attrs

from paranet.models.device import Row

TTL = 64  # the Internet's default (RFC 1700)
ROUTE = "ip.route"

Address = IPv4Address | IPv6Address


@attrs.frozen(kw_only=True)
class NextHop:
    """The neighbour, the link to it, and the part of the traffic it gets relative to the others of its row."""

    node: str
    link: str
    weight: float


def next_hops(row: Row) -> tuple[NextHop, ...]:
    """Return what a route's row says. Raise ValueError with the reason when a device cannot make sense of it."""
    parse_prefix(row.key)
    listed = row.value.get("next_hops")
    if not isinstance(listed, (list, tuple)):
        raise ValueError("next_hops must be a list")
    return tuple(_next_hop(hop) for hop in listed)


def _next_hop(hop: object) -> NextHop:
    if not isinstance(hop, dict):
        raise ValueError("a next hop must be an object")
    node, link, weight = hop.get("node"), hop.get("link"), hop.get("weight", 1)
    if not isinstance(node, str) or not isinstance(link, str):
        raise ValueError("a next hop names its node and its link")
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < math.inf:
        raise ValueError("a next hop's weight must be a number above 0")
    return NextHop(node=node, link=link, weight=weight)


@lru_cache(maxsize=65536)  # the same prefixes are in the tables of all devices
def parse_prefix(key: str) -> tuple[int, int, int]:
    """Return IP version, prefix length and the network's number. Raise ValueError for what is no prefix in canonical form."""
    network = ip_network(key)
    if str(network) != key:
        raise ValueError(f"the prefix is to be written {network}")
    return network.version, network.prefixlen, int(network.network_address)


class Table:
    """One device's routes, ready for lookups. Rows that a device cannot read forward nothing."""

    def __init__(self, rows: Iterable[Row]) -> None:
        found: dict[tuple[int, int], dict[int, Row]] = {}
        for row in rows:
            if row.family == ROUTE:
                try:
                    version, length, number = parse_prefix(row.key)
                except ValueError:
                    continue
                found.setdefault((version, length), {})[number] = row
        self._longest_first = [(version, length, found[version, length]) for version, length in sorted(found, reverse=True)]

    def lookup(self, address: Address) -> tuple[NextHop, ...]:
        """Return the next hops of the longest prefix that holds *address*, none where there is no such prefix."""
        number, bits = int(address), address.max_prefixlen
        for version, length, routes in self._longest_first:
            if version == address.version:
                row = routes.get(number >> (bits - length) << (bits - length))
                if row is not None:
                    return _readable_hops(row)
        return ()


def _readable_hops(row: Row) -> tuple[NextHop, ...]:
    try:
        return next_hops(row)
    except ValueError:
        return ()


Forward = tuple[tuple[int, float, str], ...] | str
"""What one node does with a packet: (arc, share of the traffic, neighbour) for each way, or the reason why it is dropped."""


@attrs.frozen(kw_only=True)
class Course:
    """The way of a flow, unrolled by hops so that a loop ends.

    A slot is an amount of traffic at one node after one number of hops; slot 0 is the source. Each step moves a share of
    the origin's amount over an arc into the target's; origins come before their targets. *sink* is the slot of what
    arrives, *lost* the slots that are dropped, with node and reason. *shared* traffic is that of another course too, which
    offers it.
    """

    slots: int
    sink: int
    origins: tuple[int, ...]
    arcs: tuple[int, ...]
    shares: tuple[float, ...]
    targets: tuple[int, ...]
    lost: tuple[tuple[int, str, str], ...]
    shared: bool = False

    def turned_away(self, node: str, reason: str) -> "Course":
        """Return the course when what arrives at *node*, its end, is dropped there."""
        return attrs.evolve(self, sink=self.slots, slots=self.slots + 1, lost=(*self.lost, (self.sink, node, reason)))


def trace(source: str, target: str, forward: Callable[[str], Forward], limit: Callable[[str], int | None] | None = None) -> Course:
    """Follow the packets from *source* until they reach *target*, are dropped, or have made 64 hops.

    *limit* returns the arc of the traffic class that packets go through on a node before they leave it.
    """
    steps: list[tuple[int, int, float, int]] = []
    lost: list[tuple[int, str, str]] = []
    sink = 0 if source == target else 1
    slots = sink + 1
    level = {} if source == target else {source: 0}
    for _ in range(TTL):
        following: dict[str, int] = {}
        for node, slot in level.items():
            ways = forward(node)
            if isinstance(ways, str):
                lost.append((slot, node, ways))
                continue
            if limit is not None and (narrow := limit(node)) is not None:
                steps.append((slot, narrow, 1.0, slots))
                slot, slots = slots, slots + 1  # they go on from behind the class
            for arc, share, neighbour in ways:
                if neighbour != target and neighbour not in following:
                    following[neighbour] = slots
                    slots += 1
                steps.append((slot, arc, share, sink if neighbour == target else following[neighbour]))
        level = following
    lost += [(slot, node, "ttl_exceeded") for node, slot in level.items()]
    origins, arcs, shares, targets = zip(*steps, strict=True) if steps else ((), (), (), ())
    return Course(slots=slots, sink=sink, origins=origins, arcs=arcs, shares=shares, targets=targets, lost=tuple(lost))
