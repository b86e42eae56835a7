"""NDN: Interests find producers."""

import attrs
import pytest

from paranet.models.device import Row
from paranet.models.intent import NamePromise
from paranet.models.topology import Node, Topology
from paranet.verifier import verify
from tests.paranet.compiler.networks import link
from tests.paranet.verifier.rows import only, row, table

NAMES = Topology.of(
    [Node(id=n, type="ndn_router") for n in "abc"] + [Node(id="s", type="ndn_cache", properties={"cache_size": "10GB"})],
    [link("a", "b"), link("b", "c"), link("a", "c"), link("c", "s")],
)
PROMISE = NamePromise(intent="videos", consumer="a", name="/video/ch1", producers=("s",))


def rib(name: str, *ways: tuple[str, str, int], producer: bool = False) -> Row:
    hops = [{"node": node, "link": over, "face": over, "cost": cost} for node, over, cost in ways]
    return row("ndn.rib", name, "videos", next_hops=hops, producer=producer)


def faces(*links: str) -> list[Row]:
    return [row("ndn.face", over, "videos", link=over) for over in links]


GOOD = {
    "a": [rib("/video", ("b", "a-b", 1)), *faces("a-b")],
    "b": [rib("/video", ("c", "b-c", 1)), *faces("b-c")],
    "c": [rib("/video", ("s", "c-s", 1)), *faces("c-s")],
    "s": [rib("/video", producer=True)],
}


def test_a_name_is_found() -> None:
    """Interests go by the longest prefix of their name to a producer."""
    report = verify(NAMES, table(**GOOD), names=[PROMISE])
    assert report.ok
    assert {c: report.checked[c] for c in ("name", "producer", "face", "loop")} == {"name": 1, "producer": 4, "face": 3, "loop": 1}


def test_the_longest_prefix_leads_astray() -> None:
    """A row for a longer prefix takes its names away; the promise and the row's own node are told so, with the way."""
    rows = table(**{**GOOD, "b": [*GOOD["b"], rib("/video/ch1")]})
    found = verify(NAMES, rows, names=[PROMISE]).violations
    assert {(v.check, v.witness.hops, v.witness.header["name"]) for v in found} == {
        ("name", ("a", "b"), "/video/ch1"),
        ("producer", ("b",), "/video/ch1"),
    }
    assert found[0].intents == ("videos",)


def test_another_producer() -> None:
    """A producer that was not promised does not do."""
    promise = NamePromise(intent="videos", consumer="a", name="/video", producers=("c",))
    found = only(verify(NAMES, table(**GOOD), names=[promise]))
    assert (found.check, found.witness.hops) == ("name", ("a", "b", "c", "s"))
    assert "end at s, not at c" in found.message


@pytest.mark.parametrize(("strategy", "found"), [("best-route", False), ("multicast", True), ("/localhost/nfd/strategy/asf/%FD%04", True)])
def test_strategies(strategy: str, found: bool) -> None:
    """The best route is the cheapest next hop; other strategies try all of them."""
    rows = {
        "a": [rib("/video", ("c", "a-c", 2), ("b", "a-b", 1)), *faces("a-b", "a-c"), row("ndn.strategy", "/", strategy=strategy)],
        "c": GOOD["c"],
        "s": GOOD["s"],
    }
    assert verify(NAMES, table(**rows), names=[PROMISE]).ok is found


def test_circling_interests() -> None:
    """Interests that may come back are a loop, by whichever next hop."""
    rows = {**GOOD, "b": [rib("/video", ("c", "b-c", 1), ("a", "a-b", 9)), *faces("b-c", "a-b")]}
    found = only(verify(NAMES, table(**rows), names=[PROMISE]))
    assert (found.check, found.witness.hops, found.rows) == ("loop", ("a", "b", "a"), ("a ndn.rib /video", "b ndn.rib /video"))


def test_faces_and_links() -> None:
    """A next hop needs a link that leads there and a face over it."""
    found = only(verify(NAMES, table(**{**GOOD, "a": [rib("/video", ("b", "a-b", 1))]}), names=[PROMISE]))
    assert (found.check, found.witness.hops) == ("face", ("a", "b"))
    cut = verify(NAMES, table(**{**GOOD, "a": [rib("/video", ("b", "x", 1))]}), names=[PROMISE]).violations
    assert {v.check for v in cut} == {"name", "producer"}
    assert all("no link 'x'" in v.message for v in cut)


def test_unknown_strategy() -> None:
    """A strategy that forwarders do not have is named."""
    found = only(verify(NAMES, table(a=[row("ndn.strategy", "/video", strategy="telepathy")])))
    assert (found.check, found.witness.header) == ("strategy", {"name": "/video"})


