"""GraphML as the Internet Topology Zoo writes it, and as networkx and yEd do.

Sources: http://graphml.graphdrawing.org/specification.html; Knight et al., "The Internet Topology Zoo", IEEE JSAC 29(9), 2011.
What becomes of which attribute is written down in docs/formats.md.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import orjson

from paranet.errors import Fault
from paranet.interop import marks
from paranet.interop.attributes import Attributes, shown
from paranet.interop.graph import Edge, Read, Sketch, Vertex, assemble, refused
from paranet.interop.graphml_data import Keys
from paranet.interop.json import refusal
from paranet.interop.xml import parse
from paranet.models.topology import Interface, Topology

NAME = "graphml"
_BOOLEAN = {"true": True, "1": True, "false": False, "0": False}
_UNSAFE = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_KINDS = {str: "string", bool: "boolean", int: "long", float: "double"}


def fits(root: Any) -> bool:
    """Tell whether a parsed document may be one."""
    return isinstance(root, Element) and root.tag == "graphml"


def build(root: Element, beyond: Collection[str] = ()) -> Read:
    """Return the topology and what was assumed or left out.

    Raise InvalidInput for what is no GraphML or says impossible values, InvalidTopology for ids used twice and edges that
    end nowhere; both with a Fault a place (`node 17`, `edge 4 (0 -> 9)`).
    """
    return assemble(_sketch(root), beyond)


def read(data: bytes) -> Read:
    """Return what a file says."""
    return build(parse(data))


def _sketch(root: Element) -> Sketch:
    if root.tag != "graphml":
        raise refusal("line 1", f"the document is <{shown(root.tag)}>, not <graphml>")
    graphs = [child for child in root if child.tag == "graph"]
    if len(graphs) != 1:
        raise refusal("graphml", f"holds {len(graphs)} graphs; one is wanted")
    (graph,) = graphs
    _check_shape(graph)
    keys = Keys.of(root)
    said = keys.attributes(graph)
    mark = marks.mark_of(said.pop(marks.WORD))
    vertices, edges = list(_vertices(graph, keys, exact=mark is not None)), list(_edges(graph, keys, exact=mark is not None))
    properties: Mapping[str, object] = {NAME: said.rest()} if said.rest() else {}
    return Sketch(
        name=NAME,
        vertices=vertices,
        edges=edges,
        slugs=mark is None,
        marked=mark is not None,
        properties=mark.properties if mark and mark.properties is not None else properties,
        demands=mark.demands if mark else (),
        warnings=tuple(keys.warnings()),
    )


def _check_shape(graph: Element) -> None:
    """Refuse what is no flat graph of nodes and edges: reading half of it would say something else."""
    hyper = "joins more than two nodes; only edges can be read"
    nested = "holds a graph of its own; only flat graphs can be read"
    faults = [Fault(path=_place(element), message=hyper) for element in graph.iterfind("hyperedge")]
    faults += [Fault(path=_place(e), message=nested) for e in graph if e.tag in ("node", "edge") and any(c.tag == "graph" for c in e)]
    for i, element in enumerate(graph.iterfind("node")):
        if element.get("id") is None:
            faults.append(Fault(path=f"node #{i + 1}", message="has no id"))
    for i, element in enumerate(graph.iterfind("edge")):
        faults += [Fault(path=_edge(i, element), message=f"has no {end}") for end in ("source", "target") if element.get(end) is None]
    if faults:
        raise refused(faults)


def _vertices(graph: Element, keys: Keys, *, exact: bool) -> Iterator[Vertex]:
    for element in graph.iterfind("node"):
        file_id = element.get("id", "")
        attributes, residue = _words(keys.attributes(element), exact=exact)
        ports = dict.fromkeys(p.get("name", "") for p in element if p.tag == "port")
        interfaces = tuple(Interface(name=" ".join(port.split())[:256]) for port in ports)
        fields = {"interfaces": interfaces} if interfaces else {}
        yield Vertex(place=f"node {shown(file_id)}", file_id=file_id, attributes=attributes, fields=fields, residue=residue)


def _edges(graph: Element, keys: Keys, *, exact: bool) -> Iterator[Edge]:
    by_default = graph.get("edgedefault") == "directed"
    for i, element in enumerate(graph.iterfind("edge")):
        source, target = element.get("source", ""), element.get("target", "")
        attributes, residue = _words(keys.attributes(element), exact=exact)
        ports = [" ".join(element.get(f"{end}port", "").split())[:256] or None for end in ("source", "target")]
        yield Edge(
            place=_edge(i, element),
            file_id=element.get("id"),
            source=source,
            target=target,
            directed=_BOOLEAN.get(element.get("directed", ""), by_default),
            ports=(ports[0], ports[1]),
            attributes=attributes,
            residue=residue,
        )


def _words(attributes: Attributes, *, exact: bool) -> tuple[Attributes, Mapping[str, Any]]:
    if not exact:
        return attributes, {}
    residue = marks.residue_of(attributes.pop(marks.WORD))
    return Attributes(marks.own_words(attributes.rest())), residue


def _edge(i: int, element: Element) -> str:
    return f"edge {i + 1} ({shown(element.get('source', '?'))} -> {shown(element.get('target', '?'))})"


def _place(element: Element) -> str:
    return f"{element.tag} {shown(element.get('id', '?'))}"


def write(topology: Topology) -> bytes:
    """Return the file: Topology Zoo's words where it has them, and data called `paranet` for what it has no word for."""
    root = Element("graphml", {"xmlns": "http://graphml.graphdrawing.org/xmlns"})
    graph = Element("graph", {"edgedefault": "undirected"})
    keys = _Declared(root)
    own = topology.properties.get(NAME)
    said = keys.add(graph, own if isinstance(own, dict) else {})
    keys.add(graph, {marks.WORD: _text(marks.mark(topology, {NAME: said} if said else {}))})
    _draw(topology, graph, keys)
    root.append(graph)
    elements = [[e for e in graph if e.tag == tag] for tag in ("node", "edge")]
    for drawn, residues in zip(elements, marks.residues(_sketch(root), topology), strict=True):
        for element, residue in zip(drawn, residues, strict=True):
            if residue:
                keys.add(element, {marks.WORD: _text(residue)})
    indent(root)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _draw(topology: Topology, graph: Element, keys: "_Declared") -> None:
    for node in topology.nodes.values():
        element = SubElement(graph, "node", {"id": node.id})
        for interface in node.interfaces:
            if not _UNSAFE.search(interface.name):
                SubElement(element, "port", {"name": interface.name})
        keys.add(element, marks.node_words(NAME, node))
    for link in topology.links.values():
        ends = {"id": link.id, "source": link.source.node, "target": link.target.node}
        element = SubElement(graph, "edge", ends | ({"directed": "true"} if link.directed else {}))
        for end, port in (("source", link.source.interface), ("target", link.target.interface)):
            if port and not _UNSAFE.search(port):
                element.set(f"{end}port", port)
        keys.add(element, marks.link_words(NAME, link))


