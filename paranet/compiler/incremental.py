"""Compiling again after a small change, as an editor does with every pause in typing.

When one `route` statement changed, its lines in number not, and no route of the source was kept from the way it would take alone (see
`Router.free`), then the order in which routes were placed has not mattered: the old route is taken out and the new one put in. In every
other case the source is compiled whole. The answer is the same either way.
"""

from bisect import insort
from collections.abc import Sequence
from itertools import chain

import attrs

from paranet.compiler.ast import Statement
from paranet.compiler.ir import MulticastOp, RouteOp
from paranet.compiler.parser import parse
from paranet.compiler.paths import Query, cheapest
from paranet.compiler.routes import read_route
from paranet.compiler.run import Run
from paranet.models.device import Row
from paranet.models.intent import Compiled, Path, Reach, Reservation
from paranet.models.topology import Modality, Topology


class Recompiler:
    """Compiles sources for one topology, of which each is much like the one before."""

    def __init__(self, topology: Topology, *, scope: str | None = None) -> None:
        self._topology = topology
        self._scope = scope
        self._last: _Last | None = None

    def compile(self, source: str) -> Compiled:
        """Return what `compile_source` would."""
        lines = source.split("\n")
        if self._last and (compiled := self._last.patch(lines)):
            return compiled
        run = Run(source, self._topology, scope=self._scope, imported=None)
        self._last = _Last(run, lines) if _patchable(run) else None
        return run.compiled


def _patchable(run: Run) -> bool:
    """Tell whether each route of the run stands by itself."""
    routed = run.build.router.routed
    reserving = any(isinstance(op, MulticastOp) and op.bandwidth for op in run.ir.operations)
    plain = all(op.modality is Modality.IP for op in routed.operations)
    clean = run.compiled.ok and not run.compiled.diagnostics
    single = len({op.intent for op in routed.operations}) == len(routed.operations) == len(routed.paths)
    return clean and plain and single and run.build.router.free and not reserving


@attrs.define
class _Placed:
    """A route and what came of it; *steps* are the (node, prefix) of its rows."""

    op: RouteOp
    path: Path
    reach: Reach
    reservations: list[Reservation]

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(node, self.op.prefix) for node in self.path.hops[:-1]]


