"""What an impossible wish is told: the nearest that is possible, and it is."""

import math
import random
import re
from collections.abc import Iterator, Mapping
from itertools import combinations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.compiler import compile_source
from paranet.compiler.paths import Query
from paranet.models.intent import Compiled, Diagnostic
from paranet.models.topology import Modality, Topology
from paranet.models.units import parse_bandwidth, parse_seconds
from tests.paranet.compiler.networks import place, random_network
from tests.paranet.compiler.test_paths import every_path

Wishes = Mapping[str, str]
KINDS = ("avoid", "via", "latency", "bandwidth")
SINGLE = {"PN302": "avoid", "PN303": "via", "PN304": "latency", "PN305": "bandwidth"}


def source(wishes: Wishes, name: str = "a", ends: str = "from: n0; to: n6") -> str:
    return f"route {name} {{ {ends}; {'; '.join(f'{k}: {v}' for k, v in wishes.items())} }}"


def wishes(rng: random.Random, topology: Topology, kinds: tuple[str, ...]) -> dict[str, str]:
    """Wishes of these kinds that are often too much."""
    inner = rng.sample([f"n{i}" for i in range(1, 6)], 5)
    drawn = {
        "avoid": f"[{', '.join(rng.sample([*inner[2:], *topology.links], 3))}]",
        "via": f"[{', '.join(inner[:2])}]",
        "latency": f"{rng.randint(1, 12)}ms",
        "bandwidth": f"{rng.choice([150, 300, 500])}Mbps",
    }
    return {kind: drawn[kind] for kind in kinds}


def query(found: Wishes) -> Query:
    """The same wishes for brute force."""
    avoided = frozenset(listed(found.get("avoid", "[]")))
    return Query(
        source="n0",
        stops=(*listed(found.get("via", "[]")), "n6"),
        avoid_nodes=frozenset(a for a in avoided if a.startswith("n")),
        avoid_links=frozenset(a for a in avoided if a.startswith("l")),
        latency=parse_seconds(found["latency"]) if "latency" in found else math.inf,
        bandwidth=parse_bandwidth(found["bandwidth"]) if "bandwidth" in found else 0.0,
    )


def listed(text: str) -> list[str]:
    return [word for word in text.strip("[]").split(", ") if word]


def offers(fault: Diagnostic) -> Iterator[dict[str, str | None]]:
    """Yield what the hint offers to write, None for an attribute to leave out."""
    assert fault.hint
    _, _, offered = fault.hint.rpartition("write ")
    for alternative in offered.split(", or "):
        words = [re.fullmatch(r"no (\w+)|(\w+): (.*)", part) for part in alternative.split(" and ")]
        yield {str(w[1] or w[2]): w[3] for w in words if w}


def eased(given_: Wishes, offer: Mapping[str, str | None]) -> dict[str, str]:
    return {k: v for k, v in (dict(given_) | dict(offer)).items() if v is not None}


def faults(result: Compiled) -> list[Diagnostic]:
    return [d for d in result.diagnostics if d.severity == "error"]


@pytest.mark.parametrize("kinds", [k for n in (1, 2, 3, 4) for k in combinations(KINDS, n)], ids="+".join)
@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_what_is_offered_is_possible(kinds: tuple[str, ...], seed: int) -> None:
    """For wishes of every kind and all their combinations: with any of the offers the source compiles."""
    rng = random.Random(seed)
    topology = random_network(seed)
    wanted = wishes(rng, topology, kinds)
    for fault in faults(compile_source(source(wanted), topology)):
        if fault.code == "PN301":
            assert not every_path(topology, Query(source="n0", stops=("n6",)))
            continue
        assert fault.code in (*SINGLE, "PN307")
        for offer in offers(fault):
            assert set(offer) <= set(kinds)
            again = compile_source(source(eased(wanted, offer)), topology)
            assert again.ok, (offer, again.diagnostics)


