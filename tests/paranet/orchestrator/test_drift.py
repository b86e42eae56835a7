"""paranet.orchestrator.drift"""

import attrs
from hypothesis import given
from hypothesis import strategies as st

from paranet.models.device import Delta, Row, RowKey
from paranet.orchestrator.diff import apply
from paranet.orchestrator.drift import adopted, drift_of, restored_rows


def row(key: str, value: int, *owners: str) -> Row:
    return Row(family="f", key=key, value={"v": value}, owners=owners)


def table(*rows: Row) -> dict[RowKey, Row]:
    return {r.id: r for r in rows}


TABLES = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 2), st.sampled_from([(), ("x",), ("y",)]))).map(
    lambda drawn: table(*(row(key, value, *owners) for key, (value, owners) in drawn.items()))
)
OWNED = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)).map(lambda drawn: table(*(row(k, v, "x") for k, v in drawn.items())))


def test_every_kind_is_told() -> None:
    """With what was expected, what is there, and whose it is."""
    actual = table(row("changed", 2, "x"), row("extra", 1, "y"), row("foreign", 1), row("same", 1))
    expected = table(row("changed", 1, "x"), row("missing", 1, "x"), row("same", 1, "x"))
    found = {d.key: (d.kind, d.expected, d.actual, d.owners) for d in drift_of("n", actual, expected)}
    assert found == {
        "changed": ("changed", {"v": 1}, {"v": 2}, ("x",)),
        "extra": ("extra-owned", None, {"v": 1}, ("y",)),
        "foreign": ("foreign", None, {"v": 1}, ()),
        "missing": ("missing", {"v": 1}, None, ("x",)),
    }


@given(actual=TABLES, expected=OWNED)
def test_after_a_restore_only_foreign_rows_differ(actual: dict[RowKey, Row], expected: dict[RowKey, Row]) -> None:
    """And they are as they were."""
    restored = restored_rows(actual, expected)
    assert {d.kind for d in drift_of("n", restored, expected)} <= {"foreign"}
    assert all(restored[key] == r for key, r in actual.items() if not r.owners and key not in expected)


@given(actual=TABLES, expected=OWNED)
def test_after_an_adoption_only_foreign_rows_differ(actual: dict[RowKey, Row], expected: dict[RowKey, Row]) -> None:
    """The devices are not touched; known rows keep their owners."""
    now = apply(expected, Delta(changes=adopted(actual, expected)))
    assert {d.kind for d in drift_of("n", actual, now)} <= {"foreign"}
    assert all(now[key].owners == expected[key].owners for key in now.keys() & expected.keys())


def test_owners_are_no_drift() -> None:
    """A device need not remember them."""
    one = row("a", 1, "x")
    assert drift_of("n", table(attrs.evolve(one, owners=())), table(one)) == ()
