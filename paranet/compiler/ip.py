"""IP: routes, filters, classes and multicast trees as rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

import attrs

from paranet.compiler.board import Board
from paranet.compiler.context import Context
from paranet.compiler.hops import Hops
from paranet.compiler.ir import ClassOp, End, FilterOp, Flow
from paranet.compiler.paths import Network, Query, cheapest
from paranet.compiler.router import Tree
from paranet.models.intent import Isolation
from paranet.models.topology import Modality

_ANY = End(nodes=(), prefixes=())


def write_routes(prefix: str, tree: Tree, hops: Hops, board: Board, *, only: frozenset[str] | None = None) -> None:
    """Write the `ip.route` rows of one prefix, on the nodes *only* when these are given."""
    version = 6 if ":" in prefix else 4
    for node, entry in tree.items():
        if only is None or node in only:
            value: dict[str, object] = {"next_hops": [hops.next_hop(node, e, version) for e in entry.edges]}
            if entry.backup:
                value["backup"] = [hops.next_hop(node, entry.backup, version)]
            board.add(node, "ip.route", prefix, value, entry.owners, entry.span)


@attrs.frozen
class _Case:
    """One combination of a flow's ends: a match, the nodes that its packets come from and go to."""

    match: Mapping[str, object]
    sources: tuple[str, ...]
    targets: tuple[str, ...]


class Marker:
    """Writes the rows that pick packets out: `ip.acl` and `ip.qos`."""

    def __init__(self, context: Context, network: Network, board: Board) -> None:
        self._context = context
        self._network = network
        self._board = board
        self._speaking = [n.id for n in context.topology.nodes.values() if Modality.IP in n.modalities]
        self.isolations: list[Isolation] = []

    def filter(self, op: FilterOp) -> None:
        for name, case in _named(op.name, op.flow):
            when = {"when": op.when} if op.when else {}
            value = {"seq": op.seq, "action": op.action, "match": case.match, **when}
            nodes = op.at or self._edge_of(case)
            for node in nodes:
                self._board.add(node, "ip.acl", f"{op.seq:05} {name}", value, {op.intent}, op.span)
            if op.action == "deny":
                self._promise(op, case)

    def _promise(self, op: FilterOp, case: _Case) -> None:
        """Promise isolation where the deny stands in the way of all such packets."""
        source, destination = case.match.get("source"), case.match.get("destination")
        if op.at is None and case.sources:
            self.isolations.append(
                Isolation(
                    intent=op.intent,
                    source_nodes=case.sources,
                    source_prefix=str(source) if source else None,
                    destination_prefix=str(destination) if destination else None,
                    match=case.match,
                    when=op.when,
                )
            )

    def classify(self, op: ClassOp) -> None:
        for name, case in _named(op.name, op.flow):
            for node in op.at or self._way_of(case):
                self._board.add(node, "ip.qos", name, {"match": case.match, **op.values}, {op.intent}, op.span)

    def _edge_of(self, case: _Case) -> Sequence[str]:
        """Return where the packets come in: around their sources, else at their destinations, else everywhere."""
        hosts = [n for n in case.sources if self._is_host(n)]
        around = {e for n in case.sources for e in self._neighbours(n)}
        own = {n for n in case.sources if n not in hosts}
        return sorted(around | own) or sorted(case.targets) or self._speaking

    def _is_host(self, node: str) -> bool:
        return self._context.topology.nodes[node].type == "host"

    def _neighbours(self, node: str) -> Iterable[str]:
        return (edge.node for edge in self._network.leaving(node))

    def _way_of(self, case: _Case) -> Sequence[str]:
        """Return the nodes that send the packets on: those of the paths between the ends, or around the ends that are known."""
        passed: set[str] = set()
        for source, target in product(case.sources, case.targets):
            if source != target and (found := cheapest(self._network, Query(source=source, stops=(target,)))):
                passed.update(found.hops[:-1])
        return sorted(passed) or self._edge_of(case)


def _named(name: str, flow: Flow) -> Iterator[tuple[str, _Case]]:
    """Return the combinations of a flow's ends, each with a name of its own: `gold`, `gold.2` ..."""
    cases = _cases(flow)
    for i, case in enumerate(cases, 1):
        yield (name if i == 1 else f"{name}.{i}"), case


def _cases(flow: Flow) -> Iterator[_Case]:
    for source, target in product(flow.sources or (_ANY,), flow.destinations or (_ANY,)):
        for a, b in product(source.prefixes or (None,), target.prefixes or (None,)):
            if a is None or b is None or (":" in a) == (":" in b):
                ends = {"source": a, "destination": b}
                match: dict[str, object] = {n: p for n, p in ends.items() if p is not None}
                yield _Case({**match, **flow.rest}, source.nodes, target.nodes)
