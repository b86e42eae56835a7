"""The older general form: quoted values, newlines as the only separators, a brace on a line of its own. It means the same."""

import pytest

from paranet.compiler import ast, compile_source, declared_topology
from paranet.compiler.diagnostics import Log
from paranet.compiler.parser import parse
from paranet.models.intent import Compiled
from tests.paranet.compiler.test_language_page import EXAMPLES, NETWORK

GENERAL = """
route "all"
{
    from: "h1"
    to: prefix("10.2.0.0/16")
    via: ["r2"]
    avoid: ["s1"]
    protocol: "ip"
    bandwidth: "20Mbps"
    latency: "20ms"
    backup: "none"
}
policy "shut"
{
    match
    {
        from: "h1"
        to: "h3"
        port: "22"
    }
    action
    {
        deny: "true"
    }
    seq: "10"
    when: "08:00..18:00"
}
"""


def older(source: str) -> str:
    """Return a source in the older form."""
    return "\n".join(map(_item, parse(source, Log()).items))


def _item(item: ast.Item) -> str:
    match item:
        case ast.Attribute():
            return f"{item.name.text}: {_value(item.value)}"
        case ast.Directive():
            return f'{item.keyword.text} "{item.argument.text}"'
        case ast.Statement():
            name = f' "{item.name.text}"' if item.name else ""
            return f"{item.keyword.text}{name}{f' :{item.type.text}' if item.type else ''}\n{_value(item.block)}"


def _value(value: ast.Value) -> str:
    match value:
        case ast.Token():
            return f'"{value.text}"'
        case ast.Sequence():
            return f"[{', '.join(map(_value, value.items))}]"
        case ast.Call():
            return f"{value.function.text}({', '.join(map(_value, value.arguments))})"
        case ast.Block():
            return "\n".join(("{", *map(_item, value.items), "}"))


def state(result: Compiled) -> object:
    return {node: [(r.id, r.value, r.owners) for r in rows] for node, rows in result.rows.items()}


@pytest.mark.parametrize("source", EXAMPLES)
def test_the_same_rows(source: str) -> None:
    """Every example of the page, rewritten, compiles to the same rows and promises."""
    assert NETWORK is not None
    compact, general = compile_source(source, NETWORK), compile_source(older(source), NETWORK)
    assert general.ok, general.diagnostics
    assert state(general) == state(compact)
    assert (general.paths, general.reaches, general.isolations) == (compact.paths, compact.reaches, compact.isolations)


def test_the_same_network() -> None:
    """Nodes and links are the same; a property that was a number is text when it stands in quotes."""
    assert NETWORK is not None
    topology, found = declared_topology(older(EXAMPLES[0]))
    assert topology is not None, found
    assert topology.links == NETWORK.links
    assert {i for i, n in topology.nodes.items() if n != NETWORK.nodes[i]} == {"r3"}
    assert (topology.nodes["r3"].properties, NETWORK.nodes["r3"].properties) == ({"rack": "7"}, {"rack": 7})


def test_general_statements() -> None:
    """Route and policy with everything quoted."""
    assert NETWORK is not None
    result = compile_source(GENERAL, NETWORK)
    assert result.diagnostics == ()
    assert [p.hops for p in result.paths] == [("h1", "r1", "r2", "r3")]
    assert {r.value["when"] for rows in result.rows.values() for r in rows if r.family == "ip.acl"} == {"08:00..18:00"}
