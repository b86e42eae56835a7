"""IntentStore: owns sources, what they compiled to, and their history."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from difflib import unified_diff
from typing import Any

import attrs
import orjson

from actors.devices import GetState, Installed, ReadInstalled
from actors.ids import uuid7
from actors.runtime import Actor, Request, handles
from actors.storage import Database, once
from actors.topology import GetTopology, TopologyState
from actors.workshop import Job, Workshop, wanted_of
from paranet.codec import structure, unstructure
from paranet.errors import CompileFailed, NotFound, RowConflict, StaleRevision
from paranet.models.device import Delta, Rows
from paranet.models.intent import Compiled, Diagnostic, Report
from paranet.orchestrator.diff import diff

ASK = 10.0
KEPT = 16
"""compilations that are at hand for whoever asks for the same again"""


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
class Ground:
    """What is judged against: the topology and what the devices hold. *name* is the same for the same, and only then."""

    name: str
    state: TopologyState
    installed: Installed


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
class Comparison:
    """What leads from one compilation to another: lines of the source (unified diff) and, by node, rows."""

    before: Entry
    after: Entry
    source: tuple[str, ...]
    deltas: Mapping[str, Delta]


@attrs.frozen(kw_only=True)
class Compile(Request[Compilation]):
    """Compile a source, or that of compilation *again*, on the current topology and keep the result.

    A source that the author compiled last under this name is not compiled once more while nothing has changed since.
    Raise CompileFailed with the diagnostics, StaleRevision when the topology is not at *if_revision*, CompilerDied.
    """

    source: str | None
    name: str | None
    author: str
    again: str | None = None
    if_revision: int | None = None


@attrs.frozen(kw_only=True)
class Diagnose(Request[tuple[Diagnostic, ...]]):
    """Compile a source on the current topology and keep nothing; return what there is to say about it. Raise CompilerDied."""

    source: str
    name: str | None


@attrs.frozen(kw_only=True)
class Tried:
    """What a source compiles to, whether it would hold, and what would change on each device; *conflict* says why nothing can."""

    compiled: Compiled
    verification: Report
    deltas: Mapping[str, Delta]
    conflict: str | None


@attrs.frozen(kw_only=True)
class Try(Request[Tried]):
    """Compile and prove a source on the network as it is now, and keep nothing. Raise CompilerDied."""

    source: str


@attrs.frozen(kw_only=True)
class GetCompilation(Request[Compilation]):
    """Return one compilation."""

    id: str


@attrs.frozen(kw_only=True)
class GetGround(Request[Ground]):
    """Return what previews are judged against now."""


@attrs.frozen(kw_only=True)
class GetPreview(Request[Preview]):
    """Return one compilation with its difference to the devices as they are now, or as they were on *ground*."""

    id: str
    ground: Ground | None = None


@attrs.frozen(kw_only=True)
class GetIntentHistory(Request[tuple[Entry, ...]]):
    """Return compilations older than *before* (an id), newest first."""

    limit: int
    before: str | None = None


@attrs.frozen(kw_only=True)
class CompareCompilations(Request[Comparison]):
    """Return what leads from compilation *before* to compilation *after*."""

    before: str
    after: str


def _deltas(compiled: Compiled, name: str | None, installed: Mapping[str, Rows]) -> tuple[dict[str, Delta], str | None]:
    """Return what would change on each device, and what stands against it."""
    try:
        wanted = wanted_of(compiled, name, installed)
    except RowConflict as error:
        return {}, error.detail
    deltas = {node: diff(installed[node], rows) for node, rows in wanted.items()}
    return {node: delta for node, delta in deltas.items() if delta}, None


class IntentStore(Actor):
    """Compiling runs beside the mailbox (see `Workshop`); the result is on disk before it is answered."""

    jobs_limit = 4

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._workshop = Workshop()
        self._recent: OrderedDict[tuple[str, str | None], tuple[Installed, Compilation]] = OrderedDict()
        self._known: tuple[Installed, str] = Installed(rows={}, unreachable={}), ""

    async def on_start(self) -> None:
        ((count,),) = await self._database.fetch("SELECT count(*) FROM compilation")
        self._stored = count

    async def on_stop(self) -> None:
        await self._workshop.close()

    def inspect(self) -> Mapping[str, object]:
        return {"compilations_at_start": self._stored}

    @handles
    async def compile(self, message: Compile) -> Compilation:
        return await self.defer(self._compile(message), abandon=True)

    @handles
    async def diagnose(self, message: Diagnose) -> tuple[Diagnostic, ...]:
        return await self.defer(self._diagnose(message), abandon=True)

    async def _diagnose(self, message: Diagnose) -> tuple[Diagnostic, ...]:
        state = await self.system.ref("topology").ask(GetTopology(), timeout=ASK)
        compiled, _ = await self._workshop.build(await self._job(state, message.source, message.name))
        return tuple(compiled.diagnostics)

    @handles
    async def attempt(self, message: Try) -> Tried:
        return await self.defer(self._try(message.source), abandon=True)

    async def _try(self, source: str) -> Tried:
        ground = await self._ground()
        state, rows = ground.state, ground.installed.rows
        job = Job(topology=state.topology, revision=state.revision, source=source, name=None, installed=rows)
        compiled, report = await self._workshop.build(job)
        deltas, conflict = _deltas(compiled, None, rows) if compiled.ok else ({}, None)
        return Tried(compiled=compiled, verification=report, deltas=deltas, conflict=conflict)

    async def _job(self, state: TopologyState, source: str, name: str | None) -> Job:
        return _job(state, source, name, await self._installed())

    async def _installed(self, known: Installed | None = None) -> Installed:
        """Return what the devices hold; where they can be told to be as *known*, that, without asking each of them."""
        device = self.system.ref("device")
        if known is not None and known.state is not None and known.state == await device.ask(GetState(), timeout=ASK):
            return known
        return await device.ask(ReadInstalled(), timeout=ASK)

    async def _compile(self, message: Compile) -> Compilation:
        source, name = message.source, message.name
        if message.again is not None:
            stored = await self._load(message.again)
            source, name = stored.source, message.name or stored.name
        state = await self.system.ref("topology").ask(GetTopology(), timeout=ASK)
        if message.if_revision not in (None, state.revision):
            raise StaleRevision(f"the topology is at revision {state.revision}, not {message.if_revision}", revision=state.revision)
        known, last = self._recent.get((message.author, name), (None, None))
        installed = await self._installed(known)
        if message.again is None and known is not None and last is not None and _same(last, source, state, known, installed):
            compilation = last
        else:
            compilation = await self._build(_job(state, source or "", name, installed), message.author)
        self._remember(installed, compilation)
        compiled = compilation.compiled
        if not compiled.ok:
            count = sum(1 for d in compiled.diagnostics if d.severity == "error")
            raise CompileFailed(f"{count} error{'s' if count != 1 else ''} in the source", errors=compiled.diagnostics, id=compilation.id)
        return compilation

    async def _build(self, job: Job, author: str) -> Compilation:
        compiled, report = await self._workshop.build(job)
        now = self._now()
        compilation = Compilation(
            id=uuid7(now),
            at=now,
            author=author,
            name=job.name,
            source=job.source,
            topology_revision=job.revision,
            compiled=compiled,
            verification=report,
        )
        await self._keep(compilation)
        return compilation

    def _remember(self, installed: Installed, compilation: Compilation) -> None:
        key = compilation.author, compilation.name
        self._recent[key] = installed, compilation
        self._recent.move_to_end(key)
        if len(self._recent) > KEPT:
            self._recent.popitem(last=False)

    async def _keep(self, c: Compilation) -> None:
        body = await asyncio.to_thread(_body, c)
        await self._database.write(
            once(
                "INSERT INTO compilation (id, at, author, name, source, ok, topology_revision, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (c.id, c.at, c.author, c.name, c.source, int(c.compiled.ok), c.topology_revision, body),
            )
        )

    @handles
    async def get(self, message: GetCompilation) -> Compilation:
        return await self._load(message.id)

    @handles
    async def ground(self, message: GetGround) -> Ground:
        return await self.defer(self._ground())

    async def _ground(self) -> Ground:
        state = await self.system.ref("topology").ask(GetTopology(), timeout=ASK)
        known, name = self._known
        installed = await self._installed(known)
        if not name or (installed is not known and installed.rows != known.rows):
            name = await asyncio.to_thread(_named, installed.rows)
        self._known = installed, name
        return Ground(name=f"{state.revision}:{name}", state=state, installed=installed)

    @handles
    async def preview(self, message: GetPreview) -> Preview:
        return await self.defer(self._preview(message))

    async def _preview(self, message: GetPreview) -> Preview:
        compilation = await self._load(message.id)
        ground = message.ground or await self._ground()
        deltas, conflict = _deltas(compilation.compiled, compilation.name, ground.installed.rows)
        return Preview(compilation=compilation, state=ground.state, deltas=deltas, conflict=conflict)

    @handles
    async def history(self, message: GetIntentHistory) -> tuple[Entry, ...]:
        rows = await self._database.fetch(
            "SELECT id, at, author, name, ok, topology_revision, source FROM compilation WHERE id < ? ORDER BY id DESC LIMIT ?",
            (message.before or "~", message.limit),
        )
        names = ("id", "at", "author", "name", "ok", "topology_revision", "source")
        return tuple(structure(dict(zip(names, (*row[:4], bool(row[4]), *row[5:]), strict=True)), Entry) for row in rows)

    @handles
    async def compare(self, message: CompareCompilations) -> Comparison:
        return await self.defer(self._compare(message))

    async def _compare(self, message: CompareCompilations) -> Comparison:
        before, after = await self._load(message.before), await self._load(message.after)
        source = await asyncio.to_thread(_lines, before.source, after.source)
        rows = [{node: {r.id: r for r in found} for node, found in c.compiled.rows.items()} for c in (before, after)]
        deltas = {node: diff(rows[0].get(node, {}), rows[1].get(node, {})) for node in sorted({*rows[0], *rows[1]})}
        return Comparison(before=_entry(before), after=_entry(after), source=source, deltas={n: d for n, d in deltas.items() if d})

    async def _load(self, compile_id: str) -> Compilation:
        rows = await self._database.fetch(
            "SELECT id, at, author, name, source, topology_revision, body FROM compilation WHERE id = ?", (compile_id,)
        )
        if not rows:
            raise NotFound(f"there is no compilation {compile_id[:60]!r}")
        names = ("id", "at", "author", "name", "source", "topology_revision")
        fields: dict[str, Any] = dict(zip(names, rows[0][:-1], strict=True))
        return await asyncio.to_thread(_read, fields, str(rows[0][-1]))


def _job(state: TopologyState, source: str, name: str | None, installed: Installed) -> Job:
    return Job(topology=state.topology, revision=state.revision, source=source, name=name, installed=installed.rows)


def _same(last: Compilation, source: str | None, state: TopologyState, known: Installed, installed: Installed) -> bool:
    """Tell whether a compilation is that of this source on this ground."""
    if (last.topology_revision, last.source) != (state.revision, source):
        return False
    return installed is known or installed.rows == known.rows


def _named(installed: Mapping[str, Rows]) -> str:
    """Return a digest of rows with everything that a preview shows of them."""
    found = [
        [node, [[*row.id, row.value, row.owners, row.span and attrs.astuple(row.span)] for row in rows.values()]]
        for node, rows in sorted(installed.items())
    ]
    return hashlib.sha256(orjson.dumps(found, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _body(c: Compilation) -> str:
    return orjson.dumps({"compiled": unstructure(c.compiled), "verification": unstructure(c.verification)}).decode()


def _read(fields: dict[str, Any], body: str) -> Compilation:
    return structure(fields | orjson.loads(body), Compilation)


def _lines(before: str, after: str) -> tuple[str, ...]:
    return tuple(unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm=""))


def _entry(compilation: Compilation) -> Entry:
    c = compilation
    return Entry(id=c.id, at=c.at, author=c.author, name=c.name, ok=c.compiled.ok, topology_revision=c.topology_revision, source=c.source)
