"""Collects what the checks find."""

from collections.abc import Iterable, Mapping

import attrs

from paranet.models.device import Row
from paranet.models.intent import Violation, Witness


@attrs.frozen
class Step:
    """A row that a packet met: on which node, named how, owned by whom."""

    node: str
    family: str
    key: str
    owners: tuple[str, ...]

    @classmethod
    def of(cls, node: str, row: Row) -> "Step":
        return cls(node, row.family, row.key, row.owners)

    @property
    def row(self) -> str:
        return f"{self.node} {self.family} {self.key}"


class Findings:
    """Counts the checks made and keeps the violations, each once."""

    def __init__(self) -> None:
        self.checked: dict[str, int] = {}
        self._violations: dict[object, Violation] = {}

    def count(self, check: str, number: int = 1) -> None:
        self.checked[check] = self.checked.get(check, 0) + number

    def violate(
        self,
        check: str,
        message: str,
        *,
        header: Mapping[str, str] | None = None,
        hops: Iterable[str] = (),
        steps: Iterable[Step] = (),
        intents: Iterable[str] = (),
    ) -> None:
        """Keep a violation: the packet of *header* passes *hops* by the rows of *steps*. To *intents* come the rows' owners.

        Of those that differ by their headers alone the first is kept; so a *message* says nothing of the header.
        """
        steps = list(steps)
        involved = {owner for step in steps for owner in step.owners}.union(intents)
        violation = Violation(
            check=check,
            message=message,
            witness=Witness(header=dict(header or {}), hops=tuple(hops)),
            intents=tuple(sorted(involved)),
            rows=tuple(dict.fromkeys(step.row for step in steps)),
        )
        self._keep(violation)

    def add(self, other: "Findings") -> None:
        """Keep the violations of *other* as well, in an order that does not depend on when they were found."""
        for violation in sorted(other.violations, key=lambda v: (v.check, v.message, v.witness.hops, v.rows)):
            self._keep(violation)

    def _keep(self, violation: Violation) -> None:
        key = (violation.check, violation.message, violation.witness.hops, violation.rows, violation.intents)
        self._violations.setdefault(key, violation)

    @property
    def violations(self) -> tuple[Violation, ...]:
        return tuple(self._violations.values())
