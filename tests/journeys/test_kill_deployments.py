"""`kill -9` of a hub at every write of its journal, and halfway through a device: the next hub ends before or after, never between."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path

import aiohttp
import attrs
import pytest
import pytest_asyncio

from actors.progress import ENDINGS
from paranet.controller.linux.device import LinuxDriver
from paranet.controller.linux.lab import namespace_of
from paranet.controller.simulator.flash import FileFlash
from paranet.interop.registry import write
from paranet.models.device import Row, RowKey, Rows
from paranet.models.topology import Topology
from paranet.orchestrator.diff import diff
from tests.actors.deploying import orderly
from tests.actors.test_deployment_crash import DECIDE, SIDES, WRITES
from tests.journeys.doomed import Moment, Running, running
from tests.journeys.hub import PASSWORD, USERNAME
from tests.namespaces import built, needs_namespaces
from tests.paranet.controller.simulator.networks import line

pytestmark = pytest.mark.journey

NODES = ("a", "b", "c")
BEFORE = """
route there { from: a; to: c }
route gone  { from: b; to: a }
acl quiet   { seq: 10; deny: { from: a; to: c; protocol: udp }; at: [a, b, c] }
qos slow    { match: { from: a; to: c }; rate: 20Mbps; burst: 64KB }
"""
AFTER = """
route there { from: a; to: c; bandwidth: 1Mbps }
route back  { from: c; to: a }
acl quiet   { seq: 20; deny: { from: a; to: c; protocol: tcp; port: 80 }; at: [a, b, c] }
qos slow    { match: { from: a; to: c }; rate: 30Mbps; burst: 64KB }
"""
State = dict[str, dict[RowKey, Mapping[str, object]]]
"""value by row by node"""
MOMENTS = [Moment(call=call, side=side) for call, side in product(range(WRITES), SIDES)]
DECIDED = frozenset(m for m in MOMENTS if m.call > DECIDE or m == Moment(call=DECIDE, side="after"))
HALVES = [Moment(call=call, side="before", where="device") for call in range(len(NODES))]


@attrs.define(kw_only=True)
class Stage:
    """A network whose hub, at home in *home*, has deployed BEFORE and is about to deploy AFTER (*compile_id*)."""

    home: Path
    network: Topology
    token: str = ""
    compile_id: str = ""
    before: State = attrs.field(factory=dict)
    after: State = attrs.field(factory=dict)

    async def held(self, home: Path) -> dict[str, Rows]:
        """Return what the devices hold, asked past any hub: what they have in their flash, for their hub is their power too."""
        flash = FileFlash(home / "simulator.sqlite3")
        found = await flash.load()
        await flash.close()
        return {node: {row.id: row for row in found.get(node, ())} for node in NODES}

    async def reset(self) -> None:
        """Bring the devices back to what is in *home*; those that live there need nothing."""

    async def prepare(self) -> None:
        """Have a hub deploy one after the other, and put the devices and the hub back where it had deployed the first."""
        async with running(self.home, None, PARANET_ADMIN_PASSWORD=PASSWORD) as hub:
            who = {"username": USERNAME, "password": PASSWORD}
            self.token = (await hub.call("POST", "/auth/login", json=who))["access_token"]
        async with running(self.home, self.token) as hub:
            as_json = {"Content-Type": "application/json"}
            await hub.call("POST", "/topology/import", data=write(self.network), headers=as_json)
            await self._deploy(hub, await compiled(hub, BEFORE))
            self.compile_id = await compiled(hub, AFTER)
        copy = shutil.copytree(self.home, self.home.with_name("tried"))
        self.before = values(await self.held(copy))
        async with running(copy, self.token) as hub:
            await self._deploy(hub, self.compile_id)
        self.after = values(await self.held(copy))
        await self.reset()
        assert all(self.before[node] != self.after[node] for node in NODES)

    async def _deploy(self, hub: Running, compile_id: str) -> None:
        answer = await hub.call("POST", "/deploy/execute", json={"compile_id": compile_id}, headers={"Prefer": "wait=20"})
        assert answer["state"] == "succeeded", answer["reason"]


class RealStage(Stage):
    """The same with real routers, which live on when their hub dies."""

    async def held(self, home: Path) -> dict[str, Rows]:
        found = {}
        for node in NODES:
            async with self._session(node) as session:
                found[node] = await session.read_rows()
        return found

    async def reset(self) -> None:
        rows = {node: {key: Row(family=key[0], key=key[1], value=value) for key, value in of.items()} for node, of in self.before.items()}
        now = await self.held(self.home)
        for node in NODES:
            if delta := diff(now[node], rows[node]):
                async with self._session(node) as session:
                    await session.revert(delta)

    @asynccontextmanager
    async def _session(self, node: str) -> AsyncIterator[LinuxDriver]:
        session = LinuxDriver(node, namespace_of(node), lambda: self.network)
        await session.connect()
        yield session
        await session.close()


async def compiled(hub: Running, source: str) -> str:
    """Return the id of the source's compilation."""
    answer = await hub.call("POST", "/intent/compile", json={"source": source, "name": "kill"})
    assert answer["ok"], answer
    return str(answer["id"])


