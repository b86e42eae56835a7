"""Tokens to tree, through all errors: after one the parser goes on at the next item of the innermost open block."""

import unicodedata
from bisect import bisect_left
from functools import cache
from importlib.resources import files
from typing import Any

import attrs
from lark import Lark, Transformer, UnexpectedToken
from lark.parsers.lalr_parser_state import ParserState

from paranet.compiler.ast import Attribute, Block, Call, Directive, Item, Sequence, Statement, Token, Value, join
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


def parse(source: str, log: Log) -> Parsed:
    """Return the tree of *source*; every syntax error goes to *log*. Never raises."""
    if len(source) > MAX_SOURCE:
        log.error("PN108", START, f"the source has {len(source)} characters; at most {MAX_SOURCE} are read")
        return Parsed(items=(), broken=(START,))
    return _Run(lex(source), log).parsed()


class _Build(Transformer[Token, Block]):
    """What each rule of the grammar makes of its children."""

    def nothing(self, _: list[Any]) -> list[Item]:
        return []

    def kept(self, children: list[Any]) -> Any:
        return children[0]

    def appended(self, children: list[Any]) -> list[Item]:
        items: list[Item] = children[0]
        items.append(children[1])
        return items

    def source(self, children: list[Any]) -> tuple[Item, ...]:
        return (*children[0], *children[1:])

    def block(self, children: list[Any]) -> Block:
        opened, done, *last, closed = children
        return Block(items=(*done, *last), span=join(opened.span, closed.span))

    def attribute(self, children: list[Any]) -> Attribute:
        return Attribute(name=children[0], value=children[2])

    def directive(self, children: list[Any]) -> Directive:
        return Directive(keyword=children[0], argument=children[1])

    def plain_statement(self, children: list[Any]) -> Statement:
        return Statement(keyword=children[0], name=None, type=None, block=children[1])

    def named_statement(self, children: list[Any]) -> Statement:
        return Statement(keyword=children[0], name=children[1], type=None, block=children[2])

    def typed_statement(self, children: list[Any]) -> Statement:
        return Statement(keyword=children[0], name=None, type=children[2], block=children[3])

    def full_statement(self, children: list[Any]) -> Statement:
        return Statement(keyword=children[0], name=children[1], type=children[3], block=children[4])

    def sequence(self, children: list[Any]) -> Sequence:
        items = tuple(children[1]) if len(children) > 2 else ()
        return Sequence(items=items, span=join(children[0].span, children[-1].span))

    def call(self, children: list[Any]) -> Call:
        arguments = tuple(children[2]) if len(children) > 3 else ()
        return Call(function=children[0], arguments=arguments, span=join(children[0].span, children[-1].span))

    def first(self, children: list[Any]) -> list[Value]:
        return children

    def next(self, children: list[Any]) -> list[Value]:
        values: list[Value] = children[0]
        values.append(children[2])
        return values


@cache
def _lark() -> Lark:
    grammar = files("paranet.compiler").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, start="source", parser="lalr", lexer="basic", transformer=_Build(), keep_all_tokens=True)


class _Run:
    """One pass over the tokens of one source."""

    def __init__(self, tokens: list[Token], log: Log) -> None:
        self._tokens = tokens
        self._log = log
        self._lark = _lark().parse_interactive()
        self._state: ParserState[Any] = self._lark.parser_state
        self._broken: list[Span] = []

    def parsed(self) -> Parsed:
        at = 0
        while at < len(self._tokens) and len(self._broken) <= MAX_REPORTED:
            at = self._feed(at)
        return Parsed(items=self._finish(), broken=tuple(self._broken))

    def _feed(self, at: int) -> int:
        """Feed tokens from *at* on; after an error return where to go on."""
        feed: Any = self._state.feed_token
        try:
            while at < len(self._tokens):
                feed(self._tokens[at])
                at += 1
        except UnexpectedToken:
            self._refuse(self._tokens[at])
            return self._skip(at)
        return at

    def _finish(self) -> tuple[Item, ...]:
        """End the source, closing what is still open."""
        last = self._tokens[-1].span if self._tokens else START
        swallowed = bool(self._tokens) and self._tokens[-1].type in ("UNCLOSED_COMMENT", "TOO_DEEP")
        end = Token("$END", "", last.end_line, last.end_column, 0)
        feed: Any = self._state.feed_token
        while True:
            try:
                items: tuple[Item, ...] = feed(end, True)
            except UnexpectedToken:
                expected = self._expected()
                if opened := self._rewind():
                    if not swallowed:
                        span = opened[-1].span
                        self._error("PN107", span, f"the block opened in line {span.line} is never closed", "add a '}'")
                    feed(Token("RBRACE", "}", end.line, end.column, 0))
                else:
                    self._refuse(end, expected)
            else:
                return items

    def _rewind(self) -> list[Token]:
        """Forget what was begun since the last item of the innermost open block; return the braces open there."""
        states, values = self._state.state_stack, self._state.value_stack
        table = self._state.parse_conf.states
        while "statement" not in table[states[-1]] and "done" not in table[states[-1]]:
            states.pop()
            values.pop()
        return [v for v in values if isinstance(v, Token) and v.type == "LBRACE"]

    def _skip(self, at: int) -> int:
        """Return the index of the token at which the next item may begin."""
        inside = bool(self._rewind())
        depth = 0
        for i in range(at, len(self._tokens)):
            token = self._tokens[i]
            if i > at and token.type in FAULTS and len(self._broken) <= MAX_REPORTED:
                self._refuse(token, set())
            if token.type == "SEP" and depth == 0:
                return i
            if token.type == "LBRACE":
                depth += 1
            elif token.type == "RBRACE":
                if depth == 0 and inside:
                    return i
                depth -= 1
                if depth <= 0:
                    return i + 1
        return len(self._tokens)

    def _expected(self) -> set[str]:
        """Return the types of tokens that could come next."""
        interactive: Any = self._lark
        return set(interactive.accepts())

    def _refuse(self, token: Token, expected: set[str] | None = None) -> None:
        expected = self._expected() if expected is None else expected
        opener = _CLOSERS.get(token.type)
        if code := FAULTS.get(token.type):
            message, hint = _fault(token)
            self._error(code, token.span, message, hint)
        elif opener and not any(isinstance(v, Token) and v.text == opener and v.type != "STRING" for v in self._state.value_stack):
            self._error("PN110", token.span, f"{token.text!r} closes nothing: no {opener!r} is open here")
        else:
            hint = 'a name with ":" in it needs quotes' if token.type == "COLON" and "COMMA" in expected else None
            self._error("PN101", token.span, f"expected {_wording(expected)}, found {_found(token)}", hint)

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
