"""TopologyStore: owns nodes, links, demands, the revision and the change log."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import attrs
import orjson

from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.ids import epoch
from actors.runtime import Actor, Message, Request, handles
from actors.storage import Database, for_each, once
from actors.topology_log import (
    KINDS,
    Bodies,
    ChangeLog,
    Comparison,
    Difference,
    bodies,
    change_event,
    compared,
    document,
    encoded,
    explained,
    net_change,
)
from paranet.codec import structure
from paranet.errors import AlreadyExists, NodeHasLinks, NotFound, StaleRevision
from paranet.models.topology import Link, Node, Topology

RECENT = 200
"""changes that a fresh start puts back into the channel's ring"""


@attrs.frozen(kw_only=True)
class TopologyState:
    """The topology at one revision; revision 0 is the empty one nobody wrote. *bodies* are its parts as JSON."""

    revision: int
    topology: Topology
    bodies: Bodies = attrs.field(factory=dict, eq=False, repr=False)

    @cached_property
    def document(self) -> bytes:
        """The whole as JSON, as REST and the channel's snapshot show it; put together once."""
        return document(self.revision, self.topology, self.bodies)


@attrs.frozen(kw_only=True)
class Versioned:
    """One node or link and the revision that last changed it. *body* is the part as JSON."""

    revision: int
    part: Node | Link
    body: bytes


@attrs.frozen(kw_only=True)
class Counts:
    """How many of each."""

    nodes: int = 0
    links: int = 0
    demands: int = 0


@attrs.frozen(kw_only=True)
class Imported:
    """The revision after an import and what it did; a dry run did nothing."""

    revision: int
    difference: Difference
    dry_run: bool


@attrs.frozen(kw_only=True)
class Restored:
    """The revision after a restore and what it did; restoring what is there makes no revision."""

    revision: int
    difference: Difference


@attrs.frozen(kw_only=True)
class TopologyChange:
    """One entry of the change log; *at* is UNIX time in s."""

    revision: int
    at: float
    author: str
    summary: str


@attrs.frozen(kw_only=True)
class TopologyChanged(Message):
    """The topology has a new revision; told to the actors that follow it."""

    state: TopologyState


@attrs.frozen(kw_only=True)
class GetTopology(Request[TopologyState]):
    """Return the topology as it is now."""


@attrs.frozen(kw_only=True)
class GetPart(Request[Versioned]):
    """Return one node or link."""

    kind: Literal["nodes", "links"]
    id: str


@attrs.frozen(kw_only=True)
class AddParts(Request[TopologyState]):
    """Add nodes or links, all or none."""

    author: str
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    if_revision: int | None = None


@attrs.frozen(kw_only=True)
class ReplacePart(Request[Versioned]):
    """Replace a node or link that exists; *if_revision* is the part's own revision."""

    author: str
    part: Node | Link
    if_revision: int | None = None


@attrs.frozen(kw_only=True)
class RemovePart(Request[TopologyState]):
    """Remove a node or link. A node with links needs *cascade*, which takes its links along; its demands always go."""

    author: str
    kind: Literal["nodes", "links"]
    id: str
    cascade: bool = False
    if_revision: int | None = None


@attrs.frozen(kw_only=True)
class ImportTopology(Request[Imported]):
    """Take a whole topology in: instead of what is there (`replace`) or on top of it (`merge`)."""

    author: str
    topology: Topology
    mode: Literal["replace", "merge"] = "replace"
    dry_run: bool = False
    source: str = "import"
    if_revision: int | None = None


@attrs.frozen(kw_only=True)
class GetTopologyHistory(Request[tuple[TopologyChange, ...]]):
    """Return changes older than revision *before*, newest first."""

    limit: int
    before: int | None = None


@attrs.frozen(kw_only=True)
class RestoreTopology(Request[Restored]):
    """Make the topology what it was at *revision*, as a new revision. Raise NotFound for one that never was."""

    author: str
    revision: int
    if_revision: int | None = None


@attrs.frozen(kw_only=True)
class CompareRevisions(Request[Comparison]):
    """Return what lies between two revisions. Raise NotFound for one that never was."""

    before: int
    after: int


