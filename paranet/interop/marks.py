"""What files written here carry beside their format's own words, so that reading them gives back the very topology.

A file is marked with the demands, the network's properties and a version; a part carries its *residue*: the fields that come
out of the format's words otherwise than they are. All of it is called `paranet` and is plain JSON, or JSON text where a format
knows text only.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import attrs
import orjson

from paranet.codec import structure, unstructure
from paranet.interop.graph import Assembly, Sketch
from paranet.models.topology import Demand, Link, Node, Topology

T = TypeVar("T")
WORD = "paranet"
VERSION = 1
NODE_WORDS = frozenset(
    {"label", "name", "latitude", "lat", "longitude", "lon", "lng", "country", "region", "type", "kind", "internal", WORD}
)
LINK_WORDS = frozenset({"linkspeedraw", "linkspeed", "linkspeedunits", "bandwidth", "capacity", "linklabel", "label", "latency", "delay"})
LINK_WORDS |= {"cost", "weight", "id", WORD}


@attrs.frozen(kw_only=True)
class Mark:
    """What a marked file says of the network; *properties* only where the format's own words say less."""

    version: int
    demands: tuple[Demand, ...] = ()
    properties: Mapping[str, object] | None = None


def mark_of(value: object) -> Mark | None:
    """Return the mark that a file carries. Raise InvalidInput when it cannot be read."""
    return None if value is None else structure(_plain(value), Mark, path=WORD)


def mark(topology: Topology, said: Mapping[str, object]) -> dict[str, Any]:
    """Return the mark of a file whose own words say *said* of the network."""
    value: dict[str, Any] = {"version": VERSION}
    if topology.demands:
        value["demands"] = [unstructure(d) for d in topology.demands.values()]
    if topology.properties != said:
        value["properties"] = topology.properties
    return value


def read_as(text: str, cls: type[T]) -> T:
    """Return JSON text as *cls*. Raise InvalidInput."""
    return structure(_plain(text), cls, path=WORD)


def residue_of(value: object) -> Mapping[str, Any]:
    """Return the residue that a part carries."""
    plain = _plain(value)
    return plain if isinstance(plain, dict) else {}


def residues(sketch: Sketch, topology: Topology) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what *sketch*, which was drawn from *topology*, does not say of its nodes and its links, in their order."""
    nodes, links = Assembly(sketch).parts()
    return differences(nodes, list(topology.nodes.values())), differences(links, list(topology.links.values()))


def node_words(name: str, node: Node, reserved: Collection[str] = ()) -> dict[str, Any]:
    """Return what the format *name* says of a node in words that every reader here knows, and what it said before."""
    words: dict[str, Any] = {"label": node.name, "type": node.type}
    if node.location:
        words |= {"latitude": node.location.latitude, "longitude": node.location.longitude}
    if node.region is not None:
        words["region"] = node.region
    kept = _kept(name, node, NODE_WORDS | set(reserved))
    if "id" in kept:
        kept["data-id"] = kept.pop("id")
    return {**words, **kept}


def link_words(name: str, link: Link, reserved: Collection[str] = ()) -> dict[str, Any]:
    """Return the same of a link."""
    words = {"bandwidth": link.bandwidth, "latency": link.latency, "cost": link.cost}
    return {**words, **_kept(name, link, LINK_WORDS | set(reserved))}


def own_words(values: Mapping[str, object]) -> dict[str, object]:
    """Return the words of a marked file as they were: `id` is the format's own there, so a property of that name is `data-id`."""
    return {"id" if name == "data-id" else name: value for name, value in values.items()}


def _kept(name: str, part: Node | Link, reserved: Collection[str]) -> dict[str, Any]:
    own = part.properties.get(name)
    return {k: v for k, v in own.items() if k.lower() not in reserved} if isinstance(own, dict) else {}


def differences(said: Sequence[Node] | Sequence[Link], wanted: Sequence[Node] | Sequence[Link]) -> list[dict[str, Any]]:
    """Return for each part the fields that are *wanted* otherwise than *said*."""
    found: list[dict[str, Any]] = []
    for a, b in zip(said, wanted, strict=True):
        if a == b:
            found.append({})
            continue
        before, after = unstructure(a), unstructure(b)
        found.append({field: value for field, value in after.items() if before[field] != value})
    return found


def _plain(value: object) -> object:
    """Return JSON text as what it says; what is none stays."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
