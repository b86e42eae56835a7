"""Equivalence classes of destinations, kept while single rules come and go.

The address space is cut into the atoms of Delta-net (Horn, Kheradmand, Prasad, NSDI 2017): intervals no rule tells apart. An
atom knows which rule every node follows for it; a rule that comes or goes changes a run of atoms, and only those are searched
for a packet that circles.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

import attrs

from paranet.models.device import Row

Place = tuple[str, str | None]
"""A node, and the port by which a packet came in: None where nobody asks."""
Hop = tuple[str | None, Place]
"""A port to send out by, and the place where packets come in. None goes out whatever port they came in by."""


@attrs.frozen(eq=False)
class Rule:
    """What *node* does with the addresses from *low* up to *high*, exclusive. Of several the one with the longest prefix holds.

    *faults* are the reasons why packets get lost here, or some of them; *row* is what the rule was read from.
    """

    node: str
    low: int
    high: int
    length: int
    hops: tuple[Hop, ...]
    faults: tuple[str, ...] = ()
    row: Row | None = None


class Atom:
    """The rule that every node follows for some addresses, and the places of one circle, if packets circle."""

    __slots__ = ("circle", "rules")

    def __init__(self, rules: dict[str, Rule], circle: tuple[Place, ...] = ()) -> None:
        self.rules = rules
        self.circle = circle


class Atoms:
    """The atoms of an address space of *bits* bits."""

    def __init__(self, bits: int = 32) -> None:
        self._end = 1 << bits
        self._bits = bits
        self._lows: list[int] = [0]
        self._atoms: list[Atom] = [Atom({})]
        self._uses: dict[int, int] = {}  # how many rules begin or end at a boundary
        self._tables: dict[str, dict[int, dict[int, Rule]]] = {}  # node -> length, longest first -> low -> rule

    @classmethod
    def of(cls, rules: Iterable[Rule], bits: int = 32) -> "Atoms":
        """Return the atoms of many rules at once. Their ranges are those of prefixes, so of two one holds the other or none."""
        atoms = cls(bits)
        by_range: dict[tuple[int, int], dict[str, Rule]] = {}
        for rule in rules:
            table = atoms._tables.setdefault(rule.node, {}).setdefault(rule.length, {})
            table[rule.low] = by_range.setdefault((rule.low, -rule.high), {})[rule.node] = rule
        for table_of_node in atoms._tables.values():
            _sort(table_of_node)
        atoms._sweep(by_range)
        return atoms

    def _sweep(self, by_range: dict[tuple[int, int], dict[str, Rule]]) -> None:
        lows, atoms, uses = [0], [Atom({})], self._uses
        open_: list[tuple[int, Atom]] = [(self._end, atoms[0])]

        def begin(low: int, atom: Atom) -> None:
            if lows[-1] == low:
                atoms[-1] = atom
            else:
                lows.append(low)
                atoms.append(atom)

        def close(until: int) -> None:
            while open_[-1][0] <= until:
                end = open_.pop()[0]
                if end < self._end:
                    # every atom is an object of its own, even where a range goes on behind an inner one
                    begin(end, Atom(dict(open_[-1][1].rules), open_[-1][1].circle))

        for (low, negative), rules in sorted(by_range.items(), key=lambda item: item[0]):
            close(low)
            around = open_[-1][1]
            atom = Atom(around.rules | rules, around.circle)
            # where the range around has no circle, any passes a node with a rule of this range
            atom.circle = _circle_anywhere(atom.rules, atom.rules if atom.circle else rules)
            begin(low, atom)
            open_.append((-negative, atom))
            for bound in (low, -negative):
                uses[bound] = uses.get(bound, 0) + len(rules)
        close(self._end - 1)
        self._lows, self._atoms = lows, atoms

    def insert(self, rule: Rule) -> list[Atom]:
        """Add *rule*, in place of the node's of the same prefix. Return the atoms whose packets now go another way."""
        table = self._tables.setdefault(rule.node, {})
        if rule.length not in table:
            table[rule.length] = {}
            _sort(table)
        before = table[rule.length].get(rule.low)
        table[rule.length][rule.low] = rule
        if before is None:
            self._cut(rule.low)
            self._cut(rule.high)
        node, length, hops = rule.node, rule.length, rule.hops
        changed = []
        for atom in self.within(rule.low, rule.high):
            held = atom.rules.get(node)
            if held is None or held.length <= length:
                atom.rules[node] = rule
                if held is None or held.hops != hops:
                    changed.append(atom)
        self._judge(node, changed)
        return changed

    def remove(self, rule: Rule) -> list[Atom]:
        """Take the node's rule of that prefix away. Return the atoms whose packets now go another way. Raise KeyError without one."""
        gone = self._tables[rule.node][rule.length].pop(rule.low)
        outer = self.lookup(gone.node, gone.low, shorter_than=gone.length)
        changed = []
        for atom in self.within(gone.low, gone.high):
            if atom.rules.get(gone.node) is gone:
                if outer is None:
                    del atom.rules[gone.node]
                else:
                    atom.rules[gone.node] = outer
                if outer is None or outer.hops != gone.hops:
                    changed.append(atom)
        self._judge(gone.node, changed)
        self._join(gone.low)
        self._join(gone.high)
        return changed

    def lookup(self, node: str, address: int, *, shorter_than: int = 1 << 30) -> Rule | None:
        """Return the node's rule of the longest prefix with *address*, among those shorter than so many bits."""
        for length, rules in self._tables.get(node, {}).items():
            if length < shorter_than:
                shift = self._bits - length
                if found := rules.get(address >> shift << shift):
                    return found
        return None

    def within(self, low: int, high: int) -> list[Atom]:
        """Return the atoms that begin in the range."""
        return self._atoms[bisect_left(self._lows, low) : bisect_left(self._lows, high)]

    def pieces(self, low: int, high: int) -> Iterator[tuple[int, Atom]]:
        """Yield the atoms that touch the range, each with its first address in it."""
        first = self._index(low)
        for i in range(first, bisect_left(self._lows, high, first)):
            yield max(low, self._lows[i]), self._atoms[i]

    def circling(self) -> Iterator[tuple[int, Atom]]:
        """Yield the atoms whose packets circle, each with its first address."""
        return ((low, atom) for low, atom in zip(self._lows, self._atoms, strict=True) if atom.circle)

    def __len__(self) -> int:
        return len(self._atoms)

    def _index(self, address: int) -> int:
        """Return which atom holds the address."""
        i = bisect_left(self._lows, address)
        return i if i < len(self._lows) and self._lows[i] == address else i - 1

    def _cut(self, bound: int) -> None:
        if uses := self._uses.get(bound):
            self._uses[bound] = uses + 1
            return
        self._uses[bound] = 1
        if 0 < bound < self._end:
            i = bisect_left(self._lows, bound)
            whole = self._atoms[i - 1]
            self._lows.insert(i, bound)
            self._atoms.insert(i, Atom(whole.rules.copy(), whole.circle))

    def _join(self, bound: int) -> None:
        self._uses[bound] -= 1
        if not self._uses[bound]:
            del self._uses[bound]
            if 0 < bound < self._end:
                i = bisect_left(self._lows, bound)
                del self._lows[i], self._atoms[i]

    def _judge(self, node: str, changed: Iterable[Atom]) -> None:
        """Find out whether packets circle after *node* changed its mind: any new circle passes it."""
        for atom in changed:
            if not atom.circle:
                atom.circle = _circle_through(node, atom.rules)
            elif any(place[0] == node for place in atom.circle):
                atom.circle = _circle_through(node, atom.rules) or _circle_anywhere(atom.rules, atom.rules)


