"""From the vertices and edges of a file, whatever its syntax, to a topology.

What becomes of which attribute is written down in docs/formats.md. A file that this program wrote carries a mark; in it ids are
ids, and what the format's own words could not say of a part stands beside them as its *residue*, in the model's words.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from paranet.codec import structure, unstructure
from paranet.errors import BadField, Fault, InvalidInput, InvalidTopology, ParaNetError
from paranet.interop.attributes import Attributes, shown
from paranet.interop.naming import Ids, is_id, slug
from paranet.models.topology import FIBRE_SPEED, NODE_TYPES, Demand, Endpoint, Interface, Link, Location, Node, Topology
from paranet.models.units import Bandwidth, Seconds, format_bandwidth, format_seconds, parse_bandwidth, parse_seconds

_SPEED = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT])(?:b(?:it)?(?:ps|/s)?)?\s*", re.ASCII)
_PLAIN = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_FACTORS = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_MODEL = Link(id="default", source=Endpoint(node="a"), target=Endpoint(node="b"))  # for the model's defaults
_SUSPICIOUS = 1e3  # bit/s: a link slower than this was probably written in another unit
_LONGEST_NAME = 256
_MAX_FAULTS = 100
_NOT_FINITE = ("nan", "inf", "-inf", "infinity", "-infinity")

Read = tuple[Topology, tuple[Fault, ...]]
_Part = TypeVar("_Part", Node, Link)


@attrs.frozen(kw_only=True)
class Vertex:
    """A node of the file. *fields* are those of the model that the format's reader read itself."""

    place: str
    file_id: str
    attributes: Attributes
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    residue: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Edge:
    """An edge of the file between two vertices, named by the file's ids; *ports* are the interfaces at its ends."""

    place: str
    source: str
    target: str
    attributes: Attributes
    file_id: str | None = None
    directed: bool = False
    ports: tuple[str | None, str | None] = (None, None)
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    residue: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Sketch:
    """A file as a graph. *name* is the format's; with *slugs* a node is called after its label where
    that is unique, else by the file's id. In a *marked* file what nobody said is the model's default and no assumption.
    """

    name: str
    vertices: Sequence[Vertex]
    edges: Sequence[Edge]
    slugs: bool = False
    marked: bool = False
    properties: Mapping[str, object] = attrs.field(factory=dict)
    demands: Sequence[Demand] = ()
    warnings: Sequence[Fault] = ()


def assemble(sketch: Sketch, beyond: Collection[str] = ()) -> Read:
    """Return the topology and what was assumed or left out. Edges may end at the nodes *beyond* too.

    Raise InvalidInput for impossible values, InvalidTopology for ids used twice and edges that end nowhere; both with a
    Fault a place.
    """
    assembly = Assembly(sketch, beyond)
    nodes, links = assembly.parts()
    topology = Topology.of(nodes, links, sketch.demands, properties=sketch.properties, beyond=beyond)
    return topology, (*assembly.warnings(len(links)), *sketch.warnings)


def refused(faults: Sequence[Fault], kind: type[ParaNetError] = InvalidInput) -> ParaNetError:
    """Return the error for several places."""
    return kind(f"{faults[0].path}: {faults[0].message}", errors=faults[:_MAX_FAULTS])


