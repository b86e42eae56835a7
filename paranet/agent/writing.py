"""Statements of the intent language as the assistant writes them: one a line, canonical."""

import re
from collections.abc import Iterable, Sequence

import attrs

from paranet.models.units import format_bandwidth

_WORD = re.compile(r"[\w.\-]+")


def word(text: str) -> str:
    """Return *text* as a word of the language, in quotes where it needs them."""
    if _WORD.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def words(texts: Iterable[str]) -> str:
    """Return words as a value: alone, or as a list."""
    written = list(texts)
    return written[0] if len(written) == 1 else f"[{', '.join(written)}]"


def size(value: float) -> str:
    """Return bytes as they are written: 1e10 -> `10GB`."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if value >= factor:
            return f"{value / factor:g}{'kB' if unit == 'KB' else unit}"
    return f"{value:g}B"


def rate(value: float) -> str:
    """Return bit/s as they are written."""
    return format_bandwidth(value)


def seconds(value: float) -> str:
    """Return a time as it is written: 0.02 -> `20ms`, 3600 -> `3600s`."""
    if value >= 1:
        return f"{value:g}s"
    return f"{value * 1e3:g}ms" if value >= 1e-3 else f"{value * 1e6:g}us"


@attrs.frozen(kw_only=True)
class Statement:
    """One statement: *attributes* are (name, value as written), in the order of the language page; *inner* is deny, permit or match."""

    keyword: str
    name: str
    attributes: tuple[tuple[str, str], ...]
    inner: str = ""
    match: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The statement in the language."""
        parts = [f"{n}: {v}" for n, v in self.attributes]
        if self.inner:
            inside = "; ".join(f"{n}: {v}" for n, v in self.match)
            at = 1 if self.attributes and self.attributes[0][0] == "seq" else 0
            parts.insert(at, f"{self.inner}: {{ {inside} }}" if inside else f"{self.inner}: {{ }}")
        return f"{self.keyword} {word(self.name)} {{ {'; '.join(parts)} }}"


def source(statements: Sequence[Statement]) -> str:
    """Return the statements as a source; a name that comes twice gets a number."""
    used: dict[str, int] = {}
    lines: list[str] = []
    for statement in dict.fromkeys(statements):
        count = used[statement.name] = used.get(statement.name, 0) + 1
        named = statement if count == 1 or statement.keyword == "group" else attrs.evolve(statement, name=f"{statement.name}-{count}")
        lines.append(named.text)
    return "\n".join(lines) + "\n" if lines else ""
