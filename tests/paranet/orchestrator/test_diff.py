"""Differences of rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.errors import RowConflict
from paranet.models.device import Row, RowKey, Rows, Span
from paranet.orchestrator.diff import apply, desired_rows, diff


def row(key: str = "10.0.0.0/8", value: int = 1, owners: tuple[str, ...] = (), line: int | None = None) -> Row:
    span = None if line is None else Span(line=line, column=1, end_line=line, end_column=2)
    return Row(family="ip.route", key=key, value={"v": value}, owners=owners, span=span)


def keyed(*rows: Row) -> dict[RowKey, Row]:
    return {r.id: r for r in rows}


def turned(rows: Rows) -> Rows:
    return dict(reversed(list(rows.items())))


INTENTS = ["a", "b", "c"]
owners = st.lists(st.sampled_from(INTENTS), unique=True, max_size=3).map(lambda o: tuple(sorted(o)))
some_rows = st.builds(row, key=st.sampled_from("wxyz"), value=st.integers(0, 1), owners=owners, line=st.none() | st.integers(1, 3))
devices = st.lists(some_rows, max_size=6).map(lambda rows: keyed(*rows))


@given(devices, devices)
def test_apply_undoes_diff(actual: Rows, desired: Rows) -> None:
    """Applying the difference leads to what is desired, applying its inverse back."""
    delta = diff(actual, desired)
    assert apply(actual, delta) == desired
    assert apply(desired, delta.inverse()) == actual


@given(devices, devices)
def test_canonical(actual: Rows, desired: Rows) -> None:
    """Changes come in the order of their rows, whatever order the rows came in, each of them once."""
    delta = diff(turned(actual), turned(desired))
    assert diff(actual, desired) == delta
    ids = [c.id for c in delta.changes]
    assert ids == sorted(set(ids))


@given(devices)
def test_nothing_to_do(rows: Rows) -> None:
    """Equal rows differ in nothing."""
    assert not diff(rows, dict(rows))


def test_a_change_of_hands_is_a_change() -> None:
    """Rows that differ in their owners alone are a change that the device would not notice."""
    (change,) = diff(keyed(row(owners=("a",))), keyed(row(owners=("b",)))).changes
    assert change.before is not None
    assert change.after is not None
    assert change.before.same_state(change.after)


def test_orphans_go() -> None:
    """A row that only the intents owned goes, one that others own too stays theirs."""
    actual = keyed(row("x", owners=("a",)), row("y", owners=("a", "b")))
    assert desired_rows(actual, [], {"a"}) == keyed(row("y", owners=("b",)))


def test_rows_nobody_owned_stay() -> None:
    """A row that the hub never made is left alone."""
    assert desired_rows(keyed(row()), [], {"a"}) == keyed(row())


def test_owners_merge() -> None:
    """The same row for two intents is one row, owned by both in order."""
    assert desired_rows(keyed(row(owners=("b",))), [row(owners=("a",))], {"a"}) == keyed(row(owners=("a", "b")))


def test_values_change() -> None:
    """An intent may change the value of a row that is its own."""
    assert desired_rows(keyed(row(owners=("a",))), [row(value=2, owners=("a",))], {"a"}) == keyed(row(value=2, owners=("a",)))


@pytest.mark.parametrize("held", [("b",), ("a", "b"), ()])
def test_conflict(held: tuple[str, ...]) -> None:
    """A row of somebody else's is not overwritten; the refusal names row and owners."""
    with pytest.raises(RowConflict) as caught:
        desired_rows(keyed(row(owners=held)), [row(value=2, owners=("a",))], {"a"})
    assert caught.value.extra == {"family": "ip.route", "key": "10.0.0.0/8", "owners": [o for o in held if o != "a"]}


def test_moving_a_statement_changes_nothing() -> None:
    """A row that only comes from another line now stays as it is."""
    actual = keyed(row(owners=("a",), line=1))
    assert not diff(actual, desired_rows(actual, [row(owners=("a",), line=5)], {"a"}))


@given(devices, st.lists(some_rows.filter(lambda r: r.owners), max_size=4))
def test_desired_is_reached_once(actual: Rows, compiled: list[Row]) -> None:
    """Desiring the same again desires what is there."""
    intents = {o for r in compiled for o in r.owners}
    try:
        desired = desired_rows(actual, compiled, intents)
    except RowConflict:
        return
    assert desired_rows(desired, compiled, intents) == desired


@given(devices, st.sampled_from(INTENTS))
def test_removed_intents_own_nothing(actual: Rows, intent: str) -> None:
    """After an intent was removed no row is owned by it, and no row of anybody else is touched."""
    desired = desired_rows(actual, [], {intent})
    assert all(intent not in r.owners for r in desired.values())
    assert {i: r for i, r in actual.items() if intent not in r.owners}.items() <= desired.items()
