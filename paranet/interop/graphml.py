"""GraphML as the Internet Topology Zoo writes it, and as networkx and yEd do.

Sources: http://graphml.graphdrawing.org/specification.html; Knight et al., "The Internet Topology Zoo", IEEE JSAC 29(9), 2011.
What becomes of which attribute is written down in docs/formats.md.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import Element

import attrs

from paranet.errors import BadField, Fault, InvalidInput, InvalidTopology, ParaNetError
from paranet.interop.graphml_data import Attributes, Keys, shown
from paranet.interop.naming import Ids, is_id, slug
from paranet.interop.xml import parse
from paranet.models.topology import FIBRE_SPEED, NODE_TYPES, Endpoint, Link, Location, Node, Topology
from paranet.models.units import Bandwidth, Seconds, format_bandwidth, format_seconds, parse_bandwidth, parse_seconds

_SPEED = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT])(?:b(?:it)?(?:ps|/s)?)?\s*", re.ASCII)
_PLAIN = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_FACTORS = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_MODEL = Link(id="default", source=Endpoint(node="a"), target=Endpoint(node="b"))  # for the model's defaults
_SUSPICIOUS = 1e3  # bit/s: a link slower than this was probably written in another unit
_LONGEST_NAME = 256
_MAX_FAULTS = 100
_BOOLEAN = {"true": True, "1": True, "false": False, "0": False}
_NOT_FINITE = ("nan", "inf", "-inf", "infinity", "-infinity")


def looks_like(start: bytes) -> bool:
    """Tell whether a file that starts with *start* may be one (in UTF-8 or UTF-16)."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip(b"\xff\xfe\0 \t\r\n")[:1] == b"<"


def read(data: bytes) -> tuple[Topology, tuple[Fault, ...]]:
    """Return the topology and what was assumed or left out.

    Raise InvalidInput for what is no GraphML or says impossible values, InvalidTopology for ids used twice and edges that
    end nowhere; both with a Fault a place (`line 12, column 3`, `node 17`, `edge 4 (0 -> 9)`).
    """
    root = parse(data)
    if root.tag != "graphml":
        raise _refusal([Fault(path="line 1", message=f"the document is <{shown(root.tag)}>, not <graphml>")])
    graphs = [child for child in root if child.tag == "graph"]
    if len(graphs) != 1:
        raise _refusal([Fault(path="graphml", message=f"holds {len(graphs)} graphs; one is wanted")])
    return _Reader(graphs[0], Keys.of(root)).read()


def _refusal(faults: list[Fault], kind: type[ParaNetError] = InvalidInput) -> ParaNetError:
    return kind(f"{faults[0].path}: {faults[0].message}", errors=faults[:_MAX_FAULTS])


@attrs.frozen(kw_only=True)
class _Vertex:
    """A node of the file."""

    place: str
    file_id: str
    attributes: Attributes


@attrs.frozen(kw_only=True)
class _Edge:
    """An edge of the file between two different nodes that are there."""

    place: str
    file_id: str | None
    source: Node
    target: Node
    directed: bool
    attributes: Attributes


