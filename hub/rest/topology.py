"""The topology: read, change, take in, give out."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

import attrs
import orjson

from actors.ids import uuid7
from actors.runtime import Ref
from actors.topology import (
    AddParts,
    CompareRevisions,
    GetPart,
    GetTopology,
    GetTopologyHistory,
    ImportTopology,
    RemovePart,
    ReplacePart,
    RestoreTopology,
    Versioned,
)
from hub.codec import decode
from hub.operations import Access, Call, Operation, Reply, etag, page
from hub.rest.listing import FILTERS, Selection
from hub.times import rfc3339
from paranet.codec import structure, unstructure
from paranet.errors import InvalidInput
from paranet.interop.registry import Imported, named
from paranet.interop.registry import read as read_format
from paranet.models.layout import laid_out
from paranet.models.topology import Link, Node

API = "/api/v1/topology"
ASK = 15.0
LONG = 60.0
"""seconds for what goes through the whole history"""
MAX_BULK = 5000
Kind = Literal["nodes", "links"]


def _store(call: Call) -> Ref:
    return call.house.system.ref("topology")


async def get_topology(call: Call) -> Reply:
    """Return the whole topology; its ETag is the revision."""
    state = await _store(call).ask(GetTopology(), timeout=ASK)
    if call.has_already(state.revision):
        return Reply(status=304, etag=etag(state.revision))
    call.house.cache.count("topology", state.revision)
    return Reply(raw=state.document, etag=etag(state.revision))


async def list_parts(call: Call, kind: Kind) -> Reply:
    """Return nodes or links: filtered, sorted (`sort=-bandwidth` is descending), paged by the last id of a page."""
    limit = call.integer("limit", 1000, 1, 5000)
    chosen = Selection(kind=kind, query=call.query)
    state = await _store(call).ask(GetTopology(), timeout=ASK)
    if call.has_already(state.revision):
        return Reply(status=304, etag=etag(state.revision))
    body = page(chosen.of(state.topology, limit + 1), limit, lambda p: str(p.id))
    body["items"] = [orjson.Fragment(state.bodies[kind, part.id]) for part in body["items"]]
    return Reply(raw=orjson.dumps(body | {"revision": state.revision}), etag=etag(state.revision))


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
        return Reply(status=201, body={"revision": state.revision, "items": parts}, etag=etag(state.revision), location=f"{API}/{kind}")
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
    """Take a file in, whose format ?format=, the content type, the file name or the content tells (docs/formats.md)."""
    mode: Any = call.choice("mode", ("replace", "merge"))
    place = call.choice("layout", ("true", "false")) == "true"
    if not call.body:
        raise InvalidInput("the body must hold the topology")
    media_type = call.headers.get("content-type", "").partition(";")[0].strip() or None
    known = (await _store(call).ask(GetTopology(), timeout=ASK)).topology.nodes.keys() if mode == "merge" else ()
    reader = partial(read_format, call.body, format=call.query.get("format"), media_type=media_type, filename=call.filename, beyond=known)
    imported = await asyncio.to_thread(_placed, reader, place)
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


def _placed(reader: Callable[[], Imported], place: bool) -> Imported:
    """Return what was read, with a display position for nodes without a location."""
    imported = reader()
    return attrs.evolve(imported, topology=laid_out(imported.topology)) if place else imported


async def export_topology(call: Call) -> Reply:
    """Give the topology out as a file."""
    chosen = named(call.query.get("format", "json"))
    state = await _store(call).ask(GetTopology(), timeout=ASK)
    if call.has_already(state.revision):
        return Reply(status=304, etag=etag(state.revision))
    content = hashlib.sha256(state.document).hexdigest()
    raw = await call.house.cache.get(f"export:{chosen.name}:{content}", partial(asyncio.to_thread, chosen.write, state.topology))
    disposition = f'attachment; filename="topology-{state.revision}{chosen.suffixes[0]}"'
    kind = chosen.media_types[0] if chosen.media_types else "text/plain"
    return Reply(raw=raw, etag=etag(state.revision), content_type=kind, headers={"Content-Disposition": disposition})


async def restore(call: Call) -> Reply:
    """Make an old revision the newest one, under a new number."""
    request = RestoreTopology(author=call.author, revision=_revision(call.path["revision"]), if_revision=call.if_match())
    done = await _store(call).ask(request, timeout=LONG)
    return Reply(body={"revision": done.revision} | unstructure(done.difference), etag=etag(done.revision))


async def compare(call: Call) -> Reply:
    """Return what lies between two revisions; without `to` up to the newest."""
    if "from" not in call.query:
        raise InvalidInput("?from= must name a revision")
    before = _revision(call.query["from"])
    newest = (await _store(call).ask(GetTopology(), timeout=ASK)).revision
    after = _revision(call.query["to"]) if "to" in call.query else newest
    found = await _store(call).ask(CompareRevisions(before=before, after=after), timeout=LONG)
    return Reply(body={"from": before, "to": after} | unstructure(found.difference) | {"fields": found.fields})


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput(f"{text[:60]!r} is not a revision: a whole number")
    return int(text)


async def history(call: Call) -> Reply:
    """Return who changed what, newest first."""
    limit = call.integer("limit", 50, 1, 500)
    before = call.integer("cursor", 1 << 62, 0, 1 << 62)
    changes = await _store(call).ask(GetTopologyHistory(limit=limit + 1, before=before), timeout=ASK)
    items = [unstructure(change) | {"at": rfc3339(change.at)} for change in changes]
    return Reply(body=page(items, limit, lambda c: str(c["revision"])))


def _shown(found: Versioned) -> Reply:
    return Reply(raw=found.body, etag=etag(found.revision))


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
        row("list", "GET", many, list_parts, "Return every", query=frozenset({"limit", "cursor", "sort"}) | filters),
        row("add", "POST", many, add_parts, "Add one or several:"),
        row("get", "GET", one, get_part, "Return a"),
        row("replace", "PUT", one, replace_part, "Replace a"),
        row("remove", "DELETE", one, remove_part, "Remove a", query=cascade),
    )


OPERATIONS = (
    Operation(name="topology.get", method="GET", path=API, access=Access.VIEWER, handler=get_topology, summary="Return the whole topology"),
    *_resource("nodes", FILTERS["nodes"]),
    *_resource("links", FILTERS["links"]),
    Operation(
        name="topology.import",
        method="POST",
        path=f"{API}/import",
        access=Access.OPERATOR,
        handler=import_topology,
        summary="Take a topology file in",
        query=frozenset({"mode", "dry_run", "format", "layout"}),
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
    Operation(
        name="topology.diff",
        method="GET",
        path=f"{API}/diff",
        access=Access.VIEWER,
        handler=compare,
        summary="Return what lies between two revisions",
        query=frozenset({"from", "to"}),
    ),
    Operation(
        name="topology.restore",
        method="POST",
        path=f"{API}/restore/{{revision}}",
        access=Access.OPERATOR,
        handler=restore,
        summary="Make an old revision the newest",
    ),
)
