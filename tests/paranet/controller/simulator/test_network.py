"""paranet.controller.simulator.network"""

import attrs
import pytest

from paranet.controller.driver import Sample
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DeviceError
from paranet.examples import demo
from paranet.interop.registry import read
from paranet.models.device import Row
from paranet.models.topology import Demand, Modality, Topology
from paranet.models.units import Bandwidth, Ratio
from tests.paranet.controller.simulator.networks import GIGABIT, line, link, node, route, shortest_routes, value


async def booted(topology: Topology, rows: dict[str, tuple[Row, ...]] | None = None, **options: float) -> SimulatedNetwork:
    """Return a network with these rows, shortest routes without."""
    flash = MemoryFlash(shortest_routes(topology) if rows is None else rows)
    network = SimulatedNetwork(topology, seed=7, flash=flash, **options)
    await network.boot()
    return network


def run(network: SimulatedNetwork, ticks: int = 10, start: int = 1000) -> None:
    for i in range(ticks):
        network.tick(1.0, float(start + i))


def delivered(network: SimulatedNetwork, flow: str = "flow") -> float:
    """Return the part of the flow's bytes that has arrived."""
    samples = network.counters(network.topology.demands[flow].source)
    return value(samples, "paranet_flow_delivered_bytes_total", flow=flow) / value(samples, "paranet_flow_offered_bytes_total", flow=flow)


async def test_traffic_follows_the_rows() -> None:
    """What the source sends, the ports on the way count and the target gets."""
    network = await booted(line("a", "b", "c"))
    run(network)
    offered = value(network.counters("a"), "paranet_flow_offered_bytes_total", flow="flow")
    assert offered == pytest.approx(10 * 0.5 * GIGABIT / 8, rel=0.25)
    assert delivered(network) == pytest.approx(1)
    assert value(network.counters("a"), "paranet_link_transmit_bytes_total", link="a-b", interface="to-b") == pytest.approx(offered)
    assert value(network.counters("c"), "paranet_link_receive_bytes_total", link="b-c", interface="to-b") == pytest.approx(offered)
    assert value(network.counters("c"), "paranet_link_transmit_bytes_total", link="b-c") == 0
    assert 0.3 < value(network.counters("b"), "paranet_link_utilization_ratio", link="b-c") < 0.7
    assert value(network.counters("b"), "paranet_node_up") == 1
    assert 0.03 < value(network.counters("b"), "paranet_node_cpu_ratio") < 0.7


async def test_without_rows_nothing_arrives() -> None:
    """The first node without a route drops it all and counts it."""
    network = await booted(line("a", "b", "c"), {"a": (route("10.0.0.99/32", ("b", "a-b")),)})
    run(network)
    assert delivered(network) == 0
    assert value(network.counters("b"), "paranet_node_dropped_packets_total", reason="no_route") == pytest.approx(625_000, rel=0.25)
    assert value(network.counters("a"), "paranet_node_dropped_packets_total", reason="no_route") == 0


async def test_a_loop_burns_and_ends() -> None:
    """Packets that go round are dropped after 64 hops; until then they fill the links."""
    network = await booted(
        line("a", "b", "c", demand=1e6), {"a": (route("10.0.0.99/32", ("b", "a-b")),), "b": (route("10.0.0.99/32", ("a", "a-b")),)}
    )
    run(network)
    assert delivered(network) == 0
    assert value(network.counters("a"), "paranet_node_dropped_packets_total", reason="ttl_exceeded") > 0
    assert value(network.counters("a"), "paranet_link_utilization_ratio", link="a-b") == pytest.approx(0.032, rel=0.25)


async def test_traffic_splits_by_weight() -> None:
    """Two next hops of 3 and 1 get three quarters and one."""
    nodes = [node(i) for i in "abcd"]
    links = [link("a", "b"), link("a", "c"), link("b", "d"), link("c", "d")]
    topology = Topology.of(nodes, links, [Demand(id="flow", source="a", target="d", rate=Bandwidth(1e8))])
    rows = shortest_routes(topology) | {"a": (route("10.0.0.100/32", ("b", "a-b", 3), ("c", "a-c", 1)),)}
    network = await booted(topology, rows)
    run(network)
    sent = [value(network.counters("a"), "paranet_link_transmit_bytes_total", link=name) for name in ("a-b", "a-c")]
    assert sent[0] == pytest.approx(3 * sent[1])
    network.lab.cut_link("a-b")
    run(network)
    assert delivered(network) == pytest.approx(1), "the other next hop takes it all"


async def test_congestion_drops_and_delays() -> None:
    """A link carries no more than it can; the excess is counted at its sending end, and packets wait."""
    network = await booted(line("a", "b", "c", demand=2 * GIGABIT))
    run(network)
    assert 0.4 < delivered(network) < 0.65
    samples = network.counters("a")
    assert value(samples, "paranet_link_utilization_ratio", link="a-b") == 1
    assert value(samples, "paranet_link_dropped_packets_total", link="a-b") > 0
    assert value(samples, "paranet_link_latency_seconds", link="a-b") == pytest.approx(0.052)
    assert value(network.counters("b"), "paranet_link_dropped_packets_total", link="b-c") < 10


async def test_a_lossy_link_loses() -> None:
    """Its own loss shows in what arrives."""
    topology = line("a", "b")
    lossy = attrs.evolve(topology.links["a-b"], loss=Ratio(0.1))
    network = await booted(Topology.of(topology.nodes.values(), [lossy], topology.demands.values()))
    run(network)
    assert delivered(network) == pytest.approx(0.9)


