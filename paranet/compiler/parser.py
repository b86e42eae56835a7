"""Tokens to tree, through all errors: after one the parser goes on at the next item of the innermost open block."""

import unicodedata
from bisect import bisect_left
from collections.abc import Collection
from typing import NoReturn

import attrs

from paranet.compiler.ast import Attribute, Block, Call, Directive, Item, Sequence, Statement, Token, Value, between
from paranet.compiler.diagnostics import MAX_REPORTED, Log
from paranet.compiler.lexer import FAULTS, MAX_DEPTH, lex
from paranet.models.device import Span

MAX_SOURCE = 1 << 20
START = Span(line=1, column=1, end_line=1, end_column=1)

_WORDING = {
    "WORD": "a name",
    "STRING": "a string",
    "COMMA": "','",
    "COLON": "':'",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "RSQB": "']'",
    "LPAR": "'('",
    "RPAR": "')'",
}
_CLOSERS = {"RBRACE": "{", "RSQB": "[", "RPAR": "("}


@attrs.frozen(kw_only=True)
class Parsed:
    """The items that could be read. *broken* holds the places of syntax errors: what contains one is not to be trusted."""

    items: tuple[Item, ...]
    broken: tuple[Span, ...] = ()

    @property
    def sound(self) -> tuple[Item, ...]:
        """Return the top-level items without a syntax error inside."""
        places = sorted((b.line, b.column) for b in self.broken)
        return tuple(i for i in self.items if not _holds(i.span, places)) if places else self.items


def parse(source: str, log: Log, line: int = 1) -> Parsed:
    """Return the tree of *source*, which begins in *line*; every syntax error goes to *log*. Never raises."""
    if len(source) > MAX_SOURCE:
        log.error("PN108", START, f"the source has {len(source)} characters; at most {MAX_SOURCE} are read")
        return Parsed(items=(), broken=(START,))
    return _Run(lex(source, line), log).parsed()


class _Refused(Exception):
    """An item cannot be read on. It has been reported; the innermost block goes on with the next."""


_VALUE = frozenset(("WORD", "STRING", "LSQB", "LBRACE"))


