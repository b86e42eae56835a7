"""Small networks for the compiler's tests."""

import random

from paranet.models.topology import Endpoint, Interface, Link, Location, Node, Topology
from paranet.models.units import Bandwidth, Seconds


def node(node_id: str, *addresses: str, **more: object) -> Node:
    """A node with interfaces lo, eth1, eth2 ..."""
    names = ("lo", *(f"eth{i}" for i in range(1, len(addresses))))
    interfaces = tuple(Interface(name=n, address=a) for n, a in zip(names, addresses, strict=False))
    return Node(id=node_id, interfaces=interfaces, **more)  # type: ignore[arg-type]  # the caller's own words


def link(source: str, target: str, *, cost: float = 1.0, ms: float = 1.0, mbps: float = 1000.0, **more: object) -> Link:
    """A link between `node` or `node:interface`, called `node-node` unless *more* has an id."""
    ends = [text.partition(":") for text in (source, target)]
    points = [Endpoint(node=n, interface=i or None) for n, _, i in ends]
    more.setdefault("id", f"{points[0].node}-{points[1].node}")
    bandwidth, latency = Bandwidth(mbps * 1e6), Seconds(ms / 1000)
    return Link(source=points[0], target=points[1], cost=cost, latency=latency, bandwidth=bandwidth, **more)  # type: ignore[arg-type]


LAB = Topology.of(
    [
        node("h1", "10.1.0.10/24", type="host"),
        node("h2", "10.2.3.10/24", type="host"),
        node("r1", "10.255.0.1/32", "10.0.12.1/30"),
        node("r2", "10.255.0.2/32", "10.0.12.2/30", "10.3.0.1/24", name="Paris"),
        node("r3", "10.255.0.3/32", "10.2.0.1/16"),
        node("r4", "10.255.0.4/32", "10.3.1.1/24", location=Location(latitude=40.0, longitude=-74.0)),
        node("s1", name="Springfield"),
        node("s2", name="Springfield"),
        node("car", type="geo_mobile"),
        node("v6", "2001:db8:6::1/64"),
        node("42"),
    ],
    [
        link("h1", "r1"),
        link("r1:eth1", "r2:eth1", ms=5),
        link("r2", "r3", ms=5, mbps=300),
        link("r1", "r4", cost=3),
        link("r4", "r3", cost=3, mbps=200),
        link("r3", "h2"),
        link("r3", "v6"),
        link("r3", "s1", enabled=False),
        link("r4", "42"),
        link("r4", "car"),
    ],
)
"""h1 - r1 - (r2 cheap and slow | r4 dear and fast) - r3 - h2; s1 behind a link that is off, s2 alone, car without IP."""


def place(latitude: float, longitude: float) -> Location:
    return Location(latitude=latitude, longitude=longitude)


MIX = Topology.of(
    [
        *LAB.nodes.values(),
        node("h8", "10.8.0.10/24", type="host"),
        node("h9", "10.9.0.10/24", type="host"),
        node("p1", "10.255.1.1/32", type="p4_switch", properties={"program": "other"}),
        node("p2", "10.255.1.2/32", "10.0.92.1/30", type="p4_switch", properties={"program": "l3"}),
        node("p3", "10.255.1.3/32", type="p4_switch"),
        node("c1", "10.255.2.1/32", type="ndn_cache", properties={"prefix": "/video", "cache_size": "10GB"}),
        node("n1", "10.255.2.2/32", type="ndn_router"),
        node("n2", "10.255.2.3/32", type="ndn_router"),
        node("studio", "10.255.2.4/32", type="ndn_producer", properties={"prefix": ["/video", "/news"]}),
        node("mirror", "10.255.2.5/32", type="ndn_producer", properties={"prefix": "/news"}),
        node("g1", "10.255.3.1/32", type="geo_router", location=place(40.0, -74.0), properties={"range": 5000}),
        node("g2", "10.255.3.2/32", type="geo_router", location=place(40.02, -74.0)),
        node("g3", "10.255.3.3/32", type="geo_router", location=place(40.02, -73.96)),
        node("g4", "10.255.3.4/32", type="geo_router", location=place(40.0, -73.94), region="harbour"),
    ],
    [
        *LAB.links.values(),
        link("h8", "p1"),
        link("p1", "p3", cost=9),
        link("h8", "p2:eth1"),
        link("p2", "p3"),
        link("p3", "h9"),
        link("c1", "n1"),
        link("n1", "n2"),
        link("n2", "studio"),
        link("n1", "mirror"),
        link("n1", "r1", cost=20),
        link("g1", "g2"),
        link("g2", "g3"),
        link("g3", "g4"),
        link("car", "g1"),
    ],
)
"""LAB and devices of the other kinds: switches p1 (with a program of its own), p2, p3 between h8 and h9; c1 - n1 - n2 - studio with
a mirror at n1; and the places g1 - g2 - g3 - g4, the last in the region harbour."""


def random_network(seed: int, *, nodes: int = 7, directed: float = 0.2) -> Topology:
    """A random multigraph with small whole costs, so that ties are frequent."""
    rng = random.Random(seed)
    ids = [f"n{i}" for i in range(nodes)]
    links = []
    for i in range(rng.randint(nodes, 2 * nodes)):
        source, target = rng.sample(ids, 2)
        cost, ms, mbps = rng.randint(1, 4), rng.randint(1, 9), rng.choice([100, 200, 400])
        flags = {"id": f"l{i}", "directed": rng.random() < directed, "enabled": rng.random() < 0.9}
        links.append(link(source, target, cost=cost, ms=ms, mbps=mbps, **flags))
    return Topology.of([node(i) for i in ids], links)
