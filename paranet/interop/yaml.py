"""YAML from strangers: the JSON subset of YAML 1.2, with anchors, aliases and merge keys, and nothing that runs or explodes.

Words are read by the core schema of YAML 1.2: `no` and `on` are strings (Norway stays), so are dates, times and addresses.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import attrs
import orjson
import yaml

from paranet.codec import MAX_DEPTH
from paranet.interop.json import refusal

MAX_VALUES = 1_000_000
"""values in a file, every use of an alias counted in full"""
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_CONSTANTS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS = {"tag:yaml.org,2002:str": str, "tag:yaml.org,2002:map": dict, "tag:yaml.org,2002:seq": list}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def parse(data: bytes) -> Any:
    """Return the one document of the file as plain JSON. Raise InvalidInput with the line."""
    try:
        return _Document(yaml.parse(data, Loader=_Loader)).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "line 1"
        raise refusal(place, str(error.problem or error.context or "is not YAML")) from None
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise refusal("line 1", f"is not YAML: {str(error).splitlines()[0]}") from None


@attrs.frozen(kw_only=True)
class _Made:
    """A value, with the number of values in it and how deep they are nested."""

    value: Any
    size: int = 1
    depth: int = 0


class _Document:
    """The events of a file on their way to a value. Nothing is built that would be larger or deeper than allowed."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, _Made] = {}
        self._size = 0

    def read(self) -> Any:
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _fault(event, "holds several documents; one is wanted")
                value = self._value(next(self._events), 0).value
        return value

    def _value(self, event: Any, level: int) -> _Made:
        if level > MAX_DEPTH:
            raise _fault(event, f"is nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            made = self._alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            made = _Made(value=_scalar(event))
        elif event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise _fault(event, f"the tag {event.tag} is not read")
        elif isinstance(event, yaml.SequenceStartEvent):
            made = self._sequence(level)
        else:
            made = self._mapping(level)
        if not isinstance(event, yaml.AliasEvent) and event.anchor:
            self._anchors[event.anchor] = made
        self._size += made.size if isinstance(event, yaml.AliasEvent) else 1
        if self._size > MAX_VALUES:
            raise _fault(event, f"holds more than {MAX_VALUES:,} values, aliases counted in full")
        if level + made.depth > MAX_DEPTH:
            raise _fault(event, f"is nested more than {MAX_DEPTH} deep")
        return made

    def _alias(self, event: Any) -> _Made:
        made = self._anchors.get(event.anchor)
        if made is None:
            raise _fault(event, f"the alias *{event.anchor} has no anchor before it, or stands inside of it")
        return made

    def _sequence(self, level: int) -> _Made:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, level + 1))
        return _Made(
            value=[i.value for i in items], size=1 + sum(i.size for i in items), depth=1 + max((i.depth for i in items), default=0)
        )

    def _mapping(self, level: int) -> _Made:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        size, depth = 1, 0
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _fault(event, "a key must be a word")
            made = self._value(next(self._events), level + 1)
            size, depth = size + made.size, max(depth, made.depth)
            if event.value == "<<" and event.implicit[0]:
                merged = _merged(event, made.value) | merged
            elif event.value in found:
                raise _fault(event, f"the key {event.value[:60]!r} is there twice")
            else:
                found[event.value] = made.value
        return _Made(value={**merged, **found} if merged else found, size=size, depth=1 + depth)


def _merged(event: Any, value: Any) -> dict[str, Any]:
    """Return what a merge key `<<` brings; of several mappings the first that has a key counts."""
    found: dict[str, Any] = {}
    for mapping in value if isinstance(value, list) else [value]:
        if not isinstance(mapping, dict):
            raise _fault(event, "the merge key << takes a mapping or a list of mappings")
        found = {**mapping, **found}
    return found


def _scalar(event: Any) -> object:
    if event.tag in ("!", "tag:yaml.org,2002:str") or not (event.implicit[0] or event.tag):
        return event.value
    if event.tag is not None:
        raise _fault(event, f"the tag {event.tag} is not read")
    return _word(event)


def _word(event: Any) -> object:
    """Return what a word without quotes means."""
    text: str = event.value
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text) and len(text) < 20:
        number = int(text)
        return number if -(2**63) <= number < 2**64 else text
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise _fault(event, f"{text[:60]} is too large")
        return value
    return text


def _fault(event: Any, message: str) -> Exception:
    return refusal(f"line {event.start_mark.line + 1}, column {event.start_mark.column + 1}", message)


class _Writer(_Dumper):  # type: ignore[misc, valid-type]  # the C dumper where it is built, else Python's
    """Quotes every word that YAML 1.1 or 1.2 would take for something else, and never writes an alias."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Writer.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def write(value: object) -> bytes:
    """Return *value* (plain JSON) as a file that readers of YAML 1.1 and 1.2 understand the same way."""
    plain = orjson.loads(orjson.dumps(value))  # enumerations and tuples as what they are in JSON
    written: bytes = yaml.dump(plain, Dumper=_Writer, sort_keys=False, allow_unicode=True, encoding="utf-8", width=2**30)
    return written
