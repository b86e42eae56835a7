"""Node-link JSON as networkx, d3 and TopoHub write it: `{"directed", "multigraph", "graph", "nodes", "links" | "edges"}`.

Sources: networkx reference, `readwrite.json_graph.node_link_data`; Jurkiewicz, "TopoHub: A repository of reference Gabriel graph
and real-world topologies for networking research", SoftwareX 24, 2023.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from paranet.errors import Fault, InvalidInput
from paranet.interop import json, marks
from paranet.interop.attributes import Attributes, shown
from paranet.interop.graph import Edge, Read, Sketch, Vertex, assemble, refused
from paranet.models.topology import Demand, Display, Location, Topology
from paranet.models.units import Bandwidth, parse_bandwidth

NAME = "node-link"
_OWN = frozenset({"directed", "multigraph", "graph", "nodes", "links", "edges", marks.WORD})


def fits(value: Any) -> bool:
    """Tell whether a parsed file may be one: links of ParaNet's own JSON have objects as their ends."""
    if not isinstance(value, dict) or not isinstance(value.get("nodes"), list):
        return False
    links = value.get("links", value.get("edges"))
    first = links[0] if isinstance(links, list) and links else None
    return "edges" in value or "multigraph" in value or (isinstance(first, dict) and isinstance(first.get("source"), (str, int)))


def build(value: Any, beyond: Collection[str] = ()) -> Read:
    """Return the topology and what was assumed. Raise InvalidInput or InvalidTopology with JSON paths (`nodes[3]`, `edges[7]`)."""
    return assemble(_sketch(json.document(value)), beyond)


def read(data: bytes) -> Read:
    """Return what a file says."""
    return build(json.parse(data))


def _sketch(document: Mapping[str, Any]) -> Sketch:
    name = "links" if "links" in document else "edges"
    mark = marks.mark_of(document.get(marks.WORD))
    nodes, links = objects(document, "nodes"), objects(document, name, needed=False)
    graph = document.get("graph")
    if not isinstance(graph, (dict, list, type(None))):
        raise json.refusal("graph", "must be an object")
    said = dict(graph) if isinstance(graph, dict) else {"graph": graph} if graph else {}
    said |= {k: v for k, v in document.items() if k not in _OWN}
    topohub = mark is None and isinstance(graph, dict) and "stats" in graph and "demands" in graph
    on_earth = topohub and all(_on_earth(node.get("pos")) for node in nodes)
    return Sketch(
        name=NAME,
        vertices=list(_vertices(nodes, exact=mark is not None, on_earth=on_earth)),
        edges=list(_edges(name, links, exact=mark is not None, directed=document.get("directed") is True)),
        slugs=mark is None,
        marked=mark is not None,
        properties=mark.properties if mark and mark.properties is not None else {NAME: said} if said else {},
        demands=mark.demands if mark else (),
    )


def objects(document: Mapping[str, Any], name: str, *, needed: bool = True) -> list[dict[str, Any]]:
    """Return a list of objects. Raise InvalidInput where it is none."""
    if name not in document and not needed:
        return []
    found = document.get(name)
    if not isinstance(found, list):
        raise json.refusal(name, "is required and must be a list")
    faults = [Fault(path=f"{name}[{i}]", message="must be an object") for i, item in enumerate(found) if not isinstance(item, dict)]
    if faults:
        raise refused(faults)
    return found


def end(item: Mapping[str, Any], place: str, name: str) -> str:
    """Return the id under *name* as text; numbers are ids too. Raise InvalidInput."""
    value = item.get(name)
    if type(value) not in (str, int, float):
        raise json.refusal(f"{place}.{name}", "is required and must be a string or a number")
    return str(value)


def _vertices(nodes: list[dict[str, Any]], *, exact: bool, on_earth: bool) -> Iterator[Vertex]:
    for i, node in enumerate(nodes):
        place = f"nodes[{i}]"
        values = {k: v for k, v in node.items() if k not in ("id", marks.WORD)}
        fields: dict[str, Any] = {}
        if not exact and (point := _point(values.get("pos"), on_earth=on_earth)):
            values.pop("pos")
            fields = {"location" if isinstance(point, Location) else "display": point}
        yield Vertex(
            place=place,
            file_id=end(node, place, "id"),
            attributes=Attributes(marks.own_words(values) if exact else values),
            fields=fields,
            residue=marks.residue_of(node.get(marks.WORD)) if exact else {},
        )