class Assembly:
    """One sketch on its way to nodes and links."""

    def __init__(self, sketch: Sketch, beyond: Collection[str] = ()) -> None:
        self._sketch = sketch
        self._beyond = beyond
        self._invalid: list[Fault] = []
        self._contradictions: list[Fault] = []
        self._dropped: list[Fault] = []
        self._counts: Counter[str] = Counter()

    def parts(self) -> tuple[list[Node], list[Link]]:
        """Return the nodes in the order of the vertices, and the links in that of the edges without self loops."""
        nodes = self._nodes()
        self._stop_at_faults()
        edges = [edge for edge in self._sketch.edges if self._joins_two(edge, nodes)]
        self._stop_at_faults()
        links = self._links(edges, nodes)
        self._stop_at_faults()
        return list(nodes.values()), links

    def warnings(self, links: int) -> Iterator[Fault]:
        """Yield what was left out, then one line for each thing that was assumed, with its count."""
        yield from self._dropped
        if self._sketch.marked:
            return
        of = f"{{n}} of {links} links"
        for what, path, message in (
            ("external", "nodes", "{n} nodes are marked as external (Internal=0) and read like the others"),
            ("bandwidth", "edges", f"{of} have no bandwidth: {format_bandwidth(_MODEL.bandwidth)} is assumed"),
            ("slow", "edges", f"{of} have less than 1kbps; a number without a unit is read as bit/s"),
            ("distance", "edges", f"{of} have no latency: that of light in fibre over the great circle is assumed"),
            ("latency", "edges", f"{of} have neither latency nor locations: {format_seconds(_MODEL.latency)} is assumed"),
        ):
            if self._counts[what]:
                yield Fault(path=path, message=message.format(n=self._counts[what]))

    def _stop_at_faults(self) -> None:
        if self._invalid:
            raise refused(self._invalid)
        if self._contradictions:
            raise refused(self._contradictions, InvalidTopology)

    def _nodes(self) -> dict[str, Node]:
        """Return the nodes by the file's ids."""
        vertices: dict[str, Vertex] = {}
        for vertex in self._sketch.vertices:
            if vertices.setdefault(vertex.file_id, vertex) is not vertex:
                self._contradictions.append(Fault(path=vertex.place, message="the id is used twice"))
        ids = Ids()
        own = self._slugs(list(vertices.values()), ids)
        ports = self._ports()
        found = {}
        for i, (vertex, given) in enumerate(zip(vertices.values(), own, strict=True)):
            file_id = vertex.file_id
            node_id = given or ids.take(file_id if is_id(file_id) else slug(file_id) or f"n{i + 1}")
            try:
                found[file_id] = self._node(vertex, node_id, ports.get(file_id, ()))
            except BadField as error:
                self._invalid.append(Fault(path=vertex.place, message=str(error)))
        return found

    def _slugs(self, vertices: Sequence[Vertex], ids: Ids) -> list[str | None]:
        if not self._sketch.slugs:
            return [None] * len(vertices)
        slugs = [slug(v.attributes.peek("label", "name") or "") for v in vertices]
        uses = Counter(slugs)
        return [ids.take(word) if word and uses[word] == 1 else None for word in slugs]

    def _ports(self) -> dict[str, dict[str, None]]:
        """Return the interfaces that edges end at, by the file's ids of their nodes."""
        found: dict[str, dict[str, None]] = {}
        for edge in self._sketch.edges:
            for end, port in zip((edge.source, edge.target), edge.ports, strict=True):
                if port is not None:
                    found.setdefault(end, {})[port] = None
        return found

    def _node(self, vertex: Vertex, node_id: str, ports: Collection[str]) -> Node:
        a = vertex.attributes
        name = a.take("label", "name") or " ".join(vertex.file_id.split())
        if len(name) > _LONGEST_NAME:
            self._dropped.append(Fault(path=vertex.place, message=f"the name is cut to {_LONGEST_NAME} characters"))
        kind = next((k for k in ("type", "kind") if (a.peek(k) or "").lower() in NODE_TYPES), None)
        self._counts["external"] += a.peek("internal") in ("0", "False")
        said: dict[str, Any] = {"id": node_id, "name": name[:_LONGEST_NAME], "type": (a.take(kind) or "").lower() if kind else "router"}
        said |= {"location": _location(a), "region": a.take("country", "region"), **vertex.fields}
        interfaces: tuple[Interface, ...] = said.get("interfaces", ())
        named = {i.name for i in interfaces}
        said["interfaces"] = (*interfaces, *(Interface(name=port) for port in ports if port not in named))
        kept = self._kept(vertex, node_id)
        said["properties"] = {self._sketch.name: kept} if kept else {}
        return whole(Node(**said), vertex.residue, vertex.place)

    def _kept(self, vertex: Vertex, node_id: str) -> dict[str, object]:
        """Return what stays of the file's own words, with its id where the node is called otherwise."""
        a = vertex.attributes
        if not self._sketch.slugs:
            return a.rest() if node_id == vertex.file_id else {"file-id": vertex.file_id, **a.rest()}
        if a.peek("id") == vertex.file_id:
            a.take("id")
        elif (other := a.take("id")) is not None:
            a.put("data-id", other)
        return {"id": vertex.file_id, **a.rest()}

    def _joins_two(self, edge: Edge, nodes: Mapping[str, Node]) -> bool:
        """Tell whether an edge joins two different nodes; one that ends nowhere is a fault."""
        missing = [end for end in (edge.source, edge.target) if end not in nodes and end not in self._beyond]
        for end in missing:
            side = "source" if end == edge.source else "target"
            self._contradictions.append(Fault(path=edge.place, message=f"there is no node {shown(end)!r} for its {side}"))
        if edge.source == edge.target and not missing:
            self._dropped.append(Fault(path=edge.place, message="joins a node with itself and is left out"))
        return not missing and edge.source != edge.target

    def _links(self, edges: Sequence[Edge], nodes: Mapping[str, Node]) -> list[Link]:
        own = [edge.file_id or edge.attributes.peek("id") or "" for edge in edges]
        uses = Counter(own)
        ids = Ids()
        given = [ids.take(word) if uses[word] == 1 and is_id(word) else None for word in own]
        links = []
        for edge, word, taken in zip(edges, own, given, strict=True):
            ends = tuple(nodes[end].id if end in nodes else end for end in (edge.source, edge.target))
            link_id = taken or ids.take(f"{ends[0][:60]}--{ends[1][:60]}", mark="--")
            if edge.attributes.take("id") != taken and word and not taken:
                edge.attributes.put("id", word)
            try:
                links.append(self._link(edge, link_id, ends, nodes))
            except BadField as error:
                self._invalid.append(Fault(path=edge.place, message=str(error)))
        return links

    def _link(self, edge: Edge, link_id: str, ends: Sequence[str], nodes: Mapping[str, Node]) -> Link:
        a = edge.attributes
        cost = a.number("cost", "weight")
        said = {"bandwidth": self._bandwidth(edge), "latency": self._latency(edge, nodes), "directed": edge.directed, **edge.fields}
        rest = a.rest()
        link = Link(
            id=link_id,
            source=Endpoint(node=ends[0], interface=edge.ports[0]),
            target=Endpoint(node=ends[1], interface=edge.ports[1]),
            cost=_MODEL.cost if cost is None else cost,
            properties={self._sketch.name: rest} if rest else {},
            **said,
        )
        return whole(link, edge.residue, edge.place)

    def _bandwidth(self, edge: Edge) -> Bandwidth:
        """Return bit/s from the first attribute that says it; zero counts as not said."""
        a = edge.attributes
        speed = a.number("linkspeedraw") or _with_units(a) or a.number("bandwidth", "capacity", parse=_speed)
        label = _SPEED.fullmatch(a.peek("linklabel", "label") or "")
        if not speed and label:
            speed = float(label[1]) * _FACTORS[label[2]]
        self._counts["bandwidth"] += not speed and "bandwidth" not in edge.fields
        self._counts["slow"] += 0 < (speed or 0) < _SUSPICIOUS
        return Bandwidth(speed or _MODEL.bandwidth)

    def _latency(self, edge: Edge, nodes: Mapping[str, Node]) -> Seconds:
        """Return seconds one way: as said, else as light in fibre needs for the great circle, else the model's default."""
        said = edge.attributes.number("latency", "delay", parse=parse_seconds)
        if said is not None:
            return Seconds(said)
        if self._sketch.marked or "latency" in edge.fields:
            return _MODEL.latency
        here, there = (nodes[end].location if end in nodes else None for end in (edge.source, edge.target))
        self._counts["distance" if here and there else "latency"] += 1
        return Seconds(here.distance(there) / FIBRE_SPEED) if here and there else _MODEL.latency


