"""The source as a tree: what was written and where, before anybody asks what it means."""

from typing import NamedTuple, TypeAlias

import attrs

from paranet.models.device import Span


def join(first: Span, last: Span) -> Span:
    """Return the span from the start of *first* to the end of *last*."""
    return Span(line=first.line, column=first.column, end_line=last.end_line, end_column=last.end_column)


class Token(NamedTuple):
    """A lexeme, on one line. *type* is a terminal of the grammar; a STRING's *text* is without quotes and escapes.

    Tokens of type WORD and STRING are the scalars of the tree: numbers, quantities, addresses and times are words
    until an attribute reads them as what it needs, so that `42` can be a node's name. A named tuple, as a source has
    hundreds of thousands of them.
    """

    type: str
    text: str
    line: int
    column: int
    width: int

    @property
    def span(self) -> Span:
        return Span(line=self.line, column=self.column, end_line=self.line, end_column=self.column + self.width)


def between(first: Token, last: Token) -> Span:
    """Return the span from the start of *first* to the end of *last*."""
    return Span(line=first.line, column=first.column, end_line=last.line, end_column=last.column + last.width)


@attrs.frozen(kw_only=True)
class Sequence:
    """`[a, b]`"""

    items: tuple["Value", ...]
    span: Span


@attrs.frozen(kw_only=True)
class Call:
    """`prefix("10.0.0.0/8")`"""

    function: Token
    arguments: tuple["Value", ...]
    span: Span


@attrs.frozen(kw_only=True)
class Block:
    """Everything between two braces; the whole source is one as well."""

    items: tuple["Item", ...]
    opened: Token
    closed: Token

    @property
    def span(self) -> Span:
        return between(self.opened, self.closed)

    @property
    def attributes(self) -> tuple["Attribute", ...]:
        return tuple(item for item in self.items if isinstance(item, Attribute))


@attrs.frozen(kw_only=True)
class Attribute:
    """`name: value`"""

    name: Token
    value: "Value"

    @property
    def span(self) -> Span:
        return join(self.name.span, self.value.span)


@attrs.frozen(kw_only=True)
class Statement:
    """`keyword name :type { ... }`"""

    keyword: Token
    name: Token | None
    type: Token | None
    block: Block

    @property
    def span(self) -> Span:
        return between(self.keyword, self.block.closed)

    @property
    def title(self) -> str:
        """What a message calls it: `route 'web'`, `the route`."""
        return f"{self.keyword.text} {self.name.text!r}" if self.name else f"the {self.keyword.text}"


@attrs.frozen(kw_only=True)
class Directive:
    """`import "file"`"""

    keyword: Token
    argument: Token

    @property
    def span(self) -> Span:
        return join(self.keyword.span, self.argument.span)


Value: TypeAlias = Token | Sequence | Call | Block
Item: TypeAlias = Attribute | Statement | Directive
