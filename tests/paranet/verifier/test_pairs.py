"""Intents in pairs, of every kind: what contradicts each other is named, by the compiler or by the verifier."""

import pytest

from paranet.compiler import compile_source
from paranet.models.device import Row, RowKey
from paranet.orchestrator.plan import conflicts
from paranet.verifier import Promises, Verifier
from tests.paranet.compiler.networks import MIX

WEB = "route web { from: h1; to: h2 }"
FILMS = 'route films { from: c1; to: "/video" }'
TV = "multicast tv { group: 232.1.1.1; from: h1; members: [h2, r2] }"
CLASS = "qos gold { match: { from: h1; to: h2 }; rate: 5Mbps%s }"
SAME = "qos iron { match: { from: h1; to: h2 }; rate: %s }"
DENY = "acl no { deny: { from: h1; to: h2 }%s }"
PERMIT = "acl yes { seq: 200; permit: { from: h1; to: h2 }%s }"
FINE = ("", "")

PAIRS = {
    "route passes what the other avoids": (
        WEB.replace("}", "; via: r2 }"),
        "route b { from: h1; to: h2; avoid: r2 }",
        "PN306",
        "ownership",
    ),
    "routes that agree": (WEB, "route b { from: h1; to: h2; bandwidth: 1Mbps }", *FINE),
    "routes of different prefixes": (WEB.replace("}", "; via: r2 }"), "route b { from: h1; to: 10.2.0.0/16; via: r4 }", *FINE),
    "over ip and over p4": (
        "route web { from: h8; to: h9; via: p2 }",
        "route b { from: h8; to: h9; protocol: p4; avoid: p1; bandwidth: 1Mbps }",
        *FINE,
    ),
    "names by different strategies": (FILMS, FILMS.replace("films", "b").replace("}", "; strategy: asf }"), "PN310", "ownership"),
    "names from different producers": (
        'route films { from: n2; to: "/x"; producer: studio }',
        'route b { from: n2; to: "/x"; producer: mirror }',
        "PN306",
        "ownership",
    ),
    "regions around different places": (
        "region sea { polygon: [[39.9, -74.1], [39.9, -73.9], [40.1, -73.9], [40.1, -74.1]] }",
        "region sea { polygon: [[0, 0], [0, 2], [1, 1]] }",
        "PN213",
        "ownership",
    ),
    "a deny of a route": (WEB, DENY % "", "", "blocked contradiction"),
    "a deny of a route at some hours": (WEB, DENY % "; when: 22:00..06:00", "", "contradiction"),
    "a deny of a part of a route": (WEB, "acl no { deny: { from: h1; to: h2; port: 22 } }", *FINE),
    "a deny of another route": (WEB, "acl no { deny: { from: h1; to: r4 } }", *FINE),
    "a deny of a route over p4": (
        "route web { from: h8; to: h9; protocol: p4 }",
        "acl no { deny: { from: h8 } }",
        "",
        "blocked contradiction",
    ),
    "a deny of a group": (TV, "acl no { deny: { from: h1 } }", "", "blocked contradiction"),
    "a deny of another group": (TV, "acl no { deny: { from: h1; to: 232.1.1.2 } }", *FINE),
    "a deny of a group that comes by": (
        TV,
        "acl no { deny: { from: h1; to: 232.1.1.1; protocol: udp } }\nacl yes { seq: 1; permit: { from: h1 } }",
        "",
        "isolation shadowed",
    ),
    "a deny and a permit": (DENY % "", PERMIT % "", "", "contradiction shadowed"),
    "a deny and a permit at hours that meet": (DENY % "; when: 08:00..12:00", PERMIT % "; when: 11:00..13:00", "", "contradiction"),
    "a deny and a permit at hours that do not": (DENY % "; when: 08:00..12:00", PERMIT % "; when: 12:00..13:00", *FINE),
    "a deny and a permit past midnight": (DENY % "; when: 22:00..02:00", PERMIT % "; when: 01:00..03:00", "", "contradiction"),
    "a deny and a permit around midnight": (DENY % "; when: 22:00..02:00", PERMIT % "; when: 02:00..22:00", *FINE),
    "classes of different rates": (CLASS % "", SAME % "6Mbps", "", "contradiction"),
    "classes of different bursts": (CLASS % "", SAME % "5Mbps; burst: 1MB", "", "contradiction"),
    "classes of different marks": (CLASS % "; dscp: 46", SAME % "5Mbps; dscp: 10", "", "contradiction"),
    "classes that agree": (CLASS % "", SAME % "5Mbps", *FINE),
    "classes with an order": (CLASS % "; priority: 1", SAME % "6Mbps; priority: 2", *FINE),
    "classes at hours that meet": (CLASS % "; when: 08:00..12:00", SAME % "6Mbps; when: 11:59..13:00", "", "contradiction"),
    "classes at hours that do not": (CLASS % "; when: 08:00..12:00", SAME % "6Mbps; when: 12:00..13:00", *FINE),
    "a class of packets that are denied": (CLASS % "", DENY % "", "", "contradiction"),
    "a class of packets that are denied at its hours": (CLASS % "; when: 08:00..12:00", DENY % "; when: 07:00..12:00", "", "contradiction"),
    "a class of packets that are denied at some of them": (CLASS % "; when: 08:00..12:00", DENY % "; when: 07:00..11:00", *FINE),
    "a class of packets of which some are denied": (CLASS % "", "acl no { deny: { from: h1; to: h2; port: 22 } }", *FINE),
    "content stores of one name": (
        'cache a { at: c1; prefix: "/v"; capacity: 1GB }',
        'cache b { at: c1; prefix: "/v"; capacity: 2GB }',
        "PN310",
        "ownership",
    ),
    "content stores too large together": (
        'cache a { at: c1; prefix: "/v"; capacity: 6GB }',
        'cache b { at: c1; prefix: "/w"; capacity: 6GB }',
        "",
        "cache",
    ),
    "groups of one address": (TV, TV.replace("tv", "b").replace("r2", "v6"), "PN310", "ownership"),
    "a group's member that the other avoids": (
        TV,
        "multicast b { group: 232.1.1.1; from: h1; members: h2; avoid: r2 }",
        "PN310",
        "ownership",
    ),
    "bandwidth over ip and ndn": (
        "route web { from: n1; to: n2; bandwidth: 600Mbps }",
        'route films { from: c1; to: "/video"; bandwidth: 600Mbps }',
        "PN305",
        "reservation",
    ),
    "bandwidth over ip and p4": (
        "route web { from: h8; to: h9; avoid: p1; bandwidth: 600Mbps }",
        "route b { from: h8; to: p3; avoid: p1; protocol: p4; bandwidth: 600Mbps }",
        "PN302",
        "reservation",
    ),
    "bandwidth of a group and a route": (
        "multicast tv { group: 232.1.1.1; from: h1; members: r2; bandwidth: 600Mbps }",
        "route web { from: h1; to: r1; bandwidth: 500Mbps }",
        "PN305",
        "reservation",
    ),
}


