"""The verifier sees what rows do."""

from collections.abc import Mapping

from paranet.models.device import Row, RowKey
from paranet.models.intent import Reach, Report, Violation
from paranet.models.topology import Topology
from paranet.verifier import verify
from tests.paranet.compiler.networks import link, node

NODES = [node(n, f"10.0.{i}.1/32") for i, n in enumerate("abcd")]
SQUARE = Topology.of(
    [*NODES[:3], node("d", "10.0.3.1/32", "10.9.0.1/16")],
    [
        link("a", "b"),
        link("b", "d"),
        link("a", "c"),
        link("c", "d"),
        link("c", "b", directed=True),
        link("a", "d", id="off", enabled=False),
    ],
)
"""a - b - d and a - c - d, c > b one way, a - d switched off; d has 10.9.0.0/16."""
P = "10.9.0.0/16"
REACH = Reach(intent="web", source="a", target="d", prefix=P)


def row(prefix: str, *hops: tuple[str, str], owner: str = "web") -> Row:
    value = {"next_hops": [{"node": n, "link": k, "interface": None, "address": "0.0.0.0", "weight": 1} for n, k in hops]}
    return Row(family="ip.route", key=prefix, value=value, owners=(owner,))


def table(**rows: list[Row]) -> Mapping[str, Mapping[RowKey, Row]]:
    return {n: {r.id: r for r in found} for n, found in rows.items()}


def only(report: Report) -> Violation:
    assert not report.ok
    assert len(report.violations) == 1, report.violations
    return report.violations[0]


def test_delivered() -> None:
    """A path of rows from source to target is no violation, and was looked at."""
    report = verify(SQUARE, table(a=[row(P, ("b", "a-b"))], b=[row(P, ("d", "b-d"))]), [REACH])
    assert report.ok
    assert report.checked == {"reachability": 1, "waypoint": 0, "avoidance": 0, "loop": 1, "modality": 2}


def test_blackhole() -> None:
    """Where no row leads on packets vanish; the witness shows how far they came and by which rows."""
    found = only(verify(SQUARE, table(a=[row(P, ("b", "a-b"))]), [REACH]))
    assert (found.check, found.intents, found.rows) == ("blackhole", ("web",), ("a ip.route 10.9.0.0/16",))
    assert found.witness.hops == ("a", "b")
    assert found.witness.header == {"src": "10.0.0.1", "dst": "10.9.0.0"}


def test_no_row_at_all() -> None:
    """A route that was never installed is a blackhole at its source."""
    assert only(verify(SQUARE, {}, [REACH])).witness.hops == ("a",)


def test_links_must_be_there() -> None:
    """A next hop over a link that is off, unknown, elsewhere or one-way is none."""
    for hop, word in [(("d", "off"), "disabled"), (("d", "x"), "no link"), (("d", "a-b"), "does not lead")]:
        found = only(verify(SQUARE, table(a=[row(P, hop)]), [REACH]))
        assert found.check == "blackhole"
        assert word in found.message
    backwards = table(a=[row(P, ("b", "a-b"))], b=[row(P, ("c", "c-b"))])
    assert "does not lead" in only(verify(SQUARE, backwards, [REACH])).message


def test_loop() -> None:
    """A circle is found once, with its rows and whoever they belong to, also where no reach passes."""
    rows = table(a=[row(P, ("b", "a-b"))], b=[row(P, ("a", "a-b"), owner="video")])
    for reaches in ([], [REACH]):
        found = only(verify(SQUARE, rows, reaches))
        assert found.check == "loop"
        assert found.intents == ("video", "web")
        assert found.rows == ("a ip.route 10.9.0.0/16", "b ip.route 10.9.0.0/16")
        assert found.witness.hops == ("a", "b", "a")


def test_loop_through_unequal_prefixes() -> None:
    """Two nodes that send the same packets to each other by different prefixes circle them."""
    rows = table(a=[row("10.9.1.0/24", ("b", "a-b"))], b=[row("10.9.0.0/16", ("a", "a-b"))])
    found = only(verify(SQUARE, rows, []))
    assert (found.check, found.witness.header["dst"]) == ("loop", "10.9.1.0")


