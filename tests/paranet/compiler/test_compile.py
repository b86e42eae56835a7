"""Sources to rows."""

import json

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler import compile_source
from paranet.models.device import Row, Span
from paranet.models.intent import Compiled
from paranet.models.topology import Modality, Topology
from paranet.verifier import verify
from tests.paranet.compiler.networks import LAB, link, node, random_network
from tests.strategies import topologies


def compiled(source: str, topology: Topology = LAB, *, scope: str | None = None) -> Compiled:
    result = compile_source(source, topology, scope=scope)
    assert result.ok, result.diagnostics
    return result


def hop(row: Row) -> dict[str, object]:
    hops = row.value["next_hops"]
    assert isinstance(hops, list)
    return dict(hops[0])


def test_rows_follow_the_path() -> None:
    """Every node of the path but the last gets one row, owned by the intent, with the statement's place."""
    result = compiled("\n route web { from: h1; to: h2 }")
    assert list(result.rows) == ["h1", "r1", "r2", "r3"]
    (row,) = result.rows["r1"]
    assert (row.family, row.key, row.owners) == ("ip.route", "10.2.3.10/32", ("web",))
    assert row.span == Span(line=2, column=2, end_line=2, end_column=32)
    assert result.paths[0].hops == ("h1", "r1", "r2", "r3", "h2")
    assert result.paths[0].links == ("h1-r1", "r1-r2", "r2-r3", "r3-h2")
    assert result.paths[0].latency == pytest.approx(0.012)


def test_next_hops() -> None:
    """A next hop has the peer's address on the link when both ends have one, else the peer's router address."""
    result = compiled("route web { from: h1; to: h2 }")
    assert hop(result.rows["r1"][0]) == {"node": "r2", "link": "r1-r2", "interface": "eth1", "address": "10.0.12.2", "weight": 1}
    assert hop(result.rows["r2"][0]) == {"node": "r3", "link": "r2-r3", "interface": None, "address": "10.255.0.3", "weight": 1}


def test_rows_are_plain_json() -> None:
    """A row survives being written and read."""
    for rows in compiled("route web { from: h1; to: h2 }").rows.values():
        assert all(json.loads(json.dumps(dict(r.value))) == r.value for r in rows)


def test_ipv6() -> None:
    """A node with an IPv6 router address is reached by its /128, through next hops of that version where there are any."""
    result = compiled("route six { from: h1; to: v6 }")
    assert result.rows["r3"][0].key == "2001:db8:6::1/128"
    assert hop(result.rows["r3"][0])["address"] == "2001:db8:6::1"
    assert hop(result.rows["h1"][0])["address"] == "10.255.0.1"


@pytest.mark.parametrize(
    ("to", "target"),
    [
        ('prefix("10.2.0.0/16")', "r3"),
        ("10.2.0.0/16", "r3"),
        ("10.2.3.0/24", "h2"),
        ("10.2.3.10", "h2"),
        ("10.2.99.0/24", "r3"),
        ("10.3.1.0/24", "r4"),
        ("2001:db8:6::/64", "v6"),
    ],
)
def test_prefix_targets(to: str, target: str) -> None:
    """A prefix leads to the address inside it, then to the closest subnet around it."""
    assert compiled(f"route a {{ from: r1; to: {to} }}").reaches[0].target == target


def test_names() -> None:
    """A node may be called by id or unique name, bare, quoted or number-like."""
    result = compiled('route a { from: "r1"; to: Paris } route b { from: r4; to: 42 } route c { from: r4; to: "42" }')
    assert [p.hops[-1] for p in result.paths] == ["r2", "42", "42"]


def test_via_and_avoid() -> None:
    """Waypoints and forbidden nodes shape the path and the promise."""
    result = compiled("route a { from: h1; to: h2; via: r4 } route b { from: r1; to: r3; avoid: [r2, r3-h2] }")
    assert [p.hops for p in result.paths] == [("h1", "r1", "r4", "r3", "h2"), ("r1", "r4", "r3")]
    assert [(r.via, r.avoid) for r in result.reaches] == [(("r4",), ()), ((), ("r2",))]


def test_via_the_owner_of_the_prefix() -> None:
    """A waypoint that is an end of the path anyway does no harm."""
    assert compiled("route a { from: r1; to: 10.2.0.0/16; via: [r1, r2, r3] }").reaches[0].via == ("r2",)


def test_latency_bound_costs_what_it_must() -> None:
    """Under a latency bound the cheapest path that is fast enough is taken."""
    assert compiled("route a { from: h1; to: h2; latency: 5ms }").paths[0].hops == ("h1", "r1", "r4", "r3", "h2")


def test_reservations_are_shared_by_the_source() -> None:
    """A route goes where earlier ones left room."""
    source = "route a { from: r1; to: r3; bandwidth: 200Mbps } route b { from: r1; to: h2; bandwidth: 200Mbps }"
    result = compiled(source)
    assert [p.hops for p in result.paths] == [("r1", "r2", "r3"), ("r1", "r4", "r3", "h2")]
    assert [p.bandwidth for p in result.paths] == [2e8, 2e8]


def test_equal_rows_are_shared() -> None:
    """Routes that meet on the way to one prefix own the common rows together."""
    result = compiled("route b { from: h1; to: h2 } route a { from: r2; to: h2 }")
    assert {n: r[0].owners for n, r in result.rows.items()} == {"h1": ("b",), "r1": ("b",), "r2": ("a", "b"), "r3": ("a", "b")}


def test_later_routes_join_the_tree() -> None:
    """Where an earlier route forwards the same prefix a later one follows it, though it would have gone elsewhere alone."""
    result = compiled("route a { from: r1; to: h2; via: r4 } route b { from: h1; to: h2 }")
    assert [p.hops for p in result.paths] == [("r1", "r4", "r3", "h2"), ("h1", "r1", "r4", "r3", "h2")]


