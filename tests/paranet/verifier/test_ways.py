"""Several ways to one place: width, latency, backups, multicast trees."""

import attrs

from paranet.models.device import Row
from paranet.models.intent import Reach
from paranet.models.topology import Topology
from paranet.verifier import verify
from tests.paranet.compiler.networks import link, node
from tests.paranet.verifier.rows import Hop, hops, only, route, row, table

P = "10.9.0.0/16"
SQUARE = Topology.of(
    [node("a", "10.0.0.1/32"), node("b"), node("c"), node("d", "10.9.0.1/16"), node("p", type="p4_switch")],
    [
        link("a", "b", ms=1),
        link("b", "d", ms=1),
        link("a", "c", ms=5),
        link("c", "d", ms=5),
        link("b", "c"),
        link("a", "p"),
        link("p", "d"),
    ],
)
BOTH = table(a=[route(P, ("b", "a-b"), ("c", "a-c"))], b=[route(P, ("d", "b-d"))], c=[route(P, ("d", "c-d"))])


def reach(**more: object) -> Reach:
    return Reach(intent="web", source="a", target="d", prefix=P, **more)  # type: ignore[arg-type]  # the test's own words


def test_width() -> None:
    """Packets take as many ways as promised."""
    report = verify(SQUARE, BOTH, [reach(width=2)])
    assert report.ok
    assert report.checked["width"] == 1
    found = only(verify(SQUARE, BOTH, [reach(width=3)]))
    assert (found.check, found.rows) == ("width", ("a ip.route 10.9.0.0/16",))
    assert "2 ways, not 3" in found.message


def test_ways_that_part_later() -> None:
    """Ways count wherever they part."""
    rows = table(a=[route(P, ("b", "a-b"))], b=[route(P, ("d", "b-d"), ("c", "b-c"))], c=[route(P, ("d", "c-d"))])
    assert verify(SQUARE, rows, [reach(width=2)]).ok


def test_latency() -> None:
    """The slowest way counts."""
    assert verify(SQUARE, BOTH, [reach(latency=0.010)]).ok
    found = only(verify(SQUARE, BOTH, [reach(latency=0.009)]))
    assert (found.check, found.witness.hops) == ("latency", ("a", "c", "d"))
    single = table(a=[route(P, ("b", "a-b"))], b=[route(P, ("d", "b-d"))])
    assert verify(SQUARE, single, [reach(latency=0.002)]).ok
    assert only(verify(SQUARE, single, [reach(latency=0.001)])).check == "latency"


def test_backup() -> None:
    """A backup arrives over other links than the usual ones."""
    good = {"a": [route(P, ("b", "a-b"), backup=(("c", "a-c"),))], "b": [route(P, ("d", "b-d"))], "c": [route(P, ("d", "c-d"))]}
    assert verify(SQUARE, table(**good), [reach()]).ok
    shared = only(verify(SQUARE, table(**{**good, "c": [route(P, ("b", "b-c"))]}), [reach()]))
    assert (shared.check, shared.witness.hops) == ("backup", ("a", "c", "b", "d"))
    assert "'b-d'" in shared.message
    dead = only(verify(SQUARE, table(**{**good, "c": []}), [reach()]))
    assert (dead.check, dead.witness.hops) == ("backup", ("a", "c"))
    cut = only(verify(SQUARE, table(**{**good, "a": [route(P, ("b", "a-b"), backup=(("c", "x"),))]}), [reach()]))
    assert "no link 'x'" in cut.message


def test_backups_that_meet() -> None:
    """Where the backup meets the usual way the node leads it on by its own backup."""
    rows = table(
        a=[route(P, ("b", "a-b"), backup=(("c", "a-c"),))],
        b=[route(P, ("d", "b-d"))],
        c=[route(P, ("b", "b-c"), backup=(("d", "c-d"),))],
    )
    assert verify(SQUARE, rows, [reach()]).ok


def mcast(incoming: Hop | None, *outgoing: Hop, local: bool = False) -> Row:
    before = hops(incoming)[0] if incoming else None
    return row("ip.mcast", "10.0.0.1,232.1.1.1", "tv", group="232.1.1.1", incoming=before, outgoing=hops(*outgoing), local=local)


TREE = {
    "a": [mcast(None, ("b", "a-b"), ("c", "a-c"))],
    "b": [mcast(("a", "a-b"), ("d", "b-d"))],
    "c": [mcast(("a", "a-c"), local=True)],
    "d": [mcast(("b", "b-d"), local=True)],
}


def test_multicast() -> None:
    """Every member gets its packets."""
    report = verify(SQUARE, table(**TREE))
    assert report.ok
    assert report.checked["multicast"] == 2


def test_a_member_without_packets() -> None:
    """A member is named with the way its packets should take and the reason why they do not."""
    faults: list[tuple[dict[str, list[Row]], str]] = [
        ({"b": []}, "'b' has no row"),
        ({"b": [mcast(("a", "a-b"))]}, "'b' does not send"),
        ({"b": [mcast(("a", "a-b"), ("d", "x"))]}, "over link 'b-d'"),
        ({"a": [mcast(("d", "b-d"), ("b", "a-b"), ("c", "a-c"))], "c": [mcast(("a", "a-c"))]}, "come from nowhere"),
    ]
    for broken, reason in faults:
        found = only(verify(SQUARE, table(**{**TREE, **broken})))
        assert (found.check, found.witness.header["group"], found.witness.hops[-1]) == ("multicast", "232.1.1.1", "d")
        assert reason in found.message


def test_a_member_without_a_row() -> None:
    """Where packets go to a node that does not know them a member may be missing."""
    found = only(verify(SQUARE, table(**{**TREE, "d": []})))
    assert (found.check, found.witness.hops) == ("multicast", ("a", "b", "d"))


def test_a_multicast_ring() -> None:
    """Packets that come back are a loop."""
    ring = {"b": [mcast(("c", "b-c"), ("c", "b-c"))], "c": [mcast(("b", "b-c"), ("b", "b-c"))]}
    found = only(verify(SQUARE, table(**ring)))
    assert (found.check, found.witness.hops) == ("loop", ("b", "c", "b"))


def test_many_ways() -> None:
    """A chain of 30 places where ways part and meet again has a billion ways; the slowest is found all the same."""
    places = 30
    nodes = [node(f"{kind}{i}") for i in range(places) for kind in ("p", "q")] + [node(f"m{i}") for i in range(places + 1)]
    links, rows = [], {}
    for i in range(places):
        links += [link(f"m{i}", f"p{i}", ms=1), link(f"m{i}", f"q{i}", ms=1 + i)]
        links += [link(f"p{i}", f"m{i + 1}", ms=1), link(f"q{i}", f"m{i + 1}", ms=1)]
        rows[f"m{i}"] = [route(P, (f"p{i}", f"m{i}-p{i}"), (f"q{i}", f"m{i}-q{i}"))]
        rows |= {f"{kind}{i}": [route(P, (f"m{i + 1}", f"{kind}{i}-m{i + 1}"))] for kind in ("p", "q")}
    slowest = sum(0.002 + i / 1000 for i in range(places))
    chain = Topology.of(nodes, links)
    wide = Reach(intent="web", source="m0", target=f"m{places}", prefix=P, width=2**places, latency=slowest)
    assert verify(chain, table(**rows), [wide]).ok
    found = only(verify(chain, table(**rows), [attrs.evolve(wide, latency=slowest - 0.0005)]))
    assert (found.check, found.witness.hops[:3]) == ("latency", ("m0", "p0", "m1"))
    assert len(found.witness.hops) == 2 * places + 1
