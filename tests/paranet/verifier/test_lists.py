"""What access lists do to routes, and whether a deny holds."""

import pytest

from paranet.models.intent import Isolation, Reach
from paranet.models.topology import Topology
from paranet.verifier import verify
from tests.paranet.compiler.networks import link, node
from tests.paranet.verifier.rows import acl, only, route, table

P = "10.9.0.0/16"
LINE = Topology.of(
    [node("h", "10.1.0.10/24"), node("g", "10.1.0.11/24"), node("r", "10.0.0.1/32"), node("s", "10.9.0.1/16")],
    [link("h", "r"), link("g", "r"), link("r", "s")],
)
"""h and g - r - s, which has 10.9.0.0/16"""
ROUTES = {"h": [route(P, ("r", "h-r"))], "g": [route(P, ("r", "g-r"))], "r": [route(P, ("s", "r-s"))]}
REACH = Reach(intent="web", source="h", target="s", prefix=P)
SSH = {"destination": P, "protocol": "tcp", "destination_port": "22"}
DENY = Isolation(intent="guard", source_nodes=("g",), destination_prefix=P, match=SSH)


def test_denied() -> None:
    """A deny on the way holds."""
    report = verify(LINE, table(**{**ROUTES, "r": [*ROUTES["r"], acl(10, "deny", **SSH)]}), isolations=[DENY])
    assert report.ok
    assert report.checked["isolation"] == 1


def test_not_denied() -> None:
    """A deny that nothing enforces has a packet as witness, with the fields that matter, and its way."""
    found = only(verify(LINE, table(**ROUTES), isolations=[DENY]))
    assert (found.check, found.intents) == ("isolation", ("guard", "web"))
    assert found.witness.header == {"dst": "10.9.0.0", "protocol": "tcp", "destination_port": "22"}
    assert found.witness.hops == ("g", "r", "s")
    assert found.rows == ("g ip.route 10.9.0.0/16", "r ip.route 10.9.0.0/16")


def test_a_permit_before_the_deny() -> None:
    """An earlier permit opens a hole, and the witness goes through it."""
    lists = [acl(5, "permit", "hole", source="10.1.0.11/32"), acl(10, "deny", **SSH)]
    found = only(verify(LINE, table(**{**ROUTES, "r": [*ROUTES["r"], *lists]}), isolations=[DENY]))
    assert found.witness.header["src"] == "10.1.0.11"


def test_a_deny_for_a_time() -> None:
    """A deny that holds all day is not kept by an entry for some hours; one for these hours is."""
    rows = table(**{**ROUTES, "r": [*ROUTES["r"], acl(10, "deny", when="08:00..18:00", **SSH)]})
    assert only(verify(LINE, rows, isolations=[DENY])).witness.header["at"] == "00:00"
    hours = Isolation(intent="guard", source_nodes=("g",), destination_prefix=P, match=SSH, when="09:00..17:00")
    assert verify(LINE, rows, isolations=[hours]).ok


def test_a_part_of_the_destination() -> None:
    """An entry for half of the destination leaves the other half open."""
    rows = table(**{**ROUTES, "r": [*ROUTES["r"], acl(10, "deny", destination="10.9.0.0/17")]})
    assert only(verify(LINE, rows, isolations=[DENY])).witness.header["dst"] == "10.9.128.0"


def test_no_way_is_isolation_too() -> None:
    """Where no rows lead nothing arrives."""
    assert verify(LINE, table(h=ROUTES["h"]), isolations=[DENY]).ok


def test_blocked() -> None:
    """A route whose packets are all dropped is blocked; one that loses a part of them is not."""
    rows = table(**{**ROUTES, "r": [*ROUTES["r"], acl(10, "deny", destination="10.0.0.0/8")]})
    found = only(verify(LINE, rows, [REACH]))
    assert (found.check, found.intents, found.rows) == ("blocked", ("guard", "web"), ("r ip.acl 00010 guard",))
    assert found.witness.header == {"src": "10.1.0.10", "dst": "10.9.0.0"}
    assert found.witness.hops == ("h", "r")
    assert verify(LINE, table(**{**ROUTES, "r": [*ROUTES["r"], acl(10, "deny", **SSH)]}), [REACH]).ok


def test_blocked_in_two_places() -> None:
    """Two lists that take a half each leave nothing."""
    rows = {**ROUTES, "h": [*ROUTES["h"], acl(1, "deny", destination="10.9.0.0/17")]}
    rows["s"] = [acl(1, "deny", "other", destination="10.9.128.0/17")]
    found = only(verify(LINE, table(**rows), [REACH]))
    assert (found.check, found.witness.hops, found.witness.header["dst"]) == ("blocked", ("h", "r", "s"), "10.9.128.0")


@pytest.mark.parametrize(("second", "shadowed"), [("deny", False), ("permit", True)])
def test_shadowed(second: str, shadowed: bool) -> None:
    """An entry that earlier ones leave nothing to decide otherwise is named with them; one that says the same is harmless."""
    lists = [
        acl(1, "deny", "a", destination="10.9.0.0/17"),
        acl(2, "deny", "b", destination="10.9.128.0/17"),
        acl(3, second, "c", destination=P),
    ]
    report = verify(LINE, table(r=lists))
    assert report.checked["shadowed"] == 3
    if shadowed:
        found = only(report)
        assert (found.check, found.intents) == ("shadowed", ("a", "b", "c"))
        assert found.rows == ("r ip.acl 00003 c", "r ip.acl 00001 a", "r ip.acl 00002 b")
    else:
        assert report.ok


def test_no_prefix() -> None:
    """A promise that cannot be read is an error of the caller."""
    with pytest.raises(ValueError, match="nowhere"):
        verify(LINE, {}, [Reach(intent="web", source="h", target="s", prefix="nowhere")])
