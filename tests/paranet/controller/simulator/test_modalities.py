"""The simulated network forwards what is installed, whatever the packets go by."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from paranet.controller.simulator.device import SimulatorDriver
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DeviceError
from paranet.models.device import Change, Delta, Row
from paranet.models.topology import Location, Modality, Topology
from tests.paranet.controller.simulator.networks import GIGABIT, line, link, node, shortest_routes, value
from tests.paranet.controller.simulator.test_network import booted, delivered, run

ALL = tuple(Modality)


def speaking(topology: Topology, modality: Modality, **more: Any) -> Topology:
    """The network with every node speaking everything, and its demand by *modality*."""
    nodes = [attrs.evolve(n, modalities=ALL, **more.get(n.id, {})) for n in topology.nodes.values()]
    return Topology.of(nodes, topology.links.values(), [attrs.evolve(d, modality=modality) for d in topology.demands.values()])


def row(family: str, key: str, **given: object) -> Row:
    return Row(family=family, key=key, value=given)


def dropped(network: SimulatedNetwork, node: str, reason: str) -> float:
    return value(network.counters(node), "paranet_node_dropped_packets_total", reason=reason)


# -- IP: access lists and classes


async def with_rows(**rows: Row) -> SimulatedNetwork:
    """The line a - b - c with shortest routes and a row more on some nodes."""
    topology = line("a", "b", "c")
    routes = shortest_routes(topology)
    return await booted(topology, {node: (*found, *([rows[node]] if node in rows else [])) for node, found in routes.items()})


@pytest.mark.parametrize(
    ("match", "arrives"),
    [
        ({}, 0),
        ({"source": "10.0.0.97/32"}, 0),
        ({"destination": "10.0.0.0/24", "protocol": "tcp"}, 0),
        ({"source": "10.0.0.99/32"}, 1),
        ({"protocol": "icmp"}, 1),
        ({"protocol": "tcp", "destination_port": "80"}, 1),
    ],
)
async def test_a_deny_drops_what_it_is_about(match: Mapping[str, str], arrives: float) -> None:
    """And counts it; ports and other protocols are not the demand's."""
    network = await with_rows(b=row("ip.acl", "00010 x", seq=10, action="deny", match=match))
    run(network)
    assert delivered(network) == pytest.approx(arrives)
    if not arrives:
        assert dropped(network, "b", "denied") > 0


@pytest.mark.parametrize(("at", "arrives"), [("a", 1), ("b", 0), ("c", 0)])
async def test_a_deny_meets_what_comes_to_a_node(at: str, arrives: float) -> None:
    """Forwarded or received, but not what the node sends of its own."""
    network = await with_rows(**{at: row("ip.acl", "00010 x", seq=10, action="deny", match={})})
    run(network)
    assert delivered(network) == pytest.approx(arrives)


async def test_the_first_rule_counts() -> None:
    """By number, not by name."""
    permit = row("ip.acl", "00005 z", seq=5, action="permit", match={"source": "10.0.0.97/32"})
    topology = line("a", "b", "c")
    routes = shortest_routes(topology)
    deny = row("ip.acl", "00010 a", seq=10, action="deny", match={})
    network = await booted(topology, {**routes, "b": (*routes["b"], deny, permit)})
    run(network)
    assert delivered(network) == pytest.approx(1)


async def test_a_rule_counts_in_its_hours() -> None:
    """From the minute it begins, without anybody touching the device."""
    network = await with_rows(b=row("ip.acl", "00010 x", seq=10, action="deny", match={}, when="00:10..00:20"))
    run(network, 5, start=595)
    assert delivered(network) == pytest.approx(1)
    run(network, 10, start=600)
    assert delivered(network) < 0.5


async def test_a_class_is_held_to_its_rate() -> None:
    """What is more is dropped at that node, and counted there."""
    network = await with_rows(b=row("ip.qos", "slow", match={"destination": "10.0.0.99/32"}, rate=0.1 * GIGABIT, burst=10_000))
    run(network)
    assert delivered(network) == pytest.approx(0.2, rel=0.25)
    assert value(network.counters("a"), "paranet_link_utilization_ratio", link="a-b") > 0.3
    assert value(network.counters("b"), "paranet_link_utilization_ratio", link="b-c") == pytest.approx(0.1)
    assert dropped(network, "b", "shaped") > 0


async def test_other_traffic_is_not_held() -> None:
    """A class of something else limits nothing."""
    network = await with_rows(b=row("ip.qos", "slow", match={"destination": "10.9.0.0/16"}, rate=8, burst=1))
    run(network)
    assert delivered(network) == pytest.approx(1)


# -- NDN


