"""Every statement beside `route` between IP nodes: what it means in rows and promises."""

from ipaddress import ip_address

import pytest

from paranet.compiler import compile_source
from paranet.models.device import Row
from paranet.models.intent import Compiled
from tests.paranet.compiler.networks import MIX


def compiled(source: str) -> Compiled:
    result = compile_source(source, MIX)
    assert result.ok, result.diagnostics
    return result


def rows(result: Compiled, family: str) -> dict[str, list[Row]]:
    found = {node: [r for r in held if r.family == family] for node, held in result.rows.items()}
    return {node: held for node, held in found.items() if held}


def codes(source: str) -> list[str]:
    return [d.code for d in compile_source(source, MIX).diagnostics if d.severity == "error"]


def test_a_deny_stands_where_packets_come_in() -> None:
    """A host is fenced in by its neighbours; a router filters what it forwards itself, and its neighbours what it sends."""
    result = compiled("acl a { deny: { from: h1; to: h2 } }")
    assert list(result.rows) == ["r1"]
    (row,) = result.rows["r1"]
    assert row.key == "00100 a"
    assert row.value == {"seq": 100, "action": "deny", "match": {"source": "10.1.0.10/32", "destination": "10.2.3.10/32"}}
    assert list(compiled("acl a { deny: { from: s2 } }").rows) == ["s2"]
    assert "r4" in compiled("acl a { deny: { to: r4 } }").rows
    (promise,) = result.isolations
    assert (promise.source_nodes, promise.source_prefix, promise.destination_prefix) == (("h1",), "10.1.0.10/32", "10.2.3.10/32")


def test_a_permit_promises_nothing() -> None:
    """Only denials are promises, and only where they stand in everybody's way."""
    assert compiled("acl a { permit: { from: h1 } }").isolations == ()
    assert compiled("acl a { deny: { from: h1 }; at: r2 }").isolations == ()


def test_groups_and_lists_multiply() -> None:
    """One row for each pair of addresses, each at its own source's place."""
    result = compiled("group g { nodes: [h1, h8] }\nacl a { deny: { from: g; to: [prefix('10.2.0.0/16'), 10.3.0.0/24]; port: 80-90 } }")
    held = rows(result, "ip.acl")
    assert {node: len(found) for node, found in held.items()} == {"r1": 2, "p1": 2, "p2": 2}
    assert {str(r.value["match"]["destination_port"]) for r in held["r1"]} == {"80-90"}  # type: ignore[index]  # a mapping


def test_a_class_is_on_the_whole_way() -> None:
    """Every node that sends the packets on has the class; burst is given or follows from the rate."""
    result = compiled("qos gold { match: { from: h1; to: h2; app: https }; rate: 80Mbps; dscp: 46; priority: 5 }")
    assert list(result.rows) == ["h1", "r1", "r2", "r3"]
    value = result.rows["r2"][0].value
    assert value["match"] == {
        "source": "10.1.0.10/32",
        "destination": "10.2.3.10/32",
        "protocol": "tcp",
        "destination_port": "443",
    }
    assert {n: v for n, v in value.items() if n != "match"} == {"rate": 8e7, "dscp": 46, "priority": 5, "burst": 15000}
    assert list(compiled("qos gold { match: {}; rate: 8Mbps; burst: 1MB; at: r4 }").rows) == ["r4"]


def test_names_lead_to_the_nearest_producer() -> None:
    """`/news` has two producers; a cache is none; faces are at both ends of every link used."""
    result = compiled('route n { from: c1; to: "/news/today" }')
    assert result.paths[0].hops == ("c1", "n1", "mirror")
    assert rows(result, "ndn.rib")["mirror"][0].value == {"next_hops": [], "producer": True}
    assert {n: [r.key for r in found] for n, found in rows(result, "ndn.face").items()} == {
        "c1": ["c1-n1"],
        "n1": ["c1-n1", "n1-mirror"],
        "mirror": ["n1-mirror"],
    }
    (promise,) = result.names
    assert (promise.consumer, promise.producers) == ("c1", ("mirror", "studio"))


def test_multicast_strategy_reaches_every_producer() -> None:
    """One next hop towards each producer, and a promise for each."""
    result = compiled('route n { from: c1; to: "/news"; strategy: multicast }')
    value = rows(result, "ndn.rib")["n1"][0].value
    assert [h["node"] for h in value["next_hops"]] == ["mirror", "n2"]  # type: ignore[attr-defined]  # a list
    assert [p.producers for p in result.names] == [("mirror",), ("studio",)]


def test_caches() -> None:
    """A content store for each node."""
    result = compiled('cache hot { at: [c1, n1]; prefix: "/video/"; capacity: 10GB; policy: lfu; ttl: 1h }')
    assert {n: (r[0].key, r[0].value) for n, r in result.rows.items()} == dict.fromkeys(
        ("c1", "n1"), ("/video", {"capacity": 10**10, "policy": "lfu", "ttl": 3600.0})
    )


