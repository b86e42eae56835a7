"""paranet.interop.registry"""

import pytest

from paranet.errors import InvalidInput, UnknownFormat
from paranet.interop.registry import FORMATS, formats, read

JSON = b'{"nodes": [{"id": "r1"}]}'
XML = b'<graphml><graph><node id="r1"/></graph></graphml>'


@pytest.mark.parametrize(
    ("data", "clues", "name"),
    [
        (JSON, {}, "json"),
        (XML, {}, "graphml"),
        (XML, {"format": "GraphML", "media_type": "application/json", "filename": "a.json"}, "graphml"),
        (XML, {"media_type": "text/xml; charset=utf-8", "filename": "a.json"}, "graphml"),
        (XML, {"media_type": "application/octet-stream", "filename": "A.GRAPHML"}, "graphml"),
        (JSON, {"media_type": "application/x-www-form-urlencoded", "filename": "a.txt"}, "json"),
        (XML.decode().encode("utf-16"), {}, "graphml"),
    ],
)
def test_detection(data: bytes, clues: dict[str, str], name: str) -> None:
    """The name comes before the media type, that before the file name, that before the content."""
    imported = read(data, **clues)
    assert (imported.format, list(imported.topology.nodes)) == (name, ["r1"])


@pytest.mark.parametrize("clues", [{}, {"media_type": "text/plain", "filename": "readme"}, {"format": "visio"}])
def test_the_unknown_is_refused(clues: dict[str, str]) -> None:
    """The refusal says what is known."""
    with pytest.raises(UnknownFormat, match="known are netjson, rfc8345, node-link, json, graphml"):
        read(b"hello", **clues)


def test_a_media_type_is_believed() -> None:
    """What is said to be JSON and is none is broken JSON, not something else."""
    with pytest.raises(InvalidInput):
        read(XML, media_type="application/json")


def test_what_is_only_written_cannot_be_read() -> None:
    """The refusal says what can be read."""
    with pytest.raises(UnknownFormat, match="dot is only written; what can be read is netjson"):
        read(b"graph {}", format="dot")


def test_every_format_has_a_name() -> None:
    """The names are those of the `format` parameter."""
    assert formats() == ("netjson", "rfc8345", "node-link", "json", "graphml", "containerlab", "netlab", "yaml", "minindn", "paranet")
    assert [f.name for f in FORMATS if f.name not in formats()] == ["geojson", "dot"]
