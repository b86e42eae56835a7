"""Hypothesis strategies for the values of the models."""

from ipaddress import IPv4Address

from hypothesis import strategies as st

from paranet.models.device import Row
from paranet.models.topology import ID, NODE_TYPES, Demand, Endpoint, Interface, Link, Location, Management, Modality, Node, Topology
from paranet.models.units import Bandwidth, Ratio, Seconds

ids = st.from_regex(ID, fullmatch=True) | st.sampled_from(["r1", "r2", "ams", "北京", "a:1", "x.y-z"])
texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=40)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
properties = st.dictionaries(texts, plain, max_size=3)
locations = st.builds(
    Location, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), altitude=st.none() | st.floats(-12_000, 40_000_000)
)
addresses = st.builds("{}/{}".format, st.builds(IPv4Address, st.integers(1, 2**32 - 2)), st.integers(8, 32))
interfaces = st.builds(Interface, name=texts, address=st.none() | addresses)
rows = st.builds(
    Row,
    family=st.sampled_from(["ip.route", "ndn.rib", "p4.table"]),
    key=texts,
    value=properties,
    owners=st.lists(ids, max_size=2).map(tuple),
)


def nodes(node_ids: st.SearchStrategy[str] = ids) -> st.SearchStrategy[Node]:
    """Nodes of all kinds, with everything that a node may have."""
    return st.builds(
        Node,
        id=node_ids,
        name=texts,
        type=st.sampled_from(NODE_TYPES) | ids,
        interfaces=st.lists(interfaces, max_size=3, unique_by=lambda i: i.name).map(tuple),
        modalities=st.lists(st.sampled_from(Modality), max_size=2, unique=True).map(tuple),
        location=st.none() | locations,
        region=st.none() | texts,
        management=st.none() | st.builds(Management, driver=texts, address=st.none() | texts, credentials=st.none() | texts),
        properties=properties,
    )


@st.composite
def topologies(draw: st.DrawFn, max_nodes: int = 5) -> Topology:
    """Consistent networks of up to *max_nodes* nodes, with parallel and directed links and with demands."""
    found = draw(st.lists(nodes(), max_size=max_nodes, unique_by=lambda n: n.id))
    if len(found) < 2:
        return Topology.of(found)
    pairs = st.lists(st.sampled_from(found), min_size=2, max_size=2, unique_by=lambda n: n.id)
    links = [_link(draw, link_id, *draw(pairs)) for link_id in draw(st.lists(ids, max_size=6, unique=True))]
    demands = [_demand(draw, demand_id, *draw(pairs)) for demand_id in draw(st.lists(ids, max_size=4, unique=True))]
    return Topology.of(found, links, demands)


def _endpoint(draw: st.DrawFn, node: Node) -> Endpoint:
    return Endpoint(node=node.id, interface=draw(st.sampled_from([None, *(i.name for i in node.interfaces)])))


def _link(draw: st.DrawFn, link_id: str, source: Node, target: Node) -> Link:
    return Link(
        id=link_id,
        source=_endpoint(draw, source),
        target=_endpoint(draw, target),
        bandwidth=Bandwidth(draw(st.floats(1, 1e15))),
        latency=Seconds(draw(st.floats(0, 10))),
        loss=Ratio(draw(st.floats(0, 1))),
        mtu=draw(st.integers(68, 65536)),
        cost=draw(st.floats(0, 1e6)),
        enabled=draw(st.booleans()),
        directed=draw(st.booleans()),
        properties=draw(properties),
    )


def _demand(draw: st.DrawFn, demand_id: str, source: Node, target: Node) -> Demand:
    rate, modality = Bandwidth(draw(st.floats(0, 1e12))), draw(st.sampled_from(Modality))
    return Demand(id=demand_id, source=source.id, target=target.id, rate=rate, modality=modality)
