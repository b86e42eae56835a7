"""Named data in the simulator: who leads Interests where (`ndn.rib`, `ndn.strategy`), and content stores that fill (`ndn.cs`)."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from paranet.controller.simulator.forwarding import TTL, Course
from paranet.models.device import Row

RIB, STORE, STRATEGY = "ndn.rib", "ndn.cs", "ndn.strategy"
CATALOGUE = 60.0
"""seconds of a flow's mean rate that make up all the content behind its name"""
POPULAR = 0.9
"""the part of Interests that a store holding the whole catalogue answers; the rest is fresh"""


@attrs.frozen(kw_only=True)
class Way:
    """A next hop of a name."""

    node: str
    link: str
    cost: float


@attrs.frozen(kw_only=True)
class Entry:
    """What one device knows of a name prefix."""

    name: str
    ways: tuple[Way, ...]
    producer: bool


def entry(row: Row) -> Entry:
    """Return what a row of the RIB says. Raise ValueError with the reason when it cannot be read."""
    hops: Any = row.value.get("next_hops", ())
    if not row.key.startswith("/") or not isinstance(hops, (list, tuple)) or not all(isinstance(h, Mapping) for h in hops):
        raise ValueError("a name starts with / and has a list of next hops")
    ways = [Way(node=str(h.get("node")), link=str(h.get("link")), cost=float(h.get("cost", 0))) for h in hops]
    return Entry(name=row.key, ways=tuple(sorted(ways, key=lambda w: (w.cost, w.node))), producer=row.value.get("producer") is True)


class Names:
    """One device's forwarding of names. Rows that cannot be read forward nothing."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._entries: dict[str, Entry] = {}
        self._strategies: dict[str, str] = {}
        self.stores: dict[str, Row] = {}
        for row in rows:
            if row.family == RIB:
                try:
                    self._entries[row.key] = entry(row)
                except ValueError:
                    continue
            elif row.family == STORE:
                self.stores[row.key] = row
            elif row.family == STRATEGY:
                self._strategies[row.key] = str(row.value.get("strategy"))

    @property
    def produced(self) -> list[str]:
        """The names whose content comes from this device."""
        return sorted(e.name for e in self._entries.values() if e.producer)

    def lookup(self, name: str) -> Entry | None:
        """Return the entry of the longest prefix of the name."""
        for prefix in prefixes(name):
            if prefix in self._entries:
                return self._entries[prefix]
        return None

    def choose(self, name: str, ways: list[Way]) -> list[Way]:
        """Return those of *ways* (by rising cost) that the name's strategy divides Interests among: `random` takes all, `asf` the cheapest.

        Other strategies send each Interest by the first: what more `multicast` sends is answered by what came before.
        """
        strategy = next((self._strategies[p] for p in prefixes(name) if p in self._strategies), "")
        if strategy == "random":
            return ways
        return [way for way in ways if way.cost == ways[0].cost] if strategy == "asf" else ways[:1]

    def store(self, name: str) -> Row | None:
        """Return the row of the content store that keeps the name."""
        return next((self.stores[p] for p in prefixes(name) if p in self.stores), None)


def prefixes(name: str) -> list[str]:
    """Return the name and all its prefixes, longest first."""
    parts = [part for part in name.split("/") if part]
    return ["/" + "/".join(parts[:n]) for n in range(len(parts), 0, -1)] + ["/"]


@attrs.frozen(kw_only=True)
class Answer:
    """What a node does with Interests: the part that it *answered* itself; the rest goes its *ways*, or is *lost* where there is none.

    A way is the arc that Data comes back by, its share of the rest, and the neighbour that is asked.
    """

    answered: float
    ways: tuple[tuple[int, float, str], ...] = ()
    lost: str = ""


def collect(source: str, answers: Callable[[str], Answer], inside: int) -> Course:
    """Return the course of the Data for Interests of *source*; *inside* is the arc of what does not leave a node."""
    steps: list[tuple[int, int, float, int]] = []
    lost: list[tuple[int, str, str]] = []
    slots, level = 2, {source: 0}
    for _ in range(TTL):
        following: dict[str, int] = {}
        for node, slot in level.items():
            found = answers(node)
            rest = 1.0 - found.answered
            if found.answered:
                steps.append((slot, inside, found.answered, 1))
            if rest and not found.ways:
                steps.append((slot, inside, rest, slots))
                lost.append((slots, node, found.lost))
                slots += 1
            for arc, share, neighbour in found.ways:
                if neighbour not in following:
                    following[neighbour] = slots
                    slots += 1
                steps.append((slot, arc, rest * share, following[neighbour]))
        level = following
    lost += [(slot, node, "ttl_exceeded") for node, slot in level.items()]
    origins, arcs, shares, targets = zip(*steps, strict=True) if steps else ((), (), (), ())
    return Course(slots=slots, sink=1, origins=origins, arcs=arcs, shares=shares, targets=targets, lost=tuple(lost))


class Caches:
    """What the content stores hold, in bytes by (node, name of the flow). Filled by what passes, lost with the power."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], float] = {}

    def hits(self, node: str, flow: str, store: Row | None, rate: float) -> float:
        """Return the part of a flow's Interests that the node answers itself."""
        if store is None or rate <= 0:
            return 0.0
        catalogue = rate * CATALOGUE / 8
        return POPULAR * min(1.0, self._held.get((node, flow), 0.0) / catalogue)

    def fill(self, node: str, flow: str, store: Row, passed: float, rate: float, seconds: float) -> None:
        """Keep of *passed* bytes what the store has room for; with a `ttl` what is held grows old."""
        value: Mapping[str, Any] = store.value
        held = self._held.get((node, flow), 0.0)
        if ttl := value.get("ttl"):
            held *= math.exp(-seconds / float(ttl))
        room = min(float(value.get("capacity", math.inf)), rate * CATALOGUE / 8)
        self._held[node, flow] = min(room, held + passed)

    def forget(self, node: str) -> None:
        """The node has lost its power."""
        self._held = {key: held for key, held in self._held.items() if key[0] != node}
