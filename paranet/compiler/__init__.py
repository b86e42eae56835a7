"""From the intent language to rows: text, tree, operations, paths, rows."""

from collections.abc import Collection

from paranet.compiler.declare import declare
from paranet.compiler.diagnostics import Log
from paranet.compiler.parser import START
from paranet.compiler.run import Run, statements
from paranet.errors import InvalidTopology
from paranet.models.intent import Compiled, Diagnostic
from paranet.models.topology import Node, Topology

__all__ = ["compile_source", "declared_topology"]


def compile_source(source: str, topology: Topology, *, scope: str | None = None, imported: Collection[str] | None = None) -> Compiled:
    """Compile *source* for *topology*. Never raises: what is wrong with the source is in the diagnostics.

    The ids of the intents are the names of the statements, after `scope/` when *scope* is given. With an error anywhere
    the answer is not ok and holds no rows, paths or promises. *imported* names the files whose text *source* holds
    already (see `sources`), None where there are no files.
    """
    return Run(source, topology, scope=scope, imported=imported).compiled


def declared_topology(
    source: str, beyond: Collection[str] = (), *, imported: Collection[str] | None = None
) -> tuple[Topology | None, tuple[Diagnostic, ...]]:
    """Return the topology that the `network`, `node` and `link` statements of *source* describe; None with errors.

    Links may also end at the nodes *beyond*. Other statements are checked for their syntax only. Never raises.
    """
    log = Log()
    declared = declare(statements(source, log, imported), [Node(id=node_id) for node_id in beyond], log)
    nodes = [d.node for d in declared.nodes.values()]
    try:
        topology = Topology.of(nodes, [d.link for d in declared.links], beyond=beyond)
    except InvalidTopology as error:  # what `declare` does not check itself
        log.error("PN224", START, error.detail)
        return None, log.report()
    return (None if log.failed else topology), log.report()