class _Declared:
    """The keys of a file that is being written, each declared when it is first used."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._keys: dict[tuple[str, str], tuple[str, type]] = {}

    def add(self, element: Element, values: Mapping[str, object]) -> dict[str, object]:
        """Write those *values* that the format can hold; return them."""
        return {name: value for name, value in values.items() if self._add(element, name, value)}

    def _add(self, element: Element, name: str, value: object) -> bool:
        kind = type(value)
        if kind not in _KINDS or not name or _UNSAFE.search(name):
            return False
        if (isinstance(value, str) and _UNSAFE.search(value)) or (kind is int and not -(2**63) <= int(str(value)) < 2**63):
            return False
        key, declared = self._keys.get((element.tag, name), ("", kind))
        if declared is not kind:
            return False
        if not key:
            key = f"d{len(self._keys)}"
            self._keys[element.tag, name] = key, kind
            SubElement(self._root, "key", {"id": key, "for": element.tag, "attr.name": name, "attr.type": _KINDS[kind]})
        data = SubElement(element, "data", {"key": key})
        data.text = str(value).lower() if kind is bool else str(value)
        return True


def _text(value: object) -> str:
    """Return JSON that XML can hold."""
    return _UNSAFE.sub(lambda c: f"\\u{ord(c[0]):04x}", orjson.dumps(value).decode())
