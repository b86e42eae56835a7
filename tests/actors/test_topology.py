"""actors.topology"""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.channels import Outlets, Position, Subscribe
from actors.runtime import Actor, ActorSystem, Mailbox, Ref, handles
from actors.storage import Database
from actors.topology import (
    AddParts,
    GetPart,
    GetTopology,
    GetTopologyHistory,
    ImportTopology,
    RemovePart,
    ReplacePart,
    RestoreTopology,
    TopologyChanged,
    TopologyState,
    TopologyStore,
)
from paranet.codec import unstructure
from paranet.errors import AlreadyExists, InvalidTopology, NodeHasLinks, NotFound, ParaNetError, StaleRevision, StorageFailed
from paranet.models.topology import Demand, Endpoint, Link, Node, Topology
from paranet.models.units import Bandwidth
from tests.actors.conftest import Clock
from tests.actors.recorder import Recorder

T = 10.0


@asynccontextmanager
async def store(folder: Path, outlets: Outlets, now: Clock, *listeners: str) -> AsyncIterator[tuple[Ref, Database]]:
    """A topology store on the folder's database, for as long as the block runs."""
    database = await Database.open(folder / "control.sqlite3", "control")
    try:
        async with ActorSystem(now=now) as system:
            yield await system.spawn("topology", lambda: TopologyStore(database, outlets, now, listeners)), database
    finally:
        await database.close()


@pytest.fixture
async def topology(house: ActorSystem, control: Database, outlets: Outlets, clock: Clock) -> Ref:
    """An empty store."""
    return await house.spawn("topology", lambda: TopologyStore(control, outlets, clock))


def link(link_id: str, source: str, target: str) -> Link:
    return Link(id=link_id, source=Endpoint(node=source), target=Endpoint(node=target))


def added(*parts: Node | Link, author: str = "ann", if_revision: int | None = None) -> AddParts:
    nodes = tuple(p for p in parts if isinstance(p, Node))
    links = tuple(p for p in parts if isinstance(p, Link))
    return AddParts(author=author, nodes=nodes, links=links, if_revision=if_revision)


A, B, C = Node(id="a"), Node(id="b"), Node(id="c")
TRIANGLE = Topology.of(
    [A, B, C],
    [link("ab", "a", "b"), link("bc", "b", "c"), link("ca", "c", "a")],
    [Demand(id="d", source="a", target="c", rate=Bandwidth(1e6))],
)


async def attached(topology: Ref, outlets: Outlets, since: Position | None = None) -> Recorder:
    recorder = Recorder()
    outlets.add("ws/1", recorder)
    await topology.ask(Subscribe(channel="topology", subscriber="ws/1", reply_to=0, since=since), timeout=T)
    return recorder


async def test_each_write_is_one_revision(topology: Ref) -> None:
    """Whatever it touches; reading and a change that changes nothing are none."""
    assert (await topology.ask(GetTopology(), timeout=T)).revision == 0
    assert (await topology.ask(added(A, B, link("ab", "a", "b")), timeout=T)).revision == 1
    assert (await topology.ask(added(C), timeout=T)).revision == 2
    assert (await topology.ask(ReplacePart(author="ann", part=attrs.evolve(C, region="x")), timeout=T)).revision == 3
    assert (await topology.ask(ReplacePart(author="ann", part=attrs.evolve(C, region="x")), timeout=T)).revision == 3
    assert (await topology.ask(RemovePart(author="ann", kind="nodes", id="a", cascade=True), timeout=T)).revision == 4
    imported = await topology.ask(ImportTopology(author="ann", topology=TRIANGLE, mode="replace"), timeout=T)
    assert imported.revision == 5
    assert (await topology.ask(GetTopology(), timeout=T)).revision == 5


async def test_a_part_has_the_revision_that_changed_it(topology: Ref) -> None:
    """Changes of other parts do not move it."""
    await topology.ask(added(A), timeout=T)
    await topology.ask(added(B), timeout=T)
    assert (await topology.ask(ReplacePart(author="ann", part=attrs.evolve(A, region="x")), timeout=T)).revision == 3
    assert (await topology.ask(GetPart(kind="nodes", id="a"), timeout=T)).revision == 3
    assert (await topology.ask(GetPart(kind="nodes", id="b"), timeout=T)).revision == 2


