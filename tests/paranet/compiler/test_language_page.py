"""docs/language.md keeps its word."""

import re
from pathlib import Path

import pytest

from paranet.compiler import compile_source, declared_topology
from paranet.compiler.declare import LINK_ATTRIBUTES, NODE_ATTRIBUTES
from paranet.compiler.diagnostics import CATALOGUE
from paranet.compiler.flows import ACL_ATTRIBUTES, MATCH_ATTRIBUTES, QOS_ATTRIBUTES
from paranet.compiler.lower import KEYWORDS
from paranet.compiler.places import CACHE_ATTRIBUTES, GROUP_ATTRIBUTES, MULTICAST_ATTRIBUTES, REGION_ATTRIBUTES
from paranet.compiler.policy import ACTIONS, POLICY_ATTRIBUTES
from paranet.compiler.routes import ATTRIBUTES as ROUTE_ATTRIBUTES

PAGE = (Path(__file__).parents[3] / "docs" / "language.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```pn\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FAILING = re.findall(r"^```pn-error\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NETWORK = declared_topology(EXAMPLES[0])[0]


@pytest.mark.parametrize("source", EXAMPLES)
def test_examples(source: str) -> None:
    """Every example compiles on the network of the first one, without a remark."""
    assert NETWORK is not None
    result = compile_source(source, NETWORK)
    assert result.ok
    assert result.diagnostics == ()


@pytest.mark.parametrize("source", FAILING)
def test_failing_examples(source: str) -> None:
    """Every example of an error has the one that its comment names."""
    assert NETWORK is not None
    assert [d.code for d in compile_source(source, NETWORK).diagnostics] == re.findall(r"// (PN\d+)", source)


def test_hints() -> None:
    """What the page says that one should write is what these errors say."""
    assert NETWORK is not None
    said = [d.hint for source in FAILING for d in compile_source(source, NETWORK).diagnostics if d.hint]
    quoted = re.findall(r"`\((write .*?)(?: \.\.\.)?\)`", PAGE, re.DOTALL)
    assert len(quoted) == 5
    assert all(any(hint.startswith(words) for hint in said) for words in quoted)


def test_diagnostics_table() -> None:
    """The page lists every code with its title, and no other."""
    assert dict(re.findall(r"^\| (PN\d+) \| (.*?) \|$", PAGE, re.MULTILINE)) == CATALOGUE


def test_attributes() -> None:
    """The page names every statement and attribute."""
    assert all(f"### {keyword}\n" in PAGE for keyword in KEYWORDS)
    flows = (*ACL_ATTRIBUTES, *QOS_ATTRIBUTES, *MATCH_ATTRIBUTES, *POLICY_ATTRIBUTES)
    places = (*CACHE_ATTRIBUTES, *GROUP_ATTRIBUTES, *MULTICAST_ATTRIBUTES, *REGION_ATTRIBUTES)
    for name in (*ROUTE_ATTRIBUTES, *LINK_ATTRIBUTES, *NODE_ATTRIBUTES, *flows, *places):
        assert f"| `{name}` |" in PAGE, name
    assert all(f"`{name}`" in PAGE for name in ACTIONS)