def test_stores() -> None:
    """The content stores of a node fit into it together; where nobody knows its size nothing is wrong."""
    stores = [row("ndn.cs", "/video", "hot", capacity=6e9), row("ndn.cs", "/music", "warm", capacity=5e9)]
    found = only(verify(NAMES, table(s=stores)))
    assert (found.check, found.intents, found.rows) == ("cache", ("hot", "warm"), ("s ndn.cs /music", "s ndn.cs /video"))
    assert verify(NAMES, table(s=stores[:1], a=stores)).ok


def test_over_too_few_ways() -> None:
    """A promise of two ways is broken by a strategy that takes one, and by a next hop that is gone."""
    both = [rib("/video", ("b", "a-b", 1), ("c", "a-c", 1)), *faces("a-b", "a-c")]
    promise = NamePromise(intent="videos", consumer="a", name="/video", producers=("s",), width=2)
    spread = row("ndn.strategy", "/video", "videos", strategy="random")
    assert verify(NAMES, table(**{**GOOD, "a": [*both, spread]}), names=[promise]).ok
    for rows in (both, [*GOOD["a"], spread]):
        found = only(verify(NAMES, table(**{**GOOD, "a": rows}), names=[promise]))
        assert (found.check, "1 ways, not 2" in found.message, found.intents) == ("width", True, ("videos",))


def test_a_backup() -> None:
    """The dearest next hops lead to a producer over none of the usual links; else it is told what they share or where they end."""
    promise = NamePromise(intent="videos", consumer="a", name="/video", producers=("s",), backup=True)
    twice = Topology.of(NAMES.nodes.values(), [*NAMES.links.values(), link("b", "s")])
    rows = {**GOOD, "a": [rib("/video", ("c", "a-c", 1), ("b", "a-b", 5)), *faces("a-b", "a-c")]}
    good = {**rows, "b": [rib("/video", ("s", "b-s", 1)), *faces("b-s")]}
    assert verify(twice, table(**good), names=[promise]).ok
    shared = only(verify(twice, table(**rows), names=[promise]))
    assert (shared.check, shared.witness.hops, "'c-s'" in shared.message) == ("backup", ("a", "b", "c", "s"), True)
    cut = verify(twice, table(**{**rows, "b": []}), names=[promise]).violations
    assert [(v.check, v.witness.hops) for v in cut if v.check == "backup"] == [("backup", ("a", "b"))]


def strategy(name: str) -> Row:
    return row("ndn.strategy", "/video", "videos", strategy=name)


@pytest.mark.parametrize(
    ("wishes", "check", "hops"),
    [
        ({"via": ("b", "c"), "latency": 0.003}, None, ()),
        ({"avoid": ("c",)}, "avoidance", ("a", "b", "c")),
        ({"via": ("c", "b")}, "waypoint", ("a", "b", "c", "s")),
        ({"latency": 0.0029}, "latency", ("a", "b", "c", "s")),
    ],
)
def test_the_course_of_interests(wishes: dict[str, tuple[str, ...]], check: str | None, hops: tuple[str, ...]) -> None:
    """Waypoints in their turn, nodes to avoid and the latency of the way are judged by the rows."""
    promise = attrs.evolve(PROMISE, **wishes)  # type: ignore[arg-type]  # the test's own words
    report = verify(NAMES, table(**GOOD), names=[promise])
    assert [(v.check, v.witness.hops, v.intents) for v in report.violations] == ([(check, hops, ("videos",))] if check else [])


@pytest.mark.parametrize(("chosen", "broken"), [("best-route", False), ("asf", False), ("random", True), ("multicast", True)])
def test_the_usual_ways(chosen: str, broken: bool) -> None:
    """A dearer next hop is in reserve for some strategies, for others one of the ways."""
    fork = [rib("/video", ("c", "a-c", 1), ("b", "a-b", 9)), *faces("a-b", "a-c"), strategy(chosen)]
    promise = attrs.evolve(PROMISE, avoid=("b",))
    found = [v.check for v in verify(NAMES, table(**{**GOOD, "a": fork}), names=[promise]).violations]
    assert found == (["avoidance"] if broken else [])


def test_names_apart() -> None:
    """Promises of one consumer and name that cannot both be kept are named as a pair."""
    for one, other in (({"producers": ("c",)}, {}), ({"via": ("b",)}, {"avoid": ("b",)}), ({"via": ("b", "c")}, {"via": ("c", "b")})):
        promises = [attrs.evolve(PROMISE, **one), attrs.evolve(PROMISE, intent="b", **other)]
        found = [v for v in verify(NAMES, table(**GOOD), names=promises).violations if v.check == "contradiction"]
        assert [(v.intents, v.witness.header) for v in found] == [(("b", "videos"), {"name": "/video/ch1"})]
