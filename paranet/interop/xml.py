"""XML from strangers: no DTD, so no entities and no network, and every refusal names its line."""

from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, XMLParser
from xml.parsers.expat import ExpatError, ParserCreate

from paranet.interop.json import refusal

MAX_DEPTH = 64
"""levels of elements; graph formats need about five"""


class _DoctypeFoundError(Exception):
    pass


class _RootReachedError(Exception):
    pass


def parse(data: bytes) -> Element:
    """Return the root element, all names without their namespaces.

    Raise InvalidInput for broken XML, unknown encodings and any document type declaration.
    """
    _refuse_doctype(data)
    parser = XMLParser()  # noqa: S314 - a document without a DTD has no entities
    try:
        parser.feed(data)
        root: Element = parser.close()
    except ParseError as error:
        line, column = error.position
        raise refusal(f"line {line}, column {column + 1}", str(error).partition(": line ")[0]) from None
    except (LookupError, ValueError) as error:  # the declared encoding is unknown, no text encoding or multi-byte
        raise refusal("line 1", f"the encoding cannot be read: {error}") from None
    for element in root.iter():
        if "}" in element.tag:
            element.tag = element.tag.rpartition("}")[2]
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            break
    if level:
        raise refusal(level[0].tag, f"elements are nested more than {MAX_DEPTH} deep")
    return root


def _refuse_doctype(data: bytes) -> None:
    """Look at what stands before the root element, where alone a document type declaration may stand, and with it any entity."""
    prolog = ParserCreate()
    prolog.StartDoctypeDeclHandler = _found
    prolog.StartElementHandler = _reached
    try:
        prolog.Parse(data, True)
    except _DoctypeFoundError:
        raise refusal(f"line {prolog.CurrentLineNumber}", "a DTD and its entity declarations are refused") from None
    except (_RootReachedError, ExpatError, LookupError, ValueError):  # what is broken is told by the real reader
        return


def _found(*_: object) -> NoReturn:
    raise _DoctypeFoundError


def _reached(*_: object) -> NoReturn:
    raise _RootReachedError
