"""XML from strangers: no DTD, no entities, no network, and every refusal names its line."""

from typing import cast
from xml.etree.ElementTree import Element

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from paranet.errors import Fault, InvalidInput

MAX_DEPTH = 64
"""levels of elements; graph formats need about five"""


def parse(data: bytes) -> Element:
    """Return the root element, all names without their namespaces.

    Raise InvalidInput for broken XML, unknown encodings and any document type declaration.
    """
    try:
        root = cast("Element", fromstring(data, forbid_dtd=True))
    except DefusedXmlException:
        line = data[: max(data.find(b"<!DOCTYPE"), 0)].count(b"\n") + 1
        raise _refusal(f"line {line}", "a DTD and its entity declarations are refused") from None
    except ParseError as error:
        line, column = error.position
        raise _refusal(f"line {line}, column {column + 1}", str(error).partition(": line ")[0]) from None
    except (LookupError, ValueError) as error:  # the declared encoding is unknown, no text encoding or multi-byte
        raise _refusal("line 1", f"the encoding cannot be read: {error}") from None
    level = [root]
    for _ in range(MAX_DEPTH):
        for element in level:
            element.tag = element.tag.rpartition("}")[2]
        level = [child for element in level for child in element]
    if level:
        raise _refusal(level[0].tag, f"elements are nested more than {MAX_DEPTH} deep")
    return root


def _refusal(path: str, message: str) -> InvalidInput:
    return InvalidInput(f"{path}: {message}", errors=[Fault(path=path, message=message)])
