"""The topology's past: what a change is, the log of all of them, and the topology at any revision."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from actors.storage import Database, Statement, once
from actors.storage.database import Value
from paranet.codec import structure, unstructure
from paranet.models.topology import Demand, Link, Node, Topology

Parts = Mapping[str, Node | Link | Demand]
Bodies = Mapping[tuple[str, str], bytes]
KINDS: Mapping[str, type[Node] | type[Link] | type[Demand]] = {"nodes": Node, "links": Link, "demands": Demand}
CHUNK = 100
"""changes read at once"""
_PROPERTIES = "topology-properties"
_SPARE = 2**18  # bytes of changes that need no snapshot, however small the topology


@attrs.frozen(kw_only=True)
class Difference:
    """What a change does, as ids by kind (`nodes`, `links`, `demands`); *properties* tells whether the network's own change."""

    added: Mapping[str, tuple[str, ...]]
    changed: Mapping[str, tuple[str, ...]]
    removed: Mapping[str, tuple[str, ...]]
    properties: bool = False

    def __bool__(self) -> bool:
        return self.properties or any(ids for side in (self.added, self.changed, self.removed) for ids in side.values())


@attrs.frozen(kw_only=True)
class Comparison:
    """What lies between two revisions; *fields* is kind -> id -> field -> {from, to} of the changed parts."""

    difference: Difference
    fields: Mapping[str, Any]


def compared(old: Topology, new: Topology) -> Difference:
    """Return what has to be done to *old* so that it becomes *new*."""
    sides: dict[str, dict[str, tuple[str, ...]]] = {"added": {}, "changed": {}, "removed": {}}
    for kind in KINDS:
        before: Parts = getattr(old, kind)
        after: Parts = getattr(new, kind)
        sides["added"][kind] = tuple(i for i in after if i not in before)
        sides["changed"][kind] = tuple(i for i, part in after.items() if i in before and before[i] is not part and before[i] != part)
        sides["removed"][kind] = tuple(i for i in before if i not in after)
    return Difference(**sides, properties=old.properties != new.properties)


def explained(old: Topology, new: Topology) -> Comparison:
    """Return what has to be done, and what every changed part said and says."""
    difference = compared(old, new)
    fields: dict[str, Any] = {}
    for kind, ids in difference.changed.items():
        fields[kind] = {}
        for part_id in ids:
            before, after = unstructure(getattr(old, kind)[part_id]), unstructure(getattr(new, kind)[part_id])
            fields[kind][part_id] = {name: {"from": before[name], "to": after[name]} for name in after if before[name] != after[name]}
    return Comparison(difference=difference, fields=fields)


def encoded(part: Node | Link | Demand) -> bytes:
    """Return a part as JSON."""
    return orjson.dumps(unstructure(part))


def bodies(topology: Topology) -> Bodies:
    """Return all parts as JSON."""
    return {(kind, part_id): encoded(part) for kind in KINDS for part_id, part in getattr(topology, kind).items()}


def document(revision: int, topology: Topology, parts: Bodies) -> bytes:
    """Return the topology as JSON, made of the JSON of its parts."""
    whole = {kind: [orjson.Fragment(parts[kind, part_id]) for part_id in getattr(topology, kind)] for kind in KINDS}
    return orjson.dumps({"revision": revision, **whole} | ({"properties": topology.properties} if topology.properties else {}))


def change_event(new: Topology, difference: Difference, parts: Bodies, head: Mapping[str, object]) -> bytes:
    """Return the change as subscribers see it and the log keeps it: parts in full, removed ones as ids."""
    event: dict[str, Any] = {
        kind: {
            "added": [orjson.Fragment(parts[kind, i]) for i in difference.added[kind]],
            "changed": [orjson.Fragment(parts[kind, i]) for i in difference.changed[kind]],
            "removed": difference.removed[kind],
        }
        for kind in KINDS
    }
    return orjson.dumps(event | ({"properties": new.properties} if difference.properties else {}) | dict(head))


