"""Rows as commands."""

import pytest

from paranet.compiler import compile_source
from paranet.compiler.render import render
from paranet.errors import InvalidInput
from paranet.models.device import Row
from tests.paranet.compiler.networks import LAB

ROWS = compile_source("route web { from: h1; to: h2 } route six { from: r1; to: v6 }", LAB).rows


def several(prefix: str = "10.2.0.0/16") -> Row:
    hops = [
        {"node": "r2", "link": "r1-r2", "interface": "eth1", "address": "10.0.12.2", "weight": 2},
        {"node": "r4", "link": "r1-r4", "interface": None, "address": "10.255.0.4", "weight": 1},
    ]
    return Row(family="ip.route", key=prefix, value={"next_hops": hops})


def test_frr() -> None:
    """FRR gets one static route a next hop."""
    text = render("frr", LAB.nodes["r1"], ROWS["r1"], LAB)
    assert text == "ip route 10.2.3.10/32 10.0.12.2 eth1\nipv6 route 2001:db8:6::1/128 10.0.12.2 eth1\n"


def test_frr_several() -> None:
    """Several next hops are several lines."""
    text = render("frr", LAB.nodes["r1"], [several()], LAB)
    assert text == "ip route 10.2.0.0/16 10.0.12.2 eth1\nip route 10.2.0.0/16 10.255.0.4\n"


def test_iproute2() -> None:
    """Linux gets one route, of our protocol; a next hop of the other IP version is marked."""
    text = render("iproute2", LAB.nodes["r1"], ROWS["r1"], LAB)
    assert text == (
        "ip route replace 10.2.3.10/32 via 10.0.12.2 dev eth1 proto 155\n"
        "ip -6 route replace 2001:db8:6::1/128 via inet 10.0.12.2 dev eth1 proto 155\n"
    )


def test_iproute2_several() -> None:
    """Several next hops have their weights."""
    text = render("iproute2", LAB.nodes["r1"], [several()], LAB)
    assert text == "ip route replace 10.2.0.0/16 proto 155 nexthop via 10.0.12.2 dev eth1 weight 2 nexthop via 10.255.0.4 weight 1\n"


def test_onlink() -> None:
    """A next hop outside the interface's subnet is reached without asking the table."""
    hop = {"node": "r4", "link": "x", "interface": "eth1", "address": "10.255.0.4", "weight": 1}
    row = Row(family="ip.route", key="10.2.0.0/16", value={"next_hops": [hop]})
    assert render("frr", LAB.nodes["r1"], [row], LAB) == "ip route 10.2.0.0/16 10.255.0.4 eth1 onlink\n"
    assert "dev eth1 onlink proto" in render("iproute2", LAB.nodes["r1"], [row], LAB)


def test_other_families_are_left_out() -> None:
    """Only IP routes are rendered."""
    assert render("frr", LAB.nodes["r1"], [Row(family="ndn.rib", key="/a", value={})], LAB) == ""


def test_unknown_platform() -> None:
    """A platform that does not exist is refused by name."""
    with pytest.raises(InvalidInput, match="ios"):
        render("ios", LAB.nodes["r1"], (), LAB)
