"""TopologyStore: owns nodes, links, demands, the revision and the change log."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import attrs
import orjson

from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.ids import epoch
from actors.runtime import Actor, Message, Request, handles
from actors.storage import Database
from paranet.codec import structure, unstructure
from paranet.errors import AlreadyExists, NodeHasLinks, NotFound, StaleRevision
from paranet.models.topology import Demand, Link, Node, Topology

Parts = Mapping[str, Node | Link | Demand]
KINDS: Mapping[str, type[Node] | type[Link] | type[Demand]] = {"nodes": Node, "links": Link, "demands": Demand}
RECENT = 200
"""changes that a fresh start puts back into the channel's ring"""


@attrs.frozen(kw_only=True)
class TopologyState:
    """The topology at one revision; revision 0 is the empty one nobody wrote."""

    revision: int
    topology: Topology


@attrs.frozen(kw_only=True)
class Versioned:
    """One node or link and the revision that last changed it."""

    revision: int
    part: Node | Link


@attrs.frozen(kw_only=True)
class Counts:
    """How many of each."""

    nodes: int = 0
    links: int = 0
    demands: int = 0


@attrs.frozen(kw_only=True)
class Difference:
    """What a change does, as ids by kind (`nodes`, `links`, `demands`)."""

    added: Mapping[str, tuple[str, ...]]
    changed: Mapping[str, tuple[str, ...]]
    removed: Mapping[str, tuple[str, ...]]

    def __bool__(self) -> bool:
        return any(ids for side in (self.added, self.changed, self.removed) for ids in side.values())


