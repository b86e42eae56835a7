"""P4 switches forward packets: what their tables do with a route's packets is judged as what routing tables do."""

import random
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler import compile_source
from paranet.controller.simulator.switches import ports
from paranet.models.addressing import port_mac
from paranet.models.device import Change, Delta, Row, RowKey, Rows
from paranet.models.intent import Reach
from paranet.models.topology import Modality, Node, Topology
from paranet.verifier import Promises, Verifier
from tests.paranet.compiler.networks import link, node
from tests.paranet.verifier.rows import acl, hops, only, row

LINE = Topology.of(
    [node("a", "10.0.0.1/32"), *(Node(id=s, type="p4_switch") for s in "stu"), node("b", "10.0.1.1/32")],
    [link("a", "s"), link("s", "t"), link("t", "b"), link("s", "u"), link("u", "t")],
)
LINKED = {(k.source.node, k.target.node): k.id for k in LINE.links.values()}
LINKED |= {(b, a): link_id for (a, b), link_id in LINKED.items()}
TO_B = Reach(intent="web", source="a", target="b", prefix="10.0.1.1/32", modality=Modality.P4)
Tables = dict[str, dict[RowKey, Row]]


def entry(topology: Topology, at: str, link_id: str, prefix: str, **changed: object) -> Row:
    """An entry that sends packets to *prefix* over the link, but for what is *changed* of its parameters."""
    end = topology.links[link_id].source if topology.links[link_id].target.node == at else topology.links[link_id].target
    port = next(number for number, found in ports(topology, at).items() if found == link_id)
    network = ip_network(prefix)
    version = f"ipv{network.version}"
    table, field = f"MyIngress.{version}_lpm", f"hdr.{version}.dstAddr"
    params: dict[str, object] = {"dstAddr": port_mac(end.node, end.interface), "port": port} | changed
    match = {field: [str(network.network_address), network.prefixlen]}
    value = {"table": table, "match": match, "action": f"MyIngress.{version}_forward", "params": params}
    return Row(family="p4.table", key=f"{table} {field}={network}", value=value, owners=("web",))


def compiled() -> tuple[Tables, Promises]:
    result = compile_source("route web { from: a; to: b; protocol: p4 }", LINE)
    assert result.ok
    return {n: {r.id: r for r in found} for n, found in result.rows.items()}, Promises.of(result)


def test_a_compiled_route_arrives() -> None:
    """Over host and switches; the promise is counted as the others are."""
    rows, promises = compiled()
    report = Verifier(LINE, rows, promises).report()
    assert report.ok, report.violations
    assert report.checked["reachability"] == 1


def test_a_missing_entry_is_a_blackhole() -> None:
    """The witness ends at the switch without it; putting it back mends all."""
    rows, promises = compiled()
    kept = Verifier(LINE, rows, promises)
    (lost,) = (r for r in rows["t"].values() if r.family == "p4.table")
    delta = Delta(changes=(Change(before=lost, after=None),))
    found = only(kept.apply({"t": delta}))
    assert (found.check, found.witness.hops, found.intents) == ("blackhole", ("a", "s", "t"), ("web",))
    assert found.witness.header["dst"] == "10.0.1.1"
    assert kept.apply({"t": delta.inverse()}).ok


@pytest.mark.parametrize(
    ("at", "changed", "words"),
    [
        ("t", {"port": 9}, "port 9, which leads nowhere"),
        ("t", {"dstAddr": "02:00:00:00:00:01"}, "nobody's address there"),
    ],
)
def test_a_wrong_way_out(at: str, changed: dict[str, object], words: str) -> None:
    """A port without a link, and a MAC address of nobody behind the port, lose packets."""
    rows, promises = compiled()
    wrong = entry(LINE, at, LINKED[at, "b"], "10.0.1.1/32", **changed)
    rows[at][wrong.id] = wrong
    found = [v for v in Verifier(LINE, rows, promises).report().violations if v.check == "blackhole"]
    assert len(found) == 1
    assert words in found[0].message


def test_a_circle_of_switches() -> None:
    """Entries that send packets around are a loop, of any intent's packets, told once."""
    rows, promises = compiled()
    for at, onward in (("s", "t"), ("t", "u"), ("u", "s")):
        turned = entry(LINE, at, LINKED[at, onward], "10.0.1.1/32")
        rows.setdefault(at, {})[turned.id] = turned
    found = [v for v in Verifier(LINE, rows, promises).report().violations if v.check == "loop"]
    assert [(v.witness.hops, v.intents) for v in found] == [(("s", "t", "u", "s"), ("web",))]


def test_waypoints_and_denies_hold_over_switches() -> None:
    """What routes and denies promise is judged over switches as well."""
    rows, _ = compiled()
    by_u = Reach(intent="web", source="a", target="b", prefix="10.0.1.1/32", via=("u",), modality=Modality.P4)
    assert only(Verifier(LINE, rows, Promises(reaches=(by_u,))).report()).check == "waypoint"
    shut = acl(10, "deny", destination="10.0.1.1/32")
    assert only(Verifier(LINE, {**rows, "b": {shut.id: shut}}, Promises(reaches=(TO_B,))).report()).check == "blocked"


def test_drop_is_a_blackhole() -> None:
    """An entry without a port drops."""
    rows, promises = compiled()
    good = entry(LINE, "t", LINKED["t", "b"], "10.0.1.1/32")
    rows["t"][good.id] = Row(
        family="p4.table", key=good.key, value={**good.value, "action": "MyIngress.drop", "params": {}}, owners=good.owners
    )
    found = only(Verifier(LINE, rows, promises).report())
    assert (found.check, "drops" in found.message) == ("blackhole", True)


