"""What is checked on the rows of some families, kept while rows change."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from paranet.models.device import Change, Row, RowKey
from paranet.verifier.report import Findings

NodeRow = tuple[str, Row]
NodeChange = tuple[str, Change]
"""a change of a row, with its node"""
Check = Callable[[Mapping[str, list[Row]], Findings], None]
"""checks the rows of every node that has any, in the order of their keys"""


class Part(Protocol):
    """One part of the verdict."""

    @property
    def families(self) -> tuple[str, ...]:
        """The families of the rows it looks at."""

    def change(self, changes: Iterable[NodeChange]) -> None:
        """Take rows that changed into account."""

    def report(self, findings: Findings) -> None:
        """Add what holds now."""


class WholePart:
    """Checks all rows of its families again whenever one of them changes: right where these are few."""

    def __init__(self, families: tuple[str, ...], check: Check, rows: Iterable[NodeRow]) -> None:
        self._families = families
        self._check = check
        self._rows: dict[str, dict[RowKey, Row]] = {}
        for node, row in rows:
            self._rows.setdefault(node, {})[row.id] = row
        self._findings: Findings | None = None

    @property
    def families(self) -> tuple[str, ...]:
        return self._families

    def change(self, changes: Iterable[NodeChange]) -> None:
        for node, change in changes:
            rows = self._rows.setdefault(node, {})
            if change.after is None:
                rows.pop(change.id, None)
            else:
                rows[change.id] = change.after
        self._findings = None

    def report(self, findings: Findings) -> None:
        if self._findings is None:
            self._findings = Findings()
            ordered = {node: [row for _, row in sorted(rows.items())] for node, rows in sorted(self._rows.items()) if rows}
            self._check(ordered, self._findings)
        findings.add(self._findings)
        for check, number in self._findings.checked.items():
            findings.count(check, number)