def test_intent_ids() -> None:
    """Ids are scoped names; routes without a name are called after their line."""
    result = compiled("route a { from: h1; to: h2 }\nroute { from: h2; to: h1 } route { from: r1; to: r2 }", scope="lab")
    assert result.intents == ("lab/a", "lab/route@2", "lab/route@2:28")
    assert result.rows["h1"][0].owners == ("lab/a",)


def test_an_error_leaves_nothing_to_deploy() -> None:
    """With an error anywhere there are no rows, but the intents are known."""
    result = compile_source("route a { from: h1; to: h2 } route b { from: h1; to: nowhere }", LAB)
    assert (result.ok, result.rows, result.paths, result.reaches, result.intents) == (False, {}, (), (), ("a",))


def test_errors_of_meaning_beside_errors_of_syntax() -> None:
    """A syntax error hides nothing but its own statement."""
    result = compile_source("route a { from: h1; to: }\nroute b { from: h9; to: h2 }", LAB)
    assert [(d.span.line, d.code) for d in result.diagnostics] == [(1, "PN101"), (2, "PN209")]


def test_declarations_that_agree() -> None:
    """Declaring what is live says nothing new."""
    source = "network lab { node r1 :router { address: '10.255.0.1/32' } link { endpoints: [r1, Paris]; latency: 5ms } }"
    assert compiled(source).diagnostics == ()


def test_directed_links() -> None:
    """A directed link carries nothing backwards."""
    topology = Topology.of([node("a"), node("b")], [link("a", "b", directed=True)])
    assert compiled("route x { from: a; to: b }", topology).ok
    assert [d.code for d in compile_source("route x { from: b; to: a }", topology).diagnostics] == ["PN301"]


def test_only_ip_nodes_forward() -> None:
    """A node without the modality ip is no way through."""
    nodes = [node("a"), node("b", type="geo_mobile"), node("c")]
    topology = Topology.of(nodes, [link("a", "b"), link("b", "c")])
    assert [d.code for d in compile_source("route x { from: a; to: c }", topology).diagnostics] == ["PN301"]
    lifted = Topology.of([attrs.evolve(n, modalities=(Modality.IP,)) for n in nodes], topology.links.values())
    assert compiled("route x { from: a; to: c }", lifted).ok


def test_same_source_same_rows() -> None:
    """Compiling is a function: the order of the topology's parts does not matter."""
    turned = Topology.of(reversed(list(LAB.nodes.values())), reversed(list(LAB.links.values())))
    source = "route a { from: h1; to: h2 } route b { from: h2; to: 10.3.1.0/24 }"
    assert compiled(source).rows == compiled(source, turned).rows


WORDS = [
    "route",
    "node",
    "link",
    "network",
    "from: n0",
    "to: n3",
    "via: [n1, n2]",
    "avoid: l1",
    "latency: 5ms",
    "bandwidth: 1Mbps",
    "x",
    "{",
    "}",
    "\n",
    ";",
]
WORDS += [
    "to: prefix('10.0.0.0/8')",
    "endpoints: [n0, n1]",
    "endpoints: ['n0:\\n', n1]",
    ":router",
    "protocol: ndn",
    "9" * 400,
    "location: {latitude: nan}",
    "a: 1",
]


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join) | st.text(max_size=100), topologies())
@settings(deadline=None)
def test_nothing_raises(source: str, topology: Topology) -> None:
    """Whatever the source and the network, compiling answers."""
    compile_source(source, topology)
    compile_source(source, random_network(1))


@st.composite
def sources(draw: st.DrawFn, topology: Topology) -> str:
    """Routes between nodes of the topology, with wishes that are often met."""
    ids = st.sampled_from(sorted(topology.nodes))
    wishes = st.sampled_from(["", "bandwidth: 60Mbps", "latency: 20ms", "via: '{}'", "avoid: '{}'"])
    routes = []
    for i in range(draw(st.integers(1, 6))):
        wish = draw(wishes).format(draw(ids))
        routes.append(f"route r{i} {{ from: '{draw(ids)}'; to: '{draw(ids)}'; {wish} }}")
    return "\n".join(routes)


@given(st.data(), st.integers(0, 1000))
@settings(max_examples=200, deadline=None)
def test_what_compiles_verifies(data: st.DataObject, seed: int) -> None:
    """The verifier, which sees only rows, finds every promise of a compiled source kept, and reservations fit the links."""
    topology = random_network(seed)
    kept = [r for r in data.draw(sources(topology)).split("\n") if compile_source(r, topology).ok]
    while kept and not (result := compile_source("\n".join(kept), topology)).ok:
        kept.pop()
    if not kept:
        return
    rows = {n: {r.id: r for r in found} for n, found in result.rows.items()}
    report = verify(topology, rows, result.reaches)
    assert report.ok, report.violations
    assert report.checked["reachability"] == len(kept)
    used: dict[tuple[str, str], float] = {}
    for path in result.paths:
        for origin, link_id in zip(path.hops, path.links, strict=False):
            used[origin, link_id] = used.get((origin, link_id), 0) + path.bandwidth
    assert all(amount <= topology.links[k].bandwidth for (_, k), amount in used.items())


@given(st.data(), topologies(max_nodes=6))
@settings(max_examples=100, deadline=None)
def test_what_compiles_verifies_anywhere(data: st.DataObject, topology: Topology) -> None:
    """The same on networks with any addresses, types and names."""
    if topology.nodes:
        result = compile_source(data.draw(sources(topology)), topology)
        rows = {n: {r.id: r for r in found} for n, found in result.rows.items()}
        assert not {v.check for v in verify(topology, rows, result.reaches).violations}
