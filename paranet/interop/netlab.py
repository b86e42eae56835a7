"""netlab (netsim-tools) topology files.

Source: https://netlab.tools/topology-reference/, and its pages on nodes, links and addressing.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import ip_interface
from typing import Any

import attrs

from paranet.interop import json, marks, yaml
from paranet.interop.attributes import Attributes
from paranet.interop.graph import Edge, Read, Sketch, Vertex, assemble
from paranet.interop.naming import Ids, slug
from paranet.models.topology import Interface, Topology

NAME = "netlab"
_HOSTS = frozenset({"linux", "none"})
_ROLES = {"host": "host", "bridge": "switch", "router": "router"}
_EXTENSION = {"global": {marks.WORD: "dict"}, "node": {marks.WORD: "dict"}, "link": {marks.WORD: "dict"}}
"""netlab's `defaults.attributes`, which makes it accept our own attribute"""


def fits(value: Any) -> bool:
    """Tell whether a parsed file may be one: nodes are a mapping or a list of names, unlike anywhere else."""
    if not isinstance(value, dict):
        return False
    nodes, links = value.get("nodes"), value.get("links")
    named = isinstance(nodes, dict) or (isinstance(nodes, list) and bool(nodes) and all(_is_netlab(n) for n in nodes))
    return named or (nodes is None and isinstance(links, list))


def _is_netlab(node: object) -> bool:
    return isinstance(node, str) or (isinstance(node, dict) and "name" in node and not isinstance(node.get("id"), str))


def build(value: Any, beyond: Collection[str] = ()) -> Read:
    """Return the topology and what was assumed. Raise InvalidInput or InvalidTopology with paths (`links[2].r1`)."""
    return assemble(_sketch(json.document(value)), beyond)


def _sketch(document: Mapping[str, Any]) -> Sketch:
    mark = marks.mark_of(document.get(marks.WORD))
    said = {k: v for k, v in document.items() if k not in ("nodes", "links", marks.WORD)}
    if mark and said.get("defaults") == {"attributes": _EXTENSION}:
        said.pop("defaults")
    nodes = dict(_nodes(document.get("nodes")))
    links = _Links(set(nodes), exact=mark is not None)
    for i, link in enumerate(_listed(document.get("links"), "links")):
        links.add(f"links[{i}]", link)
    device = _dotted(document, "defaults.device")
    vertices = [_vertex(name, node, device, links.interfaces.get(name, {})) for name, node in nodes.items()]
    return Sketch(
        name=NAME,
        vertices=[*vertices, *links.segments],
        edges=links.edges,
        marked=mark is not None,
        properties=mark.properties if mark and mark.properties is not None else {NAME: said} if said else {},
        demands=mark.demands if mark else (),
    )


def _dotted(values: Mapping[str, Any], name: str) -> object:
    """Return what *values* say under a name with dots, written flat or nested."""
    if name in values:
        return values[name]
    head, dot, rest = name.partition(".")
    inner = values.get(head)
    return _dotted(inner, rest) if dot and isinstance(inner, dict) else None


def _listed(value: object, path: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, dict):  # links by name
        return [{"name": k, **v} if isinstance(v, dict) else v for k, v in value.items()]
    if not isinstance(value, list):
        raise json.refusal(path, "must be a list or a mapping")
    return value


