"""Containerlab topology files.

Source: https://containerlab.dev/manual/topo-def-file/ and its pages on nodes, links and kinds.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson

from paranet.interop import json, marks, yaml
from paranet.interop.attributes import Attributes
from paranet.interop.graph import Edge, Read, Sketch, Vertex, assemble
from paranet.models.topology import Topology

NAME = "containerlab"
_SWITCHES = frozenset({"bridge", "ovs-bridge"})
_ROUTERS = re.compile(r"frr|bird|quagga|vyos|gobgp|bgpd|exabgp|openbgpd|crpd|router|srlinux|ceos", re.IGNORECASE)
_NDN = re.compile(r"\bnfd|ndn", re.IGNORECASE)
_P4 = re.compile(r"bmv2|stratum|p4", re.IGNORECASE)
_OUTSIDE = {"host": "host", "mgmt-net": "switch", "macvlan": "host", "vxlan": "host", "vxlan-stitch": "host"}
"""what a link may end at besides a node, and which type of node stands for it here"""

_UNNAMED = ("name", marks.WORD)


def fits(value: Any) -> bool:
    """Tell whether a parsed file may be one."""
    return isinstance(value, dict) and isinstance(value.get("topology"), dict)


def build(value: Any, beyond: Collection[str] = ()) -> Read:
    """Return the topology and what was assumed. Raise InvalidInput or InvalidTopology with paths (`topology.links[2]`)."""
    return assemble(_sketch(json.document(value)), beyond)


def _sketch(document: Mapping[str, Any]) -> Sketch:
    topology = _mapping(document, "topology", "topology")
    nodes = _mapping(topology, "nodes", "topology.nodes")
    defaults = _mapping(topology, "defaults", "topology.defaults")
    labels = _mapping(defaults, "labels", "topology.defaults.labels")
    mark = marks.mark_of(labels.get(marks.WORD))
    said = {k: v for k, v in document.items() if k != "topology"} | {k: v for k, v in topology.items() if k not in ("nodes", "links")}
    if mark:
        labels = {k: v for k, v in labels.items() if k != marks.WORD}
        defaults = {k: v for k, v in defaults.items() if k != "labels"} | ({"labels": labels} if labels else {})
        said = {k: v for k, v in said.items() if k != "defaults" and (k, v) != _UNNAMED} | ({"defaults": defaults} if defaults else {})
    edges = list(_edges(topology))
    vertices = [_vertex(name, node, topology) for name, node in nodes.items()]
    return Sketch(
        name=NAME,
        vertices=[*vertices, *_outside(edges, nodes)],
        edges=edges,
        marked=mark is not None,
        properties=mark.properties if mark and mark.properties is not None else {NAME: said} if said else {},
        demands=mark.demands if mark else (),
    )


def _mapping(holder: Mapping[str, Any], name: str, path: str) -> dict[str, Any]:
    found = holder.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise json.refusal(path, "must be a mapping")
    return found


def _vertex(name: str, node: object, topology: Mapping[str, Any]) -> Vertex:
    place = f"topology.nodes.{name}"
    if not isinstance(node, (dict, type(None))):
        raise json.refusal(place, "must be a mapping")
    values = dict(node or {})
    residue, labels = _residue(values)
    values |= {"labels": labels} if labels else {}
    return Vertex(place=place, file_id=name, attributes=Attributes(values), fields={"type": _type(values, topology)}, residue=residue)


def _residue(values: dict[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Take the labels out of *values*; return the residue among them and the others."""
    labels = values.get("labels")
    if not isinstance(labels, dict):
        return {}, {}
    del values["labels"]
    return marks.residue_of(labels.get(marks.WORD)), {k: v for k, v in labels.items() if k != marks.WORD}


def _type(node: Mapping[str, Any], topology: Mapping[str, Any]) -> str:
    """Return the type that kind and image speak for, each looked up as containerlab does: node, group, kind, defaults."""
    group = _inner(topology, "groups", node.get("group"))
    defaults = topology.get("defaults") or {}
    kind = str(node.get("kind") or group.get("kind") or (defaults.get("kind") if isinstance(defaults, dict) else None) or "")
    image = str(node.get("image") or group.get("image") or _inner(topology, "kinds", kind).get("image") or "")
    if kind in _SWITCHES:
        return "switch"
    if _NDN.search(image):
        return "ndn_router"
    if _P4.search(image):
        return "p4_switch"
    return "host" if kind in ("linux", "host", "ext-container", "k8s-kind") and not _ROUTERS.search(image) else "router"


def _inner(topology: Mapping[str, Any], name: str, key: object) -> Mapping[str, Any]:
    holder = topology.get(name)
    found = holder.get(key) if isinstance(holder, dict) and isinstance(key, str) else None
    return found if isinstance(found, dict) else {}


