"""From the intent language to rows: text, tree, operations, paths, rows."""

from collections.abc import Collection

from paranet.compiler.ast import Item, Statement
from paranet.compiler.backend import build
from paranet.compiler.context import Context
from paranet.compiler.declare import declare
from paranet.compiler.diagnostics import Log
from paranet.compiler.live import compare
from paranet.compiler.lower import check_statements, lower
from paranet.compiler.parser import START, parse
from paranet.errors import InvalidTopology
from paranet.models.intent import Compiled, Diagnostic
from paranet.models.topology import Topology

__all__ = ["compile_source", "declared_topology"]


def compile_source(source: str, topology: Topology, *, scope: str | None = None, imported: Collection[str] | None = None) -> Compiled:
    """Compile *source* for *topology*. Never raises: what is wrong with the source is in the diagnostics.

    The ids of the intents are the names of the statements, after `scope/` when *scope* is given. With an error anywhere
    the answer is not ok and holds no rows, paths or promises. *imported* names the files whose text *source* holds
    already (see `sources`), None where there are no files.
    """
    log = Log()
    items = _items(source, log, imported)
    declared = declare(items, topology.nodes.values(), log)
    compare(declared, topology, log)
    context = Context(topology, declared, log, scope)
    ir = lower(items, context)
    built = build(ir, context)
    if log.failed:
        return Compiled(ok=False, diagnostics=log.report(), intents=ir.intents)
    return Compiled(
        ok=True,
        diagnostics=log.report(),
        intents=ir.intents,
        rows=built.rows,
        paths=built.paths,
        reaches=built.reaches,
        isolations=built.isolations,
        names=built.names,
        regions=built.regions,
        reservations=built.reservations,
    )


def declared_topology(source: str, *, imported: Collection[str] | None = None) -> tuple[Topology | None, tuple[Diagnostic, ...]]:
    """Return the topology that the `network`, `node` and `link` statements of *source* describe; None with errors.

    Other statements are checked for their syntax only. Never raises.
    """
    log = Log()
    declared = declare(_items(source, log, imported), (), log)
    nodes = [d.node for d in declared.nodes.values()]
    try:
        topology = Topology.of(nodes, [d.link for d in declared.links])
    except InvalidTopology as error:  # what `declare` does not check itself
        log.error("PN224", START, error.detail)
        return None, log.report()
    return (None if log.failed else topology), log.report()


def _items(source: str, log: Log, imported: Collection[str] | None) -> tuple[Item, ...]:
    items = parse(source, log).sound
    check_statements(items, log, imported)
    return tuple(i for i in items if isinstance(i, Statement))