def _nodes(value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the nodes, written as a mapping, a list of names or a list of mappings."""
    items = value.items() if isinstance(value, dict) else [(None, item) for item in _listed(value, "nodes")]
    for i, (key, item) in enumerate(items):
        path = f"nodes[{i}]" if key is None else f"nodes.{key}"
        if key is None and isinstance(item, str):
            yield item, {}
        elif isinstance(item, dict) or (item is None and key is not None):
            values = dict(item or {})
            name = key if key is not None else values.pop("name", None)
            if not isinstance(name, str):
                raise json.refusal(path, "has no name")
            yield name, values
        else:
            raise json.refusal(path, "must be a name or a mapping")


def _vertex(name: str, values: dict[str, Any], device: object, interfaces: Mapping[str, Interface]) -> Vertex:
    residue = marks.residue_of(values.pop(marks.WORD, None))
    own = values.get("device", device)
    role = values.get("role")
    kind = _ROLES.get(role) if isinstance(role, str) else None
    loopback = _address([_dotted(values, "loopback.ipv4"), _dotted(values, "loopback.ipv6")], None)
    ports = ((Interface(name="lo", address=loopback[0], secondary=loopback[1:]),) if loopback else ()) + tuple(interfaces.values())
    fields = {"type": kind or ("host" if own in _HOSTS else "router"), "interfaces": ports}
    return Vertex(place=f"nodes.{name}", file_id=name, attributes=Attributes(values), fields=fields, residue=residue)


def _address(found: Iterable[object], prefix: object) -> tuple[str, ...]:
    """Return those that are full addresses; one without length takes that of the link's prefix."""
    lengths = prefix if isinstance(prefix, dict) else {"ipv4": prefix}
    addresses = []
    for family, value in zip(("ipv4", "ipv6"), found, strict=True):
        if not isinstance(value, str) or not ("." in value or ":" in value):
            continue
        length = str(lengths.get(family, "")).partition("/")[2]
        text = value if "/" in value or not length else f"{value}/{length}"
        try:
            ip_interface(text)
        except ValueError:
            continue
        addresses.append(text)
    return tuple(addresses)


class _Links:
    """The links of a file, each of which becomes an edge, or a segment with an edge to every node on it."""

    def __init__(self, nodes: Collection[str], *, exact: bool) -> None:
        self._nodes = nodes
        self._exact = exact
        self._counters: dict[str, Iterator[int]] = {}
        self._segments = 0
        self._ids = Ids()
        for node in nodes:
            self._ids.take(node)
        self.interfaces: dict[str, dict[str, Interface]] = {}
        self.segments: list[Vertex] = []
        self.edges: list[Edge] = []

    def add(self, place: str, link: object) -> None:
        """Take one link, whichever way it is written. Raise InvalidInput."""
        ends, values = self._read(place, link)
        if "group" in values and isinstance(values.get("members"), list):
            for i, member in enumerate(values.pop("members")):
                self.add(f"{place}.members[{i}]", member if not isinstance(member, dict) else {**values, **member})
            return
        ports = [self._port(name, inner, values) for name, inner in ends]
        if len(ends) == 2 and values.get("type", "p2p") in ("p2p", "lan", "tunnel", "vlan_member"):
            self._join(place, ends, ports, values)
        else:
            self._segment(place, ends, ports, values)

    def _read(self, place: str, link: object) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]:
        """Return the ends, each with its own attributes, and the attributes of the link."""
        if isinstance(link, str):
            return [(name, {}) for name in self._split(link)], {}
        if isinstance(link, list):
            return [self._end(f"{place}[{i}]", item) for i, item in enumerate(link)], {}
        if not isinstance(link, dict):
            raise json.refusal(place, "must be a-b, a list of nodes or a mapping")
        if "interfaces" in link:
            listed = _listed(link["interfaces"], f"{place}.interfaces")
            ends = [self._end(f"{place}.interfaces[{i}]", item) for i, item in enumerate(listed)]
            return ends, {k: v for k, v in link.items() if k != "interfaces"}
        inner = [(k, v) for k, v in link.items() if k in self._nodes]
        bad = next((k for k, v in inner if not isinstance(v, (dict, type(None)))), None)
        if bad is not None:
            raise json.refusal(f"{place}.{bad}", "must be a mapping or empty")
        if not inner and "group" not in link:
            raise json.refusal(place, "names no node of this file")
        return [(k, dict(v or {})) for k, v in inner], {k: v for k, v in link.items() if k not in self._nodes}

    def _split(self, text: str) -> list[str]:
        """Return the names of `a-b-c`; names may hold hyphens themselves, so the longest that is a node counts."""
        names, rest = [], text.split("-")
        while rest:
            taken = next((n for n in range(len(rest), 0, -1) if "-".join(rest[:n]) in self._nodes), 1)
            names.append("-".join(rest[:taken]))
            rest = rest[taken:]
        return names

    def _end(self, place: str, item: object) -> tuple[str, dict[str, Any]]:
        if isinstance(item, str):
            return item, {}
        if isinstance(item, dict) and isinstance(item.get("node"), str):
            return item["node"], {k: v for k, v in item.items() if k != "node"}
        raise json.refusal(place, "must be a node or a mapping with one")

    def _port(self, node: str, values: Mapping[str, Any], link: Mapping[str, Any]) -> str | None:
        """Return the interface that a link takes at *node*, and remember its addresses."""
        name = values.get("ifname")
        if self._exact and name is None:
            return None
        counter = self._counters.setdefault(node, itertools.count(1))
        known = self.interfaces.setdefault(node, {})
        port = str(name)[:256] if name else next(p for p in (f"eth{n}" for n in counter) if p not in known)
        address = _address([values.get("ipv4"), values.get("ipv6")], link.get("prefix"))
        known[port] = Interface(name=port, address=address[0] if address else None, secondary=address[1:])
        return port

    def _join(self, place: str, ends: list[tuple[str, dict[str, Any]]], ports: list[str | None], values: dict[str, Any]) -> None:
        kept = values | {f"end-{i}": inner for i, (_, inner) in enumerate(ends, 1) if inner and inner.keys() != {"ifname"}}
        residue = marks.residue_of(kept.pop(marks.WORD, None))
        fields = _figures(place, kept)
        edge = Edge(place=place, source=ends[0][0], target=ends[1][0], attributes=Attributes(kept), fields=fields, residue=residue)
        self.edges.append(attrs.evolve(edge, ports=(ports[0], ports[1])))

    def _segment(self, place: str, ends: list[tuple[str, dict[str, Any]]], ports: list[str | None], values: dict[str, Any]) -> None:
        """Add a switch for a LAN of one, three or more nodes, and an edge from each of them to it."""
        self._segments += 1
        name = self._ids.take(slug(str(values.get("name") or "")) or f"lan-{self._segments}")
        words = {"label": values.pop("name")} | values if "name" in values else dict(values)
        self.segments.append(Vertex(place=place, file_id=name, attributes=Attributes(words), fields={"type": "switch"}))
        for (node, inner), port in zip(ends, ports, strict=True):
            kept = {k: v for k, v in values.items() if k in ("bandwidth", "mtu", "cost")} | inner
            fields = _figures(place, kept)
            self.edges.append(Edge(place=place, source=node, target=name, ports=(port, None), attributes=Attributes(kept), fields=fields))