class _Last:
    """The compilation before, taken apart."""

    def __init__(self, run: Run, lines: list[str]) -> None:
        self._context = run.context
        self._router = run.build.router
        self._hops = run.build.hops
        self._compiled = run.compiled
        self._lines = lines
        routed = self._router.routed
        kept: dict[str, list[Reservation]] = {op.intent: [] for op in routed.operations}
        for reservation in routed.reservations:
            kept[reservation.intent].append(reservation)
        parts = zip(routed.operations, routed.paths, routed.reaches, strict=True)
        self._placed = [_Placed(op, path, reach, kept[op.intent]) for op, path, reach in parts]
        self._number = {placed.op.intent: i for i, placed in enumerate(self._placed)}
        self._users: dict[tuple[str, str], list[int]] = {}
        for i, placed in enumerate(self._placed):
            for step in placed.steps:
                self._users.setdefault(step, []).append(i)
        self._statements = {i.keyword.line: i for i in run.items if isinstance(i, Statement)}
        self._owner = {line: s.keyword.line for s in self._statements.values() for line in _lines_of(s)}
        self._shared = len(self._owner) < sum(len(_lines_of(s)) for s in self._statements.values())
        self._rest_paths = run.compiled.paths[len(routed.paths) :]
        self._rest_reservations = run.compiled.reservations[len(routed.reservations) :]

    def patch(self, lines: list[str]) -> Compiled | None:
        """Return the compilation of *lines*, None when they are to be compiled whole."""
        change = self._change(lines)
        if change is None:
            return self._compiled if lines == self._lines else None
        old, new = change
        log, failed = self._context.log, self._context.log.errors
        self._context.forget(self._placed[old].op.intent)
        read = read_route(new, self._context)
        if log.errors != failed or len(read) != 1 or not isinstance(read[0], RouteOp):
            return None
        placed = self._place(old, read[0])
        if placed is None:
            return None
        self._lines = lines
        self._statements[new.keyword.line] = new
        self._compiled = self._with(old, placed)
        return self._compiled

    def _change(self, lines: list[str]) -> tuple[int, Statement] | None:
        """Return the number of the one route that changed, and its new statement."""
        if len(lines) != len(self._lines) or self._shared:
            return None
        differing = [i for i, (a, b) in enumerate(zip(self._lines, lines, strict=True), 1) if a != b]
        first = self._owner.get(differing[0]) if differing else None
        if first is None or any(self._owner.get(line) != first for line in differing):
            return None
        old = self._statements[first]
        span = old.span
        items = parse("\n".join(lines[span.line - 1 : span.end_line]), self._context.log, span.line)
        new = items.items[0] if len(items.items) == 1 and not items.broken else None
        if not isinstance(new, Statement) or not new.name or not old.name or new.name.text != old.name.text:
            return None
        if {old.keyword.text, new.keyword.text} != {"route"} or (new.keyword.line, new.span.end_line) != (span.line, span.end_line):
            return None
        return self._number[self._context.scoped(old.name.text)], new

    def _place(self, old: int, op: RouteOp) -> _Placed | None:
        """Return the route as it is placed beside all others, None where they might get into each other's way."""
        if op.modality is not Modality.IP or op.ecmp > 1 or op.backup or op.via:
            return None
        network = self._router.network(Modality.IP)
        for reservation in self._placed[old].reservations:
            self._router.reserved[reservation.link, reservation.source or ""] -= reservation.bandwidth
        query = Query(source=op.source, stops=(op.target,), avoid_nodes=frozenset(op.avoid_nodes), avoid_links=frozenset(op.avoid_links))
        found = cheapest(network, query)
        tree = network.toward(op.target)
        steps = list(zip(found.hops, found.edges, strict=False)) if found else []
        if found is None or any(tree[n] != e or op.bandwidth > network.room(n, e) for n, e in steps):
            return None
        if op.latency is not None and found.latency > op.latency:
            return None
        kept = []
        for node, edge in steps if op.bandwidth else ():
            network.reserve(node, edge, op.bandwidth)
            kept.append(Reservation(intent=op.intent, link=edge.link, bandwidth=op.bandwidth, source=node))
        return _Placed(op, self._router.path(op, found), self._router.reach(op), kept)

    def _with(self, old: int, placed: _Placed) -> Compiled:
        before = self._placed[old]
        self._placed[old] = placed
        for step in before.steps:
            self._users[step].remove(old)
        for step in placed.steps:
            insort(self._users.setdefault(step, []), old)
        return attrs.evolve(
            self._compiled,
            rows=self._rows({*before.steps, *placed.steps}),
            paths=(*(p.path for p in self._placed), *self._rest_paths),
            reaches=tuple(p.reach for p in self._placed),
            reservations=(*chain.from_iterable(p.reservations for p in self._placed), *self._rest_reservations),
        )

    def _rows(self, steps: set[tuple[str, str]]) -> dict[str, tuple[Row, ...]]:
        """Return all rows, those of *steps* anew."""
        rows = dict(self._compiled.rows)
        for node in {node for node, _ in steps}:
            changed = {("ip.route", prefix) for n, prefix in steps if n == node}
            kept = [r for r in rows.get(node, ()) if r.id not in changed]
            kept += [self._row(node, prefix) for _, prefix in changed if self._users[node, prefix]]
            rows[node] = tuple(sorted(kept, key=lambda r: r.id))
        return {node: found for node, found in sorted(rows.items()) if found}

    def _row(self, node: str, prefix: str) -> Row:
        users: Sequence[RouteOp] = [self._placed[i].op for i in self._users[node, prefix]]
        edge = self._router.network(Modality.IP).toward(users[0].target)[node]
        value = {"next_hops": [self._hops.next_hop(node, edge, 6 if ":" in prefix else 4)]}
        owners = tuple(sorted({op.intent for op in users}))
        return Row(family="ip.route", key=prefix, value=value, owners=owners, span=users[0].span)


def _lines_of(statement: Statement) -> range:
    span = statement.span
    return range(span.line, span.end_line + 1)
