"""Which formats there are, and which of them some bytes are in."""

from collections.abc import Callable
from pathlib import PurePath

import attrs

from paranet.errors import Fault, UnknownFormat
from paranet.interop import graphml, native
from paranet.models.topology import Topology

_SNIFFED = 1024  # bytes looked at to tell a format by its content


@attrs.frozen(kw_only=True)
class Imported:
    """What a file said. *warnings* name what was assumed or left out, each with its place."""

    topology: Topology
    format: str
    warnings: tuple[Fault, ...] = ()


@attrs.frozen(kw_only=True)
class Format:
    """A file format. *read* returns the topology and its warnings; without *write* it is read only.

    Several formats may share a media type or a suffix (most are JSON); *looks_like* on the first bytes then decides.
    """

    name: str
    media_types: tuple[str, ...]
    suffixes: tuple[str, ...]
    looks_like: Callable[[bytes], bool]
    read: Callable[[bytes], tuple[Topology, tuple[Fault, ...]]]
    write: Callable[[Topology], bytes] | None = None


FORMATS = (
    Format(
        name="json",
        media_types=("application/json", "application/vnd.paranet+json"),
        suffixes=(".json",),
        looks_like=native.looks_like,
        read=native.read,
        write=native.write,
    ),
    Format(
        name="graphml",
        media_types=("application/graphml+xml", "application/xml", "text/xml"),
        suffixes=(".graphml", ".xml"),
        looks_like=graphml.looks_like,
        read=graphml.read,
    ),
)


def read(data: bytes, *, format: str | None = None, media_type: str | None = None, filename: str | None = None) -> Imported:  # noqa: A002 - the query parameter's name
    """Return what *data* says. The format is the one named, else told by media type, file name, then content.

    Raise UnknownFormat when nothing tells, InvalidInput or InvalidTopology with the places of every fault otherwise.
    """
    chosen = _named(format) if format is not None else _detected(data[:_SNIFFED], media_type, filename)
    topology, warnings = chosen.read(data)
    return Imported(topology=topology, format=chosen.name, warnings=warnings)


def write(topology: Topology, *, format: str = "json") -> bytes:  # noqa: A002 - the query parameter's name
    """Return *topology* as a file. Raise UnknownFormat for a format that is unknown or read only."""
    chosen = _named(format)
    if chosen.write is None:
        raise UnknownFormat(f"{format} is only read; what can be written is {', '.join(f.name for f in FORMATS if f.write)}")
    return chosen.write(topology)


def formats() -> tuple[str, ...]:
    """Return the names of all formats that are read."""
    return tuple(f.name for f in FORMATS)


def _named(name: str) -> Format:
    for known in FORMATS:
        if known.name == name.lower():
            return known
    raise UnknownFormat(f"there is no format {name[:60]!r}; known are {', '.join(formats())}")


def _detected(start: bytes, media_type: str | None, filename: str | None) -> Format:
    kind = (media_type or "").partition(";")[0].strip().lower()
    suffix = PurePath(filename or "").suffix.lower()
    for candidates in ([f for f in FORMATS if kind in f.media_types], [f for f in FORMATS if suffix in f.suffixes], FORMATS):
        fitting = [f for f in candidates if f.looks_like(start)]
        if len(candidates) == 1 or fitting:
            return (fitting or candidates)[0]
    raise UnknownFormat(f"neither the media type, the file name nor the content tells the format; known are {', '.join(formats())}")