def test_multicast_trees() -> None:
    """A tree: one way in, as many out as there are branches; the bandwidth is taken once a link."""
    result = compiled("multicast tv { group: 232.1.1.1; from: h1; members: [h2, v6, r2]; bandwidth: 20Mbps }")
    found = {node: held[0].value for node, held in rows(result, "ip.mcast").items()}
    assert [h["node"] for h in found["r3"]["outgoing"]] == ["h2", "v6"]  # type: ignore[attr-defined]  # a list
    assert (found["h1"]["incoming"], found["h1"]["local"], found["r2"]["local"]) == (None, False, True)
    assert sorted(r.link for r in result.reservations) == ["h1-r1", "r1-r2", "r2-r3", "r3-h2", "r3-v6"]


def test_switches() -> None:
    """P4 switches get pipeline, entries and groups, the host an ordinary route."""
    result = compiled("route a { from: h8; to: h9; protocol: p4 }\nmulticast m { group: 232.1.1.2; from: h8; members: h9; protocol: p4 }")
    assert result.paths[0].hops == ("h8", "p2", "p3", "h9")
    assert [r.family for r in result.rows["p2"]] == ["p4.mcast", "p4.pipeline", "p4.table", "p4.table"]
    assert [r.family for r in result.rows["h8"]] == ["ip.mcast", "ip.route"]
    (entry, _) = rows(result, "p4.table")["p2"]
    assert entry.key == "MyIngress.ipv4_lpm hdr.ipv4.dstAddr=10.9.0.10/32"
    assert ip_address(str(entry.value["match"]["hdr.ipv4.dstAddr"][0])) == ip_address("10.9.0.10")  # type: ignore[index]  # a mapping


def test_regions_are_known_to_all() -> None:
    """A region alone is known to every device that speaks geo; one of the source comes before one of the nodes."""
    result = compiled("region harbour { polygon: [[39.9, -74.1], [39.9, -73.9], [40.1, -73.9], [40.1, -74.1], [39.9, -74.1]] }")
    assert {n for n, held in rows(result, "geo.region").items()} == {"g1", "g2", "g3", "g4", "car"}
    assert len(rows(result, "geo.region")["g1"][0].value["polygon"]) == 4  # type: ignore[arg-type]  # a list


@pytest.mark.parametrize(
    ("policy", "meant"),
    [
        ("match: { from: h1; to: h2 } action: { deny: true }; seq: 5", "acl x { deny: { from: h1; to: h2 }; seq: 5 }"),
        ("match: { from: h1 } action: { allow: true }", "acl x { permit: { from: h1 } }"),
        ("match: { from: h1 } action: { permit: false }", "acl x { deny: { from: h1 } }"),
        ('match { from: "h1"\n to: "h2" }\n action { rate: "5Mbps" }', "qos x { match: { from: h1; to: h2 }; rate: 5Mbps }"),
        ("match: { from: h1; to: h2 } action: { via: r4; latency: 9ms }", "route x { from: h1; to: h2; via: r4; latency: 9ms }"),
        ('match: { prefix: "/v"; at: c1 } action: { capacity: 1GB }', 'cache x { at: c1; prefix: "/v"; capacity: 1GB }'),
    ],
)
def test_policies_mean_other_statements(policy: str, meant: str) -> None:
    """The general form yields the rows of the statement that it means."""
    general, special = compiled(f"policy x {{ {policy} }}"), compiled(meant)
    assert {n: [(r.id, r.value) for r in held] for n, held in general.rows.items()} == {
        n: [(r.id, r.value) for r in held] for n, held in special.rows.items()
    }


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("acl a { deny: { from: h1 }; permit: { from: h2 } }", "PN206"),
        ("acl a { seq: 0; deny: { from: h1 } }", "PN208"),
        ("acl a { deny: { from: h1; port: 99999 } }", "PN208"),
        ("acl a { deny: { from: h1; protocol: icmp; port: 5 } }", "PN220"),
        ("acl a { deny: { from: h1 }; when: 8..18 }", "PN208"),
        ("acl a { deny: { from: car } }", "PN219"),
        ("qos a { match: { from: h1 } }", "PN206"),
        ("qos a { match: { from: h1 }; rate: 5Mbps; dscp: 64 }", "PN208"),
        ("route a { from: h1; to: h2; ecmp: 2; via: r2 }", "PN308"),
        ("route a { from: h1; to: h2; ecmp: 65 }", "PN208"),
        ("route a { from: h1; to: h2; backup: maybe }", "PN207"),
        ('route a { from: c1; to: "/films" }', "PN217"),
        ("multicast m { group: 232.1.1.1; from: h1; members: [s2] }", "PN301"),
        ("multicast m { group: 232.1.1.1; from: h1; members: [h1] }", "PN211"),
        ("group g { nodes: [] }", "PN207"),
        ("group g { nodes: [h1] }\ngroup g { nodes: [h2] }", "PN213"),
        ("group h1 { nodes: [h2] }", "PN213"),
        ("group g { nodes: [h1] }\nroute a { from: h2; to: g }", "PN207"),
        ("policy p { match: { from: h1 } }", "PN206"),
        ("policy p { match: { from: h1 } action: {} }", "PN232"),
        ("region { polygon: [[0, 0], [1, 1], [0, 1]] }", "PN206"),
        ("region r { polygon: [[0, 0], [1], [0, 1]] }", "PN207"),
        ("region r { polygon: [[0, 0], [91, 1], [0, 1]] }", "PN208"),
    ],
)
def test_what_does_not_make_sense(source: str, code: str) -> None:
    """Each is reported, once."""
    assert codes(source) == [code]
