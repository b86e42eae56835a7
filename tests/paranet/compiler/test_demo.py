"""The demo network: one source for all it can do, and ten that are wrong."""

import pytest

from paranet.compiler import compile_source
from paranet.compiler.render import PLATFORMS, path_collection, render_all
from paranet.examples import demo, demo_intents
from paranet.interop.registry import read
from paranet.models.intent import Compiled, Report
from paranet.verifier import Promises, Verifier

DEMO = read(demo()).topology
EVERYTHING = """
// A route, a class, a deny, a name with a cache, a region and a P4 table.
route office  { from: amsterdam; to: milan; via: zurich; bandwidth: 2Gbps; latency: 40ms }
route spare   { from: frankfurt; to: vienna; backup: disjoint }
qos   voice   { match: { from: amsterdam; to: milan; app: voice }; rate: 100Mbps; dscp: 46; priority: 6; when: 08:00..18:00 }
acl   shut    { seq: 10; deny: { from: warsaw; to: madrid; port: 22 } }
route films   { from: london; to: "/video/films"; latency: 60ms }
cache films-c { at: [madrid, paris]; prefix: "/video"; capacity: 5GB; policy: lru; ttl: 1h }
region oresund { polygon: [[55.2, 12.0], [56.2, 12.0], [56.2, 13.2], [55.2, 13.2]] }
route ships   { from: [stockholm, berlin]; to: region("oresund") }
route switch  { from: frankfurt; to: paris; protocol: p4 }
multicast tv  { group: 232.1.1.1; from: london; members: [berlin, vienna, madrid] }
"""


def judged(result: Compiled) -> Report:
    rows = {node: {row.id: row for row in found} for node, found in result.rows.items()}
    return Verifier(DEMO, rows, Promises.of(result)).report()


def test_one_source_for_everything() -> None:
    """It compiles, shows on every platform and on the map, and holds."""
    result = compile_source(EVERYTHING, DEMO)
    assert result.diagnostics == ()
    families = {row.family for rows in result.rows.values() for row in rows}
    assert families >= {"ip.route", "ip.qos", "ip.acl", "ip.mcast", "ndn.rib", "ndn.cs", "geo.forward", "p4.table"}
    shown = {p for node, rows in result.rows.items() for p in render_all(DEMO.nodes[node], rows, DEMO)}
    assert shown == set(PLATFORMS)
    lines = path_collection(result.paths, DEMO)["features"]
    assert {f["properties"]["intent"] for f in lines} == {"office", "spare", "films", "ships", "switch", "tv"}
    report = judged(result)
    assert report.ok, report.violations
    assert {"reachability", "isolation", "name", "region", "entry", "multicast"} <= {n for n, count in report.checked.items() if count}


def test_the_demo_as_it_comes() -> None:
    """The demo's own intents hold."""
    result = compile_source(demo_intents(), DEMO)
    assert result.diagnostics == ()
    assert judged(result).ok


WRONG = {
    "PN101": "route a { from paris; to: madrid }",
    "PN209": "route a { from: pariss; to: madrid }",
    "PN203": "route a { from: paris; to: madrid; bandwith: 5Mbps }",
    "PN207": "qos a { match: { from: paris; app: vidoe }; rate: 5Mbps }",
    "PN219": 'route a { from: vienna; to: "/video" }',
    "PN302": "route a { from: paris; to: madrid; avoid: [par-mad, milan] }",
    "PN304": "route a { from: stockholm; to: madrid; latency: 10ms }",
    "PN305": "route a { from: paris; to: madrid; bandwidth: 5Gbps }",
    "PN306": "route a { from: paris; to: milan; via: zurich }\nroute b { from: paris; to: milan; via: madrid }",
    "PN309": "route a { from: paris; to: stockholm; backup: disjoint; avoid: sto-waw }",
}


@pytest.mark.parametrize("code", WRONG)
def test_ten_wrong_sources(code: str) -> None:
    """Each gets the diagnostic that says what is wrong."""
    assert [d.code for d in compile_source(WRONG[code], DEMO).diagnostics if d.severity == "error"] == [code]


REFUTED = {
    "isolation": "acl no { deny: { from: paris; to: madrid }; at: vienna }\nroute a { from: paris; to: madrid }\nacl yes { seq: 5; permit: "
    "{ from: paris; to: madrid } }\nacl must { deny: { from: paris; to: madrid } }",
    "blocked": "route a { from: paris; to: madrid }\nacl no { deny: { from: paris; to: madrid } }",
    "cache": 'cache a { at: madrid; prefix: "/video"; capacity: 50GB }',
}


@pytest.mark.parametrize("check", REFUTED)
def test_what_compiles_and_does_not_hold(check: str) -> None:
    """What only the verifier can see has the check, the intents and a witness."""
    result = compile_source(REFUTED[check], DEMO)
    assert result.ok, result.diagnostics
    report = judged(result)
    assert not report.ok
    found = [v for v in report.violations if v.check == check]
    assert found, report.violations
    assert found[0].intents