class _Reader:
    """One file on its way to a topology."""

    def __init__(self, graph: Element, keys: Keys) -> None:
        self._graph = graph
        self._keys = keys
        self._invalid: list[Fault] = []
        self._contradictions: list[Fault] = []
        self._dropped: list[Fault] = []
        self._counts: Counter[str] = Counter()

    def read(self) -> tuple[Topology, tuple[Fault, ...]]:
        self._check_shape()
        vertices = self._vertices()
        self._stop_at_faults()
        nodes = self._nodes(vertices)
        self._stop_at_faults()
        edges = self._edges(nodes)
        self._stop_at_faults()
        links = self._links(edges)
        self._stop_at_faults()
        return Topology.of(nodes.values(), links), (*self._dropped, *self._assumptions(len(links)), *self._keys.warnings())

    def _stop_at_faults(self) -> None:
        if self._invalid:
            raise _refusal(self._invalid)
        if self._contradictions:
            raise _refusal(self._contradictions, InvalidTopology)

    def _check_shape(self) -> None:
        """Refuse what is no flat graph of nodes and edges: reading half of it would say something else."""
        for element in self._graph:
            if element.tag == "hyperedge":
                self._invalid.append(Fault(path=_place(element), message="joins more than two nodes; only edges can be read"))
            for child in element if element.tag in ("node", "edge") else ():
                if child.tag == "graph":
                    self._invalid.append(Fault(path=_place(element), message="holds a graph of its own; only flat graphs can be read"))
                elif child.tag == "port":
                    self._counts["port"] += 1

    def _vertices(self) -> list[_Vertex]:
        found: dict[str, _Vertex] = {}
        for i, element in enumerate(e for e in self._graph if e.tag == "node"):
            file_id = element.get("id")
            if file_id is None:
                self._invalid.append(Fault(path=f"node #{i + 1}", message="has no id"))
                continue
            place = f"node {shown(file_id)}"
            if file_id in found:
                self._contradictions.append(Fault(path=place, message="the id is used twice"))
            found[file_id] = _Vertex(place=place, file_id=file_id, attributes=self._keys.attributes(element))
        return list(found.values())

    def _nodes(self, vertices: list[_Vertex]) -> dict[str, Node]:
        """Return the nodes by the file's ids."""
        slugs = [slug(v.attributes.peek("label", "name") or "") for v in vertices]
        uses = Counter(slugs)
        ids = Ids()
        own = [ids.take(word) if word and uses[word] == 1 else None for word in slugs]
        found = {}
        for i, (vertex, given) in enumerate(zip(vertices, own, strict=True)):
            file_id = vertex.file_id
            node_id = given or ids.take(file_id if is_id(file_id) else slug(file_id) or f"n{i + 1}")
            with self._at(vertex.place):
                found[file_id] = self._node(vertex, node_id)
        return found

    def _node(self, vertex: _Vertex, node_id: str) -> Node:
        a = vertex.attributes
        name = a.take("label", "name") or " ".join(vertex.file_id.split())
        if len(name) > _LONGEST_NAME:
            self._dropped.append(Fault(path=vertex.place, message=f"the name is cut to {_LONGEST_NAME} characters"))
        kind = next((k for k in ("type", "kind") if (a.peek(k) or "").lower() in NODE_TYPES), None)
        self._counts["external"] += a.peek("internal") in ("0", "False")
        if a.peek("id") == vertex.file_id:
            a.take("id")
        elif (other := a.take("id")) is not None:
            a.put("data-id", other)
        return Node(
            id=node_id,
            name=name[:_LONGEST_NAME],
            type=(a.take(kind) or "router").lower() if kind else "router",
            location=_location(a),
            region=a.take("country", "region"),
            properties={"graphml": {"id": vertex.file_id, **a.rest()}},
        )

    def _edges(self, nodes: dict[str, Node]) -> list[_Edge]:
        """Return the edges that become links; self loops are left out, edges that end nowhere are faults."""
        by_default = self._graph.get("edgedefault") == "directed"
        found = []
        for i, element in enumerate(e for e in self._graph if e.tag == "edge"):
            ends = element.get("source"), element.get("target")
            place = f"edge {i + 1} ({shown(ends[0] or '?')} -> {shown(ends[1] or '?')})"
            source, target = self._end(place, "source", ends[0], nodes), self._end(place, "target", ends[1], nodes)
            if source is None or target is None:
                continue
            if source is target:
                self._dropped.append(Fault(path=place, message="joins a node with itself and is left out"))
                continue
            found.append(
                _Edge(
                    place=place,
                    file_id=element.get("id"),
                    source=source,
                    target=target,
                    directed=_BOOLEAN.get(element.get("directed", ""), by_default),
                    attributes=self._keys.attributes(element),
                )
            )
        return found

    def _end(self, place: str, end: str, file_id: str | None, nodes: dict[str, Node]) -> Node | None:
        if file_id is None:
            self._invalid.append(Fault(path=place, message=f"has no {end}"))
        elif file_id not in nodes:
            self._contradictions.append(Fault(path=place, message=f"there is no node {shown(file_id)!r} for its {end}"))
        else:
            return nodes[file_id]
        return None

    def _links(self, edges: list[_Edge]) -> list[Link]:
        own = [edge.file_id or edge.attributes.peek("id") or "" for edge in edges]
        uses = Counter(own)
        ids = Ids()
        given = [ids.take(word) if uses[word] == 1 and is_id(word) else None for word in own]
        links = []
        for edge, word, taken in zip(edges, own, given, strict=True):
            link_id = taken or ids.take(f"{edge.source.id[:60]}--{edge.target.id[:60]}", mark="--")
            if edge.attributes.take("id") != taken and word and not taken:
                edge.attributes.put("id", word)
            with self._at(edge.place):
                links.append(self._link(edge, link_id))
        return links

    def _link(self, edge: _Edge, link_id: str) -> Link:
        a = edge.attributes
        bandwidth, latency, cost = self._bandwidth(a), self._latency(edge), a.number("cost", "weight")
        rest = a.rest()
        return Link(
            id=link_id,
            source=Endpoint(node=edge.source.id),
            target=Endpoint(node=edge.target.id),
            bandwidth=Bandwidth(bandwidth),
            latency=Seconds(latency),
            cost=_MODEL.cost if cost is None else cost,
            directed=edge.directed,
            properties={"graphml": rest} if rest else {},
        )

    def _bandwidth(self, a: Attributes) -> float:
        """Return bit/s from the first attribute that says it; zero counts as not said."""
        speed = a.number("linkspeedraw") or _with_units(a) or a.number("bandwidth", "capacity", parse=_speed)
        label = _SPEED.fullmatch(a.peek("linklabel", "label") or "")
        if not speed and label:
            speed = float(label[1]) * _FACTORS[label[2]]
        self._counts["bandwidth"] += not speed
        self._counts["slow"] += 0 < (speed or 0) < _SUSPICIOUS
        return speed or _MODEL.bandwidth

    def _latency(self, edge: _Edge) -> float:
        """Return seconds one way: as said, else as light in fibre needs for the great circle, else the model's default."""
        said = edge.attributes.number("latency", "delay", parse=parse_seconds)
        if said is not None:
            return said
        here, there = edge.source.location, edge.target.location
        if here and there:
            self._counts["distance"] += 1
            return here.distance(there) / FIBRE_SPEED
        self._counts["latency"] += 1
        return _MODEL.latency

    @contextmanager
    def _at(self, place: str) -> Iterator[None]:
        """Turn a value that the model refuses into a fault at *place*."""
        try:
            yield
        except BadField as error:
            self._invalid.append(Fault(path=place, message=str(error)))

    def _assumptions(self, links: int) -> Iterator[Fault]:
        """Yield one line for each thing that was assumed, with its count."""
        of = f"{{n}} of {links} links"
        for what, path, message in (
            ("external", "nodes", "{n} nodes are marked as external (Internal=0) and read like the others"),
            ("port", "nodes", "{n} ports are not read; links join the nodes themselves"),
            ("bandwidth", "edges", f"{of} have no bandwidth: {format_bandwidth(_MODEL.bandwidth)} is assumed"),
            ("slow", "edges", f"{of} have less than 1kbps; a number without a unit is read as bit/s"),
            ("distance", "edges", f"{of} have no latency: that of light in fibre over the great circle is assumed"),
            ("latency", "edges", f"{of} have neither latency nor locations: {format_seconds(_MODEL.latency)} is assumed"),
        ):
            if self._counts[what]:
                yield Fault(path=path, message=message.format(n=self._counts[what]))


def _place(element: Element) -> str:
    return f"{element.tag} {shown(element.get('id', '?'))}"


def _location(a: Attributes) -> Location | None:
    """Return the place when both coordinates are given; a single one stays among the properties."""
    if a.peek("latitude", "lat") is None or a.peek("longitude", "lon", "lng") is None:
        return None
    latitude, longitude = a.number("latitude", "lat"), a.number("longitude", "lon", "lng")
    return None if latitude is None or longitude is None else Location(latitude=latitude, longitude=longitude)


def _with_units(a: Attributes) -> float | None:
    """Return LinkSpeed times LinkSpeedUnits where both are plain, and leave them alone where not (`< 10`, `10/100`)."""
    factor = _FACTORS.get((a.peek("linkspeedunits") or "")[:1])
    text = a.peek("linkspeed") or ""
    if factor is None or not (_PLAIN.fullmatch(text) or text.lower() in _NOT_FINITE):
        return None
    speed = a.number("linkspeed")
    a.take("linkspeedunits")
    return None if speed is None else speed * factor


def _speed(text: str) -> float:
    short = _SPEED.fullmatch(text)
    return float(short[1]) * _FACTORS[short[2]] if short else parse_bandwidth(text)
