"""paranet.models.layout"""

from itertools import pairwise

import attrs
from hypothesis import given, settings

from paranet.models.layout import laid_out
from paranet.models.topology import Display, Endpoint, Link, Location, Node, Topology
from tests.strategies import topologies


def line(*nodes: Node) -> Topology:
    ends = pairwise(nodes)
    return Topology.of(nodes, [Link(id=f"{a.id}{b.id}", source=Endpoint(node=a.id), target=Endpoint(node=b.id)) for a, b in ends])


@settings(max_examples=30, deadline=None)
@given(topologies())
def test_every_node_has_a_place_afterwards(topology: Topology) -> None:
    """Those that had one keep it, nothing else changes, and doing it again changes nothing."""
    placed = laid_out(topology)
    assert all(n.location or n.display for n in placed.nodes.values())
    assert [attrs.evolve(n, display=None) for n in placed.nodes.values()] == [
        attrs.evolve(n, display=None) for n in topology.nodes.values()
    ]
    assert placed.links == topology.links
    assert laid_out(placed) == placed
    assert laid_out(topology) == placed


def test_a_node_between_two_places_is_put_near_them() -> None:
    """In degrees, as the map draws them."""
    west, east = (Node(id=i, location=Location(latitude=50, longitude=x)) for i, x in (("w", 0), ("e", 10)))
    place = laid_out(line(west, Node(id="m"), east)).nodes["m"].display
    assert place is not None
    assert abs(place.x - 5) < 1
    assert abs(place.y - 50) < 1


def test_what_hangs_on_nothing_goes_below() -> None:
    """So that it hides nothing."""
    here = Node(id="h", display=Display(x=0, y=0))
    place = laid_out(Topology.of([here, Node(id="lost")])).nodes["lost"].display
    assert place is not None
    assert place.y < 0
