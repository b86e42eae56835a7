"""paranet.controller.simulator.forwarding"""

from ipaddress import ip_address

import pytest

from paranet.controller.simulator.forwarding import TTL, Forward, Table, next_hops, trace
from paranet.models.device import Row
from tests.paranet.controller.simulator.networks import route


@pytest.mark.parametrize(
    ("address", "node"),
    [("10.1.2.3", "host"), ("10.1.2.4", "subnet"), ("10.2.0.1", "site"), ("192.0.2.1", "world"), ("2001:db8::1", "six")],
)
def test_the_longest_prefix_wins(address: str, node: str) -> None:
    """IPv4 and IPv6 have tables of their own."""
    prefixes = {"0.0.0.0/0": "world", "10.1.2.3/32": "host", "10.0.0.0/8": "site", "10.1.2.0/24": "subnet", "2001:db8::/32": "six"}
    table = Table([route(prefix, (name, "l")) for prefix, name in prefixes.items()])
    assert [hop.node for hop in table.lookup(ip_address(address))] == [node]


def test_no_prefix_no_hop() -> None:
    """Nothing is guessed, neither for a stranger nor for a row that cannot be read."""
    table = Table([route("10.0.0.0/8", ("a", "l")), route("ten", ("a", "l")), Row(family="ip.route", key="11.0.0.0/8", value={})])
    assert table.lookup(ip_address("11.0.0.1")) == table.lookup(ip_address("::1")) == ()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("10.0.0.300", {"next_hops": []}, "does not appear to be an IPv4 or IPv6 network"),
        ("10.0.0.1/8", {"next_hops": []}, "has host bits set"),
        ("10.0.0.0/8", {}, "next_hops must be a list"),
        ("10.0.0.0/8", {"next_hops": ["a"]}, "a next hop must be an object"),
        ("10.0.0.0/8", {"next_hops": [{"node": "a"}]}, "a next hop names its node and its link"),
        ("10.0.0.0/8", {"next_hops": [{"node": "a", "link": "l", "weight": 0}]}, "weight must be a number above 0"),
    ],
)
def test_bad_rows_are_explained(key: str, value: dict[str, object], message: str) -> None:
    """The reason is what a device would log."""
    with pytest.raises(ValueError, match=message):
        next_hops(Row(family="ip.route", key=key, value=value))


def test_a_straight_way() -> None:
    """Two hops are two steps, the last one into the sink."""
    ways: dict[str, Forward] = {"a": ((7, 1.0, "b"),), "b": ((8, 1.0, "c"),)}
    course = trace("a", "c", ways.__getitem__)
    assert (course.origins, course.arcs, course.targets) == ((0, 2), (7, 8), (2, course.sink))
    assert course.lost == ()


def test_ways_that_part_meet_again() -> None:
    """A diamond has one slot for each node, however many ways lead there."""
    ways: dict[str, Forward] = {"a": ((1, 0.25, "b"), (2, 0.75, "c")), "b": ((3, 1.0, "d"),), "c": ((4, 1.0, "d"),), "d": ((5, 1.0, "e"),)}
    course = trace("a", "e", ways.__getitem__)
    assert course.arcs == (1, 2, 3, 4, 5)
    assert course.slots == 5


def test_a_dead_end_loses() -> None:
    """The node and its reason are told."""
    ways: dict[str, Forward] = {"a": ((1, 1.0, "b"),), "b": "no_route"}
    assert [(node, reason) for _, node, reason in trace("a", "c", ways.__getitem__).lost] == [("b", "no_route")]


def test_a_loop_ends() -> None:
    """After 64 hops the packets are dropped where they are."""
    ways: dict[str, Forward] = {"a": ((1, 1.0, "b"),), "b": ((2, 1.0, "a"),)}
    course = trace("a", "c", ways.__getitem__)
    assert len(course.arcs) == TTL
    assert [(node, reason) for _, node, reason in course.lost] == [("a", "ttl_exceeded")]


def test_traffic_to_oneself_has_arrived() -> None:
    """No way is needed."""
    course = trace("a", "a", lambda node: node)
    assert (course.slots, course.sink, course.arcs) == (1, 0, ())
