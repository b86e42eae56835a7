"""Equal ways through waypoints, with a backup beside them: against every path there is."""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler import compile_source
from paranet.models.device import Row
from paranet.models.intent import Compiled
from paranet.models.topology import Link, Modality, Node, Topology
from paranet.verifier import Promises, Verifier
from tests.paranet.compiler.networks import link, node

Step = tuple[str, str, str]
"""(node, link, next node)"""
Way = tuple[Step, ...]
VIAS: tuple[tuple[str, ...], ...] = ((), ("n1",), ("n1", "n2"), ("n2", "n1"))
FIELD = "10.2.0.0/16"

SAMPLE = Topology.of(
    [node("h1", "10.1.0.10/24", type="host"), *(node(f"r{i}", f"10.255.0.{i}/32") for i in range(1, 8)), node("h2", "10.2.0.1/16")],
    [
        *(link("h1", f"r{i}") for i in (1, 4)),
        *(link(f"r{i}", "r2") for i in (1, 4)),
        link("r2", "h2"),
        link("r1", "r3", cost=0.1),
        link("r3", "h2", cost=0.1),
        *(link(a, b, cost=4) for a, b in (("h1", "r5"), ("r5", "r6"), ("r6", "h2"))),
    ],
)
"""h1 - (r1 | r4) - r2 - h2 for the packets, h1 - r5 - r6 - h2 beside them, and r3 that would be nearer."""


def field(rng: random.Random, modality: Modality) -> Topology:
    """n0 to n6 over costs of 1 and 2, so that many ways cost the same."""
    nodes = [node(f"n{i}", f"10.9.{i}.1/24", modalities=(Modality.IP, Modality.NDN)) for i in range(6)]
    last = [Node(id="n6", modalities=(modality,), properties={"prefix": "/far"}), node("n6", "10.2.0.1/16")][modality is Modality.IP]
    links = []
    for k in range(rng.randint(10, 15)):
        a, b = rng.sample([f"n{i}" for i in range(7)], 2)
        links.append(link(a, b, id=f"l{k}", cost=rng.choice([1, 1, 2]), ms=rng.randint(1, 4), mbps=200, directed=rng.random() < 0.1))
    return Topology.of([*nodes, last], links)


def steps(topology: Topology) -> Mapping[str, list[tuple[Step, Link]]]:
    found: dict[str, list[tuple[Step, Link]]] = {n: [] for n in topology.nodes}
    for k in topology.links.values():
        ends = [(k.source.node, k.target.node), (k.target.node, k.source.node)][: 1 if k.directed else 2]
        for a, b in ends:
            found[a].append(((a, k.id, b), k))
    return found


def every_way(topology: Topology, shunned: frozenset[str]) -> Iterator[tuple[float, Way]]:
    """Yield the cost and the steps of every path from n0 to n6."""
    onward = steps(topology)
    open_: list[tuple[float, Way]] = [(0.0, ())]
    while open_:
        cost, way = open_.pop()
        at = way[-1][2] if way else "n0"
        if at == "n6":
            yield cost, way
            continue
        for step, k in onward[at]:
            if step[2] not in {"n0", *(s[2] for s in way)} and not shunned & {step[1], step[2]}:
                open_.append((cost + k.cost, (*way, step)))


def hops(way: Way) -> list[str]:
    return ["n0", *(s[2] for s in way)]


def in_order(way: Way, via: tuple[str, ...]) -> bool:
    return [n for n in hops(way) if n in via] == list(via)


def apart(backup: Way, ways: list[Way], *, by_node: bool) -> bool:
    links, nodes = ({name for w in ways for s in w for name in (s[at],)} - {"n6"} for at in (1, 2))
    return not links & {s[1] for s in backup} and not (by_node and nodes & {s[2] for s in backup})


def most(topology: Topology, via: tuple[str, ...], shunned: frozenset[str], *, backup: bool) -> int | None:
    """The most equal ways that rows can hold, trying for every node the leg it lies on, and every backup; None without any way."""
    every = list(every_way(topology, shunned))
    fitting = [(cost, way) for cost, way in every if in_order(way, via)]
    if not fitting:
        return None
    least = min(cost for cost, _ in fitting)
    equal = [way for cost, way in fitting if cost == least]
    places = [{n: sum(v in hops(way)[: hops(way).index(n)] for v in via) for n in hops(way)} for way in equal]
    inner = [n for n in topology.nodes if n not in {"n0", "n6", *via}]
    best = 0
    for legs in product(range(len(via) + 1), repeat=len(inner)) if via else [(0,) * len(inner)]:
        held = dict(zip(inner, legs, strict=True))
        kept = [way for way, place in zip(equal, places, strict=True) if all(place.get(n, leg) == leg for n, leg in held.items())]
        if not backup:
            best = max(best, len(kept))
            continue
        for by_node in (True, False):
            for _, second in every:
                best = max(best, sum(apart(second, [way], by_node=by_node) for way in kept))
    return best


