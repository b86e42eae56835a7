"""ParaNet's own JSON and YAML: `{"nodes": [Node], "links": [Link], "demands": [Demand]}`, the shape of GET /api/v1/topology."""

from collections.abc import Collection, Mapping
from typing import Any

import attrs

from paranet.codec import structure, unstructure
from paranet.errors import Fault
from paranet.interop import json, yaml
from paranet.models.topology import Demand, Link, Node, Topology

VERSION = 1
Read = tuple[Topology, tuple[Fault, ...]]


@attrs.frozen(kw_only=True)
class _Document:
    """The file. *revision* and *name* say where it came from; they are read so that an answer of the hub can be sent back."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...] = ()
    demands: tuple[Demand, ...] = ()
    properties: Mapping[str, object] = attrs.field(factory=dict)
    version: int = VERSION
    revision: int | None = None
    name: str | None = None


def fits(value: Any) -> bool:
    """Tell whether a parsed file may be one."""
    return isinstance(value, dict) and "nodes" in value


def build(value: Any, beyond: Collection[str] = ()) -> Read:
    """Return the topology; this format gives no warnings. Raise InvalidInput or InvalidTopology with JSON paths."""
    document = structure(value, _Document)
    if document.version != VERSION:
        raise json.refusal("version", f"must be {VERSION}, not {document.version}")
    return Topology.of(document.nodes, document.links, document.demands, properties=document.properties, beyond=beyond), ()


def read(data: bytes) -> Read:
    """Return what a JSON file says."""
    return build(json.parse(data))


def plain(topology: Topology) -> dict[str, Any]:
    """Return every field of every part as plain JSON, in the topology's order."""
    parts = {"nodes": topology.nodes, "links": topology.links, "demands": topology.demands}
    value: dict[str, Any] = {name: [unstructure(part) for part in found.values()] for name, found in parts.items()}
    return value | ({"properties": unstructure(topology.properties)} if topology.properties else {})


def write(topology: Topology) -> bytes:
    """Return the JSON file."""
    return json.write(plain(topology))


def write_yaml(topology: Topology) -> bytes:
    """Return the YAML file, with the same fields."""
    return yaml.write(plain(topology))
