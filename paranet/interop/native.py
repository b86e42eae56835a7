"""ParaNet's own JSON: `{"nodes": [Node], "links": [Link], "demands": [Demand]}`, the shape of GET /api/v1/topology."""

import attrs
import orjson

from paranet.codec import structure, unstructure
from paranet.errors import Fault, InvalidInput
from paranet.models.topology import Demand, Link, Node, Topology

VERSION = 1
_BOM = b"\xef\xbb\xbf"


@attrs.frozen(kw_only=True)
class _Document:
    """The file. *revision* and *name* say where it came from; they are read so that an answer of the hub can be sent back."""

    nodes: tuple[Node, ...]
    links: tuple[Link, ...] = ()
    demands: tuple[Demand, ...] = ()
    version: int = VERSION
    revision: int | None = None
    name: str | None = None


def read(data: bytes) -> tuple[Topology, tuple[Fault, ...]]:
    """Return the topology; this format gives no warnings. Raise InvalidInput or InvalidTopology with JSON paths."""
    try:
        value = orjson.loads(data.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"{place}: {error.msg}", errors=[Fault(path=place, message=error.msg)]) from None
    document = structure(value, _Document)
    if document.version != VERSION:
        fault = Fault(path="version", message=f"must be {VERSION}, not {document.version}")
        raise InvalidInput(f"{fault.path}: {fault.message}", errors=[fault])
    return Topology.of(document.nodes, document.links, document.demands), ()


def write(topology: Topology) -> bytes:
    """Return the file, every field written out, in the topology's order."""
    parts = {"nodes": topology.nodes, "links": topology.links, "demands": topology.demands}
    value = {name: [unstructure(part) for part in found.values()] for name, found in parts.items()}
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def looks_like(start: bytes) -> bool:
    """Tell whether a file that starts with *start* may be one."""
    return start.removeprefix(_BOM).lstrip()[:1] == b"{"
