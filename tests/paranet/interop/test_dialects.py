"""The traps of each format: what other people's files look like."""

import pytest

from paranet.errors import Fault, InvalidInput, InvalidTopology
from paranet.interop.registry import read
from paranet.models.topology import Display, Location, Topology


def links(topology: Topology) -> list[tuple[str, str | None, str, str | None, bool]]:
    """Return the ends and the direction of every link."""
    return [(x.source.node, x.source.interface, x.target.node, x.target.interface, x.directed) for x in topology.links.values()]


def test_one_way_links_of_rfc_8345_are_paired() -> None:
    """By nodes and termination points; one that is alone is directed; what the way back says otherwise is kept."""
    data = b"""{"ietf-network:networks": {"network": [{"network-id": "n", "node": [
      {"node-id": "a", "ietf-network-topology:termination-point": [{"tp-id": "1"}, {"tp-id": "2"}]}, {"node-id": "b"}],
      "ietf-network-topology:link": [
        {"link-id": "x", "source": {"source-node": "a", "source-tp": "1"}, "destination": {"dest-node": "b", "dest-tp": "7"}},
        {"link-id": "y", "source": {"source-node": "a", "source-tp": "2"}, "destination": {"dest-node": "b"}},
        {"link-id": "z", "source": {"source-node": "b", "source-tp": "7"}, "destination": {"dest-node": "a", "dest-tp": "1"}}]}]}}"""
    imported = read(data)
    assert imported.format == "rfc8345"
    assert links(imported.topology) == [("a", "1", "b", "7", False), ("a", "2", "b", None, True)]
    assert imported.topology.links["x"].properties == {"rfc8345": {"back": {"link-id": "z"}}}


CONTAINERLAB = b"""
name: lab
topology:
  kinds: {linux: {image: quay.io/frrouting/frr}}
  nodes: {r1: {kind: linux}, h1: {kind: linux, image: alpine}, br: {kind: bridge}}
  links:
    - endpoints: ["r1:eth1", "br:p1"]
      mtu: 9000
    - {type: veth, endpoints: [{node: h1, interface: eth1, mac: "02:00:00:00:00:01"}, {node: r1, interface: eth2}]}
    - {type: host, endpoint: {node: r1, interface: eth3}, host-interface: veth0}
"""


def test_containerlab_in_all_its_spellings() -> None:
    """Short and typed endpoints, kinds that are inherited, and links that leave the lab."""
    topology = read(CONTAINERLAB).topology
    assert {n.id: n.type for n in topology.nodes.values()} == {"r1": "router", "h1": "host", "br": "switch", "host": "host"}
    assert links(topology) == [
        ("r1", "eth1", "br", "p1", False), ("h1", "eth1", "r1", "eth2", False), ("r1", "eth3", "host", "veth0", False),
    ]  # fmt: skip
    first, second, _ = topology.links.values()
    assert (first.mtu, second.properties) == (9000, {"containerlab": {"endpoint-1": {"mac": "02:00:00:00:00:01"}}})
    assert topology.properties == {"containerlab": {"name": "lab", "kinds": {"linux": {"image": "quay.io/frrouting/frr"}}}}


NETLAB = b"""
defaults.device: frr
nodes: {r1: {loopback.ipv4: 10.0.0.1/32}, r2: , h-1: {device: linux}}
links:
- r1-r2
- r1-h-1
- [r1, r2]
- {name: Office LAN, r1: {ipv4: 10.1.0.1/24}, r2: , h-1: , bandwidth: 1000}
- {interfaces: [{node: r1, ifname: ge0}, r2], prefix: 10.2.0.0/31}
"""