def net_change(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one event that leads where all of *events* lead: of every part the last that happened to it."""
    if len(events) < 2:
        return list(events)
    merged = dict(events[-1])
    for event in events:
        if "properties" in event:
            merged["properties"] = event["properties"]
    for kind in KINDS:
        last: dict[str, tuple[str, Any]] = {}
        for event in events:
            for side in ("removed", "added", "changed"):
                for part in event[kind][side]:
                    part_id = part if side == "removed" else part["id"]
                    anew = side == "changed" and last.get(part_id, ("", None))[0] == "added"
                    last[part_id] = "added" if anew else side, part
        merged[kind] = {side: [part for where, part in last.values() if where == side] for side in ("added", "changed", "removed")}
    return [merged]


class ChangeLog:
    """Every change, and now and then the whole topology, so that no revision is far from one that can be read at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._since: int | None = None

    async def recent(self, limit: int) -> list[tuple[int, orjson.Fragment]]:
        """Return the newest changes, oldest first, each with its revision."""
        rows = await self._database.fetch("SELECT revision, event FROM topology_change ORDER BY revision DESC LIMIT ?", (limit,))
        return [(_whole(revision), orjson.Fragment(str(event))) for revision, event in reversed(rows)]

    async def entries(self, limit: int, before: int | None) -> list[tuple[Value, ...]]:
        """Return (revision, at, author, summary) of changes older than *before*, newest first."""
        query = "SELECT revision, at, author, summary FROM topology_change WHERE revision < ? ORDER BY revision DESC LIMIT ?"
        return await self._database.fetch(query, (before if before is not None else 1 << 62, limit))

    async def properties(self) -> Mapping[str, object]:
        """Return the network's own properties as they are now."""
        rows = await self._database.fetch("SELECT value FROM meta WHERE key = ?", (_PROPERTIES,))
        found: Mapping[str, object] = orjson.loads(str(rows[0][0])) if rows else {}
        return found

    async def append(
        self, parts: Sequence[Statement], whole: bytes, event: bytes, head: Mapping[str, Any], properties: Mapping[str, object] | None
    ) -> None:
        """Write one change with what it does to *parts*; *whole* is the topology after it, *properties* the network's own if changed."""
        row = (head["revision"], head["at"], head["author"], head["summary"], event.decode())
        statements = [*parts, once("INSERT INTO topology_change (revision, at, author, summary, event) VALUES (?, ?, ?, ?, ?)", row)]
        if properties is not None:
            kept = (_PROPERTIES, orjson.dumps(properties).decode())
            statements.append(once("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", kept))
        since = await self._bytes_since() + len(event)
        if since > _SPARE + 4 * len(whole):
            statements.append(once("INSERT INTO topology_snapshot (revision, body) VALUES (?, ?)", (head["revision"], whole.decode())))
            since = 0
        await self._database.write(*statements)
        self._since = since

    async def _bytes_since(self) -> int:
        """Return how much was written since the last snapshot; after a restart, or a write that failed, at least that much."""
        if self._since is None:
            query = (
                "SELECT sum(length(event)) FROM topology_change WHERE revision > (SELECT coalesce(max(revision), 0) FROM topology_snapshot)"
            )
            ((found,),) = await self._database.fetch(query)
            self._since = _whole(found or 0)
        return self._since

    async def topology_at(self, revision: int) -> Topology:
        """Return the topology as it was at a revision that was: the last snapshot before it, then change by change."""
        query = "SELECT revision, body FROM topology_snapshot WHERE revision <= ? ORDER BY revision DESC LIMIT 1"
        rows = await self._database.fetch(query, (revision,))
        reached = _whole(rows[0][0]) if rows else 0
        state = _State(str(rows[0][1])) if rows else _State("{}")
        while reached < revision:
            query = "SELECT revision, event FROM topology_change WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?"
            changes = await self._database.fetch(query, (reached, revision, CHUNK))
            reached = _whole(changes[-1][0])
            await asyncio.to_thread(state.replay, [str(event) for _, event in changes])
        return await asyncio.to_thread(state.topology)


class _State:
    """A topology as plain JSON, on its way through its changes."""

    def __init__(self, body: str) -> None:
        whole = orjson.loads(body)
        self._parts = {kind: {part["id"]: part for part in whole.get(kind, ())} for kind in KINDS}
        self._properties = whole.get("properties", {})

    def replay(self, events: list[str]) -> None:
        for event in map(orjson.loads, events):
            for kind, parts in self._parts.items():
                for part_id in event[kind]["removed"]:
                    del parts[part_id]
                parts |= {part["id"]: part for part in (*event[kind]["changed"], *event[kind]["added"])}
            self._properties = event.get("properties", self._properties)

    def topology(self) -> Topology:
        parts: dict[str, Any] = {
            kind: {i: structure(part, KINDS[kind]) for i, part in found.items()} for kind, found in self._parts.items()
        }
        return Topology(**parts, properties=self._properties)


def _whole(value: Value) -> int:
    assert isinstance(value, int)
    return value
