"""Rows in the words of a platform: what an administrator would type or load. A preview: drivers speak for themselves."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from paranet.compiler.render.frr import frr
from paranet.compiler.render.geojson import geojson, path_collection
from paranet.compiler.render.linux import iproute2
from paranet.compiler.render.nfdc import nfdc
from paranet.compiler.render.p4info import p4info
from paranet.compiler.render.p4runtime import p4runtime
from paranet.compiler.render.p4source import p4source
from paranet.errors import InvalidInput
from paranet.models.device import Row
from paranet.models.topology import Node, Topology

__all__ = ["PLATFORMS", "path_collection", "render", "render_all"]


def _json(node: Node, rows: Sequence[Row], topology: Topology) -> str:
    found = [{"family": r.family, "key": r.key, "value": r.value} for r in rows]
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode() if found else ""


_WRITERS: Mapping[str, Callable[[Node, Sequence[Row], Topology], str]] = {
    "frr": frr,
    "iproute2": iproute2,
    "nfdc": nfdc,
    "p4runtime": p4runtime,
    "p4": p4source,
    "p4info": p4info,
    "geojson": geojson,
    "json": _json,
}
PLATFORMS = tuple(_WRITERS)


def render(platform: str, node: Node, rows: Iterable[Row], topology: Topology) -> str:
    """Return those of the *rows* of *node* that *platform* has words for, in the order of their keys; empty for none.

    Raise InvalidInput for a platform that is not one of PLATFORMS.
    """
    if platform not in _WRITERS:
        raise InvalidInput(f"there is no platform {platform!r}: use one of {', '.join(PLATFORMS)}")
    return _WRITERS[platform](node, sorted(rows, key=lambda r: r.id), topology)


def render_all(node: Node, rows: Iterable[Row], topology: Topology) -> Mapping[str, str]:
    """Return the text of every platform that has words for some of *rows*."""
    ordered = sorted(rows, key=lambda r: r.id)
    texts = {platform: write(node, ordered, topology) for platform, write in _WRITERS.items()}
    return {platform: text for platform, text in texts.items() if text}
