"""One compilation, from text to rows, with everything that it met on the way."""

from collections.abc import Collection

from paranet.compiler.ast import Item, Statement
from paranet.compiler.backend import Build
from paranet.compiler.context import Context
from paranet.compiler.declare import declare
from paranet.compiler.diagnostics import Log
from paranet.compiler.live import compare
from paranet.compiler.lower import check_statements, lower
from paranet.compiler.parser import parse
from paranet.models.intent import Compiled
from paranet.models.topology import Topology


class Run:
    """A source compiled for a topology; see `compile_source`."""

    def __init__(self, source: str, topology: Topology, *, scope: str | None, imported: Collection[str] | None) -> None:
        log = Log()
        self.items = statements(source, log, imported)
        declared = declare(self.items, topology.nodes.values(), log)
        compare(declared, topology, log)
        self.context = Context(topology, declared, log, scope)
        self.ir = lower(self.items, self.context)
        self.build = Build(self.context)
        built = self.build.run(self.ir)
        self.compiled = Compiled(ok=False, diagnostics=log.report(), intents=self.ir.intents)
        if not log.failed:
            self.compiled = Compiled(
                ok=True,
                diagnostics=log.report(),
                intents=self.ir.intents,
                rows=built.rows,
                paths=built.paths,
                reaches=built.reaches,
                isolations=built.isolations,
                names=built.names,
                regions=built.regions,
                groups=built.groups,
                reservations=built.reservations,
            )


def statements(source: str, log: Log, imported: Collection[str] | None) -> tuple[Item, ...]:
    """Return the statements without a syntax error; what may not stand at the top of a source is reported."""
    items = parse(source, log).sound
    check_statements(items, log, imported)
    return tuple(i for i in items if isinstance(i, Statement))
