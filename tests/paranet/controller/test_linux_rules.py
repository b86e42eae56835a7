"""paranet.controller.linux.rules and routes: rows that a kernel can hold read back as they were written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.controller.linux import routes, rules
from paranet.models.device import Row
from tests.paranet.controller.simulator.networks import line

NETS = st.sampled_from(["10.0.0.0/8", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1/128"])
PORTS = st.sampled_from(["80", "80-90", "65535"])
PLAIN = st.fixed_dictionaries(
    {}, optional={"source": NETS, "destination": NETS, "protocol": st.sampled_from(["tcp", "udp", "icmp", "icmpv6", "esp"])}
)
PORTED = st.fixed_dictionaries(
    {"protocol": st.sampled_from(["tcp", "udp"])}, optional={"source_port": PORTS, "destination_port": PORTS, "source": NETS}
)
MATCHES = st.one_of(PLAIN, PORTED)
WHEN = st.fixed_dictionaries({}, optional={"when": st.sampled_from(["08:00..18:00", "22:30..06:15"])})


@given(match=MATCHES, when=WHEN, action=st.sampled_from(["deny", "permit"]), seq=st.integers(0, 99999))
def test_an_access_rule_reads_back(match: dict[str, str], when: dict[str, str], action: str, seq: int) -> None:
    """Whatever it matches."""
    row = Row(family="ip.acl", key=f"{seq:05} work/web", value={"seq": seq, "action": action, "match": match, **when})
    rules.check(row)
    assert list(
        rules.rows_of([{"rule": s["add"]["rule"]} for s in rules.ruleset({row.id: row}) if "rule" in s.get("add", {})]).values()
    ) == [row]


@given(
    match=MATCHES,
    figures=st.fixed_dictionaries(
        {"rate": st.sampled_from([8, 10_000_000, 1e9, 12345.0]), "burst": st.integers(1, 10**9)},
        optional={"dscp": st.integers(0, 63), "priority": st.integers(0, 7)},
    ),
)
def test_a_traffic_class_reads_back(match: dict[str, str], figures: dict[str, Any]) -> None:
    """With its figures as they were written."""
    row = Row(family="ip.qos", key="gold", value={"match": match, **figures})
    rules.check(row)
    (read,) = rules.rows_of(
        [{"rule": s["add"]["rule"]} for s in rules.ruleset({row.id: row}) if s.get("add", {}).get("rule", {}).get("comment")]
    ).values()
    assert read == row
    assert repr(read.value["rate"]) == repr(figures["rate"])


def test_a_rule_of_somebody_else_shows_what_it_says() -> None:
    """Under its comment or its number; it is no row that the hub would have written."""
    foreign = {"family": "inet", "table": "paranet", "chain": "acl", "handle": 7, "expr": [{"counter": None}, {"drop": None}]}
    (row,) = rules.rows_of([{"rule": foreign}]).values()
    assert (row.id, row.value) == (("ip.acl", "handle 7"), {"rule": foreign["expr"]})


BAD_RULES: dict[str, dict[str, Any]] = {
    "action": {"seq": 1, "action": "reject", "match": {}},
    "protocol": {"seq": 1, "action": "deny", "match": {"protocol": "tcp; drop"}},
    "port without protocol": {"seq": 1, "action": "deny", "match": {"source_port": "80"}},
    "port": {"seq": 1, "action": "deny", "match": {"protocol": "tcp", "source_port": "99999"}},
    "prefix": {"seq": 1, "action": "deny", "match": {"source": "10.0.0.1/8"}},
    "word": {"seq": 1, "action": "deny", "match": {"colour": "red"}},
    "time": {"seq": 1, "action": "deny", "match": {}, "when": "25:00..26:00"},
    "sequence": {"seq": 2, "action": "deny", "match": {}},
}


@pytest.mark.parametrize("what", BAD_RULES)
def test_what_a_rule_cannot_carry_is_refused(what: str) -> None:
    """Before anything is sent, not silently left out."""
    with pytest.raises(ValueError, match=r"."):
        rules.check(Row(family="ip.acl", key="00001 x", value=BAD_RULES[what]))


@pytest.mark.parametrize("key", ['1 "; drop', "00001 x|y", "1 " + "x" * 60, "nameless"])
def test_a_name_that_is_no_comment_is_refused(key: str) -> None:
    """It would not be found again, or say something else."""
    with pytest.raises(ValueError, match=r"."):
        rules.check(Row(family="ip.acl", key=key, value={"seq": 1, "action": "deny", "match": {}}))


HOP = {"node": "c", "link": "b-c", "interface": "to-c", "address": "10.0.0.99", "weight": 1}


@pytest.mark.parametrize(
    "hop",
    [
        {"node": "a"},
        {"link": "a-b"},
        {"interface": "eth9"},
        {"address": "2001:db8::1"},
        {"weight": 0},
        {"weight": 257},
        {"weight": 2},
        {"colour": 1},
    ],
)
def test_a_next_hop_that_is_not_there_is_refused(hop: dict[str, Any]) -> None:
    """By its port, its address or its weight."""
    known = routes.ports(line("a", "b", "c"), "b")
    routes.check(Row(family="ip.route", key="10.1.0.0/24", value={"next_hops": [HOP]}), known)
    with pytest.raises(ValueError, match=r"."):
        routes.check(Row(family="ip.route", key="10.1.0.0/24", value={"next_hops": [{**HOP, **hop}]}), known)


@pytest.mark.parametrize("value", [{}, {"next_hops": "x"}, {"next_hops": [HOP], "backup": []}, {"next_hops": [HOP], "colour": 1}])
def test_a_route_that_would_not_read_back_is_refused(value: dict[str, Any]) -> None:
    """Whole."""
    with pytest.raises(ValueError, match=r"."):
        routes.check(Row(family="ip.route", key="10.1.0.0/24", value=value), routes.ports(line("a", "b", "c"), "b"))