def values(rows: Mapping[str, Rows]) -> State:
    return {node: {key: row.value for key, row in of.items()} for node, of in rows.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["simulator", pytest.param("linux", marks=needs_namespaces)])
async def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The stage of every test, with devices of either driver."""
    folder, network = tmp_path_factory.mktemp("stage"), line(*NODES, demand=None)
    if request.param == "simulator":
        made = Stage(home=folder / "data", network=network)
        await made.prepare()
        yield made
    else:
        async with built(network, folder) as wired:
            made = RealStage(home=folder / "data", network=wired)
            await made.prepare()
            yield made


@pytest.mark.parametrize("death", MOMENTS, ids=str)
async def test_killed_at_any_write_it_is_before_or_after(stage: Stage, tmp_path: Path, death: Moment) -> None:
    """Without DECIDE every device is as before, with it as after; the history says which, its events are whole, nothing is leased."""
    begun = death != Moment(call=0, side="before")
    await check(stage, tmp_path, death, "succeeded" if death in DECIDED else "rolled_back" if begun else None)


@pytest.mark.parametrize("death", HALVES, ids=str)
async def test_killed_in_the_middle_of_a_device(stage: Stage, tmp_path: Path, death: Moment) -> None:
    """Routers that were half changed go back; simulated devices lose their power while they keep what is decided, and go forward."""
    await check(stage, tmp_path, death, "rolled_back" if isinstance(stage, RealStage) else "succeeded")


async def check(stage: Stage, folder: Path, death: Moment, ending: str | None) -> None:
    """Have a hub deploy until its *death*, and the next one bring it to that *ending* (None: it had never begun)."""
    home = shutil.copytree(stage.home, folder / "data")
    try:
        async with running(home, stage.token, death) as hub:
            with contextlib.suppress(aiohttp.ClientError):
                await hub.call("POST", "/deploy/execute", json={"compile_id": stage.compile_id})
            await hub.killed()
        async with running(home, stage.token) as hub:
            found = (await hub.call("GET", "/deploy/history?limit=10"))["items"]
            begun = [d["deploy_id"] for d in found if d["compile_id"] == stage.compile_id]
            assert len(begun) == (ending is not None)
            for deploy_id in begun:
                events = await hub.log_of(deploy_id, ENDINGS)
                assert orderly(events)
                progress = await hub.call("GET", f"/deploy/status/{deploy_id}")
                assert (progress["state"], progress["inconsistent_devices"]) == (events[-1]["state"], []) == (ending, [])
            assert (await hub.call("GET", "/deploy/leases"))["items"] == []
        assert values(await stage.held(home)) == (stage.after if ending == "succeeded" else stage.before)
    finally:
        await stage.reset()