PREFIXES = ("0.0.0.0/0", "10.0.0.0/8", "10.0.1.0/24", "10.0.1.1/32", "2001:db8::/32")
NODES = tuple(f"n{i}" for i in range(6))


def scattered(rng: random.Random) -> Topology:
    """Hosts and switches, some ports of which have names, joined at random."""
    nodes = []
    for name in NODES:
        modality = rng.choice([(Modality.IP,), (Modality.P4,), (Modality.P4, Modality.IP)])
        nodes.append(node(name, f"192.0.2.{NODES.index(name)}/32", modalities=modality))
    links = []
    for k in range(rng.randint(5, 10)):
        a, b = rng.sample(NODES, 2)
        links.append(link(a, b, id=f"l{k}", directed=rng.random() < 0.1, enabled=rng.random() < 0.9))
    return Topology.of(nodes, links)


def random_row(rng: random.Random, topology: Topology) -> tuple[str, Row] | None:
    """A route or a table entry over a link of its node, whatever the node speaks."""
    at, prefix = rng.choice(NODES), rng.choice(PREFIXES)
    around = list(topology.links_of(at))
    if not around:
        return None
    over = rng.choice(around)
    other = over.target.node if over.source.node == at else over.source.node
    if rng.random() < 0.4:
        return at, row("ip.route", prefix, next_hops=hops((other, over.id)))
    return at, entry(topology, at, over.id, prefix, **({"port": 99} if rng.random() < 0.1 else {}))


def walk(tables: Mapping[str, Rows], topology: Topology, reach: Reach, address: str) -> str:
    """Carry one packet, looking at every row of a node; say how it ends."""
    at, target, length = reach.source, ip_address(address), ip_network(reach.prefix).prefixlen
    for _ in range(2 * len(NODES)):
        switch = Modality.P4 in topology.nodes[at].modalities
        found: list[tuple[int, Any]] = []
        for r in tables[at].values():
            prefix = ip_network(r.key.rpartition("=")[2])
            if r.family == ("p4.table" if switch else "ip.route") and prefix.version == target.version and target in prefix:
                found.append((prefix.prefixlen, r.value))
        best = max(found, key=lambda f: f[0], default=None)
        if at == reach.target and (best is None or best[0] <= length):
            return "arrived"
        if best is None:
            return "blackhole"
        link_id = ports(topology, at).get(best[1]["params"]["port"]) if switch else best[1]["next_hops"][0]["link"]
        over = topology.links[link_id] if link_id else None
        if over is None or not over.enabled or (over.directed and over.source.node != at):
            return "blackhole"
        at = over.target.node if over.source.node == at else over.source.node
    return "loop"


@given(st.integers(0, 10**9))
@settings(max_examples=150, deadline=None)
def test_the_verdict_is_walking(seed: int) -> None:
    """A route over P4 is without a fault if packets to the edges of all prefixes arrive; else the witness ends as the violation says."""
    rng = random.Random(seed)
    topology = scattered(rng)
    tables: Tables = {n: {} for n in NODES}
    for made in (random_row(rng, topology) for _ in range(14)):
        if made:
            tables[made[0]][made[1].id] = made[1]
    for prefix in PREFIXES:
        source, target = rng.sample(NODES, 2)
        reach = Reach(intent="mine", source=source, target=target, prefix=prefix, modality=Modality.P4)
        bounds = [n for p in PREFIXES if (n := ip_network(p)).version == ip_network(prefix).version]
        edges = {n[i] for n in bounds for i in (0, -1)} | {n[-1] + 1 for n in bounds if n.prefixlen}
        inside = sorted(str(e) for e in edges if e in ip_network(prefix))
        ends = {walk(tables, topology, reach, address) for address in inside}
        mine = [v for v in Verifier(topology, tables, Promises(reaches=(reach,))).report().violations if "mine" in v.intents]
        assert {v.check for v in mine} - {"wrong-end"} == ends - {"arrived"}
        for violation in mine:
            if violation.check != "wrong-end":
                assert walk(tables, topology, reach, violation.witness.header["dst"]) == violation.check


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_every_step_is_the_full_verdict(seed: int) -> None:
    """After each delta of routes, entries and lists the kept verdict equals a new verifier's, to the last witness."""
    rng = random.Random(seed)
    topology = scattered(rng)
    reaches = tuple(
        Reach(intent=f"i{k}", source=a, target=b, prefix=rng.choice(PREFIXES), modality=rng.choice([Modality.IP, Modality.P4]))
        for k, (a, b) in enumerate(rng.sample(NODES, 2) for _ in range(rng.randint(0, 3)))
    )
    promises = Promises(reaches=reaches)
    held: Tables = {n: {} for n in NODES}
    kept = Verifier(topology, held, promises)
    for _ in range(10):
        made = random_row(rng, topology) if rng.random() < 0.8 else (rng.choice(NODES), acl(10, "deny", destination="10.0.1.0/24"))
        if made is None:
            continue
        at, new = made
        before = held[at].pop(new.id, None)
        after = None if before and rng.random() < 0.6 else new
        held[at] |= {new.id: new} if after else {}
        report = kept.apply({at: Delta(changes=(Change(before=before, after=after),))})
        assert report == Verifier(topology, held, promises).report()
