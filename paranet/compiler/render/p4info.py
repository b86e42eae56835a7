"""p4info: the tables and actions of a switch's program as P4Runtime's controllers read them (protobuf text format, P4Runtime 1.4)."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from paranet.models.device import Row
from paranet.models.topology import Node, Topology

_TABLE, _ACTION = 0x02, 0x01  # the first byte of an id tells its kind
NO_ACTION = 21257015  # what p4c gives the core library's NoAction


def p4info(node: Node, rows: Sequence[Row], topology: Topology) -> str:
    pipeline = next((r for r in rows if r.family == "p4.pipeline"), None)
    if pipeline is None:
        return ""
    info: Any = pipeline.value["p4info"]
    lines = ['pkg_info {\n  arch: "v1model"\n}\n']
    lines += [_block("tables", _table(table)) for table in info["tables"]]
    lines += [_block("actions", _action(action)) for action in info["actions"]]
    if any(table["match"][0]["kind"] == "exact" for table in info["tables"]):
        lines.append(_block("actions", _preamble(NO_ACTION, "NoAction")))
    return "".join(lines)


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    yield from _preamble(number(_TABLE, table["name"]), table["name"])
    for i, field in enumerate(table["match"], 1):
        yield f'match_fields {{ id: {i} name: "{field["name"]}" bitwidth: {field["bits"]} match_type: {field["kind"].upper()} }}'
    for action in table["actions"]:
        yield f"action_refs {{ id: {number(_ACTION, action)} }}"
    if table["match"][0]["kind"] == "exact":
        yield f'action_refs {{ id: {NO_ACTION} annotations: "@defaultonly" scope: DEFAULT_ONLY }}'
    yield f"size: {table['size']}"


def _action(action: Mapping[str, Any]) -> Iterator[str]:
    yield from _preamble(number(_ACTION, action["name"]), action["name"])
    for i, param in enumerate(action["params"], 1):
        yield f'params {{ id: {i} name: "{param["name"]}" bitwidth: {param["bits"]} }}'


def _preamble(identifier: int, name: str) -> Iterator[str]:
    yield f'preamble {{ id: {identifier} name: "{name}" alias: "{name.rpartition(".")[2]}" }}'


def _block(kind: str, lines: Iterator[str]) -> str:
    return f"{kind} {{\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def number(kind: int, name: str) -> int:
    """Return the id of a table or an action, the same wherever its name is."""
    return kind << 24 | int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big")