@pytest.mark.parametrize(
    ("request_", "current"),
    [
        (added(C, if_revision=1), 2),
        (ImportTopology(author="ann", topology=TRIANGLE, if_revision=1), 2),
        (ReplacePart(author="ann", part=attrs.evolve(A, region="x"), if_revision=2), 1),
        (RemovePart(author="ann", kind="nodes", id="a", if_revision=2), 1),
    ],
    ids=["add", "import", "replace", "remove"],
)
async def test_a_stale_revision_is_refused(topology: Ref, request_: Any, current: int) -> None:
    """With the one that is current: the topology's for adding and importing, the part's own otherwise; the right one is taken."""
    await topology.ask(added(A), timeout=T)
    await topology.ask(added(B), timeout=T)
    with pytest.raises(StaleRevision) as caught:
        await topology.ask(request_, timeout=T)
    assert caught.value.extra == {"revision": current}
    assert (await topology.ask(GetTopology(), timeout=T)).revision == 2
    await topology.ask(attrs.evolve(request_, if_revision=current), timeout=T)
    assert (await topology.ask(GetTopology(), timeout=T)).revision == 3


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (added(C, A), AlreadyExists),
        (added(C, C), InvalidTopology),
        (added(C, link("ab", "a", "c")), AlreadyExists),
        (added(C, link("cz", "c", "z")), InvalidTopology),
        (ReplacePart(author="ann", part=C), NotFound),
        (ReplacePart(author="ann", part=link("ab", "a", "z")), InvalidTopology),
        (RemovePart(author="ann", kind="nodes", id="c"), NotFound),
        (RemovePart(author="ann", kind="links", id="a"), NotFound),
        (RemovePart(author="ann", kind="nodes", id="a"), NodeHasLinks),
    ],
)
async def test_a_refusal_changes_nothing(topology: Ref, request_: Any, error: type[ParaNetError]) -> None:
    """All of a request is taken or none of it."""
    await topology.ask(added(A, B, link("ab", "a", "b")), timeout=T)
    before = await topology.ask(GetTopology(), timeout=T)
    with pytest.raises(error):
        await topology.ask(request_, timeout=T)
    assert await topology.ask(GetTopology(), timeout=T) == before


async def test_removing_a_node_takes_what_hangs_on_it(topology: Ref) -> None:
    """With cascade its links, and its demands in any case."""
    await topology.ask(ImportTopology(author="ann", topology=TRIANGLE), timeout=T)
    state = await topology.ask(RemovePart(author="ann", kind="nodes", id="c", cascade=True), timeout=T)
    assert (set(state.topology.nodes), set(state.topology.links), set(state.topology.demands)) == ({"a", "b"}, {"ab"}, set())


async def test_a_merge_adds_and_replaces(topology: Ref) -> None:
    """What the file does not name stays; the difference says what was done; a dry run only says it."""
    await topology.ask(added(A, Node(id="z")), timeout=T)
    request = ImportTopology(author="ann", topology=Topology.of([attrs.evolve(A, region="x"), B]), mode="merge", dry_run=True)
    planned = await topology.ask(request, timeout=T)
    assert (planned.revision, planned.dry_run) == (1, True)
    done = await topology.ask(attrs.evolve(request, dry_run=False), timeout=T)
    assert (done.revision, done.difference) == (2, planned.difference)
    assert {side: getattr(done.difference, side)["nodes"] for side in ("added", "changed", "removed")} == {
        "added": ("b",),
        "changed": ("a",),
        "removed": (),
    }
    assert list((await topology.ask(GetTopology(), timeout=T)).topology.nodes) == ["a", "z", "b"]


async def test_an_event_says_what_changed(topology: Ref, outlets: Outlets, clock: Clock) -> None:
    """Whole parts that are new or changed, ids of those that went, the revision as its offset, who and when."""
    await topology.ask(ImportTopology(author="ann", topology=TRIANGLE), timeout=T)
    recorder = await attached(topology, outlets)
    changed = attrs.evolve(A, region="x")
    await topology.ask(ReplacePart(author="bob", part=changed), timeout=T)
    await topology.ask(RemovePart(author="eve", kind="nodes", id="c", cascade=True), timeout=T)
    first, second = recorder.of("events")
    assert (first["from"], first["to"], second["from"]) == (2, 2, 3)
    nothing: dict[str, list[object]] = {"added": [], "changed": [], "removed": []}
    assert first["items"] == [
        {
            "nodes": nothing | {"changed": [unstructure(changed)]},
            "links": nothing,
            "demands": nothing,
            "revision": 2,
            "at": clock.now,
            "author": "bob",
            "summary": "changed node a",
        }
    ]
    (gone,) = second["items"]
    assert {kind: gone[kind]["removed"] for kind in ("nodes", "links", "demands")} == {
        "nodes": ["c"],
        "links": ["bc", "ca"],
        "demands": ["d"],
    }


async def test_the_snapshot_is_the_topology(topology: Ref, outlets: Outlets) -> None:
    """As REST shows it, with its revision as the offset."""
    await topology.ask(ImportTopology(author="ann", topology=TRIANGLE), timeout=T)
    (snapshot,) = (await attached(topology, outlets)).of("snapshot")
    assert snapshot["offset"] == 1
    assert snapshot["data"] == orjson.loads((await topology.ask(GetTopology(), timeout=T)).document)


