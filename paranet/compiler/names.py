"""From what people call a node to its id."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from paranet.compiler.ast import Token, Value
from paranet.compiler.diagnostics import Log, suggestion
from paranet.compiler.values import kind
from paranet.models.topology import Node


class Names:
    """The nodes and links that a source may speak of. An id comes before a name, a name must be unique."""

    def __init__(
        self, nodes: Iterable[Node], links: Collection[str], log: Log, *, declared: Collection[str] = (), groups: Collection[str] = ()
    ) -> None:
        self._ids: dict[str, Node] = {}
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for node in nodes:
            self._ids[node.id] = node
            self._by_name[node.name].append(node.id)
        self._links = links
        self._declared = declared
        self._groups = groups
        self._log = log
        self._suggested: dict[str, str | None] = {}

    @property
    def nodes(self) -> Mapping[str, Node]:
        return self._ids

    def find(self, name: str) -> list[str]:
        """Return the ids that *name* may mean."""
        return [name] if name in self._ids else self._by_name.get(name, [])

    def node(self, value: Value, attribute: str) -> str | None:
        """Return the id of the node that *value* names, else report why there is none."""
        if not isinstance(value, Token):
            self._misfit(value, attribute, "a node")
            return None
        found = self.find(value.text)
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(found[:5])
            self._log.error("PN210", value.span, f"{len(found)} nodes are called {value.text!r}: {shown}", hint="write the id")
        elif value.text in self._declared:
            message = f"node {value.text!r} is declared in this source but not in the live topology"
            self._log.error("PN221", value.span, message, hint="import the source as topology first")
        elif value.text in self._groups:
            self._log.error("PN207", value.span, f"{attribute!r} must be a single node, and {value.text!r} is a group")
        else:
            self._log.error("PN209", value.span, f"there is no node {value.text!r}", hint=self._hint(value.text))
        return None

    def node_or_link(self, value: Value, attribute: str) -> tuple[str | None, str | None]:
        """Return (node id, None) or (None, link id); both None after a report."""
        if not isinstance(value, Token):
            self._misfit(value, attribute, "a node or a link")
        elif not self.find(value.text) and value.text in self._links:
            return None, value.text
        elif not self.find(value.text) and value.text not in self._declared:
            self._log.error("PN209", value.span, f"there is no node or link {value.text!r}", hint=self._hint(value.text))
        else:
            return self.node(value, attribute), None
        return None, None

    def _misfit(self, value: Value, attribute: str, wanted: str) -> None:
        self._log.error("PN207", value.span, f"{attribute!r} must be {wanted}, not {kind(value)}")

    def _hint(self, name: str) -> str | None:
        if not self._log.full and name not in self._suggested:
            self._suggested[name] = suggestion(name, [*self._ids, *self._by_name, *self._links, *self._groups])
        return self._suggested.get(name)
