"""Who produces what: NDN names and the nodes that serve them."""

import re
from collections.abc import Iterable

from paranet.models.topology import Modality, Node, Topology

NAME = re.compile(r"/|(?:/[^/\s\x00-\x1f]+)+")


def covers(prefix: str, name: str) -> bool:
    """Tell whether *prefix* is a prefix of *name*, component by component."""
    return prefix == "/" or name == prefix or name.startswith(prefix + "/")


def served(node: Node) -> tuple[str, ...]:
    """Return the names that *node* says it has content for: its property `prefix`, one or a list."""
    given = node.properties.get("prefix", ())
    texts: Iterable[object] = given if isinstance(given, (list, tuple)) else (given,)
    return tuple(t for t in texts if isinstance(t, str) and NAME.fullmatch(t))


def producers(topology: Topology, name: str) -> tuple[str, ...]:
    """Return the nodes that serve the longest prefix of *name*, sorted; caches only where nobody produces it."""
    found: list[tuple[int, bool, str]] = []
    for node in topology.nodes.values():
        lengths = [len(p) for p in served(node) if covers(p, name)]
        if lengths and Modality.NDN in node.modalities:
            found.append((max(lengths), node.type != "ndn_cache", node.id))
    origin = any(own for _, own, _ in found)
    found = [f for f in found if f[1] or not origin]
    longest = max((length for length, _, _ in found), default=0)
    return tuple(sorted(node for length, _, node in found if length == longest))
