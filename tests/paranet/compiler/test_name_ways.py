"""Several ways for one name: spread over equal paths, or one in reserve."""

import attrs
import pytest

from paranet.compiler import compile_source
from paranet.compiler.render import render_all
from paranet.models.intent import Compiled
from paranet.models.topology import Node, Topology
from paranet.verifier import Promises, Verifier
from tests.paranet.compiler.networks import link

DIAMOND = Topology.of(
    [Node(id=n, type="ndn_router") for n in "cxyz"] + [Node(id="p", type="ndn_producer", properties={"prefix": "/video"})],
    [
        link("c", "x", cost=2),
        link("x", "p", cost=1),
        link("c", "y", cost=1),
        link("y", "p", cost=2),
        link("c", "z", cost=7),
        link("z", "p"),
    ],
)


def compiled(source: str) -> Compiled:
    result = compile_source(source, DIAMOND)
    assert result.diagnostics == ()
    rows = {n: {r.id: r for r in found} for n, found in result.rows.items()}
    report = Verifier(DIAMOND, rows, Promises.of(result)).report()
    assert report.ok, report.violations
    return result


def next_hops(result: Compiled, node: str) -> list[tuple[str, int]]:
    (row,) = (r for r in result.rows[node] if r.family == "ndn.rib")
    hops = row.value["next_hops"]
    assert isinstance(hops, list)
    return [(h["node"], h["cost"]) for h in hops]


def test_equal_paths() -> None:
    """Next hops of the same cost, under a strategy that divides Interests; bandwidth is shared out; a promise of the width."""
    result = compiled('route v { from: c; to: "/video"; ecmp: 2; bandwidth: 10Mbps }')
    assert next_hops(result, "c") == [("y", 1), ("x", 1)]
    assert {r.value["strategy"] for held in result.rows.values() for r in held if r.family == "ndn.strategy"} == {"random"}
    assert {(r.link, r.bandwidth) for r in result.reservations} == {(k, 5e6) for k in ("c-x", "x-p", "c-y", "y-p")}
    assert [(p.width, p.backup) for p in result.names] == [(2, False)]
    lines = render_all(DIAMOND.nodes["c"], result.rows["c"], DIAMOND)["nfdc"]
    assert lines.count("cost 1\n") == 2
    assert "/localhost/nfd/strategy/random/v=1" in lines


def test_a_way_in_reserve() -> None:
    """The second way costs more than the first, whatever its link costs, and best-route turns to it when that fails."""
    result = compiled('route v { from: c; to: "/video"; backup: disjoint; latency: 5ms }')
    assert next_hops(result, "c") == [("x", 2), ("y", 3)]
    assert [(p.hops, p.backup) for p in result.paths] == [(("c", "x", "p"), False), (("c", "y", "p"), True)]
    assert [(p.width, p.backup) for p in result.names] == [(1, True)]


def test_equal_paths_and_a_way_in_reserve() -> None:
    """The strategy that divides Interests among the next hops of the same cost turns to the dearer one when all of these fail."""
    result = compiled('route v { from: c; to: "/video"; ecmp: 2; backup: disjoint }')
    assert next_hops(result, "c") == [("y", 1), ("x", 1), ("z", 8)]
    assert {r.value["strategy"] for held in result.rows.values() for r in held if r.family == "ndn.strategy"} == {"asf"}
    assert [(p.width, p.backup) for p in result.names] == [(2, True)]
    assert [(p.hops[1], p.backup) for p in result.paths] == [("x", False), ("y", False), ("z", True)]


def test_a_reserve_is_neither_a_way_nor_one_of_the_ways() -> None:
    """The width counts those that Interests usually take, and the way in reserve has no link of any of them."""
    result = compiled('route v { from: c; to: "/video"; ecmp: 2; backup: disjoint }')
    rows = {n: {r.id: r for r in found} for n, found in result.rows.items()}
    wider = Promises(names=(attrs.evolve(result.names[0], width=3),))
    (violation,) = Verifier(DIAMOND, rows, wider).report().violations
    assert (violation.check, violation.message.endswith("over 2 ways, not 3")) == ("width", True)
    row = rows["c"]["ndn.rib", "/video"]
    hops = row.value["next_hops"]
    assert isinstance(hops, list)
    again = attrs.evolve(row, value={**row.value, "next_hops": [*hops[:2], {**hops[1], "cost": 8}]})
    (violation,) = Verifier(DIAMOND, {**rows, "c": {**rows["c"], row.id: again}}, Promises.of(result)).report().violations
    assert (violation.check, "'c-x'" in violation.message) == ("backup", True)


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ("ecmp: 3", "PN308"),
        ("ecmp: 2; avoid: x", "PN308"),
        ("backup: disjoint; avoid: [x, y]", "PN309"),
        ("ecmp: 2; strategy: best-route", "PN220"),
        ("ecmp: 2; strategy: multicast", "PN220"),
        ("backup: disjoint; strategy: random", "PN220"),
        ("ecmp: 2; backup: disjoint; strategy: random", "PN220"),
        ("ecmp: 2; backup: disjoint; avoid: z", "PN309"),
    ],
)
def test_what_cannot_be(wishes: str, code: str) -> None:
    """Too few ways, and strategies that would not use them."""
    result = compile_source(f'route v {{ from: c; to: "/video"; {wishes} }}', DIAMOND)
    assert [d.code for d in result.diagnostics] == [code]


def test_a_ring_through_the_reserve_is_refused() -> None:
    """Where two disjoint ways meet in opposite directions a node could send Interests back, so there is no such backup."""
    nodes = [Node(id=n, type="ndn_router") for n in "cxy"] + [Node(id="p", type="ndn_producer", properties={"prefix": "/video"})]
    links = [link("c", "x"), link("x", "y"), link("y", "p"), link("c", "y", cost=9), link("x", "p", cost=9)]
    topology = Topology.of(nodes, [*links, link("y", "x", id="back")])
    result = compile_source('route v { from: c; to: "/video"; backup: disjoint; via: [x, y] }', topology)
    assert [d.code for d in result.diagnostics] == ["PN309"]
    assert "could come back to" in result.diagnostics[0].message
