"""Multicast as promised, over routers and P4 switches: what their rows and entries do with a packet, followed copy by copy."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler import compile_source
from paranet.controller.simulator.switches import ports
from paranet.models.device import Change, Delta, Row, RowKey, Rows
from paranet.models.intent import Compiled, Violation
from paranet.models.topology import Node, Topology
from paranet.verifier import Promises, Verifier
from tests.paranet.compiler.networks import link, node

NET = Topology.of(
    [node(h, f"10.0.{i}.1/32") for i, h in enumerate("abc")] + [Node(id=s, type="p4_switch") for s in "stu"],
    [link("a", "s"), link("s", "t"), link("t", "b"), link("s", "u"), link("u", "c"), link("u", "t", cost=5)],
)
SOURCE = "multicast tv { group: 232.1.1.1; from: a; members: [b, c]; protocol: p4 }"
Tables = dict[str, dict[RowKey, Row]]


def compiled(source: str = SOURCE, topology: Topology = NET) -> tuple[Tables, Compiled]:
    result = compile_source(source, topology)
    assert result.ok, result.diagnostics
    return {n: {r.id: r for r in found} for n, found in result.rows.items()}, result


def test_a_compiled_tree_reaches_its_members() -> None:
    """Hosts and switches alike; each member of the promise is counted."""
    rows, result = compiled()
    report = Verifier(NET, rows, Promises.of(result)).report()
    assert report.ok, report.violations
    assert report.checked["multicast"] == 2


def test_a_switch_may_be_a_member() -> None:
    """It gets an entry whose group has no copies to make."""
    rows, result = compiled("multicast tv { group: 232.1.1.1; from: a; members: [t]; protocol: p4 }")
    assert Verifier(NET, rows, Promises.of(result)).report().ok
    assert [r.value for r in rows["t"].values() if r.family == "p4.mcast"] == [{"replicas": []}]


def without(at: str, family: str) -> Callable[[Tables], None]:
    def broken(rows: Tables) -> None:
        rows[at] = {k: r for k, r in rows[at].items() if r.family != family or "mcast" not in f"{r.family}{r.key}"}

    return broken


def copying(at: str, *neighbours: str) -> Callable[[Tables], None]:
    """Have a switch copy packets to others."""

    def broken(rows: Tables) -> None:
        out = {ends - {at}: number for number, k in ports(NET, at).items() if (ends := frozenset(ends_of(k)))}
        replicas = [{"egress_port": out[frozenset({n})], "instance": 1} for n in neighbours]
        (group,) = (r for r in rows[at].values() if r.family == "p4.mcast")
        rows[at][group.id] = attrs.evolve(group, value={"replicas": replicas})

    return broken


def ends_of(link_id: str) -> tuple[str, str]:
    found = NET.links[link_id]
    return found.source.node, found.target.node


@pytest.mark.parametrize(
    ("broken", "check", "words", "hops"),
    [
        (without("t", "p4.table"), "multicast", "member 'b' of group 232.1.1.1 gets no packets: 't' has no row for it", ("t", "b")),
        (without("t", "p4.mcast"), "multicast", "'t' does not send them to 'b' over link 't-b'", ("t", "b")),
        (copying("u", "t"), "multicast", "'u' does not send them to 'c'", ("u", "c")),
        (without("b", "ip.mcast"), "multicast", "member 'b' of group 232.1.1.1 gets no packets: 'b' has no row for it", ("b",)),
        (copying("t", "b", "s"), "loop", "circle: s > t > s", ("s", "t", "s")),
        (copying("u", "c", "t"), "multicast", "'t' gets each packet to group 232.1.1.1 2 times", ("a", "s", "t")),
    ],
)
def test_what_switches_lose(broken: Callable[[Tables], None], check: str, words: str, hops: tuple[str, ...]) -> None:
    """An entry or a group that is missing, copies to the wrong neighbour, back, or twice; a member or the source without its row."""
    rows, result = compiled()
    broken(rows)
    found = [v for v in Verifier(NET, rows, Promises.of(result)).report().violations if v.check == check]
    assert found
    assert {v.intents for v in found} == {("tv",)}
    assert any(words in v.message and v.witness.hops == hops for v in found), found


def test_a_source_that_sends_nothing() -> None:
    """Each member is named, with the switch that nothing comes to."""
    rows, result = compiled()
    without("a", "ip.mcast")(rows)
    found = Verifier(NET, rows, Promises.of(result)).report().violations
    assert [v.message.partition(": ")[2] for v in found] == ["none come to 't'", "none come to 'u'"]


def test_avoided_nodes_are_avoided() -> None:
    """A tree that was led over a node which it must avoid is told."""
    rows, _ = compiled()
    _, other = compiled(SOURCE.replace("}", "; avoid: [] }"))
    promises = attrs.evolve(Promises.of(other), groups=tuple(attrs.evolve(g, avoid=("u",)) for g in other.groups))
    (found,) = Verifier(NET, rows, promises).report().violations
    assert (found.check, found.witness.hops) == ("avoidance", ("a", "s", "u"))


def test_a_tree_that_is_gone_altogether() -> None:
    """Without any row the promise is broken for every member."""
    _, result = compiled()
    found = Verifier(NET, {}, Promises.of(result)).report().violations
    assert [(v.check, v.witness.hops) for v in found] == [("multicast", ("b",)), ("multicast", ("c",))]


def flood(rows: Mapping[str, Rows], topology: Topology, source: str, group: str, address: str) -> tuple[Counter[str], bool]:
    """Send one packet; return how often each node gets it, and whether copies go round."""
    got: Counter[str] = Counter()
    open_: list[tuple[str, str | None, tuple[str, ...]]] = [(source, None, ())]
    circles = False
    while open_:
        at, came, way = open_.pop()
        if at in way:
            circles = True
            continue
        held = rows.get(at, {})
        route = held.get(("ip.mcast", f"{address},{group}"))
        out: list[str] = []
        if topology.nodes[at].type == "p4_switch":
            entry: Any = held.get(("p4.table", f"MyIngress.ipv4_mcast hdr.ipv4.dstAddr={group}"))
            copies: Any = held.get(("p4.mcast", str(entry.value["params"]["group"]))) if entry else None
            got[at] += entry is not None
            by_port = ports(topology, at)
            out = [by_port[r["egress_port"]] for r in copies.value["replicas"]] if copies else []
        elif route:
            incoming: Any = route.value["incoming"]
            if (incoming["link"] if incoming else None) != came:
                continue
            got[at] += bool(route.value["local"])
            ways: Any = route.value["outgoing"]
            out = [w["link"] for w in ways]
        for link_id in out:
            ends = topology.links[link_id]
            far = ends.target.node if ends.source.node == at else ends.source.node
            open_.append((far, link_id, (*way, at)))
    return got, circles


@given(st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_the_verdict_is_flooding(seed: int) -> None:
    """On random networks with rows that were tampered with, members that the verifier says nothing of get exactly one copy."""
    rng = random.Random(seed)
    switches, hosts = [f"s{i}" for i in range(4)], [f"h{i}" for i in range(4)]
    nodes = [Node(id=s, type="p4_switch") for s in switches] + [node(h, f"10.0.{i}.1/32") for i, h in enumerate(hosts)]
    pairs = [*pairwise(switches), (switches[0], switches[-1]), (switches[0], switches[2])]
    pairs += [(h, rng.choice(switches)) for h in hosts]
    topology = Topology.of(nodes, [link(a, b, cost=rng.randint(1, 3)) for a, b in pairs])
    members = rng.sample(hosts[1:], 2)
    rows, result = compiled(f"multicast tv {{ group: 232.1.1.1; from: h0; members: [{', '.join(members)}]; protocol: p4 }}", topology)
    kept = Verifier(topology, rows, Promises.of(result))
    for _ in range(rng.randint(0, 3)):
        at = rng.choice([n for n in rows if rows[n]])
        before = rng.choice(list(rows[at].values()))
        after = None if before.family != "p4.mcast" or rng.random() < 0.5 else _another(before, topology, at, rng)
        delta = Delta(changes=(Change(before=before, after=after),))
        rows[at] = {k: r for k, r in rows[at].items() if k != before.id} | ({after.id: after} if after else {})
        assert kept.apply({at: delta}) == Verifier(topology, rows, Promises.of(result)).report()
    found = kept.report().violations
    got, circles = flood(rows, topology, "h0", "232.1.1.1", "10.0.0.1")
    assert {m for m in members if not got[m]} == {m for m in members if any(_about(v, m) for v in found)}
    if circles:
        assert any(v.check == "loop" for v in found)
    if not found:
        assert all(got[m] == 1 for m in members)


def _another(group: Row, topology: Topology, at: str, rng: random.Random) -> Row:
    numbers = list(ports(topology, at))
    return attrs.evolve(group, value={"replicas": [{"egress_port": p, "instance": 1} for p in rng.sample(numbers, min(2, len(numbers)))]})


def _about(violation: Violation, member: str) -> bool:
    return violation.message.startswith(f"member {member!r} ")
