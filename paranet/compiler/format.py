"""The canonical form of a source: four blanks a level, one attribute a line or all in one, strings in double quotes.

A block that stands on one line stays there if it fits; one over several lines stays so. Comments and single blank lines are kept.
"""

from collections.abc import Sequence
from itertools import zip_longest

from paranet.compiler import ast
from paranet.compiler.ast import Attribute, Block, Call, Directive, Item, Statement, Token, Value
from paranet.compiler.diagnostics import Log
from paranet.compiler.lexer import comments
from paranet.compiler.parser import parse
from paranet.models.intent import Diagnostic

WIDTH = 120
INDENT = "    "
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"})


def format_source(source: str) -> tuple[str, tuple[Diagnostic, ...]]:
    """Return the canonical text of *source*; with syntax errors *source* itself, and these. Formatting twice changes nothing more."""
    log = Log()
    parsed = parse(source, log)
    if log.failed:
        return source, log.report()
    printer = _Printer(comments(source))
    printer.items(parsed.items, 0, (len(source) + 2, 0))
    return printer.text(), log.report()


class _Printer:
    """Writes items and, at their places, comments."""

    def __init__(self, found: Sequence[Token]) -> None:
        self._comments = list(reversed(found))
        self._lines: list[str] = []
        self._last = 0  # the line of the source that was written last, 0 at the start of a block

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)

    def items(self, items: Sequence[Item], level: int, end: tuple[int, int]) -> None:
        """Write *items* and all comments before *end*."""
        for item, following in zip_longest(items, items[1:]):
            self._item(item, level)
            place = (following.span.line, following.span.column) if following else end
            self._trailing(item.span.end_line, place)
        self.flush(end, level)

    def _item(self, item: Item, level: int) -> None:
        span, block = item.span, _expandable(item)
        self.flush((span.line, span.column), level)
        self._blank(span.line)
        self.flush((block.span.line, block.span.column) if block else (span.end_line, span.end_column), level)
        text = _one_line(item)
        fits = len(text) + len(INDENT) * level <= WIDTH
        if block and (not fits or self._spread(block)):
            self._write(f"{_head(item)} {{", level)
            self._last = 0
            self.items(block.items, level + 1, (span.end_line, span.end_column))
            self._write("}", level)
        elif isinstance(item, Attribute) and isinstance(item.value, ast.Sequence) and not fits:
            self._write(f"{_key(item)} [", level)
            for value in item.value.items:
                self._write(f"{_value(value)},", level + 1)
            self._write("]", level)
        else:
            self._write(text, level)
        self._last = span.end_line

    def _spread(self, block: Block) -> bool:
        """Tell whether the block goes over several lines."""
        span = block.span
        held = bool(self._comments) and (self._comments[-1].line, self._comments[-1].column) < (span.end_line, span.end_column)
        nested = any(isinstance(i, Statement) for i in block.items)
        return held or nested or (span.line != span.end_line and bool(block.items))

    def flush(self, end: tuple[int, int], level: int) -> None:
        """Write the comments that stand before *end* (line, column), each on a line of its own."""
        while self._comments and (self._comments[-1].line, self._comments[-1].column) < end:
            comment = self._comments.pop()
            self._blank(comment.line)
            self._write(comment.text, level)
            self._last = comment.line + comment.text.count("\n")

    def _trailing(self, line: int, end: tuple[int, int]) -> None:
        """Put a comment that stands behind an item, in its line and before *end*, behind it."""
        while self._comments and self._comments[-1].line == line and "\n" not in self._comments[-1].text:
            if (self._comments[-1].line, self._comments[-1].column) > end:
                return
            self._lines[-1] += f"  {self._comments.pop().text}"

    def _blank(self, line: int) -> None:
        if self._last and line > self._last + 1:
            self._lines.append("")

    def _write(self, text: str, level: int) -> None:
        self._lines.append(INDENT * level + text)


def _expandable(item: Item) -> Block | None:
    """Return the block of an item that may go over several lines."""
    if isinstance(item, Statement):
        return item.block
    return item.value if isinstance(item, Attribute) and isinstance(item.value, Block) else None


def _head(item: Item) -> str:
    if not isinstance(item, Statement):
        return _key(item) if isinstance(item, Attribute) else _token(item.keyword)
    words = [item.keyword.text]
    words += [_token(item.name)] if item.name else []
    if item.type:
        kind = _token(item.type)
        words.append(f":{kind}" if not kind.startswith(":") else f": {kind}")
    return " ".join(words)


def _key(item: Attribute) -> str:
    """Return name and colon, apart where the name has colons of its own."""
    return f"{item.name.text} :" if ":" in item.name.text else f"{item.name.text}:"


def _one_line(item: Item) -> str:
    match item:
        case Directive():
            return f"{item.keyword.text} {_token(item.argument)}"
        case Attribute():
            return f"{_key(item)} {_value(item.value)}"
        case Statement():
            return f"{_head(item)} {_value(item.block)}"


def _value(value: Value) -> str:
    match value:
        case Token():
            return _token(value)
        case ast.Sequence():
            return f"[{', '.join(map(_value, value.items))}]"
        case Call():
            return f"{value.function.text}({', '.join(map(_value, value.arguments))})"
        case Block():
            return f"{{ {'; '.join(map(_one_line, value.items))} }}" if value.items else "{}"


def _token(token: Token) -> str:
    return f'"{token.text.translate(_ESCAPES)}"' if token.type == "STRING" else token.text
