"""paranet.controller.simulator.groups: packets to a group go where the installed tree leads them"""

import attrs
import pytest

from paranet.compiler import compile_source
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import BadField
from paranet.models.device import Row
from paranet.models.topology import Demand, Modality, Topology
from paranet.models.units import Bandwidth
from tests.paranet.controller.simulator.networks import GIGABIT, link, node, value
from tests.paranet.controller.simulator.test_network import booted, delivered, run

GROUP = "232.1.1.1"
TREE = "multicast tv { group: 232.1.1.1; from: a; members: [b, c, d] }"


def fork(**modalities: tuple[Modality, ...]) -> Topology:
    """A tree a - b - c and b - d, with a demand from a to each member of the group."""
    nodes = [attrs.evolve(node(n), modalities=modalities.get(n, (Modality.IP,))) for n in "abcd"]
    demands = [Demand(id=m, source="a", target=m, rate=Bandwidth(0.3 * GIGABIT), group=GROUP) for m in "bcd"]
    return Topology.of(nodes, [link("a", "b"), link("b", "c"), link("b", "d")], demands)


def compiled(topology: Topology, source: str = TREE) -> dict[str, tuple[Row, ...]]:
    found = compile_source(source, topology)
    assert found.ok, found.diagnostics
    return dict(found.rows)


async def carried(topology: Topology, rows: dict[str, tuple[Row, ...]]) -> SimulatedNetwork:
    network = await booted(topology, rows)
    run(network)
    return network


def sent(network: SimulatedNetwork, origin: str, link_id: str) -> float:
    return value(network.counters(origin), "paranet_link_transmit_bytes_total", link=link_id)


async def test_every_member_gets_all_and_every_link_carries_it_once() -> None:
    """Three members, and one stream on the link that they share."""
    topology = fork()
    network = await carried(topology, compiled(topology))
    assert [delivered(network, member) for member in "bcd"] == pytest.approx([1, 1, 1])
    offered = value(network.counters("a"), "paranet_flow_offered_bytes_total", flow="b")
    assert [sent(network, *at) for at in (("a", "a-b"), ("b", "b-c"), ("b", "b-d"))] == pytest.approx([offered] * 3)


async def test_switches_copy_by_their_groups() -> None:
    """A P4 switch in the middle sends a copy out of each port of the group's replicas."""
    topology = fork(b=(Modality.IP, Modality.P4))
    rows = compiled(topology, TREE.replace("[b, c, d]", "[c, d]; protocol: p4"))
    assert {row.family for row in rows["b"]} == {"p4.pipeline", "p4.table", "p4.mcast"}
    network = await carried(topology, rows)
    assert [delivered(network, member) for member in "cd"] == pytest.approx([1, 1])


@pytest.mark.parametrize("family", ["p4.mcast", "p4.table"])
async def test_a_switch_without_a_row_copies_nothing(family: str) -> None:
    topology = fork(b=(Modality.IP, Modality.P4))
    rows = compiled(topology, TREE.replace("[b, c, d]", "[c, d]; protocol: p4"))
    network = await carried(topology, {**rows, "b": tuple(row for row in rows["b"] if row.family != family)})
    assert [delivered(network, member) for member in "cd"] == [0, 0]


async def test_without_rows_nothing_is_carried() -> None:
    """A unicast route of the members is none of the group's."""
    network = await carried(fork(), compiled(fork(), "route x { from: a; to: d }"))
    assert [delivered(network, member) for member in "bcd"] == [0, 0, 0]
    assert value(network.counters("a"), "paranet_node_dropped_packets_total", reason="no_route") > 0


async def test_a_member_that_lost_its_row_gets_nothing() -> None:
    """And drops its copies; the others are none the worse."""
    topology = fork()
    network = await carried(topology, {n: rows for n, rows in compiled(topology).items() if n != "c"})
    assert [delivered(network, member) for member in "bcd"] == pytest.approx([1, 0, 1])
    assert value(network.counters("c"), "paranet_node_dropped_packets_total", reason="no_route") > 0


async def test_packets_from_another_side_are_dropped() -> None:
    """The check of the reverse path: c waits for them over another link."""
    topology = fork()
    rows = compiled(topology)
    (row,) = rows["c"]
    rows["c"] = (attrs.evolve(row, value={**row.value, "incoming": {"node": "d", "link": "c-d", "interface": None}}),)
    network = await carried(topology, rows)
    assert [delivered(network, member) for member in "bcd"] == pytest.approx([1, 0, 1])
    assert value(network.counters("c"), "paranet_node_dropped_packets_total", reason="wrong_link") > 0


async def test_a_cut_branch_loses_its_copies_only() -> None:
    """They are counted where they would have left."""
    topology = fork()
    network = await booted(topology, compiled(topology))
    network.lab.cut_link("b-d")
    run(network)
    assert [delivered(network, member) for member in "bcd"] == pytest.approx([1, 1, 0])
    assert value(network.counters("b"), "paranet_node_dropped_packets_total", reason="link_down") > 0


async def test_a_narrow_branch_passes_what_it_can() -> None:
    """The members behind it get the part that the link carries."""
    topology = fork()
    links = [attrs.evolve(li, bandwidth=Bandwidth(0.1 * GIGABIT)) if li.id == "b-c" else li for li in topology.links.values()]
    narrow = Topology.of(topology.nodes.values(), links, topology.demands.values())
    network = await carried(narrow, compiled(narrow))
    assert delivered(network, "d") == pytest.approx(1)
    assert delivered(network, "c") == pytest.approx(1 / 3, rel=0.3)


async def test_rules_and_classes_count_for_groups_too() -> None:
    """A rule against the group at a member, a class at the node before."""
    topology = fork()
    rows = compiled(topology)
    deny = Row(family="ip.acl", key="00010 x", value={"seq": 10, "action": "deny", "match": {"destination": f"{GROUP}/32"}})
    slow = Row(family="ip.qos", key="slow", value={"match": {"destination": f"{GROUP}/32"}, "rate": 0.03 * GIGABIT, "burst": 15000})
    network = await carried(topology, {**rows, "b": (*rows["b"], slow), "d": (*rows["d"], deny)})
    assert delivered(network, "b") == pytest.approx(1)
    assert delivered(network, "c") == pytest.approx(0.1, rel=0.3)
    assert delivered(network, "d") == 0


def test_a_demand_for_a_group_names_one() -> None:
    """Any other address is refused."""
    with pytest.raises(BadField, match="multicast"):
        Demand(id="x", source="a", target="b", rate=Bandwidth(1), group="10.0.0.1")
