"""actors.selection"""

import math

import pytest

from actors.channels import Filter
from actors.selection import select


def test_labels_choose_series() -> None:
    """Of one name any value will do, of several names all must be there; values may be any text."""
    item = {"ts": 1, "node": "a", "values": {'tx{link="l",interface="e"}': 1.0, 'tx{link="m",interface="e"}': 2.0, 'x{a="b\\"\\\\,"}': 3.0}}
    for labels, wanted in (
        ({"link=l"}, {1.0}),
        ({"link=l", "link=m"}, {1.0, 2.0}),
        ({"link=l", "link=m", "interface=e"}, {1.0, 2.0}),
        ({"link=l", "interface=f"}, set()),
        ({'a=b"\\,'}, {3.0}),
    ):
        found = select(item, Filter(labels=frozenset(labels)), {})
        assert set(found["values"].values() if found else ()) == wanted


def test_a_metric_is_chosen_with_all_its_labels() -> None:
    """And an item of which nothing is left is none."""
    item = {"ts": 1, "node": "a", "values": {'tx{link="l"}': 1.0, 'tx{link="m"}': 2.0, "tx_rate": 3.0}}
    assert select(item, Filter(metrics=frozenset({"tx"})), {}) == {**item, "values": {'tx{link="l"}': 1.0, 'tx{link="m"}': 2.0}}
    assert select(item, Filter(metrics=frozenset({"t"})), {}) is None
    assert select(item, Filter(nodes=frozenset({"b"}), metrics=frozenset({"tx"})), {}) is None


def test_changes_are_values_that_are_others_than_those_seen() -> None:
    """By node and series; what is not a number stays that; an item without a change is none."""
    wanted, seen = Filter(changes=True), {}  # type: ignore[var-annotated]  # whatever select notes
    told = [
        select({"ts": ts, "node": node, "values": values}, wanted, seen)
        for ts, (node, values) in enumerate(
            [
                ("a", {"x": 1.0, "y": math.nan}),
                ("b", {"x": 1.0}),
                ("a", {"x": 1.0, "y": math.nan}),
                ("a", {"x": math.nan, "y": 0.0}),
                ("a", {"x": 2.0, "y": 0.0}),
            ]
        )
    ]
    assert [sorted(item["values"]) if item else None for item in told] == [["x", "y"], ["x"], None, ["x", "y"], ["x"]]


def test_changes_are_of_what_is_wanted_otherwise() -> None:
    """Nodes, metrics and labels choose first."""
    wanted, item = Filter(metrics=frozenset({"x"}), changes=True), {"ts": 1, "node": "a", "values": {"x": 1.0, "y": 1.0}}
    seen: dict[object, object] = {}
    assert select(item, wanted, seen) == {**item, "values": {"x": 1.0}}
    assert select({**item, "values": {"x": 1.0, "y": 2.0}}, wanted, seen) is None


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more series than that all is forgotten, and told once again."""
    monkeypatch.setattr("actors.selection.MOST_SEEN", 2)
    wanted, seen = Filter(changes=True), {}  # type: ignore[var-annotated]  # whatever select notes
    items = [{"ts": i, "node": "a", "values": {f"x{i}": 1.0}} for i in range(4)]
    assert all(select(item, wanted, seen) for item in items)
    assert len(seen) == 1
    assert select(items[0], wanted, seen) == items[0]