async def test_the_history_is_newest_first(topology: Ref, clock: Clock) -> None:
    """Who changed what and when, from any revision backwards."""
    await topology.ask(added(A, author="ann"), timeout=T)
    clock.now += 60
    await topology.ask(added(B, author="bob"), timeout=T)
    newest, oldest = await topology.ask(GetTopologyHistory(limit=10), timeout=T)
    assert (newest.revision, newest.author, newest.summary, newest.at) == (2, "bob", "added b", clock.now)
    assert await topology.ask(GetTopologyHistory(limit=1), timeout=T) == (newest,)
    assert await topology.ask(GetTopologyHistory(limit=10, before=2), timeout=T) == (oldest,)


async def test_a_restart_keeps_everything(tmp_path: Path, outlets: Outlets, clock: Clock) -> None:
    """Parts in their order, revisions, history, and positions on the channel."""
    async with store(tmp_path, outlets, clock) as (topology, _):
        await topology.ask(added(C, A), timeout=T)
        await topology.ask(added(B, link("ab", "a", "b")), timeout=T)
        await topology.ask(ReplacePart(author="ann", part=attrs.evolve(C, region="x")), timeout=T)
        state = await topology.ask(GetTopology(), timeout=T)
        history = await topology.ask(GetTopologyHistory(limit=10), timeout=T)
        epoch = (await attached(topology, outlets)).frames[0]["epoch"]
    async with store(tmp_path, outlets, clock) as (topology, _):
        again = await topology.ask(GetTopology(), timeout=T)
        assert again == state
        assert [list(getattr(again.topology, k)) for k in ("nodes", "links")] == [["c", "a", "b"], ["ab"]]
        assert (await topology.ask(GetPart(kind="nodes", id="c"), timeout=T)).revision == 3
        assert (await topology.ask(GetPart(kind="nodes", id="a"), timeout=T)).revision == 1
        assert await topology.ask(GetTopologyHistory(limit=10), timeout=T) == history
        recorder = await attached(topology, outlets, Position(epoch=epoch, offset=1))
        assert recorder.frames[0]["recovered"] is True
        assert [item["revision"] for item in recorder.items] == [2, 3]


async def test_a_part_that_is_replaced_keeps_its_place(tmp_path: Path, outlets: Outlets, clock: Clock) -> None:
    """In memory and after a restart alike; one that was removed and added again comes last."""
    async with store(tmp_path, outlets, clock) as (topology, _):
        await topology.ask(added(A, B, C), timeout=T)
        await topology.ask(ReplacePart(author="ann", part=attrs.evolve(A, region="x")), timeout=T)
        await topology.ask(RemovePart(author="ann", kind="nodes", id="b"), timeout=T)
        before = list((await topology.ask(added(B), timeout=T)).topology.nodes)
    async with store(tmp_path, outlets, clock) as (topology, _):
        assert list((await topology.ask(GetTopology(), timeout=T)).topology.nodes) == before == ["a", "c", "b"]


async def test_an_import_in_another_order_is_read_back_as_it_was(tmp_path: Path, outlets: Outlets, clock: Clock) -> None:
    """The order before a restart is the one after it, whatever the order of the file."""
    async with store(tmp_path, outlets, clock) as (topology, _):
        await topology.ask(added(A, B), timeout=T)
        await topology.ask(ImportTopology(author="ann", topology=Topology.of([C, B, attrs.evolve(A, region="x")])), timeout=T)
        before = list((await topology.ask(GetTopology(), timeout=T)).topology.nodes)
    async with store(tmp_path, outlets, clock) as (topology, _):
        assert list((await topology.ask(GetTopology(), timeout=T)).topology.nodes) == before


async def test_a_failed_write_changes_nothing(house: ActorSystem, topology: Ref, control: Database, outlets: Outlets) -> None:
    """Neither memory nor the channel; when the disk is well again the next write has the next revision."""
    await topology.ask(added(A), timeout=T)
    recorder = await attached(topology, outlets)
    await control._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageFailed):
        await topology.ask(added(B), timeout=T)
    await control._connection.execute("PRAGMA query_only = OFF")
    state = await topology.ask(GetTopology(), timeout=T)
    assert (state.revision, list(state.topology.nodes)) == (1, ["a"])
    assert not recorder.of("events")
    assert (await topology.ask(added(C), timeout=T)).revision == 2
    assert [item["revision"] for item in recorder.items] == [2]


class Follower(Actor):
    """Keeps what it is told."""

    mailbox = Mailbox(capacity=64)

    def __init__(self, told: list[TopologyState]) -> None:
        self._told = told

    @handles
    async def changed(self, message: TopologyChanged) -> None:
        self._told.append(message.state)

    @handles
    async def sync(self, message: GetTopology) -> TopologyState:
        return self._told[-1]


