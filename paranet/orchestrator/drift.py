"""Drift: what a device shows against what the hub has had installed on it."""

from collections.abc import Mapping

import attrs

from paranet.models.device import Change, Row, RowKey, Rows

MISSING, CHANGED, EXTRA, FOREIGN = "missing", "changed", "extra-owned", "foreign"


@attrs.frozen(kw_only=True)
class Drift:
    """One row that is not as the hub has had it.

    *kind* is `missing` (gone), `changed` (another value), `extra-owned` (it carries the hub's mark, but the hub knows of no
    deployment that installed it) or `foreign` (somebody else's).
    """

    node: str
    family: str
    key: str
    kind: str
    expected: Mapping[str, object] | None
    actual: Mapping[str, object] | None
    owners: tuple[str, ...]


def drift_of(node: str, actual: Rows, expected: Rows) -> tuple[Drift, ...]:
    """Return every difference of one device, in the order of its rows."""
    found = []
    for key in sorted(actual.keys() | expected.keys()):
        is_, was = actual.get(key), expected.get(key)
        if is_ is None or was is None or not is_.same_state(was):
            found.append(_drift(node, key, is_, was))
    return tuple(found)


def _drift(node: str, key: RowKey, actual: Row | None, expected: Row | None) -> Drift:
    holder = expected or actual
    assert holder is not None
    return Drift(
        node=node,
        family=key[0],
        key=key[1],
        kind=_kind(actual, expected),
        expected=expected.value if expected else None,
        actual=actual.value if actual else None,
        owners=holder.owners,
    )


def _kind(actual: Row | None, expected: Row | None) -> str:
    if expected is not None:
        return MISSING if actual is None else CHANGED
    return EXTRA if actual is not None and actual.owners else FOREIGN


def restored_rows(actual: Rows, expected: Rows) -> dict[RowKey, Row]:
    """Return a device's rows with everything of the hub's as it was; what is foreign stays."""
    foreign = {key: row for key, row in actual.items() if key not in expected and not row.owners}
    return {**foreign, **expected}


def adopted(actual: Rows, expected: Rows) -> tuple[Change, ...]:
    """Return the changes of what is expected that make the device's own rows, as they are, the expected ones."""
    changes = []
    for key in sorted(actual.keys() | expected.keys()):
        was, now = expected.get(key), actual.get(key)
        if was is None and now is not None and not now.owners:
            continue  # foreign rows stay foreign
        if was is not None and now is not None:
            now = attrs.evolve(now, owners=was.owners, span=was.span)
        if was != now:
            changes.append(Change(before=was, after=now))
    return tuple(changes)