def rows_of(result: Compiled, family: str) -> dict[str, Row]:
    return {n: row for n, held in result.rows.items() for row in held if row.family == family and row.key in (FIELD, "/far")}


def usual(row: Row) -> list[Step]:
    held = row.value["next_hops"]
    assert isinstance(held, (list, tuple))
    least = min((h.get("cost", 0) for h in held), default=0)
    return [("", h["link"], h["node"]) for h in held if h.get("cost", 0) == least]


def second(row: Row) -> list[Step]:
    """The way when all others fail: a backup, over ndn the dearest next hop."""
    held = row.value.get("backup") or row.value["next_hops"]
    assert isinstance(held, (list, tuple))
    dearest = max((h.get("cost", 0) for h in held), default=0)
    return [("", h["link"], h["node"]) for h in held if h.get("cost", 0) == dearest]


def walked(rows: Mapping[str, Row], onward: object, limit: int = 12) -> list[Way]:
    """All ways from n0 that the rows allow."""
    found: list[Way] = []
    open_: list[Way] = [()]
    while open_:
        way = open_.pop()
        at = way[-1][2] if way else "n0"
        if at == "n6":
            found.append(way)
            continue
        assert at in rows, f"packets get no further than {at}"
        assert len(way) < limit, "packets circle"
        open_ += [(*way, (at, k, b)) for _, k, b in onward(rows[at])]  # type: ignore[operator]  # one of the two above
    return found


def verify(topology: Topology, result: Compiled) -> None:
    rows = {n: {r.id: r for r in found} for n, found in result.rows.items()}
    report = Verifier(topology, rows, Promises.of(result)).report()
    assert report.ok, report.violations


def statement(modality: Modality, via: tuple[str, ...], wishes: str) -> str:
    to = f"prefix('{FIELD}')" if modality is Modality.IP else '"/far"'
    passed = f"via: [{', '.join(via)}]; " if via else ""
    return f"route a {{ from: n0; to: {to}; protocol: {modality}; {passed}{wishes} }}"


@pytest.mark.parametrize("backup", [False, True], ids=["", "backup"])
@given(
    st.integers(0, 10**6), st.sampled_from(VIAS), st.sampled_from([2, 2, 3, 4]), st.sampled_from([Modality.IP, Modality.IP, Modality.NDN])
)
@settings(max_examples=120, deadline=None)
def test_against_every_path(backup: bool, seed: int, via: tuple[str, ...], width: int, modality: Modality) -> None:
    """What compiles goes as promised over every way; what does not cannot, and no more than is offered could."""
    rng = random.Random(seed)
    topology = field(rng, modality)
    shunned = frozenset(rng.sample(["n3", "n4", "l0", "l1"], rng.randint(0, 2)))
    avoid = f"avoid: [{', '.join(sorted(shunned))}]; " if shunned else ""
    more = "backup: disjoint; " if backup else ""
    result = compile_source(statement(modality, via, f"{avoid}{more}ecmp: {width}; bandwidth: 8Mbps"), topology)
    could = most(topology, via, shunned, backup=backup)
    if not result.ok:
        (fault,) = (d for d in result.diagnostics if d.severity == "error")
        circling = "could come back" in fault.message
        assert fault.code in ("PN308", "PN309") if could is not None else fault.code.startswith("PN30")
        assert could is None or could < width or circling, fault
        for offer in re.findall(r"ecmp: (\d)(?! and)", fault.hint or ""):
            assert int(offer) == could
        return
    assert could is not None
    assert could >= width
    verify(topology, result)
    rows = rows_of(result, "ip.route" if modality is Modality.IP else "ndn.rib")
    ways = walked(rows, usual)
    least = min(cost for cost, way in every_way(topology, shunned) if in_order(way, via))
    assert len(set(ways)) == len(ways) >= width
    for way in ways:
        assert in_order(way, via)
        assert sum(topology.links[s[1]].cost for s in way) == least
        assert not shunned & {name for s in way for name in s}
    loads = Counter[tuple[str, str]]()
    for way in ways:
        share = prod(len(usual(rows[at])) for at, _, _ in way)
        for at, k, _ in way:
            loads[k, at] += 8e6 / share  # type: ignore[assignment]  # parts of bits a second
    assert {(r.link, r.source): pytest.approx(r.bandwidth) for r in result.reservations} == loads
    if backup:
        (reserve,) = walked(rows, second)
        by_node = any(apart(w, ways, by_node=True) for _, w in every_way(topology, shunned))
        assert apart(reserve, ways, by_node=by_node)
        assert not shunned & {name for s in reserve for name in s}
        assert [p.hops for p in result.paths if p.backup] == [tuple(hops(reserve))]