async def test_listeners_are_told_every_revision(house: ActorSystem, control: Database, outlets: Outlets, clock: Clock) -> None:
    """In order, with the whole state."""
    told: list[TopologyState] = []
    follower = await house.spawn("device", lambda: Follower(told))
    topology = await house.spawn("topology", lambda: TopologyStore(control, outlets, clock, ("device",)))
    states = [await topology.ask(added(node), timeout=T) for node in (A, B, C)]
    await follower.ask(GetTopology(), timeout=T)
    assert told == states


NAMES = ["a", "b", "c", "d"]
PAIRS = {f"{x}{y}": (x, y) for x in NAMES for y in NAMES if x < y}
Model = dict[str, dict[str, object]]


def expected(model: Model, kind: str, name: str, request: Any) -> Mapping[str, Mapping[str, object]] | None:
    """Return the model after the request, None when it is to be refused."""
    new = {"nodes": dict(model["nodes"]), "links": dict(model["links"])}
    attached_links = [i for i in model["links"] if kind == "nodes" and name in PAIRS[i]]
    match request:
        case AddParts() if name not in model[kind] and (kind == "nodes" or all(n in model["nodes"] for n in PAIRS[name])):
            new[kind][name] = (request.nodes or request.links)[0]
        case ReplacePart() if name in model[kind]:
            new[kind][name] = request.part
        case RemovePart() if name in model[kind] and (request.cascade or not attached_links):
            del new[kind][name]
            for i in attached_links:
                del new["links"][i]
        case _:
            return None
    return new


def anything(dice: random.Random) -> tuple[str, str, Any]:
    """Return some request, with the kind and the id of what it is about."""
    kind: Literal["nodes", "links"] = dice.choice(["nodes", "links"])
    name = dice.choice(NAMES if kind == "nodes" else list(PAIRS))
    part = Node(id=name, region=str(dice.random())) if kind == "nodes" else attrs.evolve(link(name, *PAIRS[name]), cost=dice.random())
    remove = RemovePart(author="ann", kind=kind, id=name, cascade=dice.random() < 0.5)
    return kind, name, dice.choice([added(part), ReplacePart(author="ann", part=part), remove])


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), steps=st.integers(5, 40))
async def test_it_behaves_like_a_plain_dict(seed: int, steps: int) -> None:
    """Random writes, refusals and restarts: the same parts in the same order as the model, and a revision for each change."""
    dice, outlets, now = random.Random(seed), Outlets(), Clock(0.0)
    model: Model = {"nodes": {}, "links": {}}
    revision = 0
    with TemporaryDirectory() as folder:
        for _ in range(2):
            async with store(Path(folder), outlets, now) as (topology, _database):
                for _ in range(steps):
                    kind, name, request = anything(dice)
                    after = expected(model, kind, name, request)
                    if after is None:
                        with pytest.raises(ParaNetError):
                            await topology.ask(request, timeout=T)
                    else:
                        await topology.ask(request, timeout=T)
                        model, revision = {k: dict(v) for k, v in after.items()}, revision + 1
                    await agrees(topology, model, revision)
            async with store(Path(folder), outlets, now) as (topology, _database):
                await agrees(topology, model, revision)


async def agrees(topology: Ref, model: Model, revision: int) -> None:
    state = await topology.ask(GetTopology(), timeout=T)
    assert state.revision == revision
    assert list(state.topology.nodes.items()) == list(model["nodes"].items())
    assert list(state.topology.links.items()) == list(model["links"].items())


async def test_any_revision_can_be_had_again(tmp_path: Path, outlets: Outlets, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """With snapshots in between, and after a restart: what was, is what is restored."""
    monkeypatch.setattr("actors.topology_log._SPARE", -2000)
    past: list[Topology] = [Topology()]
    async with store(tmp_path, outlets, clock) as (topology, _):
        await topology.ask(ImportTopology(author="ann", topology=TRIANGLE), timeout=T)
        past.append((await topology.ask(GetTopology(), timeout=T)).topology)
        for i in range(8):
            await topology.ask(ReplacePart(author="ann", part=attrs.evolve(A, region=f"region {i}")), timeout=T)
            past.append((await topology.ask(GetTopology(), timeout=T)).topology)
    async with store(tmp_path, outlets, clock) as (topology, database):
        ((snapshots,),) = await database.fetch("SELECT count(*) FROM topology_snapshot")
        assert snapshots
        for revision, was in enumerate(past):
            await topology.ask(RestoreTopology(author="bob", revision=revision), timeout=T)
            assert (await topology.ask(GetTopology(), timeout=T)).topology == was
