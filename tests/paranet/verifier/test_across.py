"""What no single protocol sees: who speaks what, what links bear, which intents cannot both hold."""

import pytest

from paranet.models.addressing import router_addresses
from paranet.models.device import Change, Delta, Row
from paranet.models.intent import Compiled, Isolation, Reach, Reservation
from paranet.models.topology import Node, Topology
from paranet.verifier import Promises, Verifier, introduced, verify
from tests.paranet.compiler.networks import link
from tests.paranet.verifier.rows import acl, only, row, table

P = "10.9.0.0/16"
PAIR = Topology.of([Node(id="a"), Node(id="b"), Node(id="c")], [link("a", "b", mbps=100), link("b", "c", mbps=100, enabled=False)])


def test_modalities() -> None:
    """A row of a protocol that its node does not speak is named; devices beside the topology are nobody's business."""
    rows = table(a=[row("ndn.strategy", "/video", strategy="asf")], ghost=[row("ndn.strategy", "/video", strategy="asf")])
    found = only(verify(PAIR, rows))
    assert (found.check, found.rows) == ("modality", ("a ndn.strategy /video",))


def test_what_a_change_brings() -> None:
    """What was wrong before is not put down to a change."""
    old, new = row("ndn.strategy", "/a", strategy="asf"), row("ndn.strategy", "/b", strategy="asf")
    verifier = Verifier(PAIR, {"a": {old.id: old}})
    before = verifier.report()
    after = verifier.apply({"a": Delta(changes=(Change(before=None, after=new),))})
    assert [v.rows for v in introduced(before, after)] == [("a ndn.strategy /b",)]


def test_modalities_follow_changes() -> None:
    """Such a row that goes is forgotten."""
    bad = row("geo.position", "self", latitude=0, longitude=0)
    verifier = Verifier(PAIR, {"a": {}})
    assert only(verifier.apply({"a": Delta(changes=(Change(before=None, after=bad),))})).check == "modality"
    assert verifier.apply({"a": Delta(changes=(Change(before=bad, after=None),))}).ok


@pytest.mark.parametrize(("sources", "fits"), [(("a", "b"), True), (("a", "a"), False), (("a", None), False)])
def test_reservations(sources: tuple[str | None, ...], fits: bool) -> None:
    """What is reserved adds up by direction; without one it counts in both."""
    wanted = [Reservation(intent=f"i{n}", link="a-b", bandwidth=60e6, source=s) for n, s in enumerate(sources)]
    report = verify(PAIR, {}, reservations=wanted)
    assert report.ok is fits
    if not fits:
        found = only(report)
        assert (found.check, found.intents, found.witness.header) == ("reservation", ("i0", "i1"), {"link": "a-b"})
        assert found.witness.hops == ("a", "b")


@pytest.mark.parametrize("link_id", ["b-c", "x"])
def test_reservations_on_nothing(link_id: str) -> None:
    """A link that is off or gone bears nothing."""
    assert only(verify(PAIR, {}, reservations=[Reservation(intent="i", link=link_id, bandwidth=1.0, source="b")])).check == "reservation"


def pairs(*promises: Reach | Isolation) -> list[tuple[str, ...]]:
    reaches, isolations = [p for p in promises if isinstance(p, Reach)], [p for p in promises if isinstance(p, Isolation)]
    found = verify(PAIR, {}, reaches, isolations=isolations).violations
    return [v.intents for v in found if v.check == "contradiction"]


def reach(intent: str, target: str = "b", prefix: str = P, **more: tuple[str, ...]) -> Reach:
    return Reach(intent=intent, source="a", target=target, prefix=prefix, **more)  # type: ignore[arg-type]  # the test's own words


def test_contradicting_routes() -> None:
    """Two routes of the same packets to different ends, through what the other avoids, or in another order, cannot both hold."""
    assert pairs(reach("one"), reach("two", "c")) == [("one", "two")]
    assert pairs(reach("one", via=("c",)), reach("two", avoid=("c",))) == [("one", "two")]
    assert pairs(reach("one", via=("b", "c")), reach("two", via=("c", "b"))) == [("one", "two")]
    assert pairs(reach("one", via=("c",)), reach("two")) == []
    assert pairs(reach("one"), reach("two", "c", "10.9.1.0/24")) == []


def test_contradicting_deny() -> None:
    """A deny of all that a route carries contradicts it; one of a part, or from elsewhere, does not."""
    assert pairs(reach("web"), Isolation(intent="no", source_nodes=("a",), destination_prefix="10.0.0.0/8")) == [("no", "web")]
    assert pairs(reach("web"), Isolation(intent="no", source_nodes=("a",), when="08:00..09:00")) == [("no", "web")]
    assert pairs(reach("web"), Isolation(intent="no", source_nodes=("a",), destination_prefix="10.9.1.0/24")) == []
    assert pairs(reach("web"), Isolation(intent="no", source_nodes=("a",), match={"protocol": "tcp"})) == []
    assert pairs(reach("web"), Isolation(intent="no", source_nodes=("b",))) == []
    own = str(router_addresses(PAIR)["a"])
    assert pairs(reach("web"), Isolation(intent="no", source_nodes=("a",), source_prefix=own, match={"source": own})) == [("no", "web")]
    assert pairs(reach("web"), Isolation(intent="no", source_nodes=("a",), source_prefix="192.0.2.0/24")) == []


def qos(owner: str, rate: float, when: str | None = None, **more: object) -> Row:
    return row("ip.qos", owner, owner, match={"destination": P}, rate=rate, burst=1, when=when, **more)


def test_contradicting_classes() -> None:
    """QoS classes of the same packets at the same time differ in rate or mark, unless their priorities order them."""
    found = only(verify(PAIR, table(a=[qos("gold", 5e6, "08:00..18:00"), qos("iron", 1e6, "17:00..20:00")])))
    assert (found.check, found.intents, found.witness.header) == ("contradiction", ("gold", "iron"), {"destination": P, "at": "17:00"})
    assert "from 17:00 to 18:00" in found.message
    assert verify(PAIR, table(a=[qos("gold", 5e6, "08:00..18:00"), qos("iron", 1e6, "18:00..20:00")])).ok
    assert verify(PAIR, table(a=[qos("gold", 5e6, priority=1), qos("iron", 1e6, priority=2)])).ok
    assert verify(PAIR, table(a=[qos("gold", 5e6), qos("iron", 5e6)])).ok


def test_contradicting_entries() -> None:
    """Two entries for the same packets, one to deny and one to permit, are named as a pair."""
    found = verify(PAIR, table(a=[acl(1, "deny", "no", destination=P), acl(2, "permit", "yes", destination=P)])).violations
    assert {(v.check, v.intents) for v in found} == {("shadowed", ("no", "yes")), ("contradiction", ("no", "yes"))}


def test_promises_of_sources() -> None:
    """What several sources promise is judged together."""
    one, two = (
        Compiled(ok=True, diagnostics=(), reservations=(Reservation(intent=i, link="a-b", bandwidth=60e6, source="a"),)) for i in "xy"
    )
    promises = Promises.of(one, two)
    assert only(Verifier(PAIR, {}, promises).report()).intents == ("x", "y")
