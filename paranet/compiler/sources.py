"""A source and the files that it imports, as one text whose lines remember where they come from."""

import posixpath
from collections.abc import Callable, Mapping

import attrs

from paranet.compiler.ast import Directive
from paranet.compiler.diagnostics import Log
from paranet.compiler.parser import parse
from paranet.models.intent import Diagnostic

Read = Callable[[str], str | None]
"""Returns the text of a file by its name, None when there is none."""


@attrs.frozen(kw_only=True)
class Gathered:
    """The *text* of all files, imported ones before those that import them; *imported* are the names as they are written."""

    text: str
    imported: frozenset[str]
    places: tuple[tuple[int, str], ...]
    """(first line, file), ascending"""

    def place(self, line: int) -> tuple[str, int]:
        """Return the file that a line of the text is from, and its number there."""
        first, name = max((p for p in self.places if p[0] <= line), default=self.places[0])
        return name, line - first + 1

    def show(self, found: Diagnostic) -> str:
        """Return `file:line:col: error PN209: there is no node 'r22' (did you mean r2?)`, as compilers do."""
        name, line = self.place(found.span.line)
        hint = f" ({found.hint})" if found.hint else ""
        return f"{name}:{line}:{found.span.column}: {found.severity} {found.code}: {found.message}{hint}"


def gather(name: str, text: str, read: Read) -> Gathered:
    """Return *text*, which is in file *name*, after what it imports, each file once. What cannot be read is left to the compiler."""
    parts: list[tuple[str, str]] = []
    written: set[str] = set()
    _add(posixpath.normpath(name), name, text, read, parts, written, {})
    places, line = [], 1
    for part, body in parts:
        places.append((line, part))
        line += body.count("\n") + 1
    return Gathered(text="\n".join(body for _, body in parts), imported=frozenset(written), places=tuple(places))


def _add(path: str, shown: str, text: str, read: Read, parts: list[tuple[str, str]], written: set[str], done: dict[str, bool]) -> None:
    """Add the files that *text* imports, then *text*. *done* tells of each path whether it is complete or still being read."""
    done[path] = False
    for argument in _imports(text):
        other = posixpath.normpath(posixpath.join(posixpath.dirname(path), argument))
        if other in done:
            written |= {argument} if done[other] else set()
            continue
        body = read(other)
        if body is not None:
            written.add(argument)
            _add(other, other, body, read, parts, written, done)
    parts.append((shown, text))
    done[path] = True


def _imports(text: str) -> list[str]:
    items = parse(text, Log()).items
    return [i.argument.text for i in items if isinstance(i, Directive) and i.keyword.text == "import"]


def as_json(found: Diagnostic, gathered: Gathered) -> Mapping[str, object]:
    """Return a diagnostic with the file and line it is about."""
    name, line = gathered.place(found.span.line)
    return {
        "file": name,
        "line": line,
        "column": found.span.column,
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        "hint": found.hint,
    }