@given(st.integers(0, 10**6), st.sampled_from([k for n in (1, 2, 3) for k in combinations(KINDS, n)]))
@settings(max_examples=200, deadline=None)
def test_what_is_offered_is_the_nearest(seed: int, kinds: tuple[str, ...]) -> None:
    """Against all paths: fewer wishes would not do, and none of the wishes could be given up less."""
    rng = random.Random(seed)
    topology = random_network(seed)
    wanted = wishes(rng, topology, kinds)
    for fault in faults(compile_source(source(wanted), topology)):
        if fault.code == "PN301":
            continue
        for offer in offers(fault):
            for fewer in combinations(offer, len(offer) - 1):
                assert not every_path(topology, query({k: v for k, v in wanted.items() if k not in fewer}))
            if len(offer) == 1:
                ((kind, value),) = offer.items()
                assert value_of(kind, value, wanted) == pytest.approx(nearest(kind, wanted, topology), rel=1e-3)


def value_of(kind: str, value: str | None, wanted: Wishes) -> float:
    """How much is given up: names no longer avoided or passed, or the new bound."""
    if kind in ("avoid", "via"):
        return len(listed(wanted[kind])) - len(listed(value or "[]"))
    return 0.0 if value is None else parse_seconds(value) if kind == "latency" else parse_bandwidth(value)


def nearest(kind: str, wanted: Wishes, topology: Topology) -> float:
    """The least that has to be given up of one wish, by trying all there is."""
    rest = query({k: v for k, v in wanted.items() if k != kind})
    paths = every_path(topology, rest)
    if kind == "latency":
        return min(latency for _, latency, _, _ in paths)
    if kind == "bandwidth":
        return max(min(topology.links[k].bandwidth for k in links) for _, _, _, links in paths)
    if kind == "avoid":
        return min(len(set(listed(wanted["avoid"])) & {*nodes, *links}) for _, _, nodes, links in paths)
    via = listed(wanted["via"])
    kept = (k for n in range(len(via), -1, -1) for k in combinations(via, n))
    return next(len(via) - len(k) for k in kept if every_path(topology, attrs.evolve(rest, stops=(*k, "n6"))))


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_offers_hold_beside_other_routes(seed: int) -> None:
    """Where earlier routes took the bandwidth, or lead the prefix another way, what is offered still compiles."""
    rng = random.Random(seed)
    topology = random_network(seed)
    before = [
        source({"bandwidth": "90Mbps"}, "b", "from: n1; to: n6"),
        source({"via": f"n{rng.randint(2, 5)}"}, "c", "from: n2; to: n6"),
    ]
    before = [text for text in before if compile_source(text, topology).ok]
    if not compile_source("\n".join(before), topology).ok:
        before = before[:1]
    wanted = wishes(rng, topology, tuple(rng.sample(KINDS, rng.randint(1, 2))))
    for fault in faults(compile_source("\n".join([*before, source(wanted)]), topology)):
        if fault.hint and "write " in fault.hint:
            for offer in offers(fault):
                again = compile_source("\n".join([*before, source(eased(wanted, offer))]), topology)
                assert again.ok, (fault, offer, again.diagnostics)


@pytest.mark.parametrize("more", [(), ("avoid",), ("bandwidth",), ("latency",), ("avoid", "bandwidth")], ids=str)
@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_offers_instead_of_a_backup(more: tuple[str, ...], seed: int) -> None:
    """Without it, or with less to avoid, or with links beside the ones that all ways use: each compiles."""
    rng = random.Random(seed)
    topology = random_network(seed)
    wanted = {"backup": "disjoint", **wishes(rng, topology, more)}
    for fault in faults(compile_source(source(wanted), topology)):
        if fault.code != "PN309":
            continue
        assert fault.hint
        written, _, beside = fault.hint.partition(", or add a link beside ")
        for offer in offers(attrs.evolve(fault, hint=written)):
            again = compile_source(source(eased(wanted, offer)), topology)
            assert again.ok, (offer, again.diagnostics)
        if beside:
            doubled = [attrs.evolve(topology.links[k], id=f"{k}-too") for k in beside.split(" and ")]
            wider = Topology.of(topology.nodes.values(), [*topology.links.values(), *doubled])
            assert compile_source(source(wanted), wider).ok


