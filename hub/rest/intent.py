"""Intents: compile, preview, look back."""

from typing import Any

import attrs

from actors.intents import Compilation, Compile, Entry, GetIntentHistory, GetPreview, Preview
from hub.operations import Access, Call, Operation, Reply, page
from hub.times import rfc3339
from paranet.codec import unstructure
from paranet.compiler.render import path_collection, render_all
from paranet.errors import InvalidInput
from paranet.models.topology import ID

API = "/api/v1/intent"
ASK = 60.0


@attrs.frozen(kw_only=True)
class Source:
    """Body of POST /intent/compile. Intents compiled under one *name* replace each other as a set when they are deployed."""

    source: str
    name: str | None = None


async def compile_intent(call: Call) -> Reply:
    """Compile a source on the current topology and prove it."""
    body = call.read(Source)
    if body.name is not None and ID.fullmatch(body.name) is None:
        raise InvalidInput(f"name: {body.name[:60]!r} is not an id")
    request = Compile(source=body.source, name=body.name, author=call.author)
    compilation = await call.house.system.ref("intents").ask(request, timeout=ASK)
    return Reply(status=201, body=_shown(compilation), location=f"{API}/preview/{compilation.id}")


async def preview(call: Call) -> Reply:
    """Return what a compilation would do to the devices as they are now."""
    found = await call.house.system.ref("intents").ask(GetPreview(id=call.path["id"]), timeout=ASK)
    compilation = found.compilation
    body = _shown(compilation) | {
        "devices": [_device(found, node) for node in sorted({*compilation.compiled.rows, *found.deltas})],
        "paths": [_path(path) for path in unstructure(compilation.compiled.paths)],
        "geojson": path_collection(compilation.compiled.paths, found.state.topology),
        "conflict": found.conflict,
        "topology_moved": found.state.revision != compilation.topology_revision,
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
    delta = found.deltas.get(node)
    changes = delta.changes if delta else ()
    topology = found.state.topology
    described = topology.nodes.get(node)
    return {
        "node": node,
        "rows": unstructure(rows),
        "diff": {
            "add": [unstructure(c.after) for c in changes if c.before is None],
            "change": [{"before": unstructure(c.before), "after": unstructure(c.after)} for c in changes if c.before and c.after],
            "remove": [unstructure(c.before) for c in changes if c.after is None],
        },
        "text": render_all(described, rows, topology) if described else {},
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
        name="intent.history",
        method="GET",
        path=f"{API}/history",
        access=Access.VIEWER,
        handler=history,
        summary="Return what was compiled",
        query=frozenset({"limit", "cursor"}),
    ),
)
