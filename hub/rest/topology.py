"""The topology: read, change, take in, give out."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

import attrs

from actors.ids import uuid7
from actors.runtime import Ref
from actors.topology import (
    AddParts,
    GetPart,
    GetTopology,
    GetTopologyHistory,
    ImportTopology,
    RemovePart,
    ReplacePart,
    Versioned,
    wire,
)
from hub.codec import decode
from hub.operations import Access, Call, Operation, Reply, etag, page
from hub.times import rfc3339
from paranet.codec import structure, unstructure
from paranet.errors import InvalidInput
from paranet.interop.registry import read as read_format
from paranet.interop.registry import write as write_format
from paranet.models.topology import Link, Node

API = "/api/v1/topology"
ASK = 15.0
MAX_BULK = 5000
Kind = Literal["nodes", "links"]


def _store(call: Call) -> Ref:
    return call.house.system.ref("topology")


async def get_topology(call: Call) -> Reply:
    """Return the whole topology; its ETag is the revision."""
    state = await _store(call).ask(GetTopology(), timeout=ASK)
    if call.has_already(state.revision):
        return Reply(status=304, etag=etag(state.revision))
    return Reply(body=wire(state), etag=etag(state.revision))


async def list_parts(call: Call, kind: Kind) -> Reply:
    """Return nodes or links, paged by id."""
    limit = call.integer("limit", 1000, 1, 5000)
    state = await _store(call).ask(GetTopology(), timeout=ASK)
    if call.has_already(state.revision):
        return Reply(status=304, etag=etag(state.revision))
    parts: list[Node | Link] = list(getattr(state.topology, kind).values())
    if kind == "nodes" and "type" in call.query:
        parts = [p for p in parts if isinstance(p, Node) and p.type == call.query["type"]]
    if kind == "links" and "node" in call.query:
        parts = [p for p in parts if isinstance(p, Link) and call.query["node"] in (p.source.node, p.target.node)]
    parts.sort(key=lambda p: p.id)
    after = call.query.get("cursor", "")
    body = page([p for p in parts if p.id > after][: limit + 1], limit, lambda p: str(p.id))
    return Reply(body=body | {"revision": state.revision}, etag=etag(state.revision))


async def get_part(call: Call, kind: Kind) -> Reply:
    """Return one node or link; its ETag is the revision that last changed it."""
    found = await _store(call).ask(GetPart(kind=kind, id=call.path["id"]), timeout=ASK)
    if call.has_already(found.revision):
        return Reply(status=304, etag=etag(found.revision))
    return _shown(found)


async def add_parts(call: Call, kind: Kind) -> Reply:
    """Add one, or a list of which all are added or none. An id that is left out is made up."""
    given = decode(call.body)
    many = isinstance(given, list)
    if many and len(given) > MAX_BULK:
        raise InvalidInput(f"at most {MAX_BULK} at once")
    bodies: list[Any] = given if many else [given]
    named = [{"id": uuid7(call.house.system.now()), **body} if isinstance(body, dict) else body for body in bodies]
    request = AddParts(author=call.author, if_revision=call.if_match())
    if kind == "nodes":
        nodes = structure(named, tuple[Node, ...]) if many else (structure(named[0], Node),)
        state = await _store(call).ask(attrs.evolve(request, nodes=nodes), timeout=ASK)
        parts: tuple[Node | Link, ...] = nodes
    else:
        links = structure(named, tuple[Link, ...]) if many else (structure(named[0], Link),)
        state = await _store(call).ask(attrs.evolve(request, links=links), timeout=ASK)
        parts = links
    if many:
        return Reply(status=201, body={"revision": state.revision, "items": parts}, etag=etag(state.revision))
    return Reply(status=201, body=parts[0], etag=etag(state.revision), location=f"{API}/{kind}/{parts[0].id}")


async def replace_part(call: Call, kind: Kind) -> Reply:
    """Replace one; the id in the body may be left out."""
    given = decode(call.body)
    wanted = call.path["id"]
    if isinstance(given, dict) and given.setdefault("id", wanted) != wanted:
        raise InvalidInput(f"id: the body is about {str(given['id'])[:60]!r}, the path about {wanted[:60]!r}")
    part: Node | Link = structure(given, Node) if kind == "nodes" else structure(given, Link)
    return _shown(await _store(call).ask(ReplacePart(author=call.author, part=part, if_revision=call.if_match()), timeout=ASK))


async def remove_part(call: Call, kind: Kind) -> Reply:
    """Remove one; a node that has links needs ?cascade=true."""
    cascade = kind == "nodes" and call.flag("cascade")
    request = RemovePart(author=call.author, kind=kind, id=call.path["id"], cascade=cascade, if_revision=call.if_match())
    state = await _store(call).ask(request, timeout=ASK)
    return Reply(status=204, etag=etag(state.revision))


async def import_topology(call: Call) -> Reply:
    """Take a file in: native JSON or GraphML, told by ?format=, the content type, the file name or the content."""
    mode: Any = call.choice("mode", ("replace", "merge"))
    if not call.body:
        raise InvalidInput("the body must hold the topology")
    media_type = call.headers.get("content-type", "").partition(";")[0].strip() or None
    reader = partial(read_format, call.body, format=call.query.get("format"), media_type=media_type, filename=call.filename)
    imported = await asyncio.to_thread(reader)
    request = ImportTopology(
        author=call.author,
        topology=imported.topology,
        mode=mode,
        dry_run=call.flag("dry_run"),
        source=f"{imported.format} import",
        if_revision=call.if_match(),
    )
    done = await _store(call).ask(request, timeout=ASK)
    body = {"revision": done.revision, "format": imported.format, "dry_run": done.dry_run}
    body |= unstructure(done.difference) | {"warnings": unstructure(imported.warnings)}
    return Reply(body=body, etag=etag(done.revision))


async def export_topology(call: Call) -> Reply:
    """Give the topology out as a file."""
    name = call.query.get("format", "json")
    state = await _store(call).ask(GetTopology(), timeout=ASK)
    raw = await asyncio.to_thread(write_format, state.topology, format=name)
    disposition = f'attachment; filename="topology-{state.revision}.{name}"'
    return Reply(raw=raw, etag=etag(state.revision), headers={"Content-Disposition": disposition})


async def history(call: Call) -> Reply:
    """Return who changed what, newest first."""
    limit = call.integer("limit", 50, 1, 500)
    before = call.integer("cursor", 1 << 62, 0, 1 << 62)
    changes = await _store(call).ask(GetTopologyHistory(limit=limit + 1, before=before), timeout=ASK)
    items = [unstructure(change) | {"at": rfc3339(change.at)} for change in changes]
    return Reply(body=page(items, limit, lambda c: str(c["revision"])))


def _shown(found: Versioned) -> Reply:
    return Reply(body=found.part, etag=etag(found.revision))


def _resource(kind: Kind, filters: frozenset[str]) -> tuple[Operation, ...]:
    one, many = f"{API}/{kind}/{{id}}", f"{API}/{kind}"
    word = kind[:-1]
    cascade = frozenset({"cascade"}) if kind == "nodes" else frozenset()

    def row(name: str, method: str, path: str, handler: Callable[..., Awaitable[Reply]], summary: str, **more: Any) -> Operation:
        access = Access.VIEWER if method == "GET" else Access.OPERATOR
        bound = partial(handler, kind=kind)
        return Operation(
            name=f"topology.{kind}.{name}", method=method, path=path, access=access, handler=bound, summary=f"{summary} {word}", **more
        )

    return (
        row("list", "GET", many, list_parts, "Return every", query=frozenset({"limit", "cursor"}) | filters),
        row("add", "POST", many, add_parts, "Add one or several:"),
        row("get", "GET", one, get_part, "Return a"),
        row("replace", "PUT", one, replace_part, "Replace a"),
        row("remove", "DELETE", one, remove_part, "Remove a", query=cascade),
    )


OPERATIONS = (
    Operation(name="topology.get", method="GET", path=API, access=Access.VIEWER, handler=get_topology, summary="Return the whole topology"),
    *_resource("nodes", frozenset({"type"})),
    *_resource("links", frozenset({"node"})),
    Operation(
        name="topology.import",
        method="POST",
        path=f"{API}/import",
        access=Access.OPERATOR,
        handler=import_topology,
        summary="Take a topology file in",
        query=frozenset({"mode", "dry_run", "format"}),
    ),
    Operation(
        name="topology.export",
        method="GET",
        path=f"{API}/export",
        access=Access.VIEWER,
        handler=export_topology,
        summary="Give the topology out as a file",
        query=frozenset({"format"}),
    ),
    Operation(
        name="topology.history",
        method="GET",
        path=f"{API}/history",
        access=Access.VIEWER,
        handler=history,
        summary="Return the change log",
        query=frozenset({"limit", "cursor"}),
    ),
)
