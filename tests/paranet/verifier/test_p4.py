"""P4: entries fit their program."""

import pytest

from paranet.models.device import Row
from paranet.models.topology import Node, Topology
from paranet.verifier import verify
from tests.paranet.compiler.networks import link
from tests.paranet.verifier.rows import only, row, table

SWITCH = Topology.of(
    [Node(id="p", type="p4_switch"), Node(id="h", type="host"), Node(id="g", type="host")], [link("p", "h"), link("p", "g")]
)
INFO = {
    "tables": [
        {"name": "lpm", "size": 2, "match": [{"name": "dst", "kind": "lpm", "bits": 32}], "actions": ["forward", "drop"]},
        {"name": "exact", "size": 9, "match": [{"name": "group", "kind": "exact", "bits": 32}], "actions": ["multicast"]},
        {"name": "acl", "size": 9, "match": [{"name": "port", "kind": "ternary", "bits": 16}], "actions": ["drop"]},
    ],
    "actions": [
        {"name": "forward", "params": [{"name": "mac", "bits": 48}, {"name": "port", "bits": 9}]},
        {"name": "drop", "params": []},
        {"name": "multicast", "params": [{"name": "group", "bits": 16}]},
    ],
}
PIPELINE = row("p4.pipeline", "pipeline", program="l3", p4info=INFO)
GROUP = row("p4.mcast", "7", replicas=[{"egress_port": 1, "instance": 1}, {"egress_port": 2, "instance": 1}])


def entry(name: str, match: dict[str, object], action: str = "drop", params: dict[str, object] | None = None, **more: int) -> Row:
    value = {"table": name, "match": match, "action": action, "params": params or {}, **more}
    return Row(family="p4.table", key=f"{name} {match}", value=value, owners=("web",))


MAC = "02:00:00:00:00:01"
GOOD = entry("lpm", {"dst": ["10.0.0.0", 8]}, "forward", {"mac": MAC, "port": 2})


def test_a_good_switch() -> None:
    """Entries that speak the program's words, in its widths, to ports and groups that exist."""
    rows = [
        PIPELINE,
        GROUP,
        GOOD,
        entry("exact", {"group": "232.1.1.1"}, "multicast", {"group": 7}),
        entry("acl", {"port": [22, "0xffff"]}, priority=1),
    ]
    report = verify(SWITCH, table(p=rows))
    assert report.ok
    assert {c: report.checked[c] for c in ("pipeline", "entry", "port")} == {"pipeline": 1, "entry": 3, "port": 3}


@pytest.mark.parametrize(
    ("bad", "check", "words"),
    [
        (entry("nat", {}), "entry", "no table 'nat'"),
        (entry("lpm", {"src": ["10.0.0.0", 8]}), "entry", "no field 'src'"),
        (entry("lpm", {"dst": "10.0.0.0"}), "entry", "no lpm match"),
        (entry("lpm", {"dst": ["10.0.0.0", 33]}), "entry", "no prefix length"),
        (entry("lpm", {"dst": ["2001:db8::", 32]}), "entry", "of 32 bits"),
        (entry("lpm", {}, "multicast", {"group": 7}), "entry", "no action 'multicast'"),
        (entry("lpm", {}, "forward", {"port": 1}), "entry", "lacks its parameter 'mac'"),
        (entry("lpm", {}, "drop", {"colour": 1}), "entry", "no parameter 'colour'"),
        (entry("lpm", {}, "forward", {"mac": 1 << 48, "port": 1}), "entry", "of 48 bits"),
        (entry("lpm", {}, "forward", {"mac": "02:00", "port": 1}), "entry", "of 48 bits"),
        (entry("exact", {}, "multicast", {"group": 7}), "entry", "matched exactly"),
        (entry("exact", {"group": [1, 2]}, "multicast", {"group": 7}), "entry", "exactly"),
        (entry("acl", {"port": [22, 65535]}), "entry", "needs a priority"),
        (entry("acl", {"port": [22, 65536]}, priority=1), "entry", "no ternary match"),
        (entry("lpm", {}, "forward", {"mac": 1, "port": 3}), "port", "ports 1 to 2"),
        (entry("exact", {"group": 1}, "multicast", {"group": 8}), "port", "no multicast group"),
        (row("p4.mcast", "9", replicas=[{"egress_port": 0, "instance": 1}]), "port", "port 0"),
    ],
)
def test_faults(bad: Row, check: str, words: str) -> None:
    """Each fault is named with the row and its match."""
    found = only(verify(SWITCH, table(p=[PIPELINE, GROUP, bad])))
    assert (found.check, found.rows) == (check, (f"p {bad.family} {bad.key}",))
    assert words in found.message


def test_too_many_entries() -> None:
    """A table takes no more entries than its size."""
    entries = [entry("lpm", {"dst": [f"10.{n}.0.0", 16]}) for n in range(3)]
    assert verify(SWITCH, table(p=[PIPELINE, *entries[:2]])).ok
    found = only(verify(SWITCH, table(p=[PIPELINE, *entries])))
    assert (found.check, "holds 2 entries, not 3" in found.message) == ("size", True)


def test_no_program() -> None:
    """Entries without a program, or for one that cannot be read, are of no use."""
    assert "no program" in only(verify(SWITCH, table(p=[GOOD]))).message
    infos: list[object] = [None, {}, {"tables": [{"name": "t"}], "actions": []}, {"tables": INFO["tables"], "actions": []}]
    for info in infos:
        assert only(verify(SWITCH, table(p=[row("p4.pipeline", "pipeline", program="x", p4info=info), GOOD]))).check == "pipeline"
