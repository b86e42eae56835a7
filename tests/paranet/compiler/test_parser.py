"""Text to tree."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.compiler.ast import Attribute, Block, Call, Directive, Item, Sequence, Statement, Token
from paranet.compiler.diagnostics import Log
from paranet.compiler.lexer import lex
from paranet.compiler.parser import Parsed, parse
from paranet.models.device import Span


def read(source: str) -> tuple[Item, ...]:
    log = Log()
    parsed = parse(source, log)
    assert not log.report()
    return parsed.items


def codes(source: str) -> list[str]:
    log = Log()
    parse(source, log)
    return [d.code for d in log.report()]


def value(text: str) -> object:
    (item,) = read(f"x: {text}")
    assert isinstance(item, Attribute)
    return item.value


def shape(item: object) -> object:
    """The tree without its places."""
    match item:
        case Token():
            return item.text
        case Attribute():
            return shape(item.name), shape(item.value)
        case Directive():
            return "directive", item.keyword.text, item.argument.text
        case Statement():
            return shape(item.keyword), item.name and item.name.text, item.type and item.type.text, shape(item.block)
        case Block():
            return [shape(i) for i in item.items]
        case Sequence():
            return tuple(shape(i) for i in item.items)
        case Call():
            return f"{item.function.text}()", *(shape(a) for a in item.arguments)
        case _:
            raise AssertionError(item)


def test_old_and_new_form_agree() -> None:
    """Quotes and newlines alone mean the same as bare words and semicolons."""
    new = read("route web { from: h1; to: prefix('10.2.0.0/16'), via: [r2, r3] }")
    old = read('route web {\n  from: "h1"\n  to: prefix("10.2.0.0/16")\n\n  via: ["r2",\n    "r3"\n  ]\n}\n')
    assert [shape(i) for i in new] == [shape(i) for i in old]


def test_statement_forms() -> None:
    """Name and type may each be there or not, quoted or bare."""
    found = [shape(i) for i in read('a {} b n {} c :t {} d n :t {} e "n 1":"t" {}')]
    assert found == [("a", None, None, []), ("b", "n", None, []), ("c", None, "t", []), ("d", "n", "t", []), ("e", "n 1", "t", [])]


def test_brace_on_its_own_line() -> None:
    """A block may begin on the line after its head."""
    assert [shape(i) for i in read("route a\n{\n  from: h1\n}\n")] == [("route", "a", None, [("from", "h1")])]


def test_general_form() -> None:
    """Blocks nest as statements and as objects."""
    (item,) = read('policy any { match { from: "h1" } action: { allow: true } x: 1 }')
    assert shape(item) == ("policy", "any", None, [("match", None, None, [("from", "h1")]), ("action", [("allow", "true")]), ("x", "1")])


def test_import() -> None:
    """`import "file"` is an item of its own."""
    assert shape(read('import "x.pn"; a: b')[0]) == ("directive", "import", "x.pn")


WORDS = ["200Mbps", "-74.0", "1e9", "42", "1%", "bit/s", "北京", "a-b.c_d", "import", "/video/ch1", "08:00", "08:00..18:00"]
ADDRESSES = ["10.2.0.0/16", "::1", "2001:db8::/32", "::/0", "::ffff:10.0.0.1", "00:1a:2b:3c:4d:5e"]


@pytest.mark.parametrize("text", [*WORDS, *ADDRESSES])
def test_words(text: str) -> None:
    """What has no blank, quote, bracket or separator in it is one word."""
    found = value(text)
    assert isinstance(found, Token)
    assert (found.type, found.text) == ("WORD", text)


def test_no_blank_needed_after_the_colon() -> None:
    """`from:h1` is an attribute, also where both sides are hexadecimal."""
    assert [shape(i) for i in read("from:h1;add:cafe")] == [("from", "h1"), ("add", "cafe")]


def test_strings() -> None:
    """Both quotes, each within the other, and every escape."""
    assert shape(value('"a \'b\' \\" \\\\ \\n\\t\\u4eac \\/"')) == "a 'b' \" \\ \n\t京 /"
    assert shape(value("'say \"x\" {;} // no comment'")) == 'say "x" {;} // no comment'


def test_comments_separate_like_the_lines_they_end() -> None:
    """A comment is a blank, unless it goes over a line's end."""
    assert [shape(i) for i in read("a: 1 // x\nb: /* y */ 2 /* \n */ c: 3")] == [("a", "1"), ("b", "2"), ("c", "3")]


