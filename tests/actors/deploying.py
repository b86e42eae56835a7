"""The half of a hub that deploys, on files and devices that outlive it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from actors.channels import Outlets, Subscribe
from actors.deployer import Begin, DeploySupervisor
from actors.devices import Devices
from actors.gates import Promise
from actors.journal import Journal, Recorded
from actors.planner import Order, Planned
from actors.progress import ENDINGS, Progress
from actors.runtime import ActorSystem
from actors.runtime.inspect import state_of
from actors.storage import Database
from actors.topology import ImportTopology, TopologyStore
from paranet.controller.driver import Driver
from paranet.controller.simulator.device import SimulatorDriver
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.models.device import Row, Rows
from paranet.models.topology import Node, Topology
from paranet.orchestrator.gates import OPEN, Gates
from paranet.orchestrator.plan import Plan, make_plan
from paranet.orchestrator.waves import Strategy
from tests.actors.conftest import Clock
from tests.actors.recorder import WITHIN, Look, Recorder, Witness
from tests.paranet.controller.simulator.networks import line, route

NETWORK = line("a", "b", "c", "d", demand=None)
HOPS = {"a": ("b", "a-b"), "b": ("c", "b-c"), "c": ("d", "c-d")}
NODES = tuple(HOPS)
T = 10.0
Hook = Callable[[int, str, Progress], Awaitable[None]]
Values = dict[str, dict[str, object]]


async def nothing(_call: int, _when: str, _progress: Progress) -> None:
    """Let the journal write."""


class Watched(Journal):
    """A journal that tells before and after every write which one it is; what the hook raises or waits for is the hub's fate."""

    def __init__(self, database: Database, hook: Hook) -> None:
        super().__init__(database)
        self._hook = hook
        self.writes = 0

    async def begin(self, recorded: Recorded, events: Sequence[Mapping[str, Any]]) -> None:
        call = self._count()
        await self._hook(call, "before", recorded.progress)
        await super().begin(recorded, events)
        await self._hook(call, "after", recorded.progress)

    async def note(self, progress: Progress, events: Sequence[Mapping[str, Any]], *, decide: Plan | None = None) -> None:
        call = self._count()
        await self._hook(call, "before", progress)
        await super().note(progress, events, decide=decide)
        await self._hook(call, "after", progress)

    def _count(self) -> int:
        self.writes += 1
        return self.writes - 1


class Abrupt(SimulatorDriver):
    """A session that ends as with a killed hub: the device hears nothing of it. *committed* hears of every commit."""

    def __init__(self, network: SimulatedNetwork, node: str, committed: Callable[[str], object]) -> None:
        super().__init__(network, node)
        self._committed = committed
        self._node = node

    async def commit(self, *, confirm_within: float | None) -> None:
        await super().commit(confirm_within=confirm_within)
        self._committed(self._node)

    async def close(self) -> None:
        """Say nothing."""


class Hub:
    """What tests ask of the deploying half of a hub."""

    def __init__(
        self, system: ActorSystem, database: Database, journal: Watched, outlets: Outlets, network: SimulatedNetwork, now: Clock
    ) -> None:
        self.database, self.now = database, now
        self.system, self.journal, self.outlets, self.network, self.lab = system, journal, outlets, network, network.lab
        self.deployer = system.ref("deployer")
        self.gone: dict[str, asyncio.Event] = {}

    async def begin(self, plan: Plan, strategy: Strategy | None = None, *, gates: Gates = OPEN, queue: bool = False) -> str:
        """Start a plan; return its deployment's id."""
        planned = Planned(plan=plan, nodes=plan.nodes, promise=Promise(gates=gates))
        request = Begin(planned=planned, order=Order(deploy_id=plan.plan_id, author="ann", strategy=strategy or Strategy(), queue=queue))
        return (await self.deployer.ask(request, timeout=T)).deploy_id

    async def run(self, plan: Plan, strategy: Strategy | None = None, *, gates: Gates = OPEN) -> Progress:
        """Start a plan; return its ending."""
        return await self.ended(await self.begin(plan, strategy, gates=gates))

    async def ended(self, deploy_id: str) -> Progress:
        """Wait until the deployment has one of the four endings and its supervisor knows."""
        path = f"deployer/{deploy_id}"
        async with asyncio.timeout(WITHIN):
            while True:
                await self.system.ref("witness").ask(Look(path=path), timeout=T)
                await self.gone[path].wait()
                progress = (await self.journal.load(deploy_id)).progress
                if progress.state in ENDINGS:
                    return progress

    async def recorded(self, deploy_id: str) -> Recorded:
        return await self.journal.load(deploy_id)

    async def follow(self, deploy_id: str, path: str = "ws/1") -> Recorder:
        """Attach a new client to the deployment's channel."""
        recorder = Recorder()
        self.outlets.add(path, recorder)
        await self.deployer.ask(Subscribe(channel=f"deploy/{deploy_id}", subscriber=path, reply_to=0), timeout=T)
        return recorder

    def leases(self) -> object:
        cell = self.system.cell("deployer")
        assert cell is not None
        return state_of(cell)["leases"]


