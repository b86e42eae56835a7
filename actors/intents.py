"""IntentStore: owns sources, what they compiled to, and their history."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import orjson

from actors.devices import Installed, ReadInstalled
from actors.ids import uuid7
from actors.runtime import Actor, Request, handles
from actors.storage import Database
from actors.topology import GetTopology, TopologyState
from paranet.codec import structure, unstructure
from paranet.compiler import compile_source
from paranet.errors import CompileFailed, NotFound, RowConflict
from paranet.models.device import Delta, Row, Rows
from paranet.models.intent import Compiled, Report, Violation, Witness
from paranet.orchestrator.diff import diff
from paranet.orchestrator.plan import scope_of, wanted_rows
from paranet.verifier import verify

ASK = 10.0


@attrs.frozen(kw_only=True)
class Compilation:
    """One source as it compiled; *at* is UNIX time in s, *name* the set its intents belong to."""

    id: str
    at: float
    author: str
    name: str | None
    source: str
    topology_revision: int
    compiled: Compiled
    verification: Report


@attrs.frozen(kw_only=True)
class Preview:
    """A compilation against what is installed now: *deltas* by node. *conflict* says why it could not be deployed as it is."""

    compilation: Compilation
    state: TopologyState
    deltas: Mapping[str, Delta]
    conflict: str | None


@attrs.frozen(kw_only=True)
class Entry:
    """One line of the history."""

    id: str
    at: float
    author: str
    name: str | None
    ok: bool
    topology_revision: int
    source: str


@attrs.frozen(kw_only=True)
class Compile(Request[Compilation]):
    """Compile a source on the current topology and keep the result. Raise CompileFailed with the diagnostics."""

    source: str
    name: str | None
    author: str


@attrs.frozen(kw_only=True)
class GetCompilation(Request[Compilation]):
    """Return one compilation."""

    id: str


@attrs.frozen(kw_only=True)
class GetPreview(Request[Preview]):
    """Return one compilation with its difference to the devices as they are now."""

    id: str


@attrs.frozen(kw_only=True)
class GetIntentHistory(Request[tuple[Entry, ...]]):
    """Return compilations older than *before* (an id), newest first."""

    limit: int
    before: str | None = None


class IntentStore(Actor):
    """Compiling runs on a thread beside the mailbox; the result is on disk before it is answered."""

    jobs_limit = 4

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now

    async def on_start(self) -> None:
        ((count,),) = await self._database.fetch("SELECT count(*) FROM compilation")
        self._stored = count

    def inspect(self) -> Mapping[str, object]:
        return {"compilations_at_start": self._stored}

    @handles
    async def compile(self, message: Compile) -> Compilation:
        return await self.defer(self._compile(message))

    async def _compile(self, message: Compile) -> Compilation:
        state = await self.system.ref("topology").ask(GetTopology(), timeout=ASK)
        compiled = await asyncio.to_thread(compile_source, message.source, state.topology, scope=message.name)
        report = Report(ok=False, checked={})
        if compiled.ok:
            installed = await self.system.ref("device").ask(ReadInstalled(), timeout=ASK)
            report = await asyncio.to_thread(_verify, state, compiled, message.name, installed)
        now = self._now()
        compilation = Compilation(
            id=uuid7(now),
            at=now,
            author=message.author,
            name=message.name,
            source=message.source,
            topology_revision=state.revision,
            compiled=compiled,
            verification=report,
        )
        await self._keep(compilation)
        if not compiled.ok:
            count = sum(1 for d in compiled.diagnostics if d.severity == "error")
            raise CompileFailed(f"{count} error{'s' if count != 1 else ''} in the source", errors=compiled.diagnostics, id=compilation.id)
        return compilation

    async def _keep(self, c: Compilation) -> None:
        body = orjson.dumps({"compiled": unstructure(c.compiled), "verification": unstructure(c.verification)}).decode()
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT INTO compilation (id, at, author, name, source, ok, topology_revision, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (c.id, c.at, c.author, c.name, c.source, int(c.compiled.ok), c.topology_revision, body),
            )

    @handles
    async def get(self, message: GetCompilation) -> Compilation:
        return await self._load(message.id)

    @handles
    async def preview(self, message: GetPreview) -> Preview:
        return await self.defer(self._preview(message.id))

    async def _preview(self, compile_id: str) -> Preview:
        compilation = await self._load(compile_id)
        state = await self.system.ref("topology").ask(GetTopology(), timeout=ASK)
        installed = await self.system.ref("device").ask(ReadInstalled(), timeout=ASK)
        conflict, deltas = None, {}
        try:
            wanted = _wanted(compilation.compiled, compilation.name, installed)
            deltas = {node: diff(installed.rows[node], rows) for node, rows in wanted.items()}
        except RowConflict as error:
            conflict = error.detail
        return Preview(compilation=compilation, state=state, deltas={n: d for n, d in deltas.items() if d}, conflict=conflict)

    @handles
    async def history(self, message: GetIntentHistory) -> tuple[Entry, ...]:
        rows = await self._database.fetch(
            "SELECT id, at, author, name, ok, topology_revision, source FROM compilation WHERE id < ? ORDER BY id DESC LIMIT ?",
            (message.before or "~", message.limit),
        )
        names = ("id", "at", "author", "name", "ok", "topology_revision", "source")
        return tuple(structure(dict(zip(names, (*row[:4], bool(row[4]), *row[5:]), strict=True)), Entry) for row in rows)

    async def _load(self, compile_id: str) -> Compilation:
        rows = await self._database.fetch(
            "SELECT id, at, author, name, source, topology_revision, body FROM compilation WHERE id = ?", (compile_id,)
        )
        if not rows:
            raise NotFound(f"there is no compilation {compile_id[:60]!r}")
        names = ("id", "at", "author", "name", "source", "topology_revision")
        fields: dict[str, Any] = dict(zip(names, rows[0][:-1], strict=True))
        return structure(fields | orjson.loads(str(rows[0][-1])), Compilation)


def _wanted(compiled: Compiled, name: str | None, installed: Installed) -> dict[str, Rows]:
    rows: Mapping[str, Sequence[Row]] = compiled.rows
    return wanted_rows(installed.rows, rows, scope_of(compiled.intents, name, installed.rows))


def _verify(state: TopologyState, compiled: Compiled, name: str | None, installed: Installed) -> Report:
    """Judge the network as it would be: what is installed plus what was compiled."""
    try:
        wanted = _wanted(compiled, name, installed)
    except RowConflict as conflict:
        witness = Witness(header={}, hops=())
        return Report(
            ok=False,
            checked={},
            violations=(Violation(check="ownership", message=conflict.detail, witness=witness, intents=compiled.intents),),
        )
    unreached = {node: {row.id: row for row in rows} for node, rows in compiled.rows.items() if node not in wanted}
    return verify(state.topology, {**wanted, **unreached}, compiled.reaches)