class _Run:
    """One pass over the tokens of one source, by recursive descent. The grammar is in docs/language.md."""

    def __init__(self, tokens: list[Token], log: Log) -> None:
        last = tokens[-1].span if tokens else START
        behind = not tokens or tokens[-1].type != "SEP"  # a newline has no place behind it in its line
        self._end = Token("$END", "", last.end_line, last.end_column if behind else last.column, 0)
        self._swallowed = bool(tokens) and tokens[-1].type in ("UNCLOSED_COMMENT", "TOO_DEEP")
        self._tokens: list[Token] = [*tokens, self._end]
        self._at = 0
        self._log = log
        self._open: list[str] = []
        self._broken: list[Span] = []

    def parsed(self) -> Parsed:
        return Parsed(items=tuple(self._items()), broken=tuple(self._broken))

    def _items(self) -> list[Item]:
        """Read items up to the `}` of the block they are in, or to the end."""
        inside, depth = bool(self._open), len(self._open)
        tokens = self._tokens
        items: list[Item] = []
        while True:
            kind = tokens[self._at][0]
            if kind == "SEP":
                self._at += 1
            elif kind == "$END" or (inside and kind == "RBRACE"):
                return items
            else:
                try:
                    items.append(self._item(inside))
                except _Refused:
                    del self._open[depth:]
                    self._skip(inside)

    def _item(self, inside: bool) -> Item:
        tokens, at = self._tokens, self._at
        first = tokens[at]
        if first[0] == "NAME":
            self._at = at + 2
            self._ended(inside, {"LBRACE", "LPAR"})
            return Attribute(name=first, value=tokens[at + 1])
        if first[0] != "WORD":
            self._refuse({"SEP", "WORD", *self._closing(inside)})
        self._at = at + 1
        kind = tokens[at + 1][0]
        if kind == "COLON":
            return self._coloned(first, inside)
        if kind == "LBRACE":
            return Statement(keyword=first, name=None, type=None, block=self._block())
        if kind != "WORD" and kind != "STRING":
            self._refuse({"COLON", "LBRACE", "WORD", "STRING"})
        name = tokens[at + 1]
        self._at = at + 2
        following = tokens[at + 2][0]
        if following == "LBRACE":
            return Statement(keyword=first, name=name, type=None, block=self._block())
        if following == "COLON":
            self._at = at + 3
            return Statement(keyword=first, name=name, type=self._name(), block=self._block())
        if kind == "STRING":
            self._ended(inside, {"COLON", "LBRACE"})
            return Directive(keyword=first, argument=name)
        return self._refuse({"COLON", "LBRACE"})

    def _coloned(self, first: Token, inside: bool) -> Item:
        """Read what follows `word :`: an attribute, or a statement without a name."""
        self._at += 1
        at = self._at
        value = self._value({"WORD", "STRING", "LSQB", "LBRACE"})
        if isinstance(value, Token):
            if self._tokens[at + 1][0] == "LBRACE":
                return Statement(keyword=first, name=None, type=value, block=self._block())
            self._ended(inside, {"LBRACE", "LPAR"} if value[0] == "WORD" else {"LBRACE"})
        elif not isinstance(value, Block):
            self._ended(inside, set())
        return Attribute(name=first, value=value)

    def _ended(self, inside: bool, besides: set[str]) -> None:
        """Check that what was read ends here."""
        kind = self._tokens[self._at][0]
        if kind != "SEP" and kind != "$END" and not (inside and kind == "RBRACE"):
            self._refuse({"SEP", *besides, *self._closing(inside)})

    def _name(self) -> Token:
        token = self._tokens[self._at]
        if token[0] != "WORD" and token[0] != "STRING":
            self._refuse({"WORD", "STRING"})
        self._at += 1
        return token

    def _block(self) -> Block:
        opened = self._tokens[self._at]
        if opened[0] != "LBRACE":
            self._refuse({"LBRACE"})
        self._at += 1
        self._open.append("{")
        items = self._items()
        self._open.pop()
        closed = self._tokens[self._at]
        if closed is self._end:
            if not self._swallowed:
                self._error("PN107", opened.span, f"the block opened in line {opened.line} is never closed", "add a '}'")
        else:
            self._at += 1
        return Block(items=tuple(items), opened=opened, closed=closed)

    def _value(self, expected: Collection[str]) -> Value:
        token = self._tokens[self._at]
        kind = token[0]
        if kind == "WORD":
            self._at += 1
            return self._call(token) if self._tokens[self._at][0] == "LPAR" else token
        if kind == "STRING":
            self._at += 1
            return token
        if kind == "LBRACE":
            return self._block()
        if kind == "LSQB":
            self._at += 1
            items = self._values("[", "RSQB")
            return Sequence(items=tuple(items), span=between(token, self._tokens[self._at - 1]))
        return self._refuse(expected)

    def _call(self, function: Token) -> Call:
        self._at += 1
        arguments = self._values("(", "RPAR")
        return Call(function=function, arguments=tuple(arguments), span=between(function, self._tokens[self._at - 1]))

    def _values(self, opener: str, closer: str) -> list[Value]:
        """Read values and commas up to and with *closer*; a list may end with a comma, arguments may not."""
        self._open.append(opener)
        tokens = self._tokens
        values: list[Value] = []
        while True:
            if tokens[self._at][0] == closer and (not values or opener == "["):
                break
            values.append(self._value(_VALUE | ({closer} if not values or opener == "[" else set())))
            kind = tokens[self._at][0]
            if kind == closer:
                break
            if kind != "COMMA":
                self._refuse({"COMMA", closer})
            self._at += 1
        self._at += 1
        self._open.pop()
        return values

    def _closing(self, inside: bool) -> set[str]:
        return {"RBRACE"} if inside else {"$END"}

    def _skip(self, inside: bool) -> None:
        """Go to the token at which the next item may begin."""
        if len(self._broken) > MAX_REPORTED:
            self._at = len(self._tokens) - 1
            return
        at, depth = self._at, 0
        for i in range(at, len(self._tokens) - 1):
            self._at = i
            token = self._tokens[i]
            if i > at and token.type in FAULTS and len(self._broken) <= MAX_REPORTED:
                self._report(token, set())
            if token.type == "SEP" and depth == 0:
                return
            if token.type == "LBRACE":
                depth += 1
            elif token.type == "RBRACE":
                if depth == 0 and inside:
                    return
                depth -= 1
                if depth <= 0:
                    self._at = i + 1
                    return
        self._at = len(self._tokens) - 1

    def _refuse(self, expected: Collection[str]) -> NoReturn:
        """Report the token that cannot come here, where *expected* could, and give the item up."""
        token = self._tokens[self._at]
        if token is not self._end or "{" not in self._open:
            self._report(token, expected)
        raise _Refused

    def _report(self, token: Token, expected: Collection[str]) -> None:
        opener = _CLOSERS.get(token.type)
        if code := FAULTS.get(token.type):
            message, hint = _fault(token)
            self._error(code, token.span, message, hint)
        elif opener and opener not in self._open:
            self._error("PN110", token.span, f"{token.text!r} closes nothing: no {opener!r} is open here")
        else:
            hint = 'a name with ":" in it needs quotes' if token.type == "COLON" and "COMMA" in expected else None
            self._error("PN101", token.span, f"expected {_wording(set(expected))}, found {_found(token)}", hint)

    def _error(self, code: str, span: Span, message: str, hint: str | None = None) -> None:
        self._broken.append(span)
        self._log.error(code, span, message, hint=hint)


