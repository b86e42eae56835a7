"""The canonical form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paranet.compiler.diagnostics import Log
from paranet.compiler.format import WIDTH, format_source
from paranet.compiler.lexer import comments
from paranet.compiler.parser import parse
from tests.paranet.compiler.test_language_page import EXAMPLES
from tests.paranet.compiler.test_parser import SOUP, read, shape

OLD = """
route "web"
{
  from:"h1";to : 'h"2'   // where to
  // a note


  via: [ "r1",
     "r2" ]   /* two */
     latency: 5ms
}
network lab { node r1 :router { address: "10.0.0.1/24"; location: { latitude: 1; longitude: 2 } } } // all
import   "x.pn"
"""
NEW = """\
route "web" {
    from: "h1"
    to: "h\\"2"  // where to
    // a note

    via: ["r1", "r2"]  /* two */
    latency: 5ms
}
network lab {
    node r1 :router { address: "10.0.0.1/24"; location: { latitude: 1; longitude: 2 } }
}  // all
import "x.pn"
"""


def formatted(source: str) -> str:
    text, found = format_source(source)
    assert not found, found
    return text


def test_old_form() -> None:
    """Quotes, separators, indentation and blank lines become those of the canonical form; comments stay where they are."""
    assert formatted(OLD) == NEW


def test_short_blocks_stay_on_their_line() -> None:
    """What stands on one line and fits, stays; what does not fit is spread."""
    assert formatted("acl a{deny:{from:h1}}") == "acl a { deny: { from: h1 } }\n"
    wide = formatted(f"group g {{ nodes: [{', '.join(f'node{i}' for i in range(40))}] }}")
    assert wide.startswith("group g {\n    nodes: [\n        node0,\n")
    assert all(len(line) <= WIDTH for line in wide.splitlines())


def test_comments_keep_their_neighbours() -> None:
    """Comments before, behind, at the end of a block and of the source stay there."""
    source = "// one\n\n/* two */ a { // three\n    x: 1 // four\n    // five\n}\n// six\n"
    assert formatted(source) == "// one\n\n/* two */\na {\n    // three\n    x: 1  // four\n    // five\n}\n// six\n"


def test_errors_leave_the_source_alone() -> None:
    """A source with a syntax error is not touched."""
    text, found = format_source("a {  x: }")
    assert text == "a {  x: }"
    assert [d.code for d in found] == ["PN101"]


@pytest.mark.parametrize(
    "source", [*EXAMPLES, OLD, "", "\n\n", "// x", "a { x: [ { m { n: 1 } } ] }", "a : '::1' {}", "08:00 : x", "a ::1 : b {}"]
)
def test_formatting_changes_the_form_alone(source: str) -> None:
    """The tree and the comments stay, and formatting again changes nothing."""
    _unchanged(source)


WORDS = st.sampled_from(["a", "'b c'", '"d\\n"', "1ms", "[a, [b], f(1)]", "{}", "{ x: 1; y: [2] }", "{\n x: 1\n}"])
PIECES = st.sampled_from(["\n", "\n\n\n", "// c\n", " /* d */ ", "/* e\n f */", ";", "import 'x';"])
ATTRIBUTES = st.builds("k: {}\n".format, WORDS)
BLOCKS = st.recursive(
    st.lists(ATTRIBUTES | PIECES, max_size=4).map("".join),
    lambda inner: st.lists(st.builds("s n :t {{{}}}".format, inner) | ATTRIBUTES | PIECES, max_size=4).map("".join),
    max_leaves=8,
)


@given(BLOCKS | st.lists(st.sampled_from(SOUP), max_size=10).map(" ".join))
def test_formatting_changes_the_form_alone_in_general(source: str) -> None:
    """The same for whatever can be parsed."""
    log = Log()
    parse(source, log)
    if not log.failed:
        _unchanged(source)


def _unchanged(source: str) -> None:
    once = formatted(source)
    assert [shape(i) for i in read(once)] == [shape(i) for i in read(source)]
    assert sorted(c.text for c in comments(once)) == sorted(c.text for c in comments(source))
    assert formatted(once) == once