def test_lists_over_lines() -> None:
    """Newlines mean nothing in lists, and a last comma does no harm."""
    assert shape(value("[\n a,\n [b], {c: d\n e: f}, g(1, 2),\n]")) == ("a", ("b",), [("c", "d"), ("e", "f")], ("g()", "1", "2"))


def test_spans() -> None:
    """Places count from one, ends are exclusive, characters count once however wide."""
    (item,) = read('// c\n  route 北京 {\r\n\tto: "a\\n", b: [1,\n 2] }')
    assert isinstance(item, Statement)
    assert item.span == Span(line=2, column=3, end_line=4, end_column=6)
    assert item.name is not None
    assert item.name.span == Span(line=2, column=9, end_line=2, end_column=11)
    assert [a.value.span for a in item.block.attributes] == [
        Span(line=3, column=6, end_line=3, end_column=11),
        Span(line=3, column=16, end_line=4, end_column=4),
    ]


def test_all_errors_are_found() -> None:
    """An error costs one item; the errors after it are reported as well, in nested blocks too."""
    assert codes("a { x: : 1; y: 2 z: 3\n q: { r: ; s: $ } }\nb { } }\nc d e { }\nf: 'x") == [
        "PN101",
        "PN101",
        "PN101",
        "PN102",
        "PN110",
        "PN101",
        "PN103",
    ]


def test_a_lost_bracket_ends_with_its_block() -> None:
    """An open list does not swallow the statements after its own."""
    log = Log()
    parsed = parse("a { x: [1, 2 }\nb { y: 1 }", log)
    assert [shape(i) for i in parsed.sound] == [("b", None, None, [("y", "1")])]
    assert len(log.report()) == 1


def test_sound_items_survive() -> None:
    """What contains no error is still there to be checked."""
    log = Log()
    parsed: Parsed = parse("a { x: 1 }\nb { y: ; z: 1 }\nc { }\n", log)
    assert [shape(i) for i in parsed.sound] == [("a", None, None, [("x", "1")]), ("c", None, None, [])]


def test_depth_is_bounded() -> None:
    """Sixty-four levels can be read; a million opened brackets are one finding."""
    assert codes("x: " + "[" * 64 + "]" * 64) == []
    assert codes("a {" * 1000) == ["PN106"]
    assert codes("x: " + "[" * 1_000_000) == ["PN106"]


def test_empty() -> None:
    """Nothing, blanks, comments and a byte order mark are sources without items."""
    assert [read(s) for s in ("", " \n;,\n", "// x", "\ufeff/* */\n")] == [()] * 4


SOUP = [
    "route",
    "a",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ":",
    ";",
    ",",
    "\n",
    '"x"',
    "'",
    '"',
    "/*",
    "*/",
    "//",
    "\\",
    "from",
    "to",
    "::1",
    "08:00",
    "$",
    "：",
]


@given(st.lists(st.sampled_from(SOUP), max_size=60).map(" ".join) | st.text(max_size=200))
def test_nothing_raises(source: str) -> None:
    """Whatever the text, parsing ends, and what is wrong has a place inside it."""
    log = Log()
    parse(source, log)
    lines = source.split("\n")
    for found in log.report():
        assert 1 <= found.span.line <= len(lines)
        assert 1 <= found.span.column <= len(lines[found.span.line - 1]) + 1


@given(st.text(max_size=200))
def test_tokens_are_the_text(source: str) -> None:
    """Every token lies where it says it lies."""
    lines = source.split("\n")
    for token in lex(source):
        if token.type in ("WORD", "ILLEGAL"):
            assert lines[token.line - 1][token.column - 1 :].startswith(token.text)


@pytest.mark.parametrize(
    "hostile", ['"' * 100_000, "a:" * 100_000, "/*" * 100_000, "a:b:c:" * 30_000 + "g", "}" * 200_000, "a{" * 30 + "x: [" * 20_000]
)
def test_hostile_text_takes_no_time(hostile: str) -> None:
    """No text makes the parser slow: a megabyte takes seconds at most (here a fifth of that)."""
    begin = time.process_time()
    log = Log()
    parse(hostile, log)
    assert time.process_time() - begin < 5


def test_the_end_lies_in_the_text() -> None:
    """What is missing at the end is missed at the end of the last line that says something, not behind its newline."""
    log = Log()
    parse("a: [{ b\nc: [{ d: [: e]  f { g}\n", log)
    last = log.report()[-1]
    assert "the end of the source" in last.message
    assert (last.span.line, last.span.column) == (2, 23)
