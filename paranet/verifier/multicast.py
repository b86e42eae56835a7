"""IP multicast: every member of a group gets its packets, over a tree."""

from collections.abc import Mapping
from itertools import pairwise

import attrs

from paranet.models.device import Row
from paranet.models.topology import Modality, Topology
from paranet.verifier.circles import circles, turned
from paranet.verifier.forwarding import Links, named_hops
from paranet.verifier.report import Findings, Step

FAMILY = "ip.mcast"


@attrs.frozen
class Branch:
    """What a node does with the packets of a group: where they must come from (None: from itself), and where they go."""

    step: Step
    incoming: tuple[str, str] | None
    outgoing: tuple[tuple[str, str], ...]
    local: bool


class MulticastCheck:
    """Checks the multicast rows of all nodes."""

    def __init__(self, topology: Topology, links: Links) -> None:
        self._links = links
        self._switches = {node.id for node in topology.nodes.values() if Modality.P4 in node.modalities}

    def __call__(self, rows: Mapping[str, list[Row]], findings: Findings) -> None:
        trees: dict[str, dict[str, Branch]] = {}
        for node, found in rows.items():
            for row in found:
                trees.setdefault(row.key, {})[node] = _branch(node, row)
        for key, tree in sorted(trees.items()):
            self._tree(key, tree, findings)

    def _tree(self, key: str, tree: Mapping[str, Branch], findings: Findings) -> None:
        findings.count("multicast", sum(branch.local for branch in tree.values()))
        findings.count("loop")
        header = _header(key)
        accepted = {node: self._accepting(node, branch, tree) for node, branch in tree.items()}
        for ring in circles(sorted(tree), lambda node: accepted[node]):
            nodes = turned(ring)
            message = f"packets to group {header['group']} circle: {' > '.join((*nodes, nodes[0]))}"
            findings.violate("loop", message, header=header, hops=(*nodes, nodes[0]), steps=[tree[n].step for n in nodes])
        hidden = self._switches - tree.keys()  # these copy packets by entries of their program
        ways: dict[str, tuple[str, ...]] = {
            n: (n,) for n, branch in tree.items() if branch.incoming is None or branch.incoming[0] in hidden
        }
        open_ = sorted(ways)
        while open_:
            node = open_.pop()
            for neighbour in accepted[node]:
                if neighbour not in ways:
                    ways[neighbour] = (*ways[node], neighbour)
                    open_.append(neighbour)
        missing = [node for node, branch in sorted(tree.items()) if branch.local and node not in ways]
        for node in missing:
            way = self._back(node, tree)
            message = f"member {node!r} of group {header['group']} gets no packets{self._reason(way, tree)}"
            findings.violate("multicast", message, header=header, hops=way, steps=[tree[n].step for n in way if n in tree])
        for node, way in sorted(ways.items()) if not missing else ():
            self._ends(node, way, tree, header, findings)

    def _ends(self, node: str, way: tuple[str, ...], tree: Mapping[str, Branch], header: Mapping[str, str], findings: Findings) -> None:
        """Packets are sent to nobody who does not want them: perhaps a member that lost its row."""
        for neighbour, _ in tree[node].outgoing:
            if neighbour not in tree and neighbour not in self._switches:
                message = f"{node!r} sends packets to group {header['group']} to {neighbour!r}, which has no row for them"
                findings.violate("multicast", message, header=header, hops=(*way, neighbour), steps=[tree[n].step for n in way])

    def _accepting(self, node: str, branch: Branch, tree: Mapping[str, Branch]) -> list[str]:
        """Return the neighbours that take the packets which *node* sends: those who wait for them over that very link."""
        taken = []
        for neighbour, link in branch.outgoing:
            there = tree.get(neighbour)
            if there and there.incoming in (None, (node, link)) and self._links.obstacle(node, neighbour, link) is None:
                taken.append(neighbour)
        return taken

    def _back(self, member: str, tree: Mapping[str, Branch]) -> tuple[str, ...]:
        """Return the way the member's packets should take, as far as rows tell."""
        way = [member]
        while (branch := tree.get(way[-1])) and branch.incoming and branch.incoming[0] not in way:
            way.append(branch.incoming[0])
        return tuple(reversed(way))

    def _reason(self, way: tuple[str, ...], tree: Mapping[str, Branch]) -> str:
        for node, neighbour in pairwise(way):
            onward = tree[neighbour].incoming
            link = onward[1] if onward else ""
            if node not in tree:
                return f": {node!r} has no row for it"
            if (neighbour, link) not in tree[node].outgoing:
                return f": {node!r} does not send them to {neighbour!r} over link {link!r}"
            if obstacle := self._links.obstacle(node, neighbour, link):
                return f": {node!r} sends them to {neighbour!r}, but {obstacle}"
        return ": they come from nowhere"


def _branch(node: str, row: Row) -> Branch:
    incoming = row.value.get("incoming")
    before = (str(incoming.get("node")), str(incoming.get("link"))) if isinstance(incoming, Mapping) else None
    return Branch(Step.of(node, row), before, tuple(named_hops(row.value, "outgoing")), row.value.get("local") is True)


def _header(key: str) -> Mapping[str, str]:
    source, _, group = key.rpartition(",")
    return {"group": group, "src": source} if source not in ("", "*") else {"group": group}
