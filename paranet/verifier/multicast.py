"""Multicast: every member of a group gets its packets, over a tree of routers' rows and P4 switches' entries."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise

import attrs

from paranet.models.addressing import router_addresses
from paranet.models.device import Row
from paranet.models.intent import GroupPromise
from paranet.models.topology import Topology
from paranet.verifier import packets
from paranet.verifier.circles import circles, turned
from paranet.verifier.forwarding import Links, named_hops
from paranet.verifier.isolation import meant
from paranet.verifier.packets import BITS, Packets, example, overlap
from paranet.verifier.promises import Promises
from paranet.verifier.report import Findings, Step
from paranet.verifier.switches import GROUP, TABLE, Switches

ROUTES = "ip.mcast"
FAMILIES = (ROUTES, TABLE, GROUP, packets.FAMILY)


@attrs.frozen
class Branch:
    """What a node does with the packets of a group: where they must come from (None: from itself), and where they go.

    A *switch* takes them from everybody.
    """

    steps: tuple[Step, ...]
    incoming: tuple[str, str] | None
    outgoing: tuple[tuple[str, str], ...]
    local: bool
    switch: bool = False


Tree = Mapping[str, Branch]


class MulticastCheck:
    """Checks the multicast rows of all nodes against *promises*. Raise ValueError when an isolation's prefixes or match are none."""

    def __init__(self, topology: Topology, links: Links, switches: Switches, promises: Promises) -> None:
        self._links = links
        self._switches = switches
        self._isolations = [(isolation, {version: meant(isolation, version) for version in BITS}) for isolation in promises.isolations]
        addresses = router_addresses(topology) if promises.groups else {}
        self._promised: dict[str, list[GroupPromise]] = {}
        for promise in promises.groups:
            key = f"{addresses.get(promise.source, promise.source)},{promise.group}"
            self._promised.setdefault(key, []).append(promise)

    def __call__(self, rows: Mapping[str, list[Row]], findings: Findings) -> None:
        trees: dict[str, dict[str, Branch]] = {}
        copying: dict[str, dict[str, Branch]] = {}
        for node, found in rows.items():
            for row in found:
                if row.family == ROUTES:
                    trees.setdefault(row.key, {})[node] = _branch(node, row)
            for group, held, outgoing in self._switches.copies(node, found):
                steps = tuple(Step.of(node, row) for row in held)
                copying.setdefault(group, {})[node] = Branch(steps, None, outgoing, local=False, switch=True)
        self._rows = rows
        known = {key.rpartition(",")[2] for key in (*trees, *self._promised)}
        for key in sorted({*trees, *self._promised, *(f"*,{group}" for group in copying if group not in known)}):
            # where a switch has a route of its own as well, it is a router to this tree
            self._tree(key, {**copying.get(key.rpartition(",")[2], {}), **trees.get(key, {})}, findings)

    def _tree(self, key: str, tree: Tree, findings: Findings) -> None:
        findings.count("loop")
        header = _header(key)
        accepted = {node: self._accepting(node, branch, tree) for node, branch in tree.items()}
        for ring in circles(sorted(tree), lambda node: accepted[node]):
            nodes = turned(ring)
            message = f"packets to group {header['group']} circle: {' > '.join((*nodes, nodes[0]))}"
            findings.violate("loop", message, header=header, hops=(*nodes, nodes[0]), steps=_steps(nodes, tree))
        promises = self._promised.get(key, [])
        ways = _ways(tree, accepted, [promise.source for promise in promises])
        members: dict[str, set[str]] = {node: set() for node, branch in tree.items() if branch.local}
        for promise in promises:
            for member in promise.members:
                members.setdefault(member, set()).add(promise.intent)
            self._shunned(promise, ways, tree, header, findings)
        findings.count("multicast", len(members))
        missing = {node for node, intents in sorted(members.items()) if self._missing(node, intents, ways, tree, header, findings)}
        if not missing:
            self._ends(ways, accepted, tree, header, findings)
        arriving = Arrivals(key, self._rows, ways)
        for node in sorted(members.keys() - missing):
            self._screened(node, members[node], arriving, tree, findings)

    def _missing(
        self, node: str, intents: set[str], ways: Mapping[str, tuple[str, ...]], tree: Tree, header: Mapping[str, str], findings: Findings
    ) -> bool:
        """Tell whether a member gets no packets, after reporting it."""
        branch = tree.get(node)
        if node in ways and branch and (branch.local or branch.switch):
            return False
        way = ways[node] if node in ways else self._back(node, tree)
        reason = ": it does not take them for its own" if node in ways else self._reason(way, tree)
        message = f"member {node!r} of group {header['group']} gets no packets{reason}"
        findings.violate("multicast", message, header=header, hops=way, steps=_steps(way, tree), intents=intents)
        return True

    def _screened(self, node: str, intents: set[str], arriving: "Arrivals", tree: Tree, findings: Findings) -> None:
        """Judge what access lists on the way leave of a member's packets: something, but nothing that is denied."""
        way = arriving.ways[node]
        passed, by = arriving.at(node)
        if arriving.sent and not passed:
            head, steps = example(arriving.sent, arriving.version), [*by]
            message = f"an access list drops all packets to group {arriving.group} at {by[0].node!r}"
            findings.violate("blocked", message, header=head, hops=way[: way.index(by[0].node) + 1], steps=steps, intents=intents)
        for isolation, packets_of in self._isolations:
            if way[0] in isolation.source_nodes and (through := overlap(passed, packets_of[arriving.version])):
                message = f"packets that {isolation.intent!r} denies go from {way[0]!r} to {node!r}"
                head, more = example(through, arriving.version), (isolation.intent,)
                findings.violate("isolation", message, header=head, hops=way, steps=_steps(way, tree), intents=more)

    def _shunned(
        self, promise: GroupPromise, ways: Mapping[str, tuple[str, ...]], tree: Tree, header: Mapping[str, str], findings: Findings
    ) -> None:
        """Judge whether packets pass a node that they must avoid."""
        for node in promise.avoid:
            if node in ways:
                message = f"packets of {promise.intent!r} to group {promise.group} pass {node!r}, which they must avoid"
                way, intents = ways[node], (promise.intent,)
                findings.violate("avoidance", message, header=header, hops=way, steps=_steps(way, tree), intents=intents)

    def _ends(
        self,
        ways: Mapping[str, tuple[str, ...]],
        accepted: Mapping[str, Sequence[str]],
        tree: Tree,
        header: Mapping[str, str],
        findings: Findings,
    ) -> None:
        """Packets are sent to nobody who does not want them, perhaps a member that lost its row, and to no switch twice."""
        twice = Counter(neighbour for node in ways for neighbour in accepted[node])
        for node, way in sorted(ways.items()):
            for neighbour, _ in tree[node].outgoing:
                if neighbour not in tree:
                    message = f"{node!r} sends packets to group {header['group']} to {neighbour!r}, which has no row for them"
                    findings.violate("multicast", message, header=header, hops=(*way, neighbour), steps=_steps(way, tree))
            if twice[node] > 1:
                message = f"{node!r} gets each packet to group {header['group']} {twice[node]} times"
                findings.violate("multicast", message, header=header, hops=way, steps=_steps(way, tree))

    def _accepting(self, node: str, branch: Branch, tree: Tree) -> list[str]:
        """Return the neighbours that take the packets which *node* sends: switches, and those who wait for them over that very link."""
        taken = []
        for neighbour, link in branch.outgoing:
            there = tree.get(neighbour)
            fitting = there and (there.switch or there.incoming in (None, (node, link)))
            if fitting and self._links.obstacle(node, neighbour, link) is None:
                taken.append(neighbour)
        return taken

    def _back(self, member: str, tree: Tree) -> tuple[str, ...]:
        """Return the way the member's packets should take, as far as rows tell."""
        way = [member]
        while (branch := tree.get(way[-1])) and branch.incoming and branch.incoming[0] not in way:
            way.append(branch.incoming[0])
        return tuple(reversed(way))

    def _reason(self, way: tuple[str, ...], tree: Tree) -> str:
        if way[0] not in tree:
            return f": {way[0]!r} has no row for it"
        for node, neighbour in pairwise(way):
            onward = tree[neighbour].incoming
            link = onward[1] if onward else ""
            if (neighbour, link) not in tree[node].outgoing:
                return f": {node!r} does not send them to {neighbour!r} over link {link!r}"
            if obstacle := self._links.obstacle(node, neighbour, link):
                return f": {node!r} sends them to {neighbour!r}, but {obstacle}"
        return f": none come to {way[0]!r}" if tree[way[0]].switch else ": they come from nowhere"