@asynccontextmanager
async def hub(
    folder: Path,
    network: SimulatedNetwork,
    hook: Hook = nothing,
    *,
    committed: Callable[[str], object] = lambda _: None,
    killed: asyncio.Event | None = None,
    interval: float = 1.0,
    driver: Callable[[Node], Driver] | None = None,
    topology: Topology = NETWORK,
) -> AsyncIterator[Hub]:
    """Open the house on the folder's database, for as long as the block runs. When *killed* is set it ends without a goodbye."""
    database, outlets, now = await Database.open(folder / "control.sqlite3", "control"), Outlets(), Clock(1_750_000_000.0)
    journal = Watched(database, hook)
    try:
        async with ActorSystem(now=now) as system:
            try:
                made = Hub(system, database, journal, outlets, network, now)
                await system.spawn("witness", lambda: Witness(made.gone))
                store = await system.spawn("topology", lambda: TopologyStore(database, outlets, now))
                await store.ask(ImportTopology(author="t", topology=topology), timeout=T)
                make = driver or (lambda node: Abrupt(network, node.id, committed))
                await system.spawn("device", lambda: Devices(make, None, 3600.0, now, journal=journal))
                await system.spawn("deployer", lambda: DeploySupervisor(journal, outlets, now, interval))
                yield made
            finally:
                if killed is not None and killed.is_set():
                    system.kill()
                for node in network.lab.hung:
                    network.lab.release(node)
    finally:
        await database.close()


def before(node: str) -> dict[tuple[str, str], Row]:
    """The rows a device has at first: one to be changed, one to go, one to stay."""
    rows = [route("10.8.0.0/24", HOPS[node]), route("10.7.0.0/24", HOPS[node]), route("10.6.0.0/24", HOPS[node])]
    return {row.id: row for row in rows}


def after(node: str) -> dict[tuple[str, str], Row]:
    """The rows it is to have: one changed, one new, one as it was."""
    rows = [route("10.8.0.0/24", (*HOPS[node], 2)), route("10.9.0.0/24", HOPS[node]), route("10.6.0.0/24", HOPS[node])]
    return {row.id: row for row in rows}


def plan(plan_id: str = "d1", nodes: Sequence[str] = NODES) -> Plan:
    """The way from *before* to *after*: three devices, each in a wave of its own."""
    installed: dict[str, Rows] = {node: before(node) for node in nodes}
    desired: dict[str, Rows] = {node: after(node) for node in nodes}
    return make_plan(plan_id=plan_id, topology_revision=1, installed=installed, desired=desired)


def plan_on(network: SimulatedNetwork, plan_id: str, node: str, *rows: Row) -> Plan:
    """A plan that puts *rows* on top of what one device has now."""
    installed = network.device(node).store.running
    wanted = {**installed, **{row.id: row for row in rows}}
    return make_plan(plan_id=plan_id, topology_revision=1, installed={node: dict(installed)}, desired={node: wanted})


def flash() -> MemoryFlash:
    """The devices' own memory, as it is before anything was deployed."""
    return MemoryFlash({node: tuple(before(node).values()) for node in NODES})


async def powered(memory: MemoryFlash) -> SimulatedNetwork:
    """Devices just switched on."""
    network = SimulatedNetwork(NETWORK, seed=1, flash=memory)
    await network.boot()
    return network


def values(rows: Mapping[str, Rows]) -> Values:
    return {node: {key: row.value for (_, key), row in held.items()} for node, held in rows.items()}


def live(network: SimulatedNetwork) -> Values:
    """What forwards traffic now."""
    return values({node: network.device(node).store.running for node in NODES})


async def kept(memory: MemoryFlash) -> Values:
    """What would be there after a power cycle."""
    found = await memory.load()
    return values({node: {row.id: row for row in found[node]} for node in NODES})


BEFORE, AFTER = values({n: before(n) for n in NODES}), values({n: after(n) for n in NODES})


def starting(progress: Progress, wave: int) -> bool:
    """Tell whether this is the moment before a wave is committed."""
    states = [{device.state for device in w.devices} for w in progress.waves]
    return progress.state == "committing" and all(s == {"committed"} for s in states[:wave]) and states[wave] == {"committing"}


def orderly(events: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether no event is missing and the percentage never goes back."""
    percents = [event["percent"] for event in events]
    return [event["seq"] for event in events] == list(range(1, len(events) + 1)) and percents == sorted(percents)
