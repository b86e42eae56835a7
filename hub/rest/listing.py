"""Lists of nodes and links as callers want them: filtered, sorted, a page at a time."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from paranet.errors import InvalidInput
from paranet.models.topology import Link, Node, Topology

_Test = Callable[[Any, str], bool]
_FILTERS: Mapping[str, Mapping[str, _Test]] = {
    "nodes": {
        "type": lambda node, word: node.type == word,
        "region": lambda node, word: node.region == word,
        "modality": lambda node, word: word in node.modalities,
        "driver": lambda node, word: node.management is not None and node.management.driver == word,
        "q": lambda node, word: word.lower() in f"{node.id}\n{node.name}".lower(),
    },
    "links": {
        "node": lambda link, word: word in (link.source.node, link.target.node),
        "enabled": lambda link, word: link.enabled is (word == "true"),
        "q": lambda link, word: word.lower() in link.id.lower(),
    },
}
_SORTS: Mapping[str, tuple[str, ...]] = {
    "nodes": ("id", "name", "type", "region"),
    "links": ("id", "bandwidth", "latency", "loss", "mtu", "cost"),
}
FILTERS = {kind: frozenset(tests) for kind, tests in _FILTERS.items()}
"""the query parameters that choose among nodes and links"""


@attrs.frozen(kw_only=True)
class Selection:
    """What a query asks for. Raise InvalidInput when it asks for what there is not."""

    kind: str
    query: Mapping[str, str]

    def __attrs_post_init__(self) -> None:
        if self._field not in _SORTS[self.kind]:
            raise InvalidInput(f"?sort= must be one of {', '.join(_SORTS[self.kind])}, with - before it for descending")
        if self.query.get("enabled", "true") not in ("true", "false"):
            raise InvalidInput("?enabled= must be true or false")

    @property
    def _field(self) -> str:
        return self.query.get("sort", "id").removeprefix("-")

    def of(self, topology: Topology, limit: int) -> list[Node | Link]:
        """Return the first *limit* that fit after the cursor, which is the id that a page ended with."""
        everything: Mapping[str, Node | Link] = getattr(topology, self.kind)
        tests = [(test, self.query[name]) for name, test in _FILTERS[self.kind].items() if name in self.query]
        parts = [p for p in everything.values() if all(test(p, word) for test, word in tests)]
        backwards = self.query.get("sort", "").startswith("-")
        parts.sort(key=self._key, reverse=backwards)
        after = self.query.get("cursor")
        if after is None:
            return parts[:limit]
        place = (after, after) if self._field == "id" else self._key(self._last(everything, after))
        return [p for p in parts if (self._key(p) < place if backwards else self._key(p) > place)][:limit]

    def _key(self, part: Node | Link) -> tuple[Any, str]:
        value = getattr(part, self._field)
        return ("" if value is None else value, part.id)

    def _last(self, everything: Mapping[str, Node | Link], after: str) -> Node | Link:
        if after not in everything:
            raise InvalidInput(f"?cursor= is of an item that is gone, {after[:60]!r}: begin again")
        return everything[after]