class Arrivals:
    """What of the packets of a tree (by its *key*) access lists let through, along *ways*."""

    def __init__(self, key: str, rows: Mapping[str, list[Row]], ways: Mapping[str, tuple[str, ...]]) -> None:
        source, _, self.group = key.rpartition(",")
        self.version = 6 if ":" in self.group else 4
        match = {"destination": self.group} | ({} if source in ("", "*") else {"source": source})
        self.sent: Packets = ()
        with suppress(ValueError):  # a row's key may hold anything
            self.sent = packets.boxes(match, self.version)
        self.ways = ways
        self._rows = rows
        self._known: dict[str, tuple[Packets, tuple[Step, ...]]] = {}

    def at(self, node: str) -> tuple[Packets, tuple[Step, ...]]:
        """Return what comes to a node, and if it is nothing, by which entries that was dropped. Who sends does not ask its own list."""
        found: tuple[Packets, tuple[Step, ...]] = self.sent, ()
        for passed in self.ways[node][1:]:
            if passed not in self._known:
                entries = packets.in_order(passed, self._rows.get(passed, ())) if found[0] else ()
                verdict = packets.screen(entries, found[0], self.version) if entries else None
                self._known[passed] = found if verdict is None else (verdict.passed, () if verdict.passed else verdict.by)
            found = self._known[passed]
        return found


def _ways(tree: Tree, accepted: Mapping[str, Sequence[str]], sources: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return how packets get to each node: from those that send their own, and from *sources*."""
    own = [node for node, branch in tree.items() if branch.incoming is None and not branch.switch]
    ways: dict[str, tuple[str, ...]] = {node: (node,) for node in (*own, *sources) if node in tree}
    open_ = sorted(ways)
    while open_:
        node = open_.pop()
        for neighbour in accepted[node]:
            if neighbour not in ways:
                ways[neighbour] = (*ways[node], neighbour)
                open_.append(neighbour)
    return ways


def _steps(way: Iterable[str], tree: Tree) -> list[Step]:
    return [step for node in way if node in tree for step in tree[node].steps]


def _branch(node: str, row: Row) -> Branch:
    incoming = row.value.get("incoming")
    before = (str(incoming.get("node")), str(incoming.get("link"))) if isinstance(incoming, Mapping) else None
    return Branch((Step.of(node, row),), before, tuple(named_hops(row.value, "outgoing")), row.value.get("local") is True)


def _header(key: str) -> Mapping[str, str]:
    source, _, group = key.rpartition(",")
    return {"group": group, "src": source} if source not in ("", "*") else {"group": group}