def _figures(place: str, values: dict[str, Any]) -> dict[str, Any]:
    """Take what netlab says in units of its own: bandwidth in kbit/s, MTU in bytes."""
    fields: dict[str, Any] = {}
    for name, factor in (("bandwidth", 1000), ("mtu", 1)):
        value = values.pop(name, None)
        if value is None:
            continue
        if type(value) not in (int, float):
            raise json.refusal(f"{place}.{name}", "must be a number")
        fields[name] = value * factor
    return fields


def write(topology: Topology) -> bytes:
    """Return the file; what netlab has no word for lies in attributes called `paranet`, which the file declares."""
    own = topology.properties.get(NAME)
    said = {k: v for k, v in own.items() if k not in ("nodes", "links", marks.WORD, "defaults")} if isinstance(own, dict) else {}
    nodes = {n.id: _words(n.properties, {marks.WORD, *marks.NODE_WORDS}) for n in topology.nodes.values()}
    for node in topology.nodes.values():
        nodes[node.id] |= {"role": "host"} if node.type == "host" and "device" not in nodes[node.id] else {}
    links = []
    for link in topology.links.values():
        ends = [{"node": e.node} | ({"ifname": e.interface} if e.interface else {}) for e in (link.source, link.target)]
        words = _words(link.properties, {marks.WORD, *marks.LINK_WORDS, "interfaces", "group", "type", "end-1", "end-2", "mtu"})
        kbps = link.bandwidth / 1000
        links.append({"interfaces": ends, "bandwidth": int(kbps) if kbps.is_integer() else kbps, "mtu": link.mtu, **words})
    mark = marks.mark(topology, {NAME: said} if said else {})
    document = {"defaults": {"attributes": _EXTENSION}, **said, marks.WORD: mark, "nodes": nodes, "links": links}
    for drawn, residues in zip((list(nodes.values()), links), marks.residues(_sketch(document), topology), strict=True):
        for item, residue in zip(drawn, residues, strict=True):
            if residue:
                item[marks.WORD] = residue
    return yaml.write(document)


def _words(properties: Mapping[str, object], reserved: Collection[str]) -> dict[str, Any]:
    own = properties.get(NAME)
    return {k: v for k, v in own.items() if k not in reserved and "." not in k} if isinstance(own, dict) else {}
