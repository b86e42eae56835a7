"""Text to tokens. Nothing is refused here: what cannot be read becomes a token that no rule of the grammar accepts."""

import re

from paranet.compiler.ast import Token

MAX_DEPTH = 64

FAULTS = {
    "ILLEGAL": "PN102",
    "UNCLOSED_STRING": "PN103",
    "UNCLOSED_COMMENT": "PN104",
    "BAD_ESCAPE": "PN105",
    "TOO_DEEP": "PN106",
}
"""Types of the tokens that no rule accepts, and the code each is reported under."""

_BLANK = r"[ \t\r\f\v\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"  # all but the newline
_GENERAL = r"(?:[\w.+%@\-]++|/(?![/*]))++"
_TOKEN = re.compile(
    rf"""(?: (?P<PAIR> (?P<name>[A-Za-z_]\w*+) [ \t]*+ : [ \t]*+ (?P<value>{_GENERAL}) (?= [ \t]* (?: [;,}}] | \n[ \t]*[\w"'}}] ) ) )
           | (?P<WORD> (?:[0-9A-Fa-f]{{0,4}}:){{2,8}} [0-9A-Fa-f.]{{0,15}} (?:/\d{{1,3}})? (?:\.\.[\d:]{{1,8}})? (?![\w:])  # IPv6, MAC
                     | \d{{1,5}}:\d{{2}} (?:\.\.\d{{1,5}}:\d{{2}})? (?![\w:])                                               # times
                     | {_GENERAL} )
           | (?P<COMMENT> //[^\n]* | /\*.*?\*/ )
           | (?P<COLON> : )
           | (?P<BRACKET> [{{}}\[\]()] )
           | (?P<SEP> [\n;,][\s;,]* )
           | (?P<STRING> "(?:[^"\\\n]|\\[^\n])*" | '(?:[^'\\\n]|\\[^\n])*' )
           | (?P<UNCLOSED_STRING> ["'][^\n]* )
           | (?P<UNCLOSED_COMMENT> /\*.* )
           | (?P<ILLEGAL> [^\s\w.+%@\-/{{}}\[\]():;,"'\ufeff]+ )
           | (?={_BLANK}) ) {_BLANK}*+""",
    re.VERBOSE | re.DOTALL,
)
_BRACKETS = {"{": "LBRACE", "}": "RBRACE", "[": "LSQB", "]": "RSQB", "(": "LPAR", ")": "RPAR"}
_PLAIN = frozenset(("WORD", "COLON", "ILLEGAL", "UNCLOSED_STRING"))
_OPENER = {"}": "{", "]": "[", ")": "("}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|([^u])|u)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "/": "/"}


_STARTS = frozenset(("SEP", "LBRACE", "RBRACE"))
_new = tuple.__new__


def lex(source: str, line: int = 1) -> list[Token]:
    """Return the tokens of *source*, which begins in *line*.

    Most of a source is `name: value`, plain words both, where an item may begin: these are two tokens, a NAME with its colon and
    a WORD behind which the item ends. Stops early, with a TOO_DEEP token, where brackets nest deeper than MAX_DEPTH.
    """
    tokens: list[Token] = []
    nesting: list[str] = []
    bol = -1  # offset of the last character before the line
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup
        if kind is None:
            continue
        if kind == "PAIR":
            _pair(match, line, bol, tokens, begins=not nesting or nesting[-1] == "{")
            continue
        text, column = match[kind], match.start() - bol
        if kind in _PLAIN:
            tokens.append(_new(Token, (kind, text, line, column, len(text))))
        elif kind == "SEP" or kind == "COMMENT":
            separator = _separator(kind, text, nesting)
            if separator and tokens and tokens[-1].type not in ("SEP", "LBRACE"):
                tokens.append(Token(separator, text[0], line, column, 1))
            if newlines := text.count("\n"):
                line += newlines
                bol = match.start() + text.rindex("\n")
        elif kind == "BRACKET":
            if text == "{" and tokens and tokens[-1].type == "SEP" and tokens[-1].text == "\n":
                tokens.pop()  # a brace on a line of its own still belongs to what stands before it
            tokens.append(Token(_bracket(text, nesting), text, line, column, 1))
            if len(nesting) > MAX_DEPTH:
                break
        elif kind == "STRING":
            tokens.append(Token(*_unquote(text), line, column, len(text)))
        else:
            tokens.append(Token(kind, "/*", line, column, 2))
    return tokens


def _pair(match: re.Match[str], line: int, bol: int, tokens: list[Token], *, begins: bool) -> None:
    """Append the tokens of `name: value`; *begins* tells whether items stand here at all."""
    text, value = match["name"], match["value"]
    plain = begins and (not tokens or tokens[-1][0] in _STARTS)
    tokens.append(_new(Token, ("NAME" if plain else "WORD", text, line, match.start() - bol, len(text))))
    if not plain:
        tokens.append(Token("COLON", ":", line, match.string.index(":", match.start()) - bol, 1))
    tokens.append(_new(Token, ("WORD", value, line, match.start("value") - bol, len(value))))


def _bracket(text: str, nesting: list[str]) -> str:
    """Keep *nesting* up to date; a `}` also ends the brackets that were left open inside its block."""
    if text in "{[(":
        nesting.append(text)
        return _BRACKETS[text] if len(nesting) <= MAX_DEPTH else "TOO_DEEP"
    if text == "}" and "{" in nesting:
        while nesting.pop() != "{":
            pass
    elif nesting and nesting[-1] == _OPENER.get(text):
        nesting.pop()
    return _BRACKETS[text]


def _separator(kind: str, text: str, nesting: list[str]) -> str | None:
    if nesting and nesting[-1] != "{":
        return "COMMA" if kind == "SEP" and ("," in text or ";" in text) else None
    return "SEP" if kind == "SEP" or "\n" in text else None


def _unquote(text: str) -> tuple[str, str]:
    inner = text[1:-1]
    if "\\" not in inner:
        return "STRING", inner
    bad = False

    def replace(match: re.Match[str]) -> str:
        nonlocal bad
        char = chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2] or "", "")
        bad = bad or not char or "\ud800" <= char <= "\udfff"
        return char

    unescaped = _ESCAPE.sub(replace, inner)
    return ("BAD_ESCAPE", text) if bad else ("STRING", unescaped)


def comments(source: str) -> list[Token]:
    """Return the comments of *source*, which `lex` leaves out, with where they begin."""
    found: list[Token] = []
    line, bol = 1, -1
    for match in _TOKEN.finditer(source):
        if match.lastgroup in ("SEP", "COMMENT"):
            text = match[match.lastgroup]
            if match.lastgroup == "COMMENT":
                found.append(Token("COMMENT", text.rstrip(), line, match.start() - bol, len(text)))
            if newlines := text.count("\n"):
                line += newlines
                bol = match.start() + text.rindex("\n")
    return found
