"""Where the rows of all devices come together: one value a row, with everybody who wants it."""

from collections.abc import Mapping

from paranet.compiler.diagnostics import Log
from paranet.models.device import Row, RowKey, Span


class Board:
    """Rows by node. Two intents that want the same row must want the same of it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._rows: dict[str, dict[RowKey, tuple[Mapping[str, object], set[str], Span]]] = {}
        self._reported: set[tuple[RowKey, str]] = set()

    def add(self, node: str, family: str, key: str, value: Mapping[str, object], owners: set[str], span: Span) -> None:
        """Add a row, or *owners* to the row there is; report a row that is there with another value."""
        rows = self._rows.setdefault(node, {})
        held = rows.get((family, key))
        if held is None:
            rows[family, key] = value, set(owners), span
        elif held[0] == value:
            held[1].update(owners)
        else:
            self._conflict(node, (family, key), held, owners, span)

    def _conflict(self, node: str, key: RowKey, held: tuple[Mapping[str, object], set[str], Span], owners: set[str], span: Span) -> None:
        whom = ", ".join(repr(o) for o in sorted(owners))
        if (key, whom) not in self._reported:  # one message, however many nodes
            self._reported.add((key, whom))
            first = ", ".join(repr(o) for o in sorted(held[1]))
            message = f"{whom} wants another {key[0]} {key[1]} on {node} than {first}, in line {held[2].line}"
            self._log.error("PN310", span, message, hint="let them agree, or give them different names or places")

    def rows(self) -> Mapping[str, tuple[Row, ...]]:
        """Return the rows of each device that has any, in order."""
        return {
            node: tuple(
                Row(family=key[0], key=key[1], value=value, owners=tuple(sorted(owners)), span=span)
                for key, (value, owners, span) in sorted(rows.items(), key=lambda item: item[0])
            )
            for node, rows in sorted(self._rows.items())
        }