@given(st.integers(0, 10**6), st.sampled_from([(), ("avoid",), ("latency",), ("bandwidth",)]))
@settings(max_examples=80, deadline=None)
def test_as_many_equal_paths_as_there_are(seed: int, more: tuple[str, ...]) -> None:
    """What is said to be there can be had, and one more cannot."""
    rng = random.Random(seed)
    topology = random_network(seed)
    wanted = {"ecmp": "5", **wishes(rng, topology, more)}
    for fault in faults(compile_source(source(wanted), topology)):
        if fault.code == "PN308" and fault.hint:
            offered = re.match(r"write (?:ecmp: (\d)|no ecmp), or give links the same cost", fault.hint)
            assert offered
            count = int(offered[1] or 1)
            assert compile_source(source({**wanted, "ecmp": str(count)}), topology).ok
            assert not compile_source(source({**wanted, "ecmp": str(count + 1)}), topology).ok


@given(st.integers(0, 10**6), st.sampled_from([("avoid",), ("bandwidth",), ("avoid", "bandwidth")]))
@settings(max_examples=80, deadline=None)
def test_offers_for_every_member_of_a_group(seed: int, kinds: tuple[str, ...]) -> None:
    """Each member that cannot be reached has its own reason; what is offered reaches it."""
    rng = random.Random(seed)
    topology = random_network(seed)
    wanted = wishes(rng, topology, kinds)

    def group(members: str, given_: Wishes) -> str:
        return f"multicast m {{ group: 232.1.1.1; from: n0; members: [{members}]; {'; '.join(f'{k}: {v}' for k, v in given_.items())} }}"

    for fault in faults(compile_source(group("n5, n6", wanted), topology)):
        if fault.code in (*SINGLE, "PN307"):
            member = re.match(r"no path from n0 to (\w+)", fault.message)
            assert member
            for offer in offers(fault):
                assert compile_source(group(member[1], eased(wanted, offer)), topology).ok


@given(st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_offers_for_a_region(seed: int) -> None:
    """What keeps packets from a region is as little as can be."""
    rng = random.Random(seed)
    plain = random_network(seed, directed=0.0)
    nodes = [
        attrs.evolve(n, type="geo_router", modalities=(Modality.GEO,), location=place(40 + i / 100, -74))
        for i, n in enumerate(plain.nodes.values())
    ]
    topology = Topology.of(nodes, plain.links.values())
    region = "region far { polygon: [[40.045, -75], [40.075, -75], [40.075, -73], [40.045, -73]] }\n"
    avoid = rng.sample([*topology.links, "n2", "n3", "n4"], 5)

    def crossing(avoided: str) -> Compiled:
        return compile_source(f'{region}route a {{ from: [n0, n1]; to: region("far"); {avoided} }}', topology)

    for fault in faults(crossing(f"avoid: [{', '.join(avoid)}]")):
        assert fault.code == "PN230"
        if not fault.hint:
            assert not crossing("").ok
            continue
        (offer,) = offers(fault)
        left = listed(offer["avoid"] or "[]")
        assert crossing(f"avoid: [{', '.join(left)}]").ok
        for name in set(avoid) - set(left):
            assert not crossing(f"avoid: [{', '.join([*left, name])}]").ok


@given(st.integers(0, 10**6), st.sampled_from(KINDS))
@settings(max_examples=60, deadline=None)
def test_offers_for_a_name(seed: int, kind: str) -> None:
    """Of several producers the one that is the nearest to be had counts."""
    rng = random.Random(seed)
    plain = random_network(seed)
    nodes = [
        attrs.evolve(n, modalities=(Modality.IP, Modality.NDN), properties={"prefix": "/v"} if n.id in ("n5", "n6") else {})
        for n in plain.nodes.values()
    ]
    topology = Topology.of(nodes, plain.links.values())
    wanted = wishes(rng, topology, (kind,))
    if kind in ("avoid", "via"):
        wanted[kind] = f"[{', '.join(n for n in listed(wanted[kind]) if n != 'n5')}]"
    for fault in faults(compile_source(source(wanted, ends='from: n0; to: "/v"'), topology)):
        if fault.code not in SINGLE:
            continue
        for offer in offers(fault):
            assert compile_source(source(eased(wanted, offer), ends='from: n0; to: "/v"'), topology).ok
            if kind == "latency":
                times = [latency for end in ("n5", "n6") for _, latency, _, _ in every_path(plain, Query(source="n0", stops=(end,)))]
                assert value_of(kind, offer[kind], wanted) == pytest.approx(min(times), rel=1e-3)
