"""A verdict kept while rows change is the verdict on what they are."""

import random
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.models.device import Change, Delta, Row, RowKey
from paranet.models.intent import Isolation, Reach
from paranet.models.topology import Topology
from paranet.verifier import Promises, Verifier
from paranet.verifier.forwarding import Links, route
from paranet.verifier.incremental import Atoms
from tests.paranet.compiler.networks import random_network

PREFIXES = ("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/24", "10.0.128.0/17", "10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32")
TWICE = ("10.0.0.0/8", "10.0.0.1/8", "10.0.0.0/08", "10.0.0.0/255.0.0.0")
"""keys of one prefix, of which the first is how it is written"""
NODES = tuple(f"n{i}" for i in range(5))
SEQUENCES = st.integers(1, 3)
MATCHES: tuple[dict[str, object], ...] = (
    {"destination": "10.0.0.0/16"},
    {"destination": "10.0.1.0/24", "protocol": "tcp", "destination_port": "22"},
    {"source": "10.0.0.0/8"},
    {},
)


def network(seed: int) -> Topology:
    return random_network(seed, nodes=len(NODES))


@st.composite
def rows(draw: st.DrawFn, topology: Topology) -> tuple[str, Row]:
    """A row on a node: mostly a route, over links that mostly lead somewhere, sometimes an entry of an access list."""
    node = draw(st.sampled_from(NODES))
    owners = (draw(st.sampled_from(["web", "video"])),)
    if draw(st.integers(0, 4)) == 0:
        sequence = draw(SEQUENCES)
        value: dict[str, object] = {
            "seq": sequence,
            "action": draw(st.sampled_from(["deny", "permit"])),
            "match": draw(st.sampled_from(MATCHES)),
        }
        if draw(st.booleans()):
            value["when"] = "22:00..06:00"
        return node, Row(family="ip.acl", key=f"{sequence:05} x", value=value, owners=owners)
    if draw(st.integers(0, 5)) == 0:
        strategy = draw(st.sampled_from(["asf", "telepathy"]))
        return node, Row(family="ndn.strategy", key="/video", value={"strategy": strategy}, owners=owners)
    around = topology.links_of(node)
    ways = [(link.target.node if link.source.node == node else link.source.node, link.id) for link in around] + [("n0", "l0")]
    hops = draw(st.lists(st.sampled_from(ways), max_size=2))
    backup = draw(st.lists(st.sampled_from(ways), max_size=1))
    value = {"next_hops": [{"node": n, "link": k} for n, k in hops], "backup": [{"node": n, "link": k} for n, k in backup]}
    return node, Row(family="ip.route", key=draw(st.sampled_from(PREFIXES)), value=value, owners=owners)


@st.composite
def promises(draw: st.DrawFn) -> Promises:
    some = st.sampled_from(NODES)
    reach = st.builds(
        Reach,
        intent=st.sampled_from(["web", "video"]),
        source=some,
        target=some,
        prefix=st.sampled_from(PREFIXES),
        via=st.lists(some, max_size=1).map(tuple),
        avoid=st.lists(some, max_size=1).map(tuple),
        width=st.sampled_from([1, 1, 2]),
        latency=st.sampled_from([None, None, 0.005]),
    )
    isolation = st.builds(
        Isolation,
        intent=st.just("guests"),
        source_nodes=st.lists(some, min_size=1, max_size=2).map(tuple),
        destination_prefix=st.sampled_from([None, *PREFIXES[1:4]]),
        match=st.sampled_from(MATCHES),
        when=st.sampled_from([None, "08:00..18:00"]),
    )
    return Promises(reaches=tuple(draw(st.lists(reach, max_size=4))), isolations=tuple(draw(st.lists(isolation, max_size=2))))


@given(st.data(), st.integers(0, 1000), promises())
@settings(max_examples=60, deadline=None)
def test_every_step_is_the_full_verdict(data: st.DataObject, seed: int, promised: Promises) -> None:
    """After each delta the kept verdict equals a new verifier's, to the last witness."""
    topology = network(seed)
    held: dict[str, dict[RowKey, Row]] = {node: {} for node in NODES}
    kept = Verifier(topology, held, promised)
    for _ in range(data.draw(st.integers(1, 8))):
        delta: dict[str, Delta] = {}
        for node, row in data.draw(st.lists(rows(topology), min_size=1, max_size=3, unique_by=lambda r: r[0])):
            before = held[node].get(row.id)
            after = None if before is not None and data.draw(st.booleans()) else row
            delta[node] = Delta(changes=(Change(before=before, after=after),))
            held[node].pop(row.id, None)
            held[node] |= {row.id: row} if after else {}
        report = kept.apply(delta)
        assert report == Verifier(topology, held, promised).report()


