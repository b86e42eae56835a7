"""The catalogue of findings and the log that collects them. Codes are stable: a code never gets another meaning."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from paranet.models.device import Span
from paranet.models.intent import Diagnostic

MAX_REPORTED = 100

CATALOGUE: Mapping[str, str] = {
    "PN101": "Unexpected token",
    "PN102": "Illegal character",
    "PN103": "Unterminated string",
    "PN104": "Unterminated comment",
    "PN105": "Bad escape in a string",
    "PN106": "Nested too deeply",
    "PN107": "Block is never closed",
    "PN108": "Source is too large",
    "PN109": "Too many findings",
    "PN110": "Nothing to close here",
    "PN201": "Unknown statement",
    "PN203": "Unknown attribute",
    "PN205": "Duplicate attribute",
    "PN206": "Missing attribute or name",
    "PN207": "Wrong type of value",
    "PN208": "Value out of range",
    "PN209": "Unknown node or link",
    "PN210": "Ambiguous name",
    "PN211": "Source and destination are the same",
    "PN212": "Unknown protocol",
    "PN213": "Duplicate name",
    "PN214": "Name cannot be an id",
    "PN215": "Not allowed here",
    "PN216": "Not an IP prefix",
    "PN217": "Nobody owns the prefix",
    "PN218": "Several nodes own the prefix",
    "PN219": "Node does not speak the protocol",
    "PN220": "Constraints contradict each other",
    "PN221": "Declared here but not in the live topology",
    "PN222": "Declaration differs from the live topology",
    "PN223": "Declarations that are not live",
    "PN224": "Declaration contradicts itself",
    "PN225": "Not for this protocol",
    "PN226": "Cannot import",
    "PN227": "Unknown region",
    "PN228": "Not a name of NDN",
    "PN229": "Not a polygon",
    "PN230": "Region cannot be reached",
    "PN231": "Not a multicast address",
    "PN232": "No statement does this",
    "PN233": "Unknown P4 program",
    "PN234": "Too many combinations",
    "PN301": "No path",
    "PN302": "Avoiding cuts the path off",
    "PN303": "No loop-free path through the waypoints",
    "PN304": "Latency bound too tight",
    "PN305": "Not enough bandwidth",
    "PN306": "Two intents need different next hops",
    "PN307": "Constraints cannot be met together",
    "PN308": "Fewer equal paths than asked for",
    "PN309": "No disjoint backup",
    "PN310": "Two intents need different rows",
}
"""Every code and its title. PN1xx: the text; PN2xx: names, attributes and types; PN3xx: paths and conflicts.

PN202 and PN204 meant what was not available yet; they are not used again."""


class Log:
    """Collects the findings of one compilation, in any order and number."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self.failed = False

    def error(self, code: str, span: Span, message: str, *, hint: str | None = None) -> None:
        self.failed = True
        self._add(code, span, message, hint, "error")

    def warning(self, code: str, span: Span, message: str, *, hint: str | None = None) -> None:
        self._add(code, span, message, hint, "warning")

    def _add(self, code: str, span: Span, message: str, hint: str | None, severity: str) -> None:
        assert code in CATALOGUE, code
        self._found.append(Diagnostic(code=code, message=message, span=span, severity=severity, hint=hint))

    @property
    def full(self) -> bool:
        """Tell whether more findings would not be shown, so that nobody works hard for their wording."""
        return len(self._found) > MAX_REPORTED

    @property
    def errors(self) -> list[Diagnostic]:
        return [d for d in self._found if d.severity == "error"]

    def report(self) -> tuple[Diagnostic, ...]:
        """Return the findings in the order of the source, at most MAX_REPORTED; the last then says that there are more."""
        found = sorted(self._found, key=lambda d: (d.span.line, d.span.column, d.code))
        if len(found) > MAX_REPORTED:
            cut = found[MAX_REPORTED - 1].span
            more = f"more than {MAX_REPORTED - 1} findings; the rest is not shown"
            found[MAX_REPORTED - 1 :] = [Diagnostic(code="PN109", message=more, span=cut, severity="info")]
        return tuple(found)


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """Return `did you mean r2?` when something known is spelt much like *word*."""
    by_folded = {k.casefold(): k for k in known}
    close = get_close_matches(word.casefold(), by_folded, n=1)
    return f"did you mean {by_folded[close[0]]}?" if close else None


def render_diagnostic(found: Diagnostic) -> str:
    """Return one line: `3:9: error PN209: there is no node 'r22' (did you mean r2?)`."""
    hint = f" ({found.hint})" if found.hint else ""
    return f"{found.span.line}:{found.span.column}: {found.severity} {found.code}: {found.message}{hint}"
