"""Bytes to values and back at the door: strict, bounded, every fault with its place."""

from typing import Any, TypeVar

import orjson

from paranet.codec import structure, unstructure
from paranet.errors import InvalidInput

T = TypeVar("T")


def decode(raw: bytes | str) -> Any:
    """Return plain JSON. NaN, trailing text and bad UTF-8 are refused. Raise InvalidInput with line and column."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if not raw:
            raise InvalidInput("a JSON body is required") from None
        raise InvalidInput(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise InvalidInput("the body is not JSON: nested too deeply") from None


def read(raw: bytes | str, cls: type[T]) -> T:
    """Return the JSON as *cls*. Raise InvalidInput."""
    return structure(decode(raw), cls)


def encode(value: object) -> bytes:
    """Return *value* (attrs classes and plain JSON) as JSON."""
    return orjson.dumps(unstructure(value), option=orjson.OPT_NON_STR_KEYS)