def _edges(topology: Mapping[str, Any]) -> Iterator[Edge]:
    links = topology.get("links") or []
    if not isinstance(links, list):
        raise json.refusal("topology.links", "must be a list")
    for i, link in enumerate(links):
        place = f"topology.links[{i}]"
        if not isinstance(link, dict):
            raise json.refusal(place, "must be a mapping")
        values = dict(link)
        ends = _ends(values, place)
        residue, labels = _residue(values)
        values |= {"labels": labels} if labels else {}
        if values.get("type") == "veth":
            del values["type"]
        mtu = values.pop("mtu", None)
        if type(mtu) is not int and mtu is not None:
            raise json.refusal(f"{place}.mtu", "must be a whole number")
        yield Edge(
            place=place,
            source=ends[0][0],
            target=ends[1][0],
            ports=(ends[0][1], ends[1][1]),
            attributes=Attributes(values),
            fields={} if mtu is None else {"mtu": mtu},
            residue=residue,
        )


def _ends(link: dict[str, Any], place: str) -> list[tuple[str, str | None]]:
    """Take the two ends of a link out of it, however they are written; a typed link with one end leads outside."""
    kind = link.get("type")
    listed = link.pop("endpoints", None)
    if listed is None and kind in _OUTSIDE:
        inner = _end(link.pop("endpoint", None), f"{place}.endpoint", link, 0)
        port = link.get("host-interface")
        name = f"{kind}:{link.get('remote', port)}" if kind not in ("host", "mgmt-net") else str(kind)
        return [inner, (name, str(port) if port else None)]
    if not isinstance(listed, list) or len(listed) != 2:
        raise json.refusal(f"{place}.endpoints", "a link has two endpoints")
    return [_end(item, f"{place}.endpoints[{i}]", link, i) for i, item in enumerate(listed)]


def _end(item: object, place: str, link: dict[str, Any], number: int) -> tuple[str, str | None]:
    """Return node and interface; what else an endpoint says is kept with the link."""
    if isinstance(item, str):
        node, colon, interface = item.partition(":")
        if colon and node and interface:
            return (f"{node}:{interface}", interface) if node == "macvlan" else (node, interface)
    elif isinstance(item, dict) and isinstance(item.get("node"), str):
        rest = {k: v for k, v in item.items() if k not in ("node", "interface")}
        if rest:
            link[f"endpoint-{number + 1}"] = rest
        return item["node"], str(item["interface"]) if item.get("interface") else None
    raise json.refusal(place, 'an endpoint is "node:interface" or has a node and an interface')


def _outside(edges: list[Edge], nodes: Mapping[str, Any]) -> Iterator[Vertex]:
    """Yield what stands for the things outside the lab that links lead to."""
    ends = dict.fromkeys(end for edge in edges for end in (edge.source, edge.target) if end not in nodes)
    for name in ends:
        if kind := _OUTSIDE.get(name.partition(":")[0]):
            yield Vertex(place="topology.links", file_id=name, attributes=Attributes({"outside": True}), fields={"type": kind})


def write(topology: Topology) -> bytes:
    """Return the file; nodes that it said no kind of are `linux`. What containerlab has no word for is in labels, as JSON."""
    own = topology.properties.get(NAME)
    said = {k: v for k, v in own.items() if k != "topology" and (k, v) != _UNNAMED} if isinstance(own, dict) else {}
    nodes = {n.id: _words(n.properties, ("labels",)) or {"kind": "linux"} for n in topology.nodes.values()}
    links = []
    for link in topology.links.values():
        ends = [{"node": e.node} | ({"interface": e.interface} if e.interface else {}) for e in (link.source, link.target)]
        words = _words(link.properties, ("labels", "endpoints", "endpoint", "mtu", "type", "endpoint-1", "endpoint-2"))
        links.append({"type": "veth", "endpoints": ends, **({"mtu": link.mtu} if link.mtu != 1500 else {}), **words})
    defaults = said.get("defaults")
    kept = defaults if isinstance(defaults, dict) and not isinstance(defaults.get("labels"), dict) else {}
    mark = _text(marks.mark(topology, {NAME: said} if said else {}))
    inner = {k: v for k, v in said.items() if k in ("kinds", "groups")}
    outer = {k: v for k, v in said.items() if k not in ("kinds", "groups", "defaults")}
    body = {**inner, "defaults": {**kept, "labels": {marks.WORD: mark}}, "nodes": nodes, "links": links}
    document = {"name": outer.pop("name", marks.WORD), **outer, "topology": body}
    for drawn, residues in zip((list(nodes.values()), links), marks.residues(_sketch(document), topology), strict=True):
        for item, residue in zip(drawn, residues, strict=True):
            if residue:
                item["labels"] = {marks.WORD: _text(residue)}
    return yaml.write(document)


def _words(properties: Mapping[str, object], reserved: Collection[str]) -> dict[str, Any]:
    own = properties.get(NAME)
    return {k: v for k, v in own.items() if k not in reserved} if isinstance(own, dict) else {}


def _text(value: object) -> str:
    return orjson.dumps(value).decode()
