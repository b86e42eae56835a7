"""paranet.models.topology"""

import math
import random
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.errors import BadField, Fault, InvalidTopology
from paranet.models.topology import NODE_TYPES, Demand, Endpoint, Interface, Link, Location, Modality, Node, Topology
from paranet.models.units import Bandwidth
from tests.strategies import locations, topologies


def link(link_id: str = "l", source: str = "a", target: str = "b", interface: str | None = None) -> Link:
    return Link(id=link_id, source=Endpoint(node=source, interface=interface), target=Endpoint(node=target))


def faults(*parts: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidTopology) as caught:
        Topology.of(*parts)
    return [(fault.path, fault.message) for fault in caught.value.errors if isinstance(fault, Fault)]


@pytest.mark.parametrize("node_id", ["r1", "北京", "0", "a.b:c-d", "x" * 128])
def test_ids_of_every_script(node_id: str) -> None:
    """Letters and digits of any script begin an id."""
    assert Node(id=node_id).name == node_id


@pytest.mark.parametrize("node_id", ["", "-a", ".a", "a b", "a/b", "a\n", "x" * 129])
def test_what_is_no_id(node_id: str) -> None:
    """Ids fit into a path of a URL and a row's key."""
    with pytest.raises(BadField, match="is not an id"):
        Node(id=node_id)


@pytest.mark.parametrize("kind", NODE_TYPES)
def test_modalities_follow_from_the_type(kind: str) -> None:
    """Every known type forwards something, and only mobile GEO nodes lack IP."""
    assert (Modality.IP in Node(id="a", type=kind).modalities) is (kind != "geo_mobile")


def test_modalities_may_be_given() -> None:
    """An own list stands against the type's."""
    assert Node(id="a", type="router", modalities=(Modality.NDN,)).modalities == (Modality.NDN,)


@pytest.mark.parametrize(
    ("field", "value"),
    [("bandwidth", 0), ("bandwidth", math.nan), ("latency", -1), ("latency", math.inf), ("loss", 1.1), ("mtu", 67), ("cost", -1)],
)
def test_links_have_possible_figures(field: str, value: float) -> None:
    """The fault names the field."""
    change: dict[str, Any] = {field: value}
    with pytest.raises(BadField) as caught:
        attrs.evolve(link(), **change)
    assert caught.value.field == field


def test_an_interface_has_an_address_or_none() -> None:
    """IPv4 and IPv6 with prefix length; anything else is refused."""
    Interface(name="eth0", address="2001:db8::1/64")
    with pytest.raises(BadField, match=r"'10\.0\.0\.300/24' is not an IP address"):
        Interface(name="eth0", address="10.0.0.300/24")


def test_ids_are_unique() -> None:
    """Of nodes, links and demands each."""
    nodes = [Node(id="a"), Node(id="b"), Node(id="a")]
    demands = [Demand(id="d", source="a", target="b", rate=Bandwidth(1))] * 2
    paths = [path for path, _ in faults(nodes, [link(), link()], demands)]
    assert paths == ["nodes[2].id", "links[1].id", "demands[1].id"]


def test_links_and_demands_end_at_nodes() -> None:
    """Whatever ends nowhere is named."""
    found = faults([Node(id="a")], [link()], [Demand(id="d", source="x", target="a", rate=Bandwidth(1))])
    assert found == [("links[0].target.node", "there is no node 'b'"), ("demands[0].source", "there is no node 'x'")]


def test_links_end_at_interfaces_that_are_there() -> None:
    """Where a node lists its interfaces, a link ends at one of them."""
    nodes = [Node(id="a", interfaces=(Interface(name="eth0"),)), Node(id="b")]
    assert faults(nodes, [link(interface="eth1")]) == [("links[0].source.interface", "'a' has no interface 'eth1'")]
    Topology.of(nodes, [link(interface="eth0")])


def test_a_link_joins_two_nodes() -> None:
    """Self loops are refused."""
    assert faults([Node(id="a")], [link(target="a")]) == [("links[0].target.node", "a link needs two different nodes")]


def test_distance() -> None:
    """Amsterdam to Milan is about 829 km."""
    here, there = Location(latitude=52.3676, longitude=4.9041), Location(latitude=45.4642, longitude=9.19)
    assert here.distance(there) == pytest.approx(829_000, rel=0.01)


@given(locations, locations)
def test_distances_are_symmetric_and_on_earth(here: Location, there: Location) -> None:
    """No farther than half way round."""
    assert here.distance(there) == pytest.approx(there.distance(here), abs=1)
    assert 0 <= here.distance(there) <= 20_016_000


@given(topologies())
def test_links_of_a_node_are_those_that_end_there(topology: Topology) -> None:
    """Every link belongs to two nodes."""
    listed = [x.id for node in topology.nodes for x in topology.links_of(node)]
    assert sorted(listed) == sorted(list(topology.links) * 2)


def some(rng: random.Random) -> Topology:
    """A few of six nodes and of six links."""
    names = rng.sample("abcdef", rng.randint(2, 6))
    links = [link(f"l{k}", *rng.sample(names, 2)) for k in rng.sample(range(6), rng.randint(0, 6))]
    return Topology.of([Node(id=name, region=rng.choice("xyz")) for name in names], links, properties={rng.choice("pq"): rng.random()})


@given(st.integers(0, 2**32))
def test_merging_again_changes_nothing(seed: int) -> None:
    """What comes on top is all there, what it does not name stays, and a second time makes no difference."""
    rng = random.Random(seed)
    there, other = some(rng), some(rng)
    once = there.merged(other)
    assert once.merged(other) == once
    for parts in ("nodes", "links", "properties"):
        assert getattr(once, parts) == {**getattr(there, parts), **getattr(other, parts)}
    assert there.merged(there) == there
