"""NDN: faces, next hops towards producers, strategies and content stores as rows."""

from collections.abc import Mapping

from paranet.compiler.board import Board
from paranet.compiler.diagnostics import Log
from paranet.compiler.hops import Hops
from paranet.compiler.ir import CacheOp, RouteOp
from paranet.compiler.paths import Edge
from paranet.compiler.router import Entry, Tree

PORT = 6363


class Names:
    """Writes the rows of names."""

    def __init__(self, hops: Hops, board: Board, log: Log) -> None:
        self._hops = hops
        self._board = board
        self._log = log
        self._strategies: dict[str, RouteOp] = {}

    def strategy(self, op: RouteOp) -> None:
        """Take note of the strategy of a name; report a second, different one."""
        first = self._strategies.setdefault(op.prefix, op)
        if first.strategy != op.strategy:
            message = f"{op.intent!r} wants {op.prefix} by {op.strategy}, but {first.intent!r} by {first.strategy}"
            self._log.error("PN310", op.place("strategy"), message, hint="a name has one strategy")

    def write(self, name: str, tree: Tree, ends: Mapping[str, set[str]]) -> None:
        """Write the rows of one name: *ends* are its producers and the intents that reach them."""
        op = self._strategies[name]
        for node, entry in tree.items():
            hops = [self._next_hop(node, e, cost, entry, op) for e, cost in _ranked(entry, op)]
            value = {"next_hops": hops, "producer": node in ends}
            self._board.add(node, "ndn.rib", name, value, entry.owners | ends.get(node, set()), entry.span)
            self._board.add(node, "ndn.strategy", name, {"strategy": op.strategy}, entry.owners, entry.span)
        for node, owners in ends.items():
            if node not in tree:
                self._board.add(node, "ndn.rib", name, {"next_hops": [], "producer": True}, owners, op.span)
                self._board.add(node, "ndn.strategy", name, {"strategy": op.strategy}, owners, op.span)

    def _next_hop(self, node: str, edge: Edge, cost: int, entry: Entry, op: RouteOp) -> Mapping[str, object]:
        """Return the next hop, having written the faces at both ends of its link."""
        for end in (node, edge.node):
            near, far = self._hops.ends(end, edge.link)
            address = str(self._hops.router_address(far.node))
            uri = f"udp4://{address}:{PORT}" if ":" not in address else f"udp6://[{address}]:{PORT}"
            value = {"node": far.node, "link": edge.link, "interface": near.interface, "uri": uri}
            self._board.add(end, "ndn.face", edge.link, value, entry.owners, op.span)
        return {"node": edge.node, "link": edge.link, "face": edge.link, "cost": cost}


def _ranked(entry: Entry, op: RouteOp) -> list[tuple[Edge, int]]:
    """Return the ways on with their costs in the RIB: those of equal paths cost the same, a backup more than any."""
    ranked = [(e, max(0, round(e.cost))) for e in sorted(entry.edges, key=lambda e: (e.cost, e.node, e.link))]
    if op.strategy != "multicast":
        ranked = [(e, ranked[0][1]) for e, _ in ranked]
    if entry.backup:
        ranked.append((entry.backup, ranked[-1][1] + max(1, round(entry.backup.cost))))
    return ranked


def write_cache(op: CacheOp, board: Board) -> None:
    """Write the content stores that a `cache` asks for."""
    for node in op.nodes:
        board.add(node, "ndn.cs", op.prefix, op.values, {op.intent}, op.span)
