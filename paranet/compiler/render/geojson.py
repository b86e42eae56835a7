"""GeoJSON (RFC 7946): devices, regions, next hops and paths for a map. Coordinates are [longitude, latitude]."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from paranet.models.device import Row
from paranet.models.intent import Path
from paranet.models.topology import Location, Node, Topology


def geojson(node: Node, rows: Sequence[Row], topology: Topology) -> str:
    features = [f for row in rows if (f := _feature(node, row, topology))]
    if not features:
        return ""
    found = {"type": "FeatureCollection", "features": features}
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _feature(node: Node, row: Row, topology: Topology) -> dict[str, Any] | None:
    value: Mapping[str, Any] = row.value
    if row.family == "geo.position":
        point = [value["longitude"], value["latitude"], *([value["altitude"]] if "altitude" in value else [])]
        return _made("Point", point, {"node": node.id, "range": value.get("range")})
    if row.family == "geo.region":
        ring = [[longitude, latitude] for latitude, longitude in value["polygon"]]
        if sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)) < 0:
            ring.reverse()  # the RFC wants the outer ring counterclockwise
        return _made("Polygon", [[*ring, ring[0]]], {"region": row.key})
    if row.family == "geo.forward" and value["next_hops"] and node.location:
        far = topology.nodes.get(value["next_hops"][0]["node"])
        if far and far.location:
            line = [_point(node.location), _point(far.location)]
            return _made("LineString", line, {"node": node.id, "region": row.key, "mode": value["mode"], "next_hop": far.id})
    return None


def path_collection(paths: Iterable[Path], topology: Topology) -> dict[str, Any]:
    """Return a line a path, over those of its nodes that have a location; paths with fewer than two of these are left out."""
    features = []
    for path in paths:
        placed = [n.location for h in path.hops if (n := topology.nodes.get(h)) and n.location]
        if len(placed) > 1:
            about = {
                "intent": path.intent,
                "modality": str(path.modality.value),
                "hops": list(path.hops),
                "latency": path.latency,
                "bandwidth": path.bandwidth,
                "backup": path.backup,
            }
            features.append(_made("LineString", [_point(p) for p in placed], about))
    return {"type": "FeatureCollection", "features": features}


def _point(place: Location) -> list[float]:
    return [place.longitude, place.latitude]


def _made(kind: str, coordinates: object, about: Mapping[str, object]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": dict(about)}
