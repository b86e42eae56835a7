"""NetJSON NetworkGraph: what community networks' routing daemons and collectors speak.

Source: http://netjson.org/rfc.html, "NetworkGraph".
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import ip_interface
from typing import Any

from paranet.interop import json, marks
from paranet.interop.attributes import Attributes
from paranet.interop.graph import Edge, Read, Sketch, Vertex, assemble
from paranet.interop.node_link import end, objects
from paranet.models.topology import Interface, Node, Topology

NAME = "netjson"
_HEAD = ("protocol", "version", "metric")
"""members that the specification asks for; a file written here fills them in where nothing is known"""


def fits(value: Any) -> bool:
    """Tell whether a parsed file may be one."""
    return isinstance(value, dict) and value.get("type") == "NetworkGraph"


def build(value: Any, beyond: Collection[str] = ()) -> Read:
    """Return the topology and what was assumed. Raise InvalidInput or InvalidTopology with JSON paths (`nodes[3]`, `links[7]`)."""
    return assemble(_sketch(json.document(value)), beyond)


def _sketch(document: Mapping[str, Any]) -> Sketch:
    if document.get("type") != "NetworkGraph":
        raise json.refusal("type", "must be NetworkGraph")
    mark = marks.mark_of(document.get(marks.WORD))
    said = {k: v for k, v in document.items() if k not in ("type", "nodes", "links", marks.WORD)}
    if mark:
        said = {k: v for k, v in said.items() if v is not None}
    return Sketch(
        name=NAME,
        vertices=list(_vertices(objects(document, "nodes"), exact=mark is not None)),
        edges=list(_edges(objects(document, "links"), exact=mark is not None)),
        slugs=mark is None,
        marked=mark is not None,
        properties=mark.properties if mark and mark.properties is not None else {NAME: said} if said else {},
        demands=mark.demands if mark else (),
    )


def _flat(item: Mapping[str, Any], place: str, reserved: Iterable[str]) -> dict[str, Any]:
    """Return the members of *item* and those of its `properties` as one; the latter give way."""
    inner = item.get("properties", {})
    if not isinstance(inner, dict):
        raise json.refusal(f"{place}.properties", "must be an object")
    return inner | {k: v for k, v in item.items() if k not in (*reserved, "properties")}


def _vertices(nodes: list[dict[str, Any]], *, exact: bool) -> Iterator[Vertex]:
    for i, node in enumerate(nodes):
        place = f"nodes[{i}]"
        file_id = end(node, place, "id")
        values = _flat(node, place, ("id",))
        residue = marks.residue_of(values.pop(marks.WORD, None)) if exact else {}
        listed = values.get("local_addresses")
        addresses = [a for a in [file_id, *(listed if isinstance(listed, list) else ())] if _is_address(a)]
        if isinstance(listed, list) and all(_is_address(a) for a in listed):
            values.pop("local_addresses")
        yield Vertex(
            place=place,
            file_id=file_id,
            attributes=Attributes(marks.own_words(values) if exact else values),
            fields={"interfaces": (Interface(name="lo", address=addresses[0], secondary=tuple(addresses[1:])),)} if addresses else {},
            residue=residue,
        )


def _is_address(value: object) -> bool:
    try:
        ip_interface(value)  # type: ignore[arg-type]  # what is no address is refused
    except ValueError:
        return False
    return isinstance(value, str)


def _edges(links: list[dict[str, Any]], *, exact: bool) -> Iterator[Edge]:
    for i, link in enumerate(links):
        place = f"links[{i}]"
        values = _flat(link, place, ("source", "target"))
        residue = marks.residue_of(values.pop(marks.WORD, None)) if exact else {}
        yield Edge(
            place=place,
            source=end(link, place, "source"),
            target=end(link, place, "target"),
            attributes=Attributes(values),
            residue=residue,
        )


def write(topology: Topology) -> bytes:
    """Return the file; what NetJSON has no word for lies under `properties.paranet` of the node or link, and under `paranet`."""
    own = topology.properties.get(NAME)
    heads = own.items() if isinstance(own, dict) else ()
    said = {k: v for k, v in heads if k not in ("type", "nodes", "links", marks.WORD) and v is not None}
    nodes = [_node(node) for node in topology.nodes.values()]
    links = []
    for link in topology.links.values():
        words = marks.link_words(NAME, link, ("source", "target", "properties"))
        cost = words.pop("cost")
        links.append({"source": link.source.node, "target": link.target.node, "cost": cost, "properties": {"id": link.id, **words}})
    mark = marks.mark(topology, {NAME: said} if said else {})
    document = {"type": "NetworkGraph", **dict.fromkeys(_HEAD), **said, "nodes": nodes, "links": links, marks.WORD: mark}
    for drawn, residues in zip((nodes, links), marks.residues(_sketch(document), topology), strict=True):
        for item, residue in zip(drawn, residues, strict=True):
            if residue:
                item["properties"][marks.WORD] = residue
    return json.write(document)


def _node(node: Node) -> dict[str, Any]:
    words = marks.node_words(NAME, node, ("id", "local_addresses", "properties"))
    addresses = [a for i in node.interfaces for a in ((i.address, *i.secondary) if i.address else i.secondary) if a != node.id]
    return {"id": node.id, "label": words.pop("label"), "local_addresses": addresses, "properties": words}