class TopologyStore(Actor):
    """Every write is one transaction; the revision it makes is the channel's offset and the ETag."""

    def __init__(self, database: Database, outlets: Outlets, now: Callable[[], float], listeners: Sequence[str] = ()) -> None:
        self._database = database
        self._outlets = outlets
        self._now = now
        self._listeners = listeners

    async def on_start(self) -> None:
        parts: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self._revisions: dict[tuple[str, str], int] = {}
        self._positions: dict[tuple[str, str], int] = {}
        self._shown: dict[tuple[str, str], Versioned] = {}
        for kind, part_id, position, revision, body in await self._database.fetch(
            "SELECT kind, id, position, revision, body FROM part ORDER BY position"
        ):
            assert isinstance(kind, str)
            assert isinstance(part_id, str)
            assert isinstance(position, int)
            assert isinstance(revision, int)
            parts[kind][part_id] = structure(orjson.loads(str(body)), KINDS[kind])
            self._revisions[kind, part_id] = revision
            self._positions[kind, part_id] = position
        self._log = ChangeLog(self._database)
        recent = await self._log.recent(RECENT)
        revision = recent[-1][0] if recent else 0
        topology = Topology(**parts, properties=await self._log.properties())
        self._state = TopologyState(revision=revision, topology=topology, bodies=bodies(topology))
        self._channel = Channel("topology", self._outlets, epoch=await self._epoch(), offset=revision - len(recent), conflate=net_change)
        self._channel.load([event for _, event in recent])
        self._channel.reopen(self._snapshot)

    def _snapshot(self) -> orjson.Fragment:
        return orjson.Fragment(self._state.document)

    async def _epoch(self) -> str:
        """Return the channel's epoch: offsets are database revisions, so it lives as long as the database does."""
        await self._database.write(once("INSERT OR IGNORE INTO meta (key, value) VALUES ('topology-epoch', ?)", (epoch(),)))
        ((value,),) = await self._database.fetch("SELECT value FROM meta WHERE key = 'topology-epoch'")
        return str(value)

    def inspect(self) -> Mapping[str, object]:
        topology = self._state.topology
        return {
            "revision": self._state.revision,
            "nodes": len(topology.nodes),
            "links": len(topology.links),
            "demands": len(topology.demands),
            "subscribers": self._channel.subscribers,
        }

    @handles
    async def get(self, message: GetTopology) -> TopologyState:
        return self._state

    @handles
    async def get_part(self, message: GetPart) -> Versioned:
        return self._part(message.kind, message.id)

    @handles
    async def add(self, message: AddParts) -> TopologyState:
        self._expect(message.if_revision, self._state.revision)
        topology = self._state.topology
        for what, wanted, there in (
            ("node", [n.id for n in message.nodes], topology.nodes.keys()),
            ("link", [link.id for link in message.links], topology.links.keys()),
        ):
            taken = [part_id for part_id in wanted if part_id in there]
            if taken:
                raise AlreadyExists(f"the {what} id {taken[0]!r} is taken", ids=taken)
        new = Topology.of(
            [*topology.nodes.values(), *message.nodes],
            [*topology.links.values(), *message.links],
            topology.demands.values(),
            properties=topology.properties,
        )
        names = [*(node.id for node in message.nodes), *(link.id for link in message.links)]
        await self._write(new, message.author, f"added {_listed(names)}")
        return self._state

    @handles
    async def replace(self, message: ReplacePart) -> Versioned:
        part = message.part
        kind: Literal["nodes", "links"] = "nodes" if isinstance(part, Node) else "links"
        self._expect(message.if_revision, self._part(kind, part.id).revision)
        topology = self._state.topology
        nodes, links = dict(topology.nodes), dict(topology.links)
        if isinstance(part, Node):
            nodes[part.id] = part
        else:
            links[part.id] = part
        new = Topology.of(nodes.values(), links.values(), topology.demands.values(), properties=topology.properties)
        await self._write(new, message.author, f"changed {kind[:-1]} {part.id}")
        return self._part(kind, part.id)

    @handles
    async def remove(self, message: RemovePart) -> TopologyState:
        self._expect(message.if_revision, self._part(message.kind, message.id).revision)
        topology = self._state.topology
        nodes, links, demands = dict(topology.nodes), dict(topology.links), dict(topology.demands)
        if message.kind == "links":
            del links[message.id]
        else:
            attached = [link.id for link in topology.links_of(message.id)]
            if attached and not message.cascade:
                raise NodeHasLinks(f"node {message.id!r} still has {len(attached)} links: remove them first, or cascade", links=attached)
            for link_id in attached:
                del links[link_id]
            demands = {d.id: d for d in demands.values() if message.id not in (d.source, d.target)}
            del nodes[message.id]
        new = Topology.of(nodes.values(), links.values(), demands.values(), properties=topology.properties)
        await self._write(new, message.author, f"removed {message.kind[:-1]} {message.id}")
        return self._state

    @handles
    async def import_topology(self, message: ImportTopology) -> Imported:
        self._expect(message.if_revision, self._state.revision)
        new = message.topology
        if message.mode == "merge":
            new = self._state.topology.merged(new)
        difference = compared(self._state.topology, new)
        if not message.dry_run:
            await self._write(new, message.author, f"{message.mode}d by {message.source}")
        return Imported(revision=self._state.revision, difference=difference, dry_run=message.dry_run)

    @handles
    async def history(self, message: GetTopologyHistory) -> tuple[TopologyChange, ...]:
        rows = await self._log.entries(message.limit, message.before)
        names = ("revision", "at", "author", "summary")
        return tuple(structure(dict(zip(names, row, strict=True)), TopologyChange) for row in rows)

    @handles
    async def restore(self, message: RestoreTopology) -> Restored:
        self._expect(message.if_revision, self._state.revision)
        new = await self._at(message.revision)
        difference = compared(self._state.topology, new)
        await self._write(new, message.author, f"restored revision {message.revision}")
        return Restored(revision=self._state.revision, difference=difference)

    @handles
    async def compare(self, message: CompareRevisions) -> Comparison:
        return explained(await self._at(message.before), await self._at(message.after))

    async def _at(self, revision: int) -> Topology:
        if revision == self._state.revision:
            return self._state.topology
        if not 0 <= revision < self._state.revision:
            raise NotFound(f"there is no revision {revision}: the newest is {self._state.revision}", revision=self._state.revision)
        return await self._log.topology_at(revision)

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, self._snapshot)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)

    def _part(self, kind: Literal["nodes", "links"], part_id: str) -> Versioned:
        known = self._shown.get((kind, part_id))
        if known is not None:
            return known
        part: Node | Link | None = getattr(self._state.topology, kind).get(part_id)
        if part is None:
            raise NotFound(f"there is no {kind[:-1]} {part_id!r}")
        shown = Versioned(revision=self._revisions[kind, part_id], part=part, body=self._state.bodies[kind, part_id])
        self._shown[kind, part_id] = shown
        return shown

    def _expect(self, wanted: int | None, actual: int) -> None:
        if wanted is not None and wanted != actual:
            raise StaleRevision(f"it is at revision {actual}, not {wanted if wanted >= 0 else 'a weak one'}", revision=actual)

    async def _write(self, new: Topology, author: str, summary: str) -> None:
        """Make *new* the topology: database first, then memory, then everybody who listens. No change, no revision."""
        difference = compared(self._state.topology, new)
        if not difference:
            return
        revision, at = self._state.revision + 1, self._now()
        written = [(k, i) for side in (difference.added, difference.changed) for k, ids in side.items() for i in ids]
        removed = [(k, i) for k, ids in difference.removed.items() for i in ids]
        parts = {**self._state.bodies, **{(k, i): encoded(getattr(new, k)[i]) for k, i in written}}
        for key in removed:
            del parts[key]
        state = TopologyState(revision=revision, topology=new, bodies=parts)
        head = {"revision": revision, "at": at, "author": author, "summary": summary}
        event = change_event(new, difference, parts, head)
        positions = self._positions_in(new, revision)
        rows = [(k, i, positions[k, i], revision, parts[k, i].decode()) for k, i in written]
        moved = [(p, *key) for key, p in positions.items() if self._positions.get(key, p) != p]
        changed = (
            for_each("DELETE FROM part WHERE kind = ? AND id = ?", removed),
            for_each("INSERT OR REPLACE INTO part (kind, id, position, revision, body) VALUES (?, ?, ?, ?, ?)", rows),
            for_each("UPDATE part SET position = ? WHERE kind = ? AND id = ?", moved),
        )
        await self._log.append(changed, state.document, event, head, new.properties if difference.properties else None)
        for key in removed:
            del self._revisions[key]
        self._revisions.update(dict.fromkeys(written, revision))
        self._positions = positions
        self._shown.clear()
        self._state = state
        self._channel.publish([orjson.Fragment(event)])
        for listener in self._listeners:
            self.system.ref(listener).tell(TopologyChanged(state=self._state))

    def _positions_in(self, new: Topology, revision: int) -> dict[tuple[str, str], int]:
        """Return the position of every part, which is its place when read back: kept while the order allows it, else counted anew."""
        positions: dict[tuple[str, str], int] = {}
        for kind in KINDS:
            keys = [(kind, part_id) for part_id in getattr(new, kind)]
            kept = [self._positions.get(key, (revision << 24) + n) for n, key in enumerate(keys)]
            in_order = all(a < b for a, b in pairwise(kept))
            positions |= zip(keys, kept if in_order else range((revision << 24), (revision << 24) + len(keys)), strict=True)
        return positions


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