def whole(said: _Part, residue: Mapping[str, Any], place: str) -> _Part:
    """Return the part with the fields that only the residue tells."""
    return structure({**unstructure(said), **residue}, type(said), path=f"{place}.paranet") if residue else said


def _location(a: Attributes) -> Location | None:
    """Return the place when both coordinates are given; a single one stays among the properties."""
    if a.peek("longitude", "lon", "lng") is None or (latitude := a.number("latitude", "lat")) is None:
        return None
    longitude = a.number("longitude", "lon", "lng")
    return None if longitude is None else Location(latitude=latitude, longitude=longitude)


def _with_units(a: Attributes) -> float | None:
    """Return LinkSpeed times LinkSpeedUnits where both are plain, and leave them alone where not (`< 10`, `10/100`)."""
    factor = _FACTORS.get((a.peek("linkspeedunits") or "")[:1])
    if factor is None:
        return None
    text = a.peek("linkspeed") or ""
    if not (_PLAIN.fullmatch(text) or text.lower() in _NOT_FINITE):
        return None
    speed = a.number("linkspeed")
    a.take("linkspeedunits")
    return None if speed is None else speed * factor


def _speed(text: str) -> float:
    short = _SPEED.fullmatch(text)
    return float(short[1]) * _FACTORS[short[2]] if short else parse_bandwidth(text)