def names(*, store: bool) -> dict[str, tuple[Row, ...]]:
    """Interests in /video go from a over b to c; b may keep what passes."""
    cache = (row("ndn.cs", "/video", capacity=10**12, policy="lru"),) if store else ()
    return {
        "a": (row("ndn.rib", "/video", next_hops=[{"node": "b", "link": "a-b", "face": "a-b", "cost": 1}], producer=False),),
        "b": (row("ndn.rib", "/video", next_hops=[{"node": "c", "link": "b-c", "face": "b-c", "cost": 1}], producer=False), *cache),
        "c": (row("ndn.rib", "/video", next_hops=[], producer=True),),
    }


async def test_data_comes_back_on_the_way_of_interests() -> None:
    """From the producer to the consumer."""
    network = await booted(speaking(line("a", "b", "c"), Modality.NDN), names(store=False))
    run(network)
    assert delivered(network) == pytest.approx(1)
    assert value(network.counters("c"), "paranet_link_transmit_bytes_total", link="b-c") > 0
    assert value(network.counters("b"), "paranet_link_transmit_bytes_total", link="b-c") == 0


async def test_a_content_store_fills_and_spares_the_producer() -> None:
    """Less and less comes from it, the consumer gets the same; a power cycle empties the store."""
    network = await booted(speaking(line("a", "b", "c"), Modality.NDN), names(store=True))

    def spared(start: int) -> float:
        before = [value(network.counters(n), "paranet_link_transmit_bytes_total", link=k) for n, k in (("c", "b-c"), ("b", "a-b"))]
        run(network, 5, start=start)
        after = [value(network.counters(n), "paranet_link_transmit_bytes_total", link=k) for n, k in (("c", "b-c"), ("b", "a-b"))]
        return 1 - (after[0] - before[0]) / (after[1] - before[1])

    first = spared(1000)
    run(network, 90, start=1005)
    later = spared(1095)
    assert first < 0.2
    assert later > 0.5
    assert delivered(network) == pytest.approx(1)
    network.lab.reboot("b")
    run(network, 1, start=1100)
    assert spared(1101) < later


async def test_interests_without_a_name_are_dropped() -> None:
    """Where the row is missing."""
    rows = names(store=False)
    network = await booted(speaking(line("a", "b", "c"), Modality.NDN), {"a": rows["a"], "c": rows["c"]})
    run(network)
    assert delivered(network) == 0
    assert dropped(network, "b", "no_name") > 0


@pytest.mark.parametrize(
    ("strategy", "costs", "shares"),
    [
        ("best-route", (1, 1), (1, 0)),
        ("random", (1, 1), (0.5, 0.5)),
        ("random", (1, 2), (0.5, 0.5)),
        ("asf", (1, 1), (0.5, 0.5)),
        ("asf", (2, 1), (0, 1)),
        ("multicast", (1, 1), (1, 0)),
    ],
)
async def test_strategies_divide_interests(strategy: str, costs: tuple[int, int], shares: tuple[float, float]) -> None:
    """As equal-cost routes divide packets; when a way is cut the other gets all."""
    square = Topology.of(
        [node(n) for n in "abcd"], [link("a", "b"), link("b", "d"), link("a", "c"), link("c", "d")], line("a", "d").demands.values()
    )
    hops = [{"node": n, "link": f"a-{n}", "face": f"a-{n}", "cost": c} for n, c in zip("bc", costs, strict=True)]
    rows: dict[str, tuple[Row, ...]] = {n: (row("ndn.rib", "/v", next_hops=[{"node": "d", "link": f"{n}-d", "cost": 1}]),) for n in "bc"}
    rows["a"] = (row("ndn.rib", "/v", next_hops=hops), row("ndn.strategy", "/v", strategy=strategy))
    network = await booted(speaking(square, Modality.NDN), {**rows, "d": (row("ndn.rib", "/v", next_hops=[], producer=True),)})
    run(network)
    sent = [value(network.counters(n), "paranet_link_transmit_bytes_total", link=f"a-{n}") for n in "bc"]
    assert delivered(network) == pytest.approx(1)
    assert [s / sum(sent) for s in sent] == pytest.approx(shares)
    network.lab.cut_link("a-b")
    before = delivered(network)
    run(network, start=100)
    assert delivered(network) == pytest.approx(before)


async def test_a_store_without_a_way_answers_what_it_holds() -> None:
    """What it does not hold is lost, and counted once."""
    network = await booted(speaking(line("a", "b", "c"), Modality.NDN), names(store=True))
    run(network, 30)

    def counted() -> tuple[float, float]:
        return tuple(value(network.counters("a"), f"paranet_flow_{what}_bytes_total", flow="flow") for what in ("offered", "delivered"))  # type: ignore[return-value]  # a pair

    network.lab.cut_link("b-c")
    offered, got = counted()
    run(network, 1, start=1030)
    offered, got = counted()[0] - offered, counted()[1] - got
    assert 0 < got < offered
    assert dropped(network, "b", "link_down") == pytest.approx((offered - got) / 1000, rel=0.01)