@attrs.frozen(kw_only=True)
class Imported:
    """The revision after an import and what it did; a dry run did nothing."""

    revision: int
    difference: Difference
    dry_run: bool


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
        recent = await self._database.fetch("SELECT revision, event FROM topology_change ORDER BY revision DESC LIMIT ?", (RECENT,))
        revision = recent[0][0] if recent else 0
        assert isinstance(revision, int)
        self._state = TopologyState(revision=revision, topology=Topology(**parts))
        self._channel = Channel("topology", self._outlets, epoch=await self._epoch(), offset=revision - len(recent), conflate=net_change)
        self._channel.load([orjson.loads(str(event)) for _, event in reversed(recent)])
        self._channel.reopen(lambda: wire(self._state))

    async def _epoch(self) -> str:
        """Return the channel's epoch: offsets are database revisions, so it lives as long as the database does."""
        async with self._database.transaction() as tx:
            await tx.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('topology-epoch', ?)", (epoch(),))
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
        new = Topology.of([*topology.nodes.values(), *message.nodes], [*topology.links.values(), *message.links], topology.demands.values())
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
        await self._write(
            Topology.of(nodes.values(), links.values(), topology.demands.values()), message.author, f"changed {kind[:-1]} {part.id}"
        )
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
        new = Topology.of(nodes.values(), links.values(), demands.values())
        await self._write(new, message.author, f"removed {message.kind[:-1]} {message.id}")
        return self._state

    @handles
    async def import_topology(self, message: ImportTopology) -> Imported:
        self._expect(message.if_revision, self._state.revision)
        new = message.topology
        if message.mode == "merge":
            old = self._state.topology
            new = Topology.of(
                {**old.nodes, **new.nodes}.values(), {**old.links, **new.links}.values(), {**old.demands, **new.demands}.values()
            )
        difference = _difference(self._state.topology, new)
        if not message.dry_run:
            await self._write(new, message.author, f"{message.mode}d by {message.source}")
        return Imported(revision=self._state.revision, difference=difference, dry_run=message.dry_run)

    @handles
    async def history(self, message: GetTopologyHistory) -> tuple[TopologyChange, ...]:
        rows = await self._database.fetch(
            "SELECT revision, at, author, summary FROM topology_change WHERE revision < ? ORDER BY revision DESC LIMIT ?",
            (message.before if message.before is not None else 1 << 62, message.limit),
        )
        names = ("revision", "at", "author", "summary")
        return tuple(structure(dict(zip(names, row, strict=True)), TopologyChange) for row in rows)

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, lambda: wire(self._state))

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)

    def _part(self, kind: Literal["nodes", "links"], part_id: str) -> Versioned:
        part: Node | Link | None = getattr(self._state.topology, kind).get(part_id)
        if part is None:
            raise NotFound(f"there is no {kind[:-1]} {part_id!r}")
        return Versioned(revision=self._revisions[kind, part_id], part=part)

    def _expect(self, wanted: int | None, actual: int) -> None:
        if wanted is not None and wanted != actual:
            raise StaleRevision(f"it is at revision {actual}, not {wanted}", revision=actual)

    async def _write(self, new: Topology, author: str, summary: str) -> None:
        """Make *new* the topology: database first, then memory, then everybody who listens. No change, no revision."""
        difference = _difference(self._state.topology, new)
        if not difference:
            return
        revision, at = self._state.revision + 1, self._now()
        event = _event(new, difference) | {"revision": revision, "at": at, "author": author, "summary": summary}
        written = [(k, i) for side in (difference.added, difference.changed) for k, ids in side.items() for i in ids]
        removed = [(k, i) for k, ids in difference.removed.items() for i in ids]
        positions = self._positions_in(new, revision)
        async with self._database.transaction() as tx:
            await tx.execute_many("DELETE FROM part WHERE kind = ? AND id = ?", removed)
            await tx.execute_many(
                "INSERT OR REPLACE INTO part (kind, id, position, revision, body) VALUES (?, ?, ?, ?, ?)",
                [(k, i, positions[k, i], revision, orjson.dumps(unstructure(getattr(new, k)[i])).decode()) for k, i in written],
            )
            moved = [(p, *key) for key, p in positions.items() if self._positions.get(key, p) != p]
            await tx.execute_many("UPDATE part SET position = ? WHERE kind = ? AND id = ?", moved)
            await tx.execute(
                "INSERT INTO topology_change (revision, at, author, summary, event) VALUES (?, ?, ?, ?, ?)",
                (revision, at, author, summary, orjson.dumps(event).decode()),
            )
        for key in removed:
            del self._revisions[key]
        self._revisions.update(dict.fromkeys(written, revision))
        self._positions = positions
        self._state = TopologyState(revision=revision, topology=new)
        self._channel.publish([event])
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


def net_change(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one event that leads where all of *events* lead: of every part the last that happened to it."""
    if len(events) < 2:
        return list(events)
    merged = dict(events[-1])
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


def wire(state: TopologyState) -> dict[str, Any]:
    """Return the topology as REST and the channel's snapshot show it."""
    topology = state.topology
    return {"revision": state.revision} | {kind: [unstructure(p) for p in getattr(topology, kind).values()] for kind in KINDS}


def _difference(old: Topology, new: Topology) -> Difference:
    sides: dict[str, dict[str, tuple[str, ...]]] = {"added": {}, "changed": {}, "removed": {}}
    for kind in KINDS:
        before: Parts = getattr(old, kind)
        after: Parts = getattr(new, kind)
        sides["added"][kind] = tuple(i for i in after if i not in before)
        sides["changed"][kind] = tuple(i for i, part in after.items() if i in before and before[i] is not part and before[i] != part)
        sides["removed"][kind] = tuple(i for i in before if i not in after)
    return Difference(**sides)


def _event(new: Topology, difference: Difference) -> dict[str, Any]:
    return {
        kind: {
            "added": [unstructure(getattr(new, kind)[i]) for i in difference.added[kind]],
            "changed": [unstructure(getattr(new, kind)[i]) for i in difference.changed[kind]],
            "removed": list(difference.removed[kind]),
        }
        for kind in KINDS
    }


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