@given(st.lists(st.tuples(st.sampled_from(TWICE), st.booleans()), max_size=12))
@settings(deadline=None)
def test_one_prefix_in_several_spellings(steps: list[tuple[str, bool]]) -> None:
    """Rows whose keys are not in canonical form forward nothing, whatever comes and goes beside them."""
    topology = network(1)
    link = next(k for k in topology.links.values() if k.enabled)
    held: dict[RowKey, Row] = {}
    reach = Reach(intent="web", source=link.source.node, target=link.target.node, prefix="10.0.0.0/8")
    kept = Verifier(topology, {reach.source: held}, Promises(reaches=(reach,)))
    for key, there in steps:
        row = Row(family="ip.route", key=key, value={"next_hops": [{"node": reach.target, "link": link.id}]})
        if row.id not in held and not there:
            continue
        change = Change(before=held.get(row.id), after=row if there else None)
        held.pop(row.id, None)
        held |= {row.id: row} if there else {}
        report = kept.apply({reach.source: Delta(changes=(change,))})
        assert report == Verifier(topology, {reach.source: held}, Promises(reaches=(reach,))).report()
        assert report.ok is (("ip.route", TWICE[0]) in held)


def lookup(table: Mapping[RowKey, Row], address: str) -> Row | None:
    """Look at every route."""
    target = ip_address(address)
    fitting = [row for row in table.values() if ip_network(row.key).version == target.version and target in ip_network(row.key)]
    return max(fitting, key=lambda row: ip_network(row.key).prefixlen, default=None)


def walk(tables: Mapping[str, Mapping[RowKey, Row]], topology: Topology, reach: Reach, address: str) -> str:
    """Carry one packet from node to node, where rows have one next hop; say how it ends."""
    at = reach.source
    length = ip_network(reach.prefix).prefixlen
    for _ in range(2 * len(NODES)):
        row = lookup(tables[at], address)
        if at == reach.target and (row is None or ip_network(row.key).prefixlen <= length):
            return "arrived"
        if row is None:
            return "blackhole"
        hops: Any = row.value["next_hops"]
        (hop,) = hops
        link = topology.links[hop["link"]]
        if not link.enabled or (link.directed and link.source.node != at):
            return "blackhole"
        at = hop["node"]
    return "loop"


@given(st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_the_verdict_is_walking(seed: int) -> None:
    """A route is without a fault if every packet to the edges of all prefixes arrives; else the witness ends as the violation says."""
    rng = random.Random(seed)
    topology = network(seed)
    tables = random_tables(rng, topology)
    for prefix in PREFIXES:
        source, target = rng.sample(NODES, 2)
        reach = Reach(intent="web", source=source, target=target, prefix=prefix)
        bounds = [n for p in PREFIXES if (n := ip_network(p)).version == ip_network(prefix).version]
        edges = {str(n[i]) for n in bounds for i in (0, -1)} | {str(n[-1] + 1) for n in bounds if n.prefixlen}
        inside = sorted(e for e in edges if ip_address(e) in ip_network(prefix))
        ends = {walk(tables, topology, reach, address) for address in inside}
        mine = [v for v in Verifier(topology, tables, Promises(reaches=(reach,))).report().violations if "web" in v.intents]
        assert {v.check for v in mine} - {"wrong-end"} == ends - {"arrived"}
        for violation in mine:
            if violation.check != "wrong-end":
                assert walk(tables, topology, reach, violation.witness.header["dst"]) == violation.check


def random_tables(rng: random.Random, topology: Topology) -> dict[str, dict[RowKey, Row]]:
    """Rows with one next hop over a link of their node, whichever way that may be used."""
    tables: dict[str, dict[RowKey, Row]] = {node: {} for node in NODES}
    for link in topology.links.values():
        for _ in range(3):
            ends = [link.source.node, link.target.node]
            rng.shuffle(ends)
            row = Row(family="ip.route", key=rng.choice(PREFIXES), value={"next_hops": [{"node": ends[1], "link": link.id}]})
            tables[ends[0]][row.id] = row
    return tables


@given(st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_forwarding_is_longest_prefix(seed: int) -> None:
    """On random networks every packet goes the way that looking at all rows of each node tells."""
    rng = random.Random(seed)
    topology = network(seed)
    links = Links(topology)
    tables = random_tables(rng, topology)
    rules = [read for node, table in tables.items() for row in table.values() if (read := route(node, row, links))]
    atoms = {version: Atoms.of([rule for v, rule in rules if v == version], bits) for version, bits in ((4, 32), (6, 128))}
    for address in ("10.0.0.1", "10.0.1.1", "10.0.200.1", "10.1.2.3", "10.2.0.0", "192.0.2.255", "8.8.8.8", "2001:db8::1", "::1"):
        target = ip_address(address)
        ((_, atom),) = atoms[target.version].pieces(int(target), int(target) + 1)
        for node, table in tables.items():
            row_found = lookup(table, address)
            rule = atom.rules.get(node)
            assert (rule.row if rule else None) == row_found
