"""IP: every route's packets arrive as promised, no denied packet does, nothing circles, no access list entry is in vain.

Addresses that no row tells apart are treated alike, so one packet stands for all of them. A promise is checked again only when a row
changes that its packets could meet.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from paranet.models.device import Change, Row
from paranet.models.topology import Modality, Topology
from paranet.verifier import packets
from paranet.verifier.forwarding import Links, Ownership, Routes
from paranet.verifier.incremental import Atoms, Rule
from paranet.verifier.isolation import IsolationCheck
from paranet.verifier.network import Network, Outcome
from paranet.verifier.packets import BITS, Entry, entry, shadowed
from paranet.verifier.part import NodeChange, NodeRow
from paranet.verifier.prefixes import Prefix, text
from paranet.verifier.promises import Promises
from paranet.verifier.reach import ReachCheck
from paranet.verifier.report import Findings
from paranet.verifier.rings import Ring, rings
from paranet.verifier.switches import TABLE, Switches

Check = ReachCheck | IsolationCheck


class IpPart:
    """The verdict on IP packets forwarded by rows of one *plane*, kept while rows change.

    Raise ValueError when a promise's prefix is not one.
    """

    def __init__(self, topology: Topology, links: Links, promises: Promises, rows: Iterable[NodeRow], plane: Routes | Switches) -> None:
        self._plane = plane
        self.families = (*plane.families, packets.FAMILY)
        self._entries: dict[str, dict[str, Entry]] = {}
        rules: dict[int, list[Rule]] = {version: [] for version in BITS}
        for node, row in rows:
            if row.family == packets.FAMILY:
                self._list(node, row.key, row)
            elif read := plane.read(node, row):
                rules[read[0]].append(read[1])
        self._atoms = {version: Atoms.of(rules[version], bits) for version, bits in BITS.items()}
        self._prefixes = Counter((v, rule.low, rule.length) for v, found in rules.items() for rule in found)
        self._network = Network(links, Ownership(topology), self._atoms, {})
        for node in self._entries:
            self._order(node)
        self._checks = list(_checks(promises, self._network, plane.modality))
        self._outcomes: dict[int, Outcome] = {}
        self._visitors: dict[str, set[int]] = {}
        self._broken: set[int] = set()
        counted = self._checks if plane.modality is Modality.IP else [c for c in self._checks if isinstance(c, ReachCheck)]
        self._counts = Counter(name for check in counted for name in check.names())
        for i in range(len(self._checks)):
            self._run(i)

    def _list(self, node: str, key: str, row: Row | None) -> None:
        read = entry(node, row) if row else None
        if read:
            self._entries.setdefault(node, {})[key] = read
        else:
            self._entries.setdefault(node, {}).pop(key, None)

    def _order(self, node: str) -> None:
        self._network.lists.pop(node, None)
        if entries := self._entries.get(node):
            self._network.lists[node] = tuple(sorted(entries.values(), key=lambda e: e.order))

    def _run(self, i: int) -> None:
        """Run a check, again if it ran before."""
        before = self._outcomes.get(i)
        after = self._outcomes[i] = self._checks[i].run()
        if after.findings or after.rings:
            self._broken.add(i)
        else:
            self._broken.discard(i)
        for node in before.visited - after.visited if before else ():
            self._visitors[node].discard(i)
        for node in after.visited:
            self._visitors.setdefault(node, set()).add(i)

    def change(self, changes: Iterable[NodeChange]) -> None:
        """Take rows that changed into account."""
        stale: set[int] = set()
        lists = set()
        for node, change in changes:
            if change.id[0] == packets.FAMILY:
                lists.add(node)
                self._list(node, change.id[1], change.after)
                stale |= self._visitors.get(node, set())
            elif prefix := self._route(node, change):
                stale |= {i for i in self._visitors.get(node, ()) if _concerns(self._checks[i], prefix)}
        for node in lists:
            self._order(node)
        for i in sorted(stale):
            self._run(i)

    def _route(self, node: str, change: Change) -> Prefix | None:
        """Bring the atoms up to date; return the prefix whose packets may go another way."""
        before = self._plane.read(node, change.before) if change.before else None
        after = self._plane.read(node, change.after) if change.after else None
        if before and not after:
            version, rule = before
            self._atoms[version].remove(rule)
            self._prefixes[version, rule.low, rule.length] -= 1
        elif after:
            version, rule = after
            self._atoms[version].insert(rule)
            self._prefixes[version, rule.low, rule.length] += before is None
        else:
            return None
        return Prefix(version, rule.low, rule.high - 1, rule.length, change.id[1])

    def report(self, findings: Findings) -> None:
        """Add what holds now."""
        for name in ("reachability", "waypoint", "avoidance"):
            findings.count(name, 0)
        findings.count("loop", sum(n > 0 for n in self._prefixes.values()))
        for name, number in self._counts.items():
            findings.count(name, number)
        circles: dict[Ring, int] = {}
        intents: dict[Ring, set[str]] = {}
        for i in sorted(self._broken):
            outcome = self._outcomes[i]
            if outcome.findings:
                findings.add(outcome.findings)
            for ring, address in (outcome.rings or {}).items():
                circles[ring] = min(address, circles.get(ring, address))
                intents.setdefault(ring, set()).add(self._checks[i].intent)
        for version, atoms in self._atoms.items():
            for low, atom in atoms.circling():
                for ring in rings(version, atom.rules):
                    if self._own(ring):
                        circles.setdefault(ring, low)
        for ring in sorted(circles, key=lambda r: (r.version, circles[r], r.nodes)):
            _circle(ring, circles[ring], intents.get(ring, ()), findings)
        for node, entries in sorted(self._network.lists.items()) if self._plane.modality is Modality.IP else ():
            _shadows(node, entries, findings)

    def _own(self, ring: Ring) -> bool:
        """Tell whether the ring is to be told here: where switches forward, those without a switch are told over IP."""
        return self._plane.modality is Modality.IP or any(step.family == TABLE for step in ring.steps)


def _checks(promises: Promises, network: Network, modality: Modality) -> Iterable[Check]:
    promised = [Prefix.of(reach.prefix) for reach in promises.reaches]
    claims = sorted(set(promised), key=_place)
    lows = [(p.version, p.low) for p in claims]
    for reach, prefix in zip(promises.reaches, promised, strict=True):
        first, last = bisect_left(lows, (prefix.version, prefix.low)), bisect_left(lows, (prefix.version, prefix.high + 1))
        if reach.modality is modality:
            yield ReachCheck(reach, prefix, [p for p in claims[first:last] if p.length > prefix.length], network)
    targets = list(zip(promised, promises.reaches, strict=True))
    for isolation in promises.isolations:
        yield IsolationCheck(isolation, targets, network)


def _place(prefix: Prefix) -> tuple[int, int, int]:
    return prefix.version, prefix.low, prefix.length


def _concerns(check: Check, prefix: Prefix) -> bool:
    return check.prefix is None or check.prefix.overlaps(prefix)


def _circle(ring: Ring, address: int, intents: Iterable[str], findings: Findings) -> None:
    destination, nodes = text(ring.version, address), (*ring.nodes, ring.nodes[0])
    message = f"packets to {destination} circle: {' > '.join(nodes)}"
    findings.violate("loop", message, header={"dst": destination}, hops=nodes, steps=ring.steps, intents=intents)


def _shadows(node: str, entries: Sequence[Entry], findings: Findings) -> None:
    findings.count("shadowed", len(entries))
    for e, cover in shadowed(entries):
        version = next(v for v in BITS if e.matches[v])
        others = ", ".join(c.step.key for c in cover)
        message = f"no packet comes to {e.step.key} on {node!r}: {others} decides before it"
        header = packets.header(e.matches[version][0], version)
        findings.violate("shadowed", message, header=header, hops=(node,), steps=[e.step, *(c.step for c in cover)])