def test_longest_prefix_wins() -> None:
    """A part of the prefix that a longer row leads astray is found, though the rest arrives."""
    good = {"a": [row(P, ("b", "a-b"))], "b": [row(P, ("d", "b-d"))]}
    good["b"].append(row("10.9.7.0/24", ("x", "y"), owner="other"))
    found = only(verify(SQUARE, table(**good), [REACH]))
    assert (found.check, found.witness.header["dst"], found.intents) == ("blackhole", "10.9.7.0", ("other", "web"))


def test_parts_promised_to_others() -> None:
    """What another reach claims by a longer prefix is that one's business."""
    rows = table(a=[row(P, ("b", "a-b")), row("10.9.7.0/24", ("c", "a-c"))], b=[row(P, ("d", "b-d"))])
    inner = Reach(intent="inner", source="a", target="c", prefix="10.9.7.0/24")
    assert verify(SQUARE, rows, [REACH, inner]).ok
    assert not verify(SQUARE, rows, [REACH]).ok


def test_wrong_end() -> None:
    """Packets that end at a node which takes them for its own, but is not the target, end wrongly."""
    reach = Reach(intent="web", source="a", target="c", prefix=P)
    found = only(verify(SQUARE, table(a=[row(P, ("b", "a-b"))], b=[row(P, ("d", "b-d"))]), [reach]))
    assert (found.check, found.witness.hops) == ("wrong-end", ("a", "b", "d"))


def test_waypoints() -> None:
    """Waypoints have to be passed in their order."""
    rows = table(a=[row(P, ("c", "a-c"))], c=[row(P, ("b", "c-b"))], b=[row(P, ("d", "b-d"))])
    promised = {
        via: verify(SQUARE, rows, [Reach(intent="web", source="a", target="d", prefix=P, via=via)]) for via in (("c", "b"), ("b", "c"))
    }
    assert promised["c", "b"].ok
    assert promised["c", "b"].checked["waypoint"] == 1
    assert only(promised["b", "c"]).check == "waypoint"


def test_avoided() -> None:
    """A node that must be avoided and is passed is named."""
    rows = table(a=[row(P, ("b", "a-b"))], b=[row(P, ("d", "b-d"))])
    found = only(verify(SQUARE, rows, [Reach(intent="web", source="a", target="d", prefix=P, avoid=("b",))]))
    assert found.check == "avoidance"
    assert "'b'" in found.message


def test_all_branches() -> None:
    """Of several next hops every one has to arrive."""
    rows = {"a": [row(P, ("b", "a-b"), ("c", "a-c"))], "b": [row(P, ("d", "b-d"))]}
    assert only(verify(SQUARE, table(**rows), [REACH])).witness.hops == ("a", "c")
    assert verify(SQUARE, table(**rows, c=[row(P, ("d", "c-d"))]), [REACH]).ok


def test_the_target_delivers() -> None:
    """At the target its connected subnet comes before a row of the same or a shorter prefix, not before a longer one."""
    rows = {"a": [row(P, ("b", "a-b"))], "b": [row(P, ("d", "b-d"))]}
    assert verify(SQUARE, table(**rows, d=[row("10.0.0.0/8", ("c", "c-d"))]), [REACH]).ok
    assert not verify(SQUARE, table(**rows, d=[row("10.9.128.0/17", ("c", "c-d"))]), [REACH]).ok


def test_ipv6() -> None:
    """Prefixes of both versions are told apart."""
    rows = table(a=[row("::/0", ("b", "a-b")), row(P, ("b", "a-b"))], b=[row(P, ("d", "b-d"))])
    assert verify(SQUARE, rows, [REACH]).ok
    six = Reach(intent="six", source="a", target="d", prefix="2001:db8::/32")
    assert only(verify(SQUARE, rows, [six])).witness.hops == ("a", "b")


def test_rows_of_others() -> None:
    """Rows in forms that are not ours, read from a device, raise nothing."""
    values: dict[str, Mapping[str, object]] = {"default": {}, "10.0.0.0/8": {"next_hops": 3}, "10.1.0.0/16": {"next_hops": [1]}}
    odd = [Row(family="ip.route", key=k, value=v) for k, v in values.items()]
    assert verify(SQUARE, table(a=[*odd, Row(family="openconfig", key="/a", value={})]), []).ok
