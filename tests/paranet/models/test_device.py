"""paranet.models.device"""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.models.device import Change, Delta, Row, RowKey, Rows, Span, fingerprint
from tests.strategies import rows

row_sets = st.dictionaries(st.tuples(st.just("ip.route"), st.text(max_size=5)), rows, max_size=4).map(
    lambda found: {row.id: row for row in found.values()}
)


def applied(found: Rows, delta: Delta) -> dict[RowKey, Row]:
    after = dict(found)
    for change in delta.changes:
        after.pop(change.id, None)
        if change.after is not None:
            after[change.id] = change.after
    return after


@given(row_sets)
def test_a_fingerprint_forgets_order_owners_and_spans(found: dict[RowKey, Row]) -> None:
    """It is what a device would show."""
    span = Span(line=1, column=1, end_line=1, end_column=2)
    other = {key: attrs.evolve(found[key], owners=("somebody",), span=span) for key in reversed(list(found))}
    assert fingerprint(found) == fingerprint(other)


@given(row_sets, row_sets)
def test_fingerprints_tell_rows_apart(here: dict[RowKey, Row], there: dict[RowKey, Row]) -> None:
    """Rows that a device would show alike have one fingerprint, others do not."""
    alike = here.keys() == there.keys() and all(fingerprint({k: here[k]}) == fingerprint({k: there[k]}) for k in here)
    assert (fingerprint(here) == fingerprint(there)) is alike


@given(row_sets, row_sets)
def test_the_inverse_undoes(before: dict[RowKey, Row], after: dict[RowKey, Row]) -> None:
    """A delta and its inverse lead back, and the inverse of the inverse is the delta."""
    keys = sorted(before.keys() | after.keys())
    delta = Delta(changes=tuple(Change(before=before.get(key), after=after.get(key)) for key in keys))
    assert applied(before, delta) == after
    assert applied(after, delta.inverse()) == before
    assert delta.inverse().inverse() == delta
    assert bool(delta) is bool(keys)


def test_same_state_is_what_a_device_would_notice() -> None:
    """Owners and spans do not count, values do."""
    row = Row(family="ip.route", key="10.0.0.0/8", value={"a": 1})
    assert row.same_state(attrs.evolve(row, owners=("x",)))
    assert not row.same_state(attrs.evolve(row, value={"a": 2}))
    assert not row.same_state(attrs.evolve(row, key="10.0.0.0/9"))


def test_a_change_of_nothing_has_no_id() -> None:
    """A change has a row before or after."""
    with pytest.raises(AssertionError):
        _ = Change(before=None, after=None).id
