"""GeoJSON (RFC 7946): a map of the network for GIS tools. Written only."""

from typing import Any

from paranet.codec import unstructure
from paranet.interop import json
from paranet.models.topology import Location, Topology


def write(topology: Topology) -> bytes:
    """Return a feature collection: a point a node, a line a link; what has no location has no geometry."""
    features = []
    for node in topology.nodes.values():
        point = {"type": "Point", "coordinates": _position(node.location)} if node.location else None
        features.append(_feature("node", point, unstructure(node)))
    for link in topology.links.values():
        ends = [topology.nodes[end.node].location for end in (link.source, link.target)]
        features.append(_feature("link", _line([end for end in ends if end]), unstructure(link)))
    return json.write({"type": "FeatureCollection", "features": features})


def _feature(kind: str, geometry: dict[str, Any] | None, fields: dict[str, Any]) -> dict[str, Any]:
    shown = {k: v for k, v in fields.items() if k not in ("id", "location", "display")}
    return {
        "type": "Feature",
        "id": f"{kind}/{fields['id']}",
        "geometry": geometry,
        "properties": {"kind": kind, "id": fields["id"], **shown},
    }


def _line(ends: list[Location]) -> dict[str, Any] | None:
    """Return the line between two ends, cut at the antimeridian where that is the short way (RFC 7946, 3.1.9)."""
    if len(ends) < 2:
        return None
    here, there = ends
    if abs(here.longitude - there.longitude) <= 180:
        return {"type": "LineString", "coordinates": [_position(here), _position(there)]}
    edge = 180.0 if here.longitude > 0 else -180.0
    beyond = there.longitude + 2 * edge
    span = beyond - here.longitude
    latitude = here.latitude + (there.latitude - here.latitude) * ((edge - here.longitude) / span if span else 0.5)
    lines = [[_position(here), [edge, latitude]], [[-edge, latitude], _position(there)]]
    return {"type": "MultiLineString", "coordinates": lines}


def _position(location: Location) -> list[float]:
    return [location.longitude, location.latitude, *([location.altitude] if location.altitude is not None else [])]
