"""Network topologies in YANG-modelled JSON: RFC 8345 (networks, nodes, links, termination points) with the names and metrics
of RFC 8346 (layer 3); encoded as RFC 7951 says.

Links of RFC 8345 go one way. Two that mirror each other are one link here; one that is alone is a directed link.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs

from paranet.interop import json, marks
from paranet.interop.attributes import Attributes
from paranet.interop.graph import Edge, Read, Sketch, Vertex, assemble
from paranet.interop.node_link import end, objects
from paranet.models.topology import Interface, Link, Node, Topology

NAME = "rfc8345"
_NETWORKS, _LINK, _POINT = "ietf-network:networks", "ietf-network-topology:link", "ietf-network-topology:termination-point"
_L3_NODE, _L3_LINK = "ietf-l3-unicast-topology:l3-node-attributes", "ietf-l3-unicast-topology:l3-link-attributes"
_L3_POINT = "ietf-l3-unicast-topology:l3-termination-point-attributes"
_WORD = f"{marks.WORD}:{marks.WORD}"
_NODE_MEMBERS = ("node-id", _POINT, _L3_NODE, _WORD)
_LINK_MEMBERS = ("link-id", "source", "destination", _L3_LINK, _WORD)

_UNNAMED = ("network-id", marks.WORD)


def fits(value: Any) -> bool:
    """Tell whether a parsed file may be one."""
    return isinstance(value, dict) and any(_local(k) == "networks" or k == "ietf-network:network" for k in value)


def build(value: Any, beyond: Collection[str] = ()) -> Read:
    """Return the topology and what was assumed. Raise InvalidInput or InvalidTopology with paths (`network[0].node[3]`)."""
    return assemble(_sketch(json.document(value)), beyond)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _qualified(item: Mapping[str, Any], *known: str) -> dict[str, Any]:
    """Return *item* with the *known* members under their full names, as people leave the prefix out."""
    by_local = {_local(name): name for name in known}
    return {by_local.get(_local(k), k): v for k, v in item.items()}


def _networks(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    holder = next((v for k, v in document.items() if _local(k) == "networks"), document)
    if not isinstance(holder, dict):
        raise json.refusal(_NETWORKS, "must be an object")
    found = objects(_qualified(holder, "network"), "network")
    if not found:
        raise json.refusal("network", "holds no network")
    return [_qualified(network, "network-id", "node", _LINK, _WORD) for network in found]


def _sketch(document: Mapping[str, Any]) -> Sketch:
    networks = _networks(document)
    mark = marks.mark_of(networks[0].get(_WORD))
    single = len(networks) == 1
    heads = [{k: v for k, v in n.items() if k not in ("node", _LINK, _WORD)} for n in networks]
    if mark:
        heads = [{k: v for k, v in heads[0].items() if (k, v) != _UNNAMED}]
    said: dict[str, object] = (heads[0] if single else {"networks": heads}) if any(heads) else {}
    vertices, edges = [], []
    for i, network in enumerate(networks):
        scope = "" if single else f"{network.get('network-id', i)}:"
        vertices += list(_vertices(network, f"network[{i}]", scope))
        edges += list(_paired(_edges(network, f"network[{i}]", scope)))
    return Sketch(
        name=NAME,
        vertices=vertices,
        edges=edges,
        marked=mark is not None,
        properties=mark.properties if mark and mark.properties is not None else {NAME: said} if said else {},
        demands=mark.demands if mark else (),
    )


def _vertices(network: Mapping[str, Any], path: str, scope: str) -> Iterator[Vertex]:
    for i, raw in enumerate(objects(network, "node", needed=False)):
        place = f"{path}.node[{i}]"
        node = _qualified(raw, *_NODE_MEMBERS)
        values = {k: v for k, v in node.items() if k not in _NODE_MEMBERS}
        layer3 = node.get(_L3_NODE)
        if isinstance(layer3, dict):
            values |= {_L3_NODE: rest} if (rest := {k: v for k, v in layer3.items() if k != "name"}) else {}
            values |= {"label": layer3["name"]} if "name" in layer3 else {}
        points = objects(node, _POINT, needed=False)
        interfaces = tuple(_interface(point, f"{place}.{_POINT}[{n}]") for n, point in enumerate(points))
        bare = [{k: v for k, v in p.items() if k not in ("tp-id", _L3_POINT)} for p in points]
        values |= {"termination-points": bare} if any(bare) else {}
        yield Vertex(
            place=place,
            file_id=scope + end(node, place, "node-id"),
            attributes=Attributes(values),
            fields={"interfaces": interfaces} if interfaces else {},
            residue=marks.residue_of(node.get(_WORD)),
        )


def _interface(point: Mapping[str, Any], place: str) -> Interface:
    layer3 = point.get(_L3_POINT)
    addresses = layer3.get("ip-address", []) if isinstance(layer3, dict) else []
    try:
        return Interface(
            name=end(point, place, "tp-id"),
            address=addresses[0] if addresses else None,
            secondary=tuple(addresses[1:]),
        )
    except ValueError as error:
        raise json.refusal(place, str(error)) from None


def _edges(network: Mapping[str, Any], path: str, scope: str) -> Iterator[Edge]:
    for i, raw in enumerate(objects(network, _LINK, needed=False)):
        place = f"{path}.link[{i}]"
        link = _qualified(raw, *_LINK_MEMBERS)
        source, target = link.get("source"), link.get("destination")
        if not isinstance(source, dict) or not isinstance(target, dict):
            raise json.refusal(place, "needs a source and a destination")
        values = {k: v for k, v in link.items() if k not in _LINK_MEMBERS}
        layer3 = link.get(_L3_LINK)
        if isinstance(layer3, dict):
            rest = {k: v for k, v in layer3.items() if k != "metric1"}
            values |= ({_L3_LINK: rest} if rest else {}) | ({"cost": layer3["metric1"]} if "metric1" in layer3 else {})
        yield Edge(
            place=place,
            file_id=str(link["link-id"]) if "link-id" in link else None,
            source=scope + end(source, f"{place}.source", "source-node"),
            target=scope + end(target, f"{place}.destination", "dest-node"),
            ports=(_port(source.get("source-tp")), _port(target.get("dest-tp"))),
            directed=True,
            attributes=Attributes(values),
            residue=marks.residue_of(link.get(_WORD)),
        )


def _port(value: object) -> str | None:
    return str(value) if type(value) in (str, int) and value != "" else None


def _paired(edges: Iterator[Edge]) -> Iterator[Edge]:
    """Join every edge with the first later one the other way between the same ports; what the latter says otherwise is kept."""
    waiting: dict[tuple[object, ...], list[int]] = {}
    found: list[Edge] = []
    for edge in edges:
        back = waiting.get((edge.target, edge.source, *reversed(edge.ports)))
        if back and "directed" not in edge.residue:
            number = back.pop(0)
            found[number] = _joined(found[number], edge)
            continue
        if "directed" not in edge.residue:
            waiting.setdefault((edge.source, edge.target, *edge.ports), []).append(len(found))
        found.append(edge)
    yield from found


def _joined(there: Edge, back: Edge) -> Edge:
    said, other = there.attributes.rest(), back.attributes.rest()
    differing = {k: v for k, v in other.items() if k not in said or said[k] != v}
    if back.file_id not in (None, f"{there.file_id}:back"):
        differing = {"link-id": back.file_id, **differing}
    values = {**said, "back": differing} if differing else said
    return attrs.evolve(there, directed=False, attributes=Attributes(dict(values)))


def write(topology: Topology) -> bytes:
    """Return the file with one network; what the RFCs have no word for is called `paranet:paranet`."""
    own = topology.properties.get(NAME)
    heads = own.items() if isinstance(own, dict) and "networks" not in own else ()
    said = {k: v for k, v in heads if k not in ("node", _LINK, _WORD) and (k, v) != _UNNAMED}
    nodes = [_node(node) for node in topology.nodes.values()]
    links = {link.id: _link(link) for link in topology.links.values()}
    mark = marks.mark(topology, {NAME: said} if said else {})
    backs = {i: _back(link) for i, link in links.items() if not topology.links[i].directed}
    drawn = [way for i, link in links.items() for way in ((link, backs[i]) if i in backs else (link,))]
    network = {"network-id": marks.WORD, **said, _WORD: mark, "node": nodes, _LINK: drawn}
    document = {_NETWORKS: {"network": [network]}}
    for items, residues in zip((nodes, links.values()), marks.residues(_sketch(document), topology), strict=True):
        for item, residue in zip(items, residues, strict=True):
            if residue:
                item[_WORD] = {**item.get(_WORD, {}), **residue}
    return json.write(document)


def _node(node: Node) -> dict[str, Any]:
    points = []
    for interface in node.interfaces:
        addresses = [a for a in (interface.address, *interface.secondary) if a]
        points.append({"tp-id": interface.name} | ({_L3_POINT: {"ip-address": addresses}} if addresses else {}))
    own = node.properties.get(NAME)
    reserved = {*_NODE_MEMBERS, "label", "name", "termination-points", marks.WORD}
    kept = {k: v for k, v in own.items() if k not in reserved} if isinstance(own, dict) else {}
    return {"node-id": node.id, _L3_NODE: {"name": node.name}, _POINT: points, **kept}


def _link(link: Link) -> dict[str, Any]:
    source = {"source-node": link.source.node} | ({"source-tp": link.source.interface} if link.source.interface else {})
    target = {"dest-node": link.target.node} | ({"dest-tp": link.target.interface} if link.target.interface else {})
    own = link.properties.get(NAME)
    kept = {k: v for k, v in own.items() if k not in {*_LINK_MEMBERS, "back", "cost", "id"}} if isinstance(own, dict) else {}
    item = {"link-id": link.id, "source": source, "destination": target, **kept}
    item |= {_L3_LINK: {"metric1": int(link.cost)}} if link.cost.is_integer() and link.cost < 2**32 else {}
    return item | ({_WORD: {"directed": True}} if link.directed else {})


def _back(link: Mapping[str, Any]) -> dict[str, Any]:
    source, target = link["source"], link["destination"]
    there = {"source-node": target["dest-node"]} | ({"source-tp": target["dest-tp"]} if "dest-tp" in target else {})
    here = {"dest-node": source["source-node"]} | ({"dest-tp": source["source-tp"]} if "source-tp" in source else {})
    return {**link, "link-id": f"{link['link-id']}:back", "source": there, "destination": here}
