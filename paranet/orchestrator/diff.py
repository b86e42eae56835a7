"""Differences between the rows a device has and the rows it should have."""

from collections.abc import Collection, Sequence

import attrs

from paranet.errors import RowConflict
from paranet.models.device import Change, Delta, Row, RowKey, Rows


def diff(actual: Rows, desired: Rows) -> Delta:
    """Return the changes that lead from *actual* to *desired*, ordered by (family, key).

    Rows are compared whole: a row that only changes hands (same state, other owners) is a change too, so that a plan's
    inverse gives ownership back. `Change.before.same_state(after)` tells which changes a device would not notice.
    """
    changed = (i for i in sorted(actual.keys() | desired.keys()) if actual.get(i) != desired.get(i))
    return Delta(changes=tuple(Change(before=actual.get(i), after=desired.get(i)) for i in changed))


def apply(rows: Rows, delta: Delta) -> dict[RowKey, Row]:
    """Return *rows* after *delta*. What the rows were before is not checked against the changes' `before`."""
    result = dict(rows)
    for change in delta.changes:
        if change.after is None:
            result.pop(change.id, None)
        else:
            result[change.id] = change.after
    return result


def desired_rows(actual: Rows, compiled: Sequence[Row], intents: Collection[str]) -> dict[RowKey, Row]:
    """Return the rows of one device once *intents* own exactly *compiled* and everybody else keeps what is theirs.

    A row that only *intents* owned goes unless it is compiled again; one that nobody ever owned stays. A compiled row of
    the same state as one that stays gets the owners of both, so a row that nobody owned is adopted. A row whose state and
    owners do not change stays as it is, span and all: moving a statement in its source is no change of the device.

    Raise RowConflict, with `family`, `key` and `owners`, when somebody else holds the row with another value.
    """
    rows = {i: row for i, held in actual.items() if (row := _stripped(held, intents))}
    for row in compiled:
        rows[row.id] = _merged(rows[row.id], row) if row.id in rows else attrs.evolve(row, owners=_sorted(row.owners))
    return {i: _kept(actual.get(i), row) for i, row in sorted(rows.items())}


def _stripped(row: Row, intents: Collection[str]) -> Row | None:
    """Return *row* without ownership by *intents*, None when that leaves it without any."""
    if not row.owners:
        return row
    owners = tuple(o for o in row.owners if o not in intents)
    return attrs.evolve(row, owners=owners) if owners else None


def _merged(held: Row, row: Row) -> Row:
    if not held.same_state(row):
        whom = ", ".join(held.owners) or "somebody outside the hub"
        family, key = row.id
        detail = f"{family} {key} is held by {whom} with another value than {', '.join(row.owners)} wants"
        raise RowConflict(detail, family=family, key=key, owners=list(held.owners))
    return attrs.evolve(row, owners=_sorted((*held.owners, *row.owners)))


def _kept(before: Row | None, after: Row) -> Row:
    unchanged = before is not None and before.same_state(after) and _sorted(before.owners) == after.owners
    return before if before is not None and unchanged else after


def _sorted(owners: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(set(owners)))
