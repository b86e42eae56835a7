"""paranet.examples: the demo that every first visitor sees."""

from ipaddress import ip_interface

from paranet.examples import demo, demo_intents
from paranet.interop.registry import read, write
from paranet.models.addressing import router_addresses
from paranet.models.topology import Topology


def topology() -> Topology:
    return read(demo()).topology


def test_the_file_is_as_the_hub_writes_it() -> None:
    """Exporting the demo gives the demo."""
    assert write(topology()) == demo()


def test_all_kinds_of_devices_are_there() -> None:
    """IP, NDN, GEO and P4 can be tried."""
    types = [n.type for n in topology().nodes.values()]
    assert {t: types.count(t) for t in sorted(set(types))} == {
        "geo_router": 1, "ndn_cache": 1, "ndn_router": 1, "p4_switch": 2, "router": 7,
    }  # fmt: skip


def test_every_link_has_a_subnet() -> None:
    """Both ends of a link are addresses of one /31, and every node answers to its loopback."""
    network = topology()
    addresses = {(n.id, i.name): ip_interface(i.address) for n in network.nodes.values() for i in n.interfaces if i.address}
    for link in network.links.values():
        here, there = (addresses[end.node, end.interface or ""] for end in (link.source, link.target))
        assert here.network == there.network
        assert here.ip != there.ip
    assert {a: str(router_addresses(network)[a]) for a in ("amsterdam", "zurich")} == {"amsterdam": "10.255.0.1", "zurich": "10.255.0.12"}


def test_every_demand_but_one_has_its_route() -> None:
    """The intents are those of the demands; Madrid to Vienna is left for the visitor to connect, as the README does."""
    source = demo_intents()
    routed = {d.id for d in topology().demands.values() if f"route {d.id} {{ from: {d.source}; to: {d.target};" in source}
    assert topology().demands.keys() - routed == {"mad-vie"}
    assert source.count("\nroute ") == len(routed)
