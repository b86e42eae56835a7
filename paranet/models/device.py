"""What a device holds: keyed rows, and the differences between two sets of them."""

import hashlib
from collections.abc import Mapping

import attrs
import orjson

RowKey = tuple[str, str]


@attrs.frozen(kw_only=True)
class Span:
    """A place in a source; lines and columns count from 1, the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@attrs.frozen(kw_only=True)
class Row:
    """One piece of device state. (*family*, *key*) names it on the device, *value* is plain JSON, *owners* are the intents that want it."""

    family: str
    key: str
    value: Mapping[str, object]
    owners: tuple[str, ...] = ()
    span: Span | None = None

    @property
    def id(self) -> RowKey:
        return self.family, self.key

    def same_state(self, other: "Row") -> bool:
        """Tell whether a device would notice a difference."""
        return self.id == other.id and self.value == other.value


Rows = Mapping[RowKey, Row]
"""All rows of one device."""


@attrs.frozen(kw_only=True)
class Change:
    """One row before and after; None is absent."""

    before: Row | None
    after: Row | None

    @property
    def id(self) -> RowKey:
        row = self.after or self.before
        assert row is not None
        return row.id


@attrs.frozen(kw_only=True)
class Delta:
    """Changes of one device, in canonical order, at most one a row."""

    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def inverse(self) -> "Delta":
        """Return the delta that undoes this one."""
        return Delta(changes=tuple(Change(before=c.after, after=c.before) for c in self.changes))


def fingerprint(rows: Rows) -> str:
    """Return SHA-256 over what the device would show; owners and spans do not count."""
    state = [[*row.id, row.value] for _, row in sorted(rows.items())]
    return hashlib.sha256(orjson.dumps(state, option=orjson.OPT_SORT_KEYS)).hexdigest()