# -- GEO


def places(**types: dict[str, Any]) -> Topology:
    """Nodes a, b, c from west to east, a hundredth of a degree apart."""
    at = {n: {"location": Location(latitude=50.0, longitude=8.0 + i / 100), **types.get(n, {})} for i, n in enumerate("abc")}
    return speaking(line("a", "b", "c"), Modality.GEO, **at)


EAST = [[49.9, 8.015], [50.1, 8.015], [50.1, 8.1], [49.9, 8.1]]


def eastward() -> dict[str, tuple[Row, ...]]:
    region = row("geo.region", "east", polygon=EAST)
    return {
        "a": (region, row("geo.forward", "east", next_hops=[{"node": "b", "link": "a-b", "interface": ""}], mode="greedy")),
        "b": (region, row("geo.forward", "east", next_hops=[{"node": "c", "link": "b-c", "interface": ""}], mode="greedy")),
        "c": (region, row("geo.forward", "east", next_hops=[], mode="deliver")),
    }


async def test_packets_find_a_region() -> None:
    """By the place of their target."""
    network = await booted(places(), eastward())
    run(network)
    assert delivered(network) == pytest.approx(1)


async def test_a_place_in_no_region_is_nowhere() -> None:
    """Without the region's row nobody knows where to."""
    network = await booted(places(), {**eastward(), "b": ()})
    run(network)
    assert delivered(network) == 0
    assert dropped(network, "b", "no_region") > 0


async def test_a_mobile_node_comes_and_goes() -> None:
    """Its links are there while its radio reaches; the same seed has it at the same place."""
    wanders = {"type": "geo_mobile", "properties": {"roam": 2000.0, "range": 2400.0}}
    seen = []
    for _ in range(2):
        network = await booted(places(b=wanders), eastward())
        reached = []
        for lap in range(12):
            network.tick(1.0, 50.0 * lap)
            reached.append(delivered(network))
            network.restart("a")
        seen.append(reached)
    assert seen[0] == seen[1]
    assert {0.0, 1.0} <= {round(part, 3) for part in seen[0]}


# -- P4


def switched(port: int, action: str = "MyIngress.ipv4_forward") -> Row:
    match = {"hdr.ipv4.dstAddr": ["10.0.0.99", 32]}
    return row("p4.table", f"ipv4_lpm {port}", table="MyIngress.ipv4_lpm", match=match, action=action, params={"dstAddr": 1, "port": port})


PIPELINE = row("p4.pipeline", "pipeline", program="l3", p4info={"tables": [], "actions": []})


@pytest.mark.parametrize(("entry", "arrives"), [(switched(3), 1), (switched(1), 0), (switched(9), 0)])
async def test_a_switch_does_what_its_tables_say(entry: Row, arrives: float) -> None:
    """Out of the port that the entry names; ports count from 1, as the interfaces stand (to-a, to-b, to-c)."""
    topology = speaking(line("a", "b", "c"), Modality.IP)
    network = await booted(topology, {**shortest_routes(topology), "b": (PIPELINE, entry)})
    run(network)
    assert delivered(network) == pytest.approx(arrives)


async def test_a_switch_drops_what_it_is_told_to() -> None:
    """An entry without a port."""
    topology = speaking(line("a", "b", "c"), Modality.IP)
    entry = attrs.evolve(switched(3), value={**switched(3).value, "action": "MyIngress.drop", "params": {}})
    network = await booted(topology, {**shortest_routes(topology), "b": (PIPELINE, entry)})
    run(network)
    assert delivered(network) == 0
    assert dropped(network, "b", "denied") > 0


# -- what devices take


BAD = [
    row("ip.acl", "1 x", seq=1, action="perhaps", match={}),
    row("ip.qos", "x", match={}, rate="fast"),
    row("ndn.rib", "video", next_hops=[]),
    row("ndn.rib", "/v", next_hops=[{"node": "z", "link": "b-z", "cost": 1}]),
    row("geo.region", "r", polygon=[[1, 2]]),
    row("geo.forward", "r", next_hops=[{"node": "z", "link": "b-z"}], mode="greedy"),
    row("p4.table", "t", table="t"),
    row("ip.mcast", "*,g", group="g", outgoing=[{"node": "z", "link": "b-z"}]),
    row("ip.wonder", "w"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda r: r.family)
async def test_rows_that_make_no_sense_are_refused(bad: Row) -> None:
    """At staging, by name."""
    topology = speaking(line("a", "b", "c"), Modality.IP)
    driver = SimulatorDriver(await booted(topology, {}), "b")
    await driver.connect()
    with pytest.raises(DeviceError, match=bad.family):
        await driver.stage(Delta(changes=(Change(before=None, after=bad),)), base=await driver.transaction_id())
