"""Tools that a language model may use: each declared by an attrs class of arguments, whose JSON schema is made from it."""

import types
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import orjson

from paranet.codec import structure
from paranet.errors import ParaNetError

MAX_RESULT = 6000
"""characters of a result that the model is shown"""
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


@attrs.frozen(kw_only=True)
class Tool:
    """*arguments* is an attrs class; *run* takes an instance and returns plain JSON, or raises a ParaNetError for the model to read."""

    name: str
    purpose: str
    arguments: type[Any]
    run: Callable[[Any], Awaitable[object]]


def schema(cls: type[Any]) -> Mapping[str, Any]:
    """Return the JSON schema of an attrs class: always the same object, made once."""
    return _schema(cls)  # type: ignore[arg-type]  # mypy does not see that classes are hashable


@cache
def _schema(cls: type[Any]) -> Mapping[str, Any]:
    hints = get_type_hints(cls)
    properties: dict[str, Any] = {}
    required = []
    for field in attrs.fields(cls):
        about = field.metadata.get("about")
        properties[field.name] = {**_typed(hints[field.name]), **({"description": about} if about is not None else {})}
        if field.default is attrs.NOTHING:
            required.append(field.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _typed(hint: Any) -> Mapping[str, Any]:
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _typed(get_args(hint)[0])}
    if get_origin(hint) in (Union, types.UnionType):
        return {"anyOf": [{"type": "null"} if a is type(None) else _typed(a) for a in get_args(hint)]}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"type": "string", "enum": [m.value for m in hint]}
    if isinstance(hint, type) and attrs.has(hint):
        return schema(hint)
    raise TypeError(f"there is no JSON schema for {hint!r}")


def declared(tool: Tool) -> dict[str, Any]:
    """Return a tool as an OpenAI-compatible endpoint is told of it."""
    return {"type": "function", "function": {"name": tool.name, "description": tool.purpose, "parameters": schema(tool.arguments)}}


async def use(tools: Mapping[str, Tool], name: str, arguments: str) -> str:
    """Return what a tool says, wrapped as data. A wrong call or a refusal is an answer too, for the model to read."""
    tool = tools.get(name)
    if tool is None:
        return as_data({"error": f"there is no tool {name[:60]!r}; there are {', '.join(tools)}"})
    try:
        return as_data(await tool.run(structure(orjson.loads(arguments), tool.arguments)))
    except ParaNetError as error:
        return as_data({"error": error.code, "detail": error.detail, "errors": [str(getattr(e, "message", e)) for e in error.errors[:5]]})


def as_data(value: object) -> str:
    """Return a value as text that no content of it can leave: whatever stands in names, descriptions or logs is data, never an order."""
    text = orjson.dumps(value, default=str).decode().replace("<", "\\u003c")
    cut = text if len(text) <= MAX_RESULT else text[:MAX_RESULT] + " (cut)"
    return f"<data>{cut}</data>"
