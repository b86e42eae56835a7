"""Which formats there are, and which of them some bytes are in."""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import PurePath
from typing import Any

import attrs

from paranet.errors import Fault, UnknownFormat
from paranet.interop import containerlab, dot, dsl, geojson, graphml, json, minindn, native, netjson, netlab, node_link, rfc8345, xml, yaml
from paranet.models.topology import Topology

_SNIFFED = 1024  # bytes looked at to tell the syntax by the content
_KEY = re.compile(r"^\s*[\w.\-\"']+:(?:\s|\Z)", re.MULTILINE)
_JSON = ("application/json",)
_YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


@attrs.frozen(kw_only=True)
class Imported:
    """What a file said. *warnings* name what was assumed or left out, each with its place."""

    topology: Topology
    format: str
    warnings: tuple[Fault, ...] = ()


@attrs.frozen(kw_only=True)
class Format:
    """A file format. *parse* reads its syntax; of the formats that share one, *fits* tells which the parsed value is in.

    *build* makes the topology and its warnings of it, links ending also at the nodes given as second argument. Without these
    three it is written only.
    """

    name: str
    media_types: tuple[str, ...]
    suffixes: tuple[str, ...]
    write: Callable[[Topology], bytes]
    parse: Callable[[bytes], Any] | None = None
    fits: Callable[[Any], bool] = bool
    build: Callable[[Any, Collection[str]], tuple[Topology, tuple[Fault, ...]]] | None = None


def _known(name: str, module: Any, parse: Callable[[bytes], Any], media_types: Sequence[str], *suffixes: str, **more: Any) -> Format:
    kinds = tuple(media_types)
    more = {"write": module.write, **more}
    return Format(name=name, media_types=kinds, suffixes=suffixes, parse=parse, fits=module.fits, build=module.build, **more)


FORMATS = (
    _known("netjson", netjson, json.parse, ("application/netjson", "application/netjson+json", *_JSON), ".netjson", ".json"),
    _known("rfc8345", rfc8345, json.parse, ("application/yang-data+json", *_JSON), ".json"),
    _known("node-link", node_link, json.parse, _JSON, ".json"),
    _known("json", native, json.parse, (*_JSON, "application/vnd.paranet+json"), ".json"),
    _known("graphml", graphml, xml.parse, ("application/graphml+xml", "application/xml", "text/xml"), ".graphml", ".xml"),
    _known("containerlab", containerlab, yaml.parse, _YAML, ".clab.yml", ".clab.yaml", ".yml", ".yaml"),
    _known("netlab", netlab, yaml.parse, _YAML, ".yml", ".yaml"),
    _known("yaml", native, yaml.parse, (*_YAML, "application/vnd.paranet+yaml"), ".yaml", ".yml", write=native.write_yaml),
    _known("minindn", minindn, minindn.parse, (), ".conf"),
    _known("paranet", dsl, minindn.parse, ("text/vnd.paranet",), ".pn"),
    Format(name="geojson", media_types=("application/geo+json",), suffixes=(".geojson",), write=geojson.write),
    Format(name="dot", media_types=("text/vnd.graphviz",), suffixes=(".dot", ".gv"), write=dot.write),
)
"""Formats that share a syntax stand in the order in which they are asked whether a value is theirs; the least particular comes last."""


def read(
    data: bytes,
    *,
    format: str | None = None,  # noqa: A002 - the query parameter's name
    media_type: str | None = None,
    filename: str | None = None,
    beyond: Collection[str] = (),
) -> Imported:
    """Return what *data* says. The format is the one named, else told by media type, file name, then content.

    Links may also end at the nodes *beyond*; the file is then a piece of a larger topology. Raise UnknownFormat when nothing
    tells, InvalidInput or InvalidTopology with the places of every fault otherwise.
    """
    if format is not None:
        chosen, value = _asked(format, data)
    else:
        chosen, value = _told(_believed(media_type, filename), data)
    assert chosen.build is not None
    topology, warnings = chosen.build(value, beyond)
    return Imported(topology=topology, format=chosen.name, warnings=warnings)


def write(topology: Topology, *, format: str = "json") -> bytes:  # noqa: A002 - the query parameter's name
    """Return *topology* as a file. Raise UnknownFormat."""
    return named(format).write(topology)


def formats() -> tuple[str, ...]:
    """Return the names of all formats that are read."""
    return tuple(f.name for f in FORMATS if f.build)


def named(name: str) -> Format:
    """Return the format of that name. Raise UnknownFormat."""
    for known in FORMATS:
        if known.name == name.lower():
            return known
    raise UnknownFormat(f"there is no format {name[:60]!r}; known are {', '.join(f.name for f in FORMATS)}")


def _asked(name: str, data: bytes) -> tuple[Format, Any]:
    chosen = named(name)
    if chosen.parse is None:
        raise UnknownFormat(f"{chosen.name} is only written; what can be read is {', '.join(formats())}")
    return chosen, chosen.parse(data)


def _believed(media_type: str | None, filename: str | None) -> list[Format]:
    """Return the formats that the first clue which says anything leaves, none where nothing does."""
    kind = (media_type or "").partition(";")[0].strip().lower()
    suffix = PurePath(filename or "").suffix.lower()
    by_type = [f for f in FORMATS if f.parse and kind in f.media_types]
    return by_type or [f for f in FORMATS if f.parse and suffix in f.suffixes]


def _told(believed: list[Format], data: bytes) -> tuple[Format, Any]:
    """Return the format that the content tells, among the *believed* ones if there are any, and the parsed content."""
    syntax = believed[0].parse if believed else _syntax(data)
    candidates = [f for f in believed or FORMATS if f.parse is syntax]
    if syntax is None:
        raise UnknownFormat(f"neither the media type, the file name nor the content tells the format; known are {', '.join(formats())}")
    value = syntax(data)
    return next((f for f in candidates if f.fits(value)), candidates[-1]), value


def _syntax(data: bytes) -> Callable[[bytes], Any] | None:
    """Return the parser for what the file begins like; None for what is no text or like nothing known."""
    start = data[:_SNIFFED].removeprefix(json.BOM).lstrip(b"\xff\xfe\0 \t\r\n")
    if start[:1] == b"<":
        return xml.parse
    if start[:1] == b"{":
        return json.parse
    text = start.decode(errors="ignore")
    if minindn.fits(text) or dsl.fits(text):
        return minindn.parse
    return yaml.parse if _KEY.search(text) else None
