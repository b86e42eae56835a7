"""Collects what the checks find."""

from collections import Counter
from collections.abc import Iterable

import attrs

from paranet.models.intent import Report, Violation, Witness


@attrs.frozen
class Step:
    """A row that a packet met: on which node, for which prefix, owned by whom."""

    node: str
    prefix: str
    owners: tuple[str, ...]

    @property
    def row(self) -> str:
        return f"{self.node} ip.route {self.prefix}"


class Findings:
    """Counts the checks made and keeps the violations, each once."""

    def __init__(self, checks: Iterable[str]) -> None:
        self._checked: Counter[str] = Counter(dict.fromkeys(checks, 0))
        self._violations: dict[object, Violation] = {}

    def count(self, check: str) -> None:
        self._checked[check] += 1

    def violate(
        self, check: str, message: str, destination: str, hops: Iterable[str], steps: Iterable[Step], *, intent: str | None = None
    ) -> None:
        """Keep a violation: packets to *destination* pass *hops* by the rows of *steps*. Intents are *intent* and the rows' owners."""
        steps = list(steps)
        intents = {owner for step in steps for owner in step.owners} | ({intent} if intent else set())
        violation = Violation(
            check=check,
            message=message,
            witness=Witness(header={"dst": destination}, hops=tuple(hops)),
            intents=tuple(sorted(intents)),
            rows=tuple(dict.fromkeys(step.row for step in steps)),
        )
        self._violations.setdefault((check, message, violation.rows), violation)

    def report(self) -> Report:
        return Report(ok=not self._violations, checked=dict(self._checked), violations=tuple(self._violations.values()))
