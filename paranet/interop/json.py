"""JSON from strangers: UTF-8 with or without a mark, numbers that are finite, and every refusal with line and column."""

from typing import Any

import orjson

from paranet.errors import Fault, InvalidInput

BOM = b"\xef\xbb\xbf"


def parse(data: bytes) -> Any:
    """Return the value. Raise InvalidInput."""
    try:
        return orjson.loads(data.removeprefix(BOM))
    except orjson.JSONDecodeError as error:
        raise refusal(f"line {error.lineno}, column {error.colno}", error.msg) from None


def document(value: object) -> dict[str, Any]:
    """Return *value*, which must be an object. Raise InvalidInput."""
    if not isinstance(value, dict):
        raise refusal("", "the document must be an object")
    return value


def write(value: object) -> bytes:
    """Return the file, indented by two."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def refusal(path: str, message: str) -> InvalidInput:
    """Return the error for one place."""
    return InvalidInput(f"{path}: {message}" if path else message, errors=[Fault(path=path, message=message)])
