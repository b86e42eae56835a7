"""paranet.orchestrator.losses"""

import attrs
import pytest

from paranet.models.device import Change, Delta, Row
from paranet.models.topology import Demand, Modality, Topology
from paranet.models.units import Bandwidth
from paranet.orchestrator.losses import meant_to_fall
from paranet.orchestrator.plan import DevicePlan
from tests.paranet.controller.simulator.networks import line

GROUP = "232.1.1.1"


def row(family: str, key: str, **given: object) -> Row:
    return Row(family=family, key=key, value=given)


ROUTE = row("ip.route", "10.0.0.99/32")
ENTRY = row("p4.table", "lpm x", match={"hdr.ipv4.dstAddr": ["10.0.0.99", 32]})
COPIES = row("p4.table", "mcast x", match={"hdr.ipv4.dstAddr": GROUP})
NAME = row("ndn.rib", "/v")
PLACE = row("geo.forward", "r")
MEMBER = row("ip.mcast", f"10.0.0.97,{GROUP}", group=GROUP, local=True)
BRANCH = attrs.evolve(MEMBER, value={**MEMBER.value, "local": False})


def deny(**match: str) -> Row:
    return row("ip.acl", "1 x", seq=1, action="deny", match=match)


def demand(name: str, modality: Modality = Modality.IP, target: str = "c", group: str | None = None) -> Demand:
    return Demand(id=name, source="a", target=target, rate=Bandwidth(1), modality=modality, group=group)


NETWORK = Topology.of(
    line("a", "b", "c").nodes.values(),
    line("a", "b", "c").links.values(),
    [
        *(demand(m.value, m) for m in Modality),
        demand("other", target="b"),
        demand("tv", group=GROUP),
        demand("tv-b", target="b", group=GROUP),
    ],
)


def fallen(*changes: tuple[str, Row | None, Row | None]) -> set[str]:
    """Return what is meant to fall with changes (node, before, after)."""
    devices = [DevicePlan(node=n, base="", delta=Delta(changes=(Change(before=b, after=a),))) for n, b, a in changes]
    return set(meant_to_fall(NETWORK, devices))


@pytest.mark.parametrize(
    ("gone", "flows"),
    [(ROUTE, {"ip", "ndn", "geo", "p4"}), (ENTRY, {"ip", "ndn", "geo", "p4"}), (COPIES, {"tv", "tv-b"}), (NAME, {"ndn"}), (PLACE, {"geo"})],
    ids=lambda of: of.family if isinstance(of, Row) else "",
)
def test_a_way_that_goes_without_another(gone: Row, flows: set[str]) -> None:
    """Takes its flows with it; one that is led over another node does not."""
    assert fallen(("b", gone, None)) == flows
    assert fallen(("b", gone, None), ("a", None, gone)) == set()


def test_what_a_new_row_denies() -> None:
    """By the addresses that packets have: those to a group have the group's."""
    assert fallen(("b", None, deny(destination="10.0.0.98/32"))) == {"other"}
    assert fallen(("b", None, deny(destination=f"{GROUP}/32"))) == {"tv", "tv-b"}
    assert fallen(("b", deny(), None)) == fallen(("b", None, deny(source="10.0.0.98/32"))) == set()


def test_a_member_that_leaves_its_group() -> None:
    """Also one that only sends packets on from now; the others are still to be served."""
    assert fallen(("c", MEMBER, None), ("b", BRANCH, BRANCH)) == {"tv"}
    assert fallen(("b", MEMBER, BRANCH)) == {"tv-b"}
    assert fallen(("b", BRANCH, None)) == set()