def test_netlab_in_all_its_spellings() -> None:
    """Names with hyphens, links as text, list and mapping; a LAN of three is a switch."""
    topology = read(NETLAB).topology
    assert {n.id: n.type for n in topology.nodes.values()} == {"r1": "router", "r2": "router", "h-1": "host", "office-lan": "switch"}
    assert [(a, b) for a, _, b, _, _ in links(topology)] == [
        ("r1", "r2"), ("r1", "h-1"), ("r1", "r2"), ("r1", "office-lan"), ("r2", "office-lan"), ("h-1", "office-lan"), ("r1", "r2"),
    ]  # fmt: skip
    addresses = {i.name: i.address for i in topology.nodes["r1"].interfaces}
    assert (addresses["lo"], addresses["eth4"], addresses["ge0"]) == ("10.0.0.1/32", "10.1.0.1/24", None)
    assert topology.links["r1--office-lan"].bandwidth == 1e6
    assert topology.properties == {"netlab": {"defaults.device": "frr"}}


def test_mini_ndn() -> None:
    """Delay, bandwidth and loss in its own units; other words are kept."""
    topology = read(
        b"# lab\n[nodes]\na: _ cache=100 router=/a.Router/\nb: _\n[links]\na:b delay=10ms bw=5 loss=2 max_queue_size=7\n"
    ).topology
    (link,) = topology.links.values()
    assert (link.latency, link.bandwidth, link.loss, link.properties) == (0.01, 5e6, 0.02, {"minindn": {"max_queue_size": 7}})
    assert topology.nodes["a"].properties == {"minindn": {"cache": 100, "router": "/a.Router/"}}
    assert topology.nodes["a"].type == "ndn_router"


@pytest.mark.parametrize("edges", ["links", "edges"])
def test_node_link_with_links_or_edges(edges: str) -> None:
    """Numbers are ids too; labels make the ids where they are unique; a position in the plane is one to be drawn at."""
    data = (
        f'{{"nodes": [{{"id": 0, "label": "Paris", "pos": [1, 2]}}, {{"id": 1}}], "{edges}": [{{"source": 0, "target": 1, "weight": 3}}]}}'
    )
    imported = read(data.encode())
    assert (imported.format, list(imported.topology.nodes), links(imported.topology)[0][:3:2]) == (
        "node-link",
        ["paris", "1"],
        ("paris", "1"),
    )
    assert imported.topology.nodes["paris"].display == Display(x=1, y=2)
    assert imported.topology.links["paris--1"].cost == 3


def test_topohubs_positions_are_places_on_earth() -> None:
    """Longitude first."""
    data = b'{"graph": {"stats": {}, "demands": {}}, "nodes": [{"id": 0, "pos": [2.3, 48.9]}], "edges": []}'
    assert read(data).topology.nodes["0"].location == Location(latitude=48.9, longitude=2.3)


def test_netjson_addresses() -> None:
    """An id that is an address and the local addresses are those of `lo`."""
    data = b'{"type": "NetworkGraph", "protocol": "olsr", "nodes": [{"id": "10.0.0.1", "local_addresses": ["10.0.0.2"]}], "links": []}'
    topology = read(data).topology
    (interface,) = topology.nodes["10.0.0.1"].interfaces
    assert (interface.name, interface.address, interface.secondary) == ("lo", "10.0.0.1", ("10.0.0.2",))
    assert topology.properties == {"netjson": {"protocol": "olsr"}}


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b'{"type": "NetworkGraph", "nodes": [{}], "links": []}', "nodes[0].id"),
        (b'{"nodes": [{"id": 1}], "edges": [{"source": 1, "target": 2}]}', "edges[0]"),
        (b'{"ietf-network:networks": {"network": [{"node": [{"node-id": "a"}], "link": [{}]}]}}', "network[0].link[0]"),
        (b'topology: {nodes: {a: }, links: [{endpoints: ["a:1"]}]}', "topology.links[0].endpoints"),
        (b"nodes: [a, b]\nlinks: [{a: 1, b: }]", "links[0].a"),
        (b"[nodes]\na: _\n[links]\na:b delay=10ms\n", "line 4"),
        (b"[nodes]\na: _ cache\n", "line 2"),
        (b"node a { }\nlink { endpoints: [a] }\n", "line 2, column 19"),
    ],
)
def test_a_fault_names_its_place(data: bytes, place: str) -> None:
    """A line, or the path."""
    with pytest.raises((InvalidInput, InvalidTopology)) as caught:
        read(data)
    first = caught.value.errors[0]
    assert isinstance(first, Fault)
    assert first.path == place
