"""Multicast in the simulator: `ip.mcast` rows copy the packets of a group at every node of the tree that is installed."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any

import attrs

from paranet.controller.simulator.forwarding import TTL, Address, Course
from paranet.models.device import Row

MCAST = "ip.mcast"


@attrs.frozen(kw_only=True)
class Branch:
    """What a node does with the packets of a group: the (neighbour, link) they come from (None: itself), and those they go to."""

    incoming: tuple[str, str] | None
    outgoing: tuple[tuple[str, str], ...]
    local: bool


def branch(row: Row) -> Branch:
    """Return what a row says. Raise ValueError with the reason when it cannot be read."""
    source, _, group = row.key.rpartition(",")
    if not ip_address(group).is_multicast:
        raise ValueError(f"{group} is no multicast address")
    if source != "*":
        ip_address(source)
    listed = row.value.get("outgoing", ())
    if not isinstance(listed, (list, tuple)):
        raise ValueError("outgoing must be a list")
    incoming: Any = row.value.get("incoming")
    return Branch(
        incoming=None if incoming is None else _way(incoming),
        outgoing=tuple(_way(way) for way in listed),
        local=row.value.get("local") is True,
    )


def _way(way: object) -> tuple[str, str]:
    if not isinstance(way, Mapping) or not isinstance(way.get("node"), str) or not isinstance(way.get("link"), str):
        raise ValueError("a way names its node and its link")
    return way["node"], way["link"]


class Groups:
    """One device's multicast routes. Rows that cannot be read do nothing."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._branches: dict[str, Branch] = {}
        for row in rows:
            if row.family == MCAST:
                try:
                    self._branches[row.key] = branch(row)
                except ValueError:
                    continue

    def lookup(self, source: Address, group: Address) -> Branch | None:
        """Return what is done with packets from *source* to *group*: the route of the source goes before that of all."""
        return self._branches.get(f"{source},{group}") or self._branches.get(f"*,{group}")


Way = tuple[int, str, str]
"""an arc, its link, and the neighbour at its end"""


@attrs.frozen(kw_only=True)
class Copies:
    """What a node does with a packet to a group: a copy along each way, those *lost* with the reason, and one *received* here."""

    ways: tuple[Way, ...] = ()
    lost: tuple[str, ...] = ()
    received: bool = False


def spread(
    source: str,
    target: str,
    copies: Callable[[str, tuple[str, str] | None], Copies],
    limit: Callable[[str], int | None] | None,
    *,
    shared: bool,
) -> Course:
    """Follow the packets to all members until they end or have made 64 hops; what arrives is what *target* receives.

    *copies* tells what becomes of those that came to a node from a (neighbour, link), *limit* is as of `trace`. A *shared*
    course goes along with packets that another one offers.
    """
    steps: list[tuple[int, int, float, int]] = []
    lost: list[tuple[int, str, str]] = []
    slots, sink = 2, 1
    level: list[tuple[str, tuple[str, str] | None, int]] = [(source, None, 0)]
    for _ in range(TTL):
        following: list[tuple[str, tuple[str, str] | None, int]] = []
        for node, came, slot in level:
            found = copies(node, came)
            if found.received and node == target and sink == 1:
                sink = slot
            lost += [(slot, node, reason) for reason in found.lost]
            behind = slot
            if found.ways and limit is not None and (narrow := limit(node)) is not None:
                steps.append((slot, narrow, 1.0, slots))
                behind, slots = slots, slots + 1
            for arc, link, neighbour in found.ways:
                steps.append((behind, arc, 1.0, slots))
                following.append((neighbour, (node, link), slots))
                slots += 1
        level = following
    lost += [(slot, node, "ttl_exceeded") for node, _, slot in level]
    origins, arcs, shares, targets = zip(*steps, strict=True) if steps else ((), (), (), ())
    return Course(slots=slots, sink=sink, origins=origins, arcs=arcs, shares=shares, targets=targets, lost=tuple(lost), shared=shared)