def _wording(expected: set[str]) -> str:
    """Return the tokens that could come next in the words of a person who expects them."""
    if {"WORD", "STRING", "LSQB"} <= expected:
        words = ["a value", *_words(expected & {"RSQB", "RPAR"})]
    elif {"SEP", "WORD"} <= expected:
        words = ["an attribute or a statement", *_words(expected & {"RBRACE"})]
    elif "SEP" in expected:
        words = ["a new line", "';'", *_words(expected & {"RBRACE"})]
    else:
        words = _words(expected - ({"STRING"} if "WORD" in expected else set()) - ({"LPAR"} if "COMMA" in expected else set()))
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:]))) or "something else"


def _words(types: set[str]) -> list[str]:
    return [words for t, words in _WORDING.items() if t in types]


def _found(token: Token) -> str:
    if token.type == "$END":
        return "the end of the source"
    if token.type == "SEP" and token.text == "\n":
        return "the end of the line"
    return repr(token.text if len(token.text) <= 40 else f"{token.text[:40]}...")


def _fault(token: Token) -> tuple[str, str | None]:
    """Return message and hint for a token that the lexer could not read."""
    shown = _found(token)
    if token.type == "ILLEGAL":
        plain = unicodedata.normalize("NFKC", token.text)
        return f"{shown} has no meaning here", f"write {plain!r}" if plain != token.text and plain.isascii() else None
    if token.type == "UNCLOSED_STRING":
        return f"the string is not closed before the end of the line: {shown}", f"add a {token.text[0]}"
    if token.type == "UNCLOSED_COMMENT":
        return "the comment is never closed", "add a */"
    if token.type == "BAD_ESCAPE":
        return f"{shown} has an escape that does not exist", r"there are \n \t \r \\ \" \' \/ and \uXXXX"
    return f"blocks and lists nest at most {MAX_DEPTH} deep", None


def _holds(span: Span, places: list[tuple[int, int]]) -> bool:
    """Tell whether one of *places* (sorted) lies within *span*."""
    at = bisect_left(places, (span.line, span.column))
    return at < len(places) and places[at] <= (span.end_line, span.end_column)