def _sort(table: dict[int, dict[int, Rule]]) -> None:
    for length in sorted(table, reverse=True):
        table[length] = table.pop(length)


def _circle_anywhere(rules: Mapping[str, Rule], starts: Iterable[str]) -> tuple[Place, ...]:
    """Return the places of a circle that packets put in at *starts* come to, nothing if there is none."""
    seen: set[Place] = set()
    for node in starts:
        way: dict[Place, None] = {}
        place: Place = (node, None)
        while place not in seen:  # nearly always there is one way on
            seen.add(place)
            way[place] = None
            rule = rules.get(place[0])
            if rule is None or not rule.hops:
                break
            if len(rule.hops) > 1:
                seen.difference_update(way)
                if circle := _circle_among_branches(node, rules, seen):
                    return circle
                break
            out, onward = rule.hops[0]
            if out is not None and out == place[1]:
                break
            place = onward
        else:
            if place in way:
                places = list(way)
                return tuple(places[places.index(place) :])
    return ()


def _circle_among_branches(node: str, rules: Mapping[str, Rule], seen: set[Place]) -> tuple[Place, ...]:
    start: Place = (node, None)
    seen.add(start)
    way = {start: iter(following(start, rules))}
    while way:
        last, ahead = next(reversed(way.items()))
        place = next(ahead, None)
        if place is None:
            del way[last]
        elif place in way:
            places = list(way)
            return tuple(places[places.index(place) :])
        elif place not in seen:
            seen.add(place)
            way[place] = iter(following(place, rules))
    return ()


def following(place: Place, rules: Mapping[str, Rule]) -> list[Place]:
    """Return where packets at *place* go next: never out by the port they came in by."""
    rule = rules.get(place[0])
    port = place[1]
    return [place for out, place in rule.hops if out is None or out != port] if rule else []


def _circle_through(node: str, rules: Mapping[str, Rule]) -> tuple[Place, ...]:
    """Return the places of a circle that leads through *node*, nothing if there is none."""
    rule = rules.get(node)
    if rule is None:
        return ()
    for out, start in rule.hops:
        before: dict[Place, Place | None] = {start: None}
        open_ = [start]
        while open_:
            place = open_.pop()
            at, port = place
            if at == node and (port is None or port != out):
                return _way(place, before)
            if (onward := rules.get(at)) is not None:
                for leave, entered in onward.hops:
                    if entered not in before and (leave is None or leave != port):
                        before[entered] = place
                        open_.append(entered)
    return ()


def _way(place: Place | None, before: Mapping[Place, Place | None]) -> tuple[Place, ...]:
    way = []
    while place is not None:
        way.append(place)
        place = before[place]
    return tuple(reversed(way))
