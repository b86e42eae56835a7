"""XML from strangers: no DTD, so no entities and no network, and every refusal names its line."""

from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from paranet.interop.json import refusal

MAX_DEPTH = 64
"""levels of elements; graph formats need about five"""


class _DoctypeFound(Exception):
    pass


class _Builder(TreeBuilder):
    """Stops at a document type declaration, which is where every entity, internal or external, would have to be declared."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise _DoctypeFound


def parse(data: bytes) -> Element:
    """Return the root element, all names without their namespaces.

    Raise InvalidInput for broken XML, unknown encodings and any document type declaration.
    """
    parser = XMLParser(target=_Builder())  # noqa: S314 - the builder refuses what makes this unsafe
    try:
        parser.feed(data)
        root: Element = parser.close()
    except _DoctypeFound:
        line = data[: max(data.find(b"<!DOCTYPE"), 0)].count(b"\n") + 1
        raise refusal(f"line {line}", "a DTD and its entity declarations are refused") from None
    except ParseError as error:
        line, column = error.position
        raise refusal(f"line {line}, column {column + 1}", str(error).partition(": line ")[0]) from None
    except (LookupError, ValueError) as error:  # the declared encoding is unknown, no text encoding or multi-byte
        raise refusal("line 1", f"the encoding cannot be read: {error}") from None
    level = [root]
    for _ in range(MAX_DEPTH):
        for element in level:
            element.tag = element.tag.rpartition("}")[2]
        level = [child for element in level for child in element]
    if level:
        raise refusal(level[0].tag, f"elements are nested more than {MAX_DEPTH} deep")
    return root
