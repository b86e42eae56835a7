"""paranet.models.addressing"""

from hypothesis import given

from paranet.models.addressing import DERIVED, router_addresses
from paranet.models.topology import Interface, Node, Topology
from tests.strategies import topologies


def test_the_loopback_comes_first() -> None:
    """Then any interface with an address, then one derived from the id."""
    nodes = [
        Node(id="a", interfaces=(Interface(name="eth0", address="10.0.0.1/24"), Interface(name="Lo0", address="10.9.0.1/32"))),
        Node(id="b", interfaces=(Interface(name="lo"), Interface(name="eth1", address="2001:db8::1/64"))),
        Node(id="c"),
    ]
    found = router_addresses(Topology.of(nodes))
    assert (str(found["a"]), str(found["b"])) == ("10.9.0.1", "2001:db8::1")
    assert found["c"] in DERIVED


@given(topologies())
def test_every_node_has_one(topology: Topology) -> None:
    """No node is without."""
    assert router_addresses(topology).keys() == topology.nodes.keys()


def test_derived_addresses_are_unique_and_stable() -> None:
    """Adding and removing other nodes changes nothing."""
    nodes = [Node(id=f"n{i}") for i in range(5000)]
    found = router_addresses(Topology.of(nodes))
    assert len(set(found.values())) == len(nodes)
    assert router_addresses(Topology.of(nodes[:50])) == {n.id: found[n.id] for n in nodes[:50]}


def test_a_taken_address_is_stepped_over() -> None:
    """A node's own address is not given to another one."""
    (address,) = router_addresses(Topology.of([Node(id="c")])).values()
    greedy = Node(id="a", interfaces=(Interface(name="lo", address=f"{address}/32"),))
    assert router_addresses(Topology.of([greedy, Node(id="c")]))["c"] == address + 1
