"""Forwarding by place in the simulator: `geo.region` and `geo.forward` rows, and nodes that move."""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any
from zlib import crc32

from paranet.models.device import Row
from paranet.models.topology import Link, Location, Node, Topology

REGION, FORWARD, POSITION = "geo.region", "geo.forward", "geo.position"
MOBILE = "geo_mobile"
LAP = 600.0
"""seconds that a mobile node takes for its round"""
ROUND = 2_000.0
"""metres from its home to the rim of a mobile node's round, unless its property `roam` says otherwise"""
RANGE = 10_000.0
"""metres that a mobile node's radio reaches, unless its property `range` says otherwise"""
_DEGREE = 111_195.0  # metres, of latitude


def polygon(row: Row) -> tuple[tuple[float, float], ...]:
    """Return a region's corners. Raise ValueError with the reason when they cannot be read."""
    corners: Any = row.value.get("polygon")
    try:
        found = tuple((float(latitude), float(longitude)) for latitude, longitude in corners)
    except (TypeError, ValueError):
        raise ValueError("polygon must be a list of [latitude, longitude]") from None
    if len(found) < 3:
        raise ValueError("a polygon has three corners at least")
    return found


def contains(corners: Iterable[tuple[float, float]], place: Location) -> bool:
    """Tell whether *place* lies in the polygon (even-odd rule)."""
    ring = list(corners)
    odd = False
    for (ay, ax), (by, bx) in pairwise([*ring, ring[0]]):
        if (ay > place.latitude) != (by > place.latitude):
            odd ^= place.longitude < (bx - ax) * (place.latitude - ay) / (by - ay) + ax
    return odd


class Regions:
    """One device's forwarding by place. Rows that cannot be read forward nothing."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._polygons: dict[str, tuple[tuple[float, float], ...]] = {}
        self._forwards: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            if row.family == REGION:
                try:
                    self._polygons[row.key] = polygon(row)
                except ValueError:
                    continue
            elif row.family == FORWARD:
                self._forwards[row.key] = row.value

    def lookup(self, place: Location) -> tuple[str, tuple[tuple[str, str], ...]] | None:
        """Return (mode, (node, link) pairs) for packets to a place: what the row of its region says, None outside of all."""
        for region, corners in sorted(self._polygons.items()):
            if region in self._forwards and contains(corners, place):
                value = self._forwards[region]
                hops = [h for h in value.get("next_hops", ()) if isinstance(h, Mapping)]
                return str(value.get("mode")), tuple((str(h.get("node")), str(h.get("link"))) for h in hops)
        return None


def moves(node: Node) -> bool:
    """Tell whether a node goes about."""
    return node.type == MOBILE and node.location is not None


def position(node: Node, at: float, seed: int) -> Location | None:
    """Return where a node is at a time (s): a mobile one on its round about home, which begins at a place that the seed knows."""
    home = node.location
    if home is None or not moves(node):
        return home
    angle = 2 * math.pi * (at / LAP + crc32(f"{seed}/{node.id}".encode()) / 2**32)
    metres = _figure(node, "roam", ROUND)
    east = metres * math.sin(angle) / (_DEGREE * max(0.01, math.cos(math.radians(home.latitude))))
    latitude = max(-90.0, min(90.0, home.latitude + metres * math.cos(angle) / _DEGREE))
    return Location(latitude=latitude, longitude=(home.longitude + east + 180) % 360 - 180, altitude=home.altitude)


def out_of_range(topology: Topology, at: float, seed: int) -> frozenset[str]:
    """Return the links of mobile nodes that are longer now than the radio reaches."""
    return frozenset(link.id for link in topology.links.values() if _too_long(link, topology, at, seed))


def _too_long(link: Link, topology: Topology, at: float, seed: int) -> bool:
    ends = topology.nodes[link.source.node], topology.nodes[link.target.node]
    if not any(moves(node) for node in ends):
        return False
    here, there = (position(node, at, seed) for node in ends)
    if here is None or there is None:
        return False
    return here.distance(there) > min(_figure(node, "range", RANGE) for node in ends if moves(node))


def _figure(node: Node, name: str, default: float) -> float:
    value = node.properties.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else default