async def test_a_disabled_link_carries_nothing() -> None:
    """Not even what rows send there; it has no latency."""
    topology = line("a", "b")
    down = attrs.evolve(topology.links["a-b"], enabled=False)
    network = await booted(Topology.of(topology.nodes.values(), [down], topology.demands.values()))
    run(network)
    assert delivered(network) == 0
    assert value(network.counters("a"), "paranet_node_dropped_packets_total", reason="link_down") > 0
    assert "paranet_link_latency_seconds" not in {s.metric for s in network.counters("a")}


async def test_a_directed_link_has_one_way() -> None:
    """Its target counts only what it receives."""
    topology = Topology.of([node("a"), node("b")], [link("a", "b", directed=True)])
    network = await booted(topology, background_load=0.1)
    run(network)
    assert value(network.counters("b"), "paranet_link_receive_bytes_total") > 0
    assert value(network.counters("b"), "paranet_node_dropped_packets_total", reason="link_down") > 0
    assert "paranet_link_utilization_ratio" not in {s.metric for s in network.counters("b")}


async def test_background_traffic_has_no_flow_series() -> None:
    """A topology without demands is busy all the same."""
    network = await booted(line("a", "b", "c", demand=None))
    run(network)
    assert value(network.counters("b"), "paranet_link_utilization_ratio", link="b-c") > 0
    assert not [s for s in network.counters("a") if s.metric.startswith("paranet_flow")]


async def test_only_ip_is_routed_by_ip_rows() -> None:
    """A demand of another modality finds no way over them."""
    topology = line("a", "b")
    named = attrs.evolve(topology.demands["flow"], modality=Modality.NDN)
    network = await booted(Topology.of(topology.nodes.values(), topology.links.values(), [named]))
    run(network)
    assert delivered(network) == 0


async def test_a_cut_link_stops_traffic_until_it_is_mended() -> None:
    """What a deployment or a digger breaks, the counters show."""
    network = await booted(line("a", "b", "c"))
    network.lab.cut_link("b-c")
    run(network)
    assert delivered(network) == 0
    assert value(network.counters("b"), "paranet_node_dropped_packets_total", reason="link_down") > 0
    network.lab.mend_link("b-c")
    run(network)
    assert delivered(network) == pytest.approx(0.5, abs=0.02)


async def test_a_dead_node_forwards_nothing() -> None:
    """Its neighbours drop, and back it counts from zero."""
    network = await booted(line("a", "b", "c"))
    run(network)
    network.lab.kill_node("b")
    run(network)
    assert value(network.counters("a"), "paranet_node_dropped_packets_total", reason="link_down") > 0
    network.lab.revive_node("b")
    assert value(network.counters("b"), "paranet_link_receive_bytes_total", link="a-b") == 0
    before = delivered(network)
    run(network)
    assert delivered(network) > before


async def test_a_dead_source_offers_nothing() -> None:
    """No power, no traffic."""
    network = await booted(line("a", "b"))
    network.lab.kill_node("a")
    run(network)
    network.lab.revive_node("a")
    assert value(network.counters("a"), "paranet_flow_offered_bytes_total") == 0


async def test_a_changed_topology_keeps_what_stays() -> None:
    """Rows and counters of the devices that stay; those that go are not there any more."""
    network = await booted(line("a", "b", "c"))
    run(network)
    before = value(network.counters("a"), "paranet_link_transmit_bytes_total", link="a-b")
    bigger = line("a", "b", "d")
    network.set_topology(bigger)
    assert value(network.counters("a"), "paranet_link_transmit_bytes_total", link="a-b") == before
    with pytest.raises(DeviceError, match="c is not there"):
        network.counters("c")
    run(network)
    assert value(network.counters("b"), "paranet_node_dropped_packets_total", reason="no_route") == 0
    assert value(network.counters("a"), "paranet_node_dropped_packets_total", reason="no_route") > 0, "nobody knows d yet"


async def test_a_device_that_comes_back_has_its_flash() -> None:
    """As if it had been unplugged and carried back."""
    network = await booted(line("a", "b", "c"))
    network.set_topology(line("a", "b"))
    network.set_topology(line("a", "b", "c"))
    run(network)
    assert delivered(network) == pytest.approx(1)


async def history(seed: int) -> list[list[Sample]]:
    topology = read(demo()).topology
    network = SimulatedNetwork(topology, seed=seed, flash=MemoryFlash(shortest_routes(topology)))
    await network.boot()
    seen = []
    for i in range(20):
        if i == 5:
            network.lab.cut_link("fra-zur")
        if i == 10:
            network.lab.kill_node("berlin")
        network.tick(0.5, 1000 + i / 2)
        seen.append([sample for node_id in topology.nodes for sample in network.counters(node_id)])
    return seen


async def test_the_same_seed_gives_the_same_counters() -> None:
    """Every sample, at every tick; another seed gives others."""
    assert await history(1) == await history(1)
    assert await history(1) != await history(2)


async def test_the_demo_is_busy_but_not_congested() -> None:
    """Along the shortest ways, which are those of its intents, links are busy from 5 % to 90 % and everything arrives."""
    topology = read(demo()).topology
    network = await booted(topology)
    peaks: dict[str, float] = {}
    for i in range(60):
        network.tick(10.0, 10.0 * i)
        for sample in (s for n in topology.nodes for s in network.counters(n)):
            if sample.metric == "paranet_link_utilization_ratio":
                link_id = sample.labels["link"]
                peaks[link_id] = max(peaks.get(link_id, 0.0), sample.value)
    assert 0.05 < min(peaks.values()) < 0.1
    assert 0.7 < max(peaks.values()) < 0.9
    assert [delivered(network, flow) for flow in topology.demands] == [pytest.approx(1)] * len(topology.demands)