def test_the_sample_of_the_design() -> None:
    """Every wish of a route together."""
    wishes = "via: r2; avoid: r3; protocol: ip; bandwidth: 200Mbps; latency: 20ms; ecmp: 2; backup: disjoint"
    result = compile_source(f'route web {{ from: h1; to: prefix("10.2.0.0/16"); {wishes} }}', SAMPLE)
    assert result.diagnostics == ()
    verify(SAMPLE, result)
    paths = [(p.hops, p.backup) for p in result.paths]
    assert paths == [(("h1", "r1", "r2", "h2"), False), (("h1", "r4", "r2", "h2"), False), (("h1", "r5", "r6", "h2"), True)]
    assert {(r.link, r.bandwidth) for r in result.reservations} == {
        *((f"{a}-{b}", 1e8) for a, b in (("h1", "r1"), ("h1", "r4"), ("r1", "r2"), ("r4", "r2"))),
        ("r2-h2", 2e8),
    }
    assert [(p.width, p.backup, p.via, p.latency) for p in result.reaches] == [(2, True, ("r2",), 0.02)]


@pytest.mark.parametrize(
    ("wishes", "code", "words"),
    [
        ("via: [r1, r2]; ecmp: 2", "PN308", "through r1, then r2: there is one path of the least cost, 3 (write no ecmp, or give links"),
        ("via: r2; ecmp: 3", "PN308", "there are 2 paths of the least cost, 3 (write ecmp: 2, or give links"),
        ("via: r5; avoid: r3; ecmp: 2", "PN308", "is one path of the least cost, 12 (write no ecmp, or no via, or give links"),
        ("via: r2; avoid: r5; ecmp: 2; backup: disjoint", "PN309", "no way beside them avoids all links (write no backup, or no ecmp)"),
        ("avoid: [r3, r5]; ecmp: 2; backup: disjoint", "PN309", "every way from h1 to h2 uses link r2-h2 (write no backup)"),
        (
            "avoid: [r3, r5, r4]; ecmp: 2; backup: disjoint",
            "PN308",
            "is one path of the least cost, 3 (write no ecmp and no backup, or give",
        ),
    ],
)
def test_what_cannot_be(wishes: str, code: str, words: str) -> None:
    """The message says how many ways there are, the hint what would do."""
    (fault,) = compile_source(f"route web {{ from: h1; to: h2; {wishes} }}", SAMPLE).diagnostics
    assert fault.code == code
    assert words in f"{fault.message} ({fault.hint})"


def test_a_row_that_lost_its_backup_is_seen() -> None:
    """The promise is the route's, not the row's."""
    result = compile_source("route web { from: h1; to: h2; avoid: r3; ecmp: 2; backup: disjoint }", SAMPLE)
    bare = {n: {r.id: attrs.evolve(r, value={"next_hops": r.value["next_hops"]}) for r in held} for n, held in result.rows.items()}
    (violation,) = Verifier(SAMPLE, bare, Promises.of(result)).report().violations
    assert (violation.check, violation.witness.hops) == ("backup", ("h1",))


@given(st.integers(0, 10**6), st.sampled_from([Modality.IP, Modality.NDN]))
@settings(max_examples=120, deadline=None)
def test_beside_other_routes_there(seed: int, modality: Modality) -> None:
    """Routes of all wishes to one prefix, from anywhere: what the rows of earlier ones do to a later one is seen before it compiles."""
    rng = random.Random(seed)
    topology = field(rng, modality)
    kept: list[str] = []
    result = compile_source("", topology)
    for number in range(5):
        source, *others = rng.sample([f"n{i}" for i in range(6)], 6)
        via = tuple(others[: rng.choice([0, 0, 1, 2])])
        wishes = [rng.choice(["", "ecmp: 2; ", "ecmp: 3; "]), rng.choice(["", "backup: disjoint; "]), rng.choice(["", "latency: 6ms; "])]
        text = statement(modality, via, "".join(wishes) + ("strategy: asf" if modality is Modality.NDN else ""))
        text = text.replace("route a", f"route a{number}").replace("from: n0", f"from: {source}")
        following = compile_source("\n".join([*kept, text]), topology)
        if following.ok:
            kept.append(text)
            result = following
    verify(topology, result)


@pytest.mark.parametrize("via", ["", "via: g4x4; ", "via: [g4x4, g4x1, g1x4]; "])
@pytest.mark.parametrize("width", [4, 64])
def test_on_a_grid(via: str, width: int) -> None:
    """Where nearly every node lies on equal ways between all waypoints, one of the many choices that leave a backup is found."""
    size = range(8)
    nodes = [node(f"g{i}x{j}", f"10.{i}.{j}.1/32") for i in size for j in size]
    across = [link(f"g{i}x{j}", f"g{i + 1}x{j}") for i in size[:-1] for j in size]
    grid = Topology.of(nodes, [*across, *(link(f"g{i}x{j}", f"g{i}x{j + 1}") for i in size for j in size[:-1])])
    result = compile_source(f"route a {{ from: g0x0; to: g7x7; {via}ecmp: {width}; backup: disjoint }}", grid)
    assert result.diagnostics == ()
    verify(grid, result)
