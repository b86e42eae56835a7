"""GEO: polygons are polygons, every packet gets nearer to its region or leaves a dead end for good, and is delivered inside."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from paranet.errors import BadField
from paranet.models.device import Row
from paranet.models.geometry import Polygon, distance_to, simple
from paranet.models.intent import RegionPromise
from paranet.models.topology import Location, Topology
from paranet.verifier.circles import circles, turned
from paranet.verifier.forwarding import Links, named_hops
from paranet.verifier.report import Findings, Step

POSITION, REGION, FORWARD = "geo.position", "geo.region", "geo.forward"
FAMILIES = (POSITION, REGION, FORWARD)


@attrs.frozen
class Onward:
    """What a node does with packets for a region."""

    step: Step
    mode: str
    hops: tuple[str, ...]
    faults: tuple[str, ...]


class GeoCheck:
    """Checks the GEO rows of all nodes against *promises*."""

    def __init__(self, topology: Topology, links: Links, promises: Sequence[RegionPromise]) -> None:
        self._topology = topology
        self._links = links
        self._promises = promises

    def __call__(self, rows: Mapping[str, list[Row]], findings: Findings) -> None:
        self._places = {node: self._place(node, found) for node, found in rows.items()}
        self._polygons: dict[str, dict[str, Polygon]] = {}
        self._onward: dict[str, dict[str, Onward]] = {}
        for node, found in rows.items():
            for row in found:
                if row.family == REGION:
                    self._polygon(node, row, findings)
                elif row.family == FORWARD:
                    self._onward.setdefault(row.key, {})[node] = self._read(node, row)
        for region, onward in sorted(self._onward.items()):
            self._loops(region, onward, findings)
            for node in onward:
                self._step(region, node, findings)
        for promise in self._promises:
            self._promise(promise, findings)

    def _place(self, node: str, rows: list[Row]) -> Location | None:
        """Return where the node says it is, else where the topology says so."""
        row = next((r for r in rows if r.family == POSITION), None)
        described = self._topology.nodes.get(node)
        if row is None:
            return described.location if described else None
        value: Mapping[str, Any] = row.value
        try:
            return Location(latitude=float(value["latitude"]), longitude=float(value["longitude"]))
        except (KeyError, TypeError, ValueError, BadField):
            return None

    def _polygon(self, node: str, row: Row, findings: Findings) -> None:
        findings.count("polygon")
        polygon = _corners(row.value.get("polygon"))
        if polygon is not None and simple(polygon):
            self._polygons.setdefault(node, {})[row.key] = polygon
            return
        reason = "its corners are no places" if polygon is None else "it has no area or its sides meet"
        message = f"region {row.key!r} on {node!r} is no polygon: {reason}"
        findings.violate("polygon", message, header={"region": row.key}, hops=(node,), steps=[Step.of(node, row)])

    def _read(self, node: str, row: Row) -> Onward:
        hops, faults = [], []
        for neighbour, link in named_hops(row.value):
            if obstacle := self._links.obstacle(node, neighbour, link):
                faults.append(f"{node!r} sends packets for {row.key!r} to {neighbour!r}, but {obstacle}")
            else:
                hops.append(neighbour)
        return Onward(Step.of(node, row), str(row.value.get("mode")), tuple(hops), tuple(faults))

    def _loops(self, region: str, onward: Mapping[str, Onward], findings: Findings) -> None:
        findings.count("loop")
        for ring in circles(sorted(onward), lambda node: onward[node].hops if node in onward else ()):
            nodes = turned(ring)
            message = f"packets for region {region!r} circle: {' > '.join((*nodes, nodes[0]))}"
            steps = [onward[node].step for node in nodes]
            findings.violate("loop", message, header={"region": region}, hops=(*nodes, nodes[0]), steps=steps)

    def _step(self, region: str, node: str, findings: Findings) -> None:
        """Judge what one node does: deliver inside, go nearer, or lead out of a dead end."""
        findings.count("progress")
        onward, here = self._onward[region][node], self._far(node, region, node)
        if here is None:
            self._violate(region, f"{node!r} does not know where it is, or where region {region!r} is", (node,), findings)
        elif onward.mode == "deliver":
            if here:
                self._violate(
                    region, f"{node!r} delivers packets for region {region!r}, but is {here:.0f} m away from it", (node,), findings
                )
        elif onward.faults or not onward.hops:
            words = onward.faults[0] if onward.faults else f"{node!r} has no next hop for region {region!r}"
            self._violate(region, words, (node,), findings)
        else:
            for neighbour in onward.hops:
                self._nearer(region, node, neighbour, here, findings)

    def _nearer(self, region: str, node: str, neighbour: str, here: float, findings: Findings) -> None:
        """Follow the packets of a node until they are nearer than it is: at once when it is greedy."""
        way, greedy = [node, neighbour], self._onward[region][node].mode == "greedy"
        while True:
            at = way[-1]
            there = self._far(at, region, node)
            if there is None or at not in self._onward[region]:
                words = f"{way[-2]!r} sends packets for region {region!r} to {at!r}, which does not know what to do with them"
                return self._violate(region, words, way, findings)
            if there < here or there == 0.0:
                return None
            if greedy:
                words = f"{node!r} forwards greedily to {at!r}, which is no nearer to region {region!r}: {there:.0f} m, not {here:.0f} m"
                return self._violate(region, words, way, findings)
            following = self._onward[region][at].hops[:1]
            if not following or following[0] in way:
                words = f"packets for region {region!r} that {node!r} leads around never get nearer"
                return self._violate(region, words, [*way, *following], findings)
            way.append(following[0])

    def _far(self, node: str, region: str, knower: str) -> float | None:
        """Return how far *node* is from the region as *knower* knows it."""
        place, polygon = self._places.get(node), self._polygons.get(knower, {}).get(region)
        return None if place is None or polygon is None else distance_to(place, polygon)

    def _promise(self, promise: RegionPromise, findings: Findings) -> None:
        """Follow the packets from the source until they are delivered inside."""
        findings.count("region")
        onward = self._onward.get(promise.region, {})
        way = [promise.source]
        while (at := onward.get(way[-1])) and at.mode != "deliver" and at.hops and at.hops[0] not in way:
            way.append(at.hops[0])
        for node in promise.avoid:
            if node in way:
                message = f"packets of {promise.intent!r} for region {promise.region!r} pass {node!r}, which they must avoid"
                self._violate(promise.region, message, way, findings, check="avoidance", intents=(promise.intent,))
        last = onward.get(way[-1])
        if last is None or last.mode != "deliver" or self._far(way[-1], promise.region, way[-1]) != 0.0:
            message = f"packets of {promise.intent!r} for region {promise.region!r} are not delivered inside it: they end at {way[-1]!r}"
            self._violate(promise.region, message, way, findings, check="region", intents=(promise.intent,))

    def _violate(
        self,
        region: str,
        message: str,
        way: Sequence[str],
        findings: Findings,
        *,
        check: str = "progress",
        intents: Iterable[str] = (),
    ) -> None:
        onward = self._onward.get(region, {})
        steps = [onward[node].step for node in way if node in onward]
        findings.violate(check, message, header={"region": region}, hops=way, steps=steps, intents=intents)


def _corners(value: object) -> Polygon | None:
    """Return a row's polygon, None where its corners are no places on Earth."""
    if not isinstance(value, (list, tuple)):
        return None
    corners = []
    for corner in value:
        try:
            latitude, longitude = corner
            place = Location(latitude=float(latitude), longitude=float(longitude))
        except (TypeError, ValueError, BadField):
            return None
        corners.append((place.latitude, place.longitude))
    return corners