def named(*sources: str) -> str:
    """What is wrong with sources, compiled one by one, together: `ownership` where they want a row in two ways, else the failed checks.

    Each of these names both intents and has a witness.
    """
    results = [compile_source(source, MIX, scope=f"s{i}") for i, source in enumerate(sources)]
    rows: dict[str, dict[RowKey, Row]] = {node: {} for node in MIX.nodes}
    for result in results:
        assert result.ok, result.diagnostics
        if conflicts(rows, result.rows, result.intents):
            return "ownership"
        for node, found in result.rows.items():
            rows[node].update({row.id: row for row in found})
    violations = Verifier(MIX, rows, Promises.of(*results)).report().violations
    known = {intent for result in results for intent in result.intents}
    assert all(len(v.intents) == 2 and known.issuperset(v.intents) for v in violations), violations
    assert all(v.witness.header and v.witness.hops for v in violations)
    return " ".join(sorted({v.check for v in violations}))


@pytest.mark.parametrize("pair", PAIRS)
def test_within_a_source(pair: str) -> None:
    """The compiler refuses what cannot be written into rows, in the words of a diagnostic; the verifier names both of the rest."""
    one, other, code, checks = PAIRS[pair]
    result = compile_source(f"{one}\n{other}", MIX)
    assert " ".join(d.code for d in result.diagnostics) == code
    if result.ok:
        assert named(f"{one}\n{other}") == checks


@pytest.mark.parametrize("pair", PAIRS)
def test_between_sources(pair: str) -> None:
    """Nobody compiles them together: rows held in two ways are a conflict, all else is the verifier's to name."""
    one, other, _, checks = PAIRS[pair]
    assert named(one, other) == checks
