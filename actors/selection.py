"""Which part of a node's readings a subscriber of `telemetry` wants: by node, metric and label, all of it or what has changed."""

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from actors.audience import Filter, Seen
from paranet.metrics.labels import unquoted

MOST_SEEN = 100_000
"""series whose values are remembered for those who want changes; of more all is forgotten, and told once again"""

_UNSEEN = object()
Item = dict[str, Any]
"""readings of one node at one time: ts (UNIX ms), node, values by series"""


def select(item: Item, wanted: Filter, seen: Seen) -> Item | None:
    """Return the part that a filter wants; a metric is meant with all its labels. *seen* has the values by node and series."""
    if wanted.nodes and item["node"] not in wanted.nodes:
        return None
    values = item["values"]
    if wanted.metrics or wanted.labels:
        values = _chosen(values, wanted)
    if wanted.changes:
        values = _changed(item["node"], values, seen)
    if values is item["values"]:
        return item
    return {**item, "values": values} if values else None


def _chosen(values: Mapping[str, Any], wanted: Filter) -> dict[str, Any]:
    names = {label.partition("=")[0] for label in wanted.labels}
    return {
        name: value
        for name, value in values.items()
        if (not wanted.metrics or name.partition("{")[0] in wanted.metrics)
        and (not names or len({label.partition("=")[0] for label in wanted.labels & _labels_in(name)}) == len(names))
    }


def _changed(node: str, values: Mapping[str, Any], seen: Seen) -> dict[str, Any]:
    """Return the values that are others than those seen, and note them as seen."""
    if len(seen) > MOST_SEEN:
        seen.clear()
    found = {}
    for name, value in values.items():
        before = seen.get((node, name), _UNSEEN)
        if value != before and (value == value or before == before):  # what is not a number stays that
            found[name] = seen[node, name] = value
    return found


@functools.lru_cache(maxsize=50_000)
def _labels_in(name: str) -> frozenset[str]:
    """Return the labels of a series' shown name as `name=value`."""
    return frozenset(f"{label}={unquoted(value)}" for label, value in _LABEL.findall(name))


_LABEL = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')


def newest_readings(items: Sequence[Item]) -> list[Item]:
    """Return one item a node, with the newest value of each of its series and the time of the last."""
    merged: dict[str, Item] = {}
    for item in items:
        before = merged.get(item["node"])
        merged[item["node"]] = item if before is None else {**item, "values": {**before["values"], **item["values"]}}
    return list(merged.values())
