"""Intents: compile, preview, look back."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import attrs

from actors.intents import CompareCompilations, Compilation, Compile, Diagnose, Entry, GetGround, GetIntentHistory, GetPreview, Preview
from hub.codec import encode
from hub.operations import Access, Call, Operation, Reply, page
from hub.times import rfc3339
from paranet.codec import unstructure
from paranet.compiler.format import format_source
from paranet.compiler.render import path_collection, render_all
from paranet.errors import CompileFailed, InvalidInput
from paranet.models.device import Delta
from paranet.models.topology import ID

T = TypeVar("T")
API = "/api/v1/intent"
ASK = 60.0


@attrs.frozen(kw_only=True)
class Source:
    """Body of POST /intent/compile: *source*, or *id* to compile that of a compilation again.

    Intents compiled under one *name* replace each other as a set when they are deployed. With *topology_revision* any other
    revision is refused.
    """

    source: str | None = None
    id: str | None = None
    name: str | None = None
    topology_revision: int | None = None


@attrs.frozen(kw_only=True)
class Text:
    """Body of POST /intent/format."""

    source: str


@attrs.frozen(kw_only=True)
class Draft:
    """Body of POST /intent/diagnose."""

    source: str
    name: str | None = None


async def compile_intent(call: Call) -> Reply:
    """Compile a source on the current topology and prove it. What you compiled last is not compiled again while nothing has changed."""
    body = call.read(Source)
    if body.name is not None and ID.fullmatch(body.name) is None:
        raise InvalidInput(f"name: {body.name[:60]!r} is not an id")
    if (body.source is None) == (body.id is None):
        raise InvalidInput("give either `source` or `id`")
    request = Compile(source=body.source, again=body.id, name=body.name, author=call.author, if_revision=body.topology_revision)
    compilation = await call.while_connected(call.house.system.ref("intents").ask(request, timeout=ASK))
    raw = await call.house.cache.get(f"compilation:{compilation.id}", partial(asyncio.to_thread, _encoded, _shown, compilation))
    return Reply(status=201, raw=raw, location=f"{API}/preview/{compilation.id}")


async def diagnose(call: Call) -> Reply:
    """Return what a compiler says of a source while it is being written; nothing is kept."""
    body = call.read(Draft)
    if body.name is not None and ID.fullmatch(body.name) is None:
        raise InvalidInput(f"name: {body.name[:60]!r} is not an id")
    found = await call.while_connected(call.house.system.ref("intents").ask(Diagnose(source=body.source, name=body.name), timeout=ASK))
    return Reply(body={"diagnostics": unstructure(found)})


async def preview(call: Call) -> Reply:
    """Return what a compilation would do to the devices as they are now."""
    intents, compile_id = call.house.system.ref("intents"), call.path["id"]
    ground = await intents.ask(GetGround(), timeout=ASK)

    async def make() -> bytes:
        found = await intents.ask(GetPreview(id=compile_id, ground=ground), timeout=ASK)
        return await asyncio.to_thread(_encoded, _previewed, found)

    return Reply(raw=await call.house.cache.get(f"preview:{compile_id}:{ground.name}", make))


def _encoded(show: Callable[[T], object], value: T) -> bytes:
    return encode(show(value))


def _previewed(found: Preview) -> dict[str, Any]:
    compilation = found.compilation
    return _shown(compilation) | {
        "devices": [_device(found, node) for node in sorted({*compilation.compiled.rows, *found.deltas})],
        "paths": [_path(path) for path in unstructure(compilation.compiled.paths)],
        "geojson": path_collection(compilation.compiled.paths, found.state.topology),
        "conflict": found.conflict,
        "topology_moved": found.state.revision != compilation.topology_revision,
    }


async def format_text(call: Call) -> Reply:
    """Return a source in its canonical form. Raise CompileFailed where its syntax does not allow that."""
    source = call.read(Text).source
    text, found = await asyncio.to_thread(format_source, source)
    if found:
        raise CompileFailed("the source cannot be read", errors=found)
    return Reply(body={"source": text, "changed": text != source})


async def compare(call: Call) -> Reply:
    """Return what leads from one compilation to another."""
    ids = [call.query.get(name) for name in ("a", "b")]
    if ids[0] is None or ids[1] is None:
        raise InvalidInput("?a= and ?b= are the ids of two compilations")
    found = await call.house.system.ref("intents").ask(CompareCompilations(before=ids[0], after=ids[1]), timeout=ASK)
    body = {
        "a": _entry(found.before),
        "b": _entry(found.after),
        "source": list(found.source),
        "devices": [{"node": node, "diff": _diff(delta)} for node, delta in found.deltas.items()],
    }
    return Reply(body=body)


async def history(call: Call) -> Reply:
    """Return what was compiled, newest first."""
    limit = call.integer("limit", 50, 1, 500)
    request = GetIntentHistory(limit=limit + 1, before=call.cursor())
    entries = await call.house.system.ref("intents").ask(request, timeout=ASK)
    body = page([_entry(entry) for entry in entries], limit, lambda e: str(e["id"]))
    return Reply(body=body)


def _shown(compilation: Compilation) -> dict[str, Any]:
    compiled = compilation.compiled
    return {
        "id": compilation.id,
        "name": compilation.name,
        "ok": compiled.ok,
        "author": compilation.author,
        "at": rfc3339(compilation.at),
        "topology_revision": compilation.topology_revision,
        "diagnostics": unstructure(compiled.diagnostics),
        "devices": [{"node": node, "rows": unstructure(rows)} for node, rows in sorted(compiled.rows.items())],
        "verification": unstructure(compilation.verification),
    }


def _device(found: Preview, node: str) -> dict[str, Any]:
    rows = found.compilation.compiled.rows.get(node, ())
    topology = found.state.topology
    described = topology.nodes.get(node)
    return {
        "node": node,
        "rows": unstructure(rows),
        "diff": _diff(found.deltas.get(node, Delta())),
        "text": render_all(described, rows, topology) if described else {},
    }


def _diff(delta: Delta) -> dict[str, Any]:
    changes = delta.changes
    return {
        "add": [unstructure(c.after) for c in changes if c.before is None],
        "change": [{"before": unstructure(c.before), "after": unstructure(c.after)} for c in changes if c.before and c.after],
        "remove": [unstructure(c.before) for c in changes if c.after is None],
    }


def _path(path: dict[str, Any]) -> dict[str, Any]:
    return {**path, "hops": list(path["hops"]), "links": list(path["links"])}


def _entry(entry: Entry) -> dict[str, Any]:
    return {**unstructure(entry), "at": rfc3339(entry.at)}


OPERATIONS = (
    Operation(
        name="intent.compile",
        method="POST",
        path=f"{API}/compile",
        access=Access.OPERATOR,
        handler=compile_intent,
        summary="Compile and prove a source",
    ),
    Operation(
        name="intent.preview",
        method="GET",
        path=f"{API}/preview/{{id}}",
        access=Access.VIEWER,
        handler=preview,
        summary="Show what a compilation would change",
    ),
    Operation(
        name="intent.format",
        method="POST",
        path=f"{API}/format",
        access=Access.OPERATOR,
        handler=format_text,
        summary="Write a source in its canonical form",
    ),
    Operation(
        name="intent.diagnose",
        method="POST",
        path=f"{API}/diagnose",
        access=Access.OPERATOR,
        handler=diagnose,
        summary="What there is to say about a source",
    ),
    Operation(
        name="intent.compare",
        method="GET",
        path=f"{API}/compare",
        access=Access.VIEWER,
        handler=compare,
        summary="Compare two compilations",
        query=frozenset({"a", "b"}),
    ),
    Operation(
        name="intent.history",
        method="GET",
        path=f"{API}/history",
        access=Access.VIEWER,
        handler=history,
        summary="Return what was compiled",
        query=frozenset({"limit", "cursor"}),
    ),
)
