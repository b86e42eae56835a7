"""What the compiler makes of sources of all protocols keeps what it promises, as far as rows tell."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler import compile_source
from paranet.models.intent import Compiled, Report
from paranet.models.topology import Location, Modality, Node, Topology
from paranet.verifier import Promises, Verifier
from tests.paranet.compiler.networks import link, node

NODES = 9


def network(rng: random.Random) -> Topology:
    """Nodes that speak everything but some P4, scattered over a degree, with subnets of their own."""
    nodes: list[Node] = []
    for i in range(NODES):
        modalities = [Modality.IP, Modality.NDN, Modality.GEO] + [Modality.P4] * (rng.random() < 0.3)
        place = Location(latitude=rng.uniform(40, 41), longitude=rng.uniform(-74, -73))
        nodes.append(node(f"n{i}", f"10.{i}.0.1/16", modalities=tuple(modalities), location=place, **described(i)))
    links = []
    for k in range(rng.randint(NODES, 2 * NODES)):
        source, target = rng.sample(nodes, 2)
        more = {"id": f"l{k}", "directed": rng.random() < 0.1, "enabled": rng.random() < 0.95}
        links.append(link(source.id, target.id, cost=rng.randint(1, 3), ms=rng.randint(1, 9), mbps=rng.choice([100, 400]), **more))
    return Topology.of(nodes, links)


def described(number: int) -> dict[str, Any]:
    return {
        "properties": {"cache_size": "10GB"} | ({"prefix": "/shared"} if number > 6 else {}),
        "region": "downtown" if number < 2 else None,
    }


def statement(rng: random.Random, number: int) -> str:
    """A wish of any kind, sometimes for the same packets as another: n7 and n8 have one name, there is one region, and one group."""
    a, b, c = rng.sample([f"n{i}" for i in range(NODES)], 3)
    name = f"s{number}"
    latitude, longitude = rng.uniform(40, 40.8), rng.uniform(-74, -73.2)
    corners = [[latitude, longitude], [latitude + 0.3, longitude], [latitude + 0.3, longitude + 0.3], [latitude, longitude + 0.3]]
    named = rng.choice(["strategy: best-route;", "strategy: multicast;", "ecmp: 2;", "ecmp: 2; strategy: asf;", "backup: disjoint;"])
    named += rng.choice(["", "", f"via: {c};"])
    plain = rng.choice(["", f"via: {c};", f"avoid: {c};", "bandwidth: 60Mbps;", "latency: 12ms;"])
    wish = rng.choice([plain, plain, "ecmp: 2;", "backup: disjoint;", f"{plain} ecmp: 2;", f"{plain} ecmp: 2; backup: disjoint;"])
    tree = rng.choice(["", f"avoid: n{number % NODES};", "bandwidth: 60Mbps;"]) + rng.choice(["", "protocol: p4"])
    return rng.choice(
        [
            f"route {name} {{ from: {a}; to: {b}; {wish} }}",
            f"route {name} {{ from: {a}; to: prefix('10.{b[1]}.{number}.0/24'); {wish} }}",
            f"route {name} {{ from: {a}; to: '/{b}/x'; producer: {b}; protocol: ndn; {named} }}",
            f"route {name} {{ from: {a}; to: '/shared'; {wish} }}",
            f"route {name} {{ from: {a}; to: {b}; protocol: p4; {plain} }}",
            f"route {name} {{ from: {a}; to: region('downtown'); {rng.choice(['', f'avoid: {c}'])} }}",
            f"region {name} {{ polygon: {corners} }}\nroute {name}g {{ from: {a}; to: region('{name}'); protocol: geo }}",
            f"acl {name} {{ seq: {10 + number}; deny: {{ from: {a}; to: {b}; port: {20 + number} }} }}",
            f"qos {name} {{ match: {{ from: {a}; to: {b} }}; rate: 10Mbps; priority: {number % 8} }}",
            f"cache {name} {{ at: [{a}]; prefix: '/{name}'; capacity: 1GB }}",
            f"multicast {name} {{ group: 232.1.1.{number % 3}; from: {a}; members: [{b}, {c}]; {tree} }}",
        ]
    )


def compiled(rng: random.Random, topology: Topology) -> Compiled:
    """Return what compiles of some statements, taken one after another."""
    kept: list[str] = []
    result = compile_source("", topology)
    for number in range(rng.randint(1, 8)):
        text = statement(rng, number)
        following = compile_source("\n".join([*kept, text]), topology)
        if following.ok:
            kept.append(text)
            result = following
    return result


def judged(topology: Topology, result: Compiled) -> Report:
    rows = {n: {r.id: r for r in found} for n, found in result.rows.items()}
    return Verifier(topology, rows, Promises.of(result)).report()


@given(st.integers(0, 10**6))
@settings(max_examples=120, deadline=None)
def test_what_compiles_verifies(seed: int) -> None:
    """Nothing is wrong with it but that two routes may want the same packets at different ends."""
    rng = random.Random(seed)
    topology = network(rng)
    result = compiled(rng, topology)
    report = judged(topology, result)
    assert report.ok, report.violations


def test_all_kinds_are_compiled() -> None:
    """The sources above have all kinds of promises; a test over none would always hold."""
    seen: set[str] = set()
    for seed in range(40):
        rng = random.Random(seed)
        topology = network(rng)
        seen |= {name for name, number in judged(topology, compiled(rng, topology)).checked.items() if number}
    wanted = {"reachability", "waypoint", "avoidance", "width", "latency", "isolation", "loop", "multicast", "producer", "name", "face"}
    assert wanted | {"strategy", "cache", "polygon", "progress", "region", "pipeline", "entry", "port", "modality", "reservation"} <= seen