def _on_earth(pos: object) -> bool:
    """Tell whether a position can be [longitude, latitude]: TopoHub's synthetic networks lie in a plane of their own."""
    point = _point(pos, on_earth=False)
    return isinstance(point, Display) and abs(point.x) <= 180 and abs(point.y) <= 90


def _point(value: object, *, on_earth: bool) -> Location | Display | None:
    """Return networkx's `pos`: a place in the plane, or [longitude, latitude] in TopoHub's files."""
    if not (isinstance(value, list) and len(value) == 2 and all(type(x) in (int, float) and abs(x) <= 1e6 for x in value)):
        return None
    x, y = float(value[0]), float(value[1])
    return Location(latitude=y, longitude=x) if on_earth else Display(x=x, y=y)


def _edges(name: str, links: list[dict[str, Any]], *, exact: bool, directed: bool) -> Iterator[Edge]:
    for i, link in enumerate(links):
        place = f"{name}[{i}]"
        source, target = end(link, place, "source"), end(link, place, "target")
        values = {k: v for k, v in link.items() if k not in ("source", "target", marks.WORD)}
        file_id = values.pop("id", None) if exact else None
        yield Edge(
            place=place,
            file_id=file_id if isinstance(file_id, str) else None,
            source=source,
            target=target,
            directed=directed,
            attributes=Attributes(marks.own_words(values) if exact else values),
            residue=marks.residue_of(link.get(marks.WORD)) if exact else {},
        )


def with_demands(topology: Topology, unit: str) -> Topology:
    """Return a TopoHub network with the demands that its file lists, each a number of *unit* (`Mbps`): the files do not say which.

    Raise InvalidInput for an unknown unit.
    """
    graph = topology.properties.get(NAME)
    listed = graph.get("demands") if isinstance(graph, dict) else None
    by_file_id = {str(_said(n.properties).get("id")): n.id for n in topology.nodes.values()}
    try:
        demands = [
            Demand(id=f"{by_file_id[a][:60]}--{by_file_id[b][:60]}", source=by_file_id[a], target=by_file_id[b], rate=_rate(value, unit))
            for a, row in (listed or {}).items()
            for b, value in row.items()
        ]
    except (KeyError, AttributeError):
        raise json.refusal("graph.demands", "names a node that is not there, or is no table of source, target and rate") from None
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    return Topology.of(topology.nodes.values(), topology.links.values(), demands, properties=topology.properties)


def _rate(value: object, unit: str) -> Bandwidth:
    if type(value) not in (int, float):
        raise ValueError(f"the demand {shown(str(value))} is no number")
    return parse_bandwidth(f"{value}{unit}")


def _said(properties: Mapping[str, object]) -> Mapping[str, object]:
    said = properties.get(NAME)
    return said if isinstance(said, dict) else {}


def write(topology: Topology) -> bytes:
    """Return the file, readable by networkx with `edges="edges"`; what networkx has no word for is called `paranet`."""
    graph = topology.properties.get(NAME)
    said = {k: v for k, v in graph.items() if k != "graph"} if isinstance(graph, dict) else {}
    nodes = [{"id": n.id, **marks.node_words(NAME, n, ("id",))} for n in topology.nodes.values()]
    edges = [
        {"id": x.id, "source": x.source.node, "target": x.target.node, **marks.link_words(NAME, x, ("source", "target", "key"))}
        for x in topology.links.values()
    ]
    mark = marks.mark(topology, {NAME: said} if said else {})
    document = {"directed": False, "multigraph": True, "graph": said, "nodes": nodes, "edges": edges, marks.WORD: mark}
    for drawn, residues in zip((nodes, edges), marks.residues(_sketch(document), topology), strict=True):
        for item, residue in zip(drawn, residues, strict=True):
            if residue:
                item[marks.WORD] = residue
    return json.write(document)
