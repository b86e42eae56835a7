"""Deployments: a thousand simulated devices at once, a canary, real routers, what the journal costs, how soon a client hears of it.

Prints a table and writes bench/results/deploy.json. Real routers need root and are left out without. Run: python bench/deploy.py
"""

import argparse
import asyncio
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this file's own folder would make it shadow packages

import aiohttp  # noqa: E402
import uvloop  # noqa: E402
from aiohttp import web  # noqa: E402

from actors.channels import Outlets  # noqa: E402
from actors.deployer import DeploySupervisor  # noqa: E402
from actors.devices import Devices  # noqa: E402
from actors.intents import Compilation, GetCompilation  # noqa: E402
from actors.journal import Journal, Recorded  # noqa: E402
from actors.orders import Execute, GetDeployment  # noqa: E402
from actors.progress import ENDINGS, Progress, waves_of  # noqa: E402
from actors.runtime import Actor, ActorSystem, handles  # noqa: E402
from actors.storage import Database  # noqa: E402
from actors.topology import ImportTopology, TopologyStore  # noqa: E402
from hub.app import make_app  # noqa: E402
from hub.house import House  # noqa: E402
from hub.settings import Admin, Server, Settings  # noqa: E402
from hub.settings import Network as NetworkSettings  # noqa: E402
from paranet.controller.driver import Driver  # noqa: E402
from paranet.controller.linux import lab  # noqa: E402
from paranet.controller.linux.device import LinuxDriver  # noqa: E402
from paranet.controller.simulator.device import SimulatorDriver  # noqa: E402
from paranet.controller.simulator.flash import FileFlash  # noqa: E402
from paranet.controller.simulator.network import SimulatedNetwork  # noqa: E402
from paranet.examples import demo, demo_intents  # noqa: E402
from paranet.interop.registry import read  # noqa: E402
from paranet.models.addressing import router_addresses  # noqa: E402
from paranet.models.device import Row  # noqa: E402
from paranet.models.intent import Compiled, Reach, Report  # noqa: E402
from paranet.models.topology import Endpoint, Link, Node, Topology  # noqa: E402
from paranet.orchestrator.gates import Gates  # noqa: E402
from paranet.orchestrator.plan import make_plan  # noqa: E402
from paranet.orchestrator.waves import Strategy  # noqa: E402

RESULTS = Path(__file__).parent / "results"
AT_ONCE = Strategy(kind="all-at-once")
T = 60.0
NOTES = ("state", "devices", "state", "devices", "devices", "devices", "state", "state", "devices")
"""what a deployment in one wave writes after BEGIN: each phase as it begins and as it ends, the gate, DECIDE, the ending"""
DECIDE = 7
QUICK = 7
"""what takes milliseconds is measured so many times as often"""


def network(size: int) -> Topology:
    """Return a ring with chords."""
    nodes = [Node(id=f"n{i}") for i in range(size)]
    pairs = {(i, (i + 1) % size) for i in range(size)} | {
        tuple(sorted((i, (i * 7 + 13) % size))) for i in range(size) if (i * 7 + 13) % size != i
    }
    links = [Link(id=f"l{a}-{b}", source=Endpoint(node=f"n{a}"), target=Endpoint(node=f"n{b}")) for a, b in sorted(pairs) if a != b]
    return Topology.of(nodes, links)


def routed(topology: Topology, targets: int) -> Compiled:
    """Return shortest ways from every node to that many targets, each with a reach from the farthest node."""
    neighbours: dict[str, list[tuple[str, Link, Endpoint, Endpoint]]] = {n: [] for n in topology.nodes}
    for link in topology.links.values():
        for near, far in ((link.source, link.target), (link.target, link.source)):
            neighbours[far.node].append((near.node, link, near, far))
    addresses = router_addresses(topology)
    rows: dict[str, list[Row]] = {n: [] for n in topology.nodes}
    reaches = []
    for target in list(topology.nodes)[:targets]:
        seen, queue, last = {target}, deque([target]), target
        while queue:
            here = queue.popleft()
            for node, link, near, far in neighbours[here]:
                if node not in seen:
                    seen.add(node)
                    queue.append(node)
                    last = node
                    port = next((i.address for i in topology.nodes[here].interfaces if i.name == far.interface and i.address), None)
                    address = port.partition("/")[0] if port else str(addresses[here])
                    hop = {"node": here, "link": link.id, "interface": near.interface, "address": address, "weight": 1}
                    rows[node].append(
                        Row(family="ip.route", key=f"{addresses[target]}/32", value={"next_hops": [hop]}, owners=("bench/r",))
                    )
        reaches.append(Reach(intent="bench/r", source=last, target=target, prefix=f"{addresses[target]}/32"))
    made = {n: tuple(found) for n, found in rows.items() if found}
    return Compiled(ok=True, diagnostics=(), intents=("bench/r",), rows=made, reaches=tuple(reaches))


class Compilations(Actor):
    """Has one compilation, made here."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled

    @handles
    async def get(self, message: GetCompilation) -> Compilation:
        return Compilation(
            id=message.id,
            at=0.0,
            author="bench",
            name="bench",
            source="",
            topology_revision=1,
            compiled=self._compiled,
            verification=Report(ok=True, checked={}),
        )


@asynccontextmanager
async def hub(folder: Path, topology: Topology, compiled: Compiled, real: bool) -> AsyncIterator[ActorSystem]:
    """Open the deploying half of a hub over simulated devices with their flash in a file, or over real ones."""
    database, flash = await Database.open(folder / "control.sqlite3", "control"), FileFlash(folder / "flash.sqlite3")
    simulated = SimulatedNetwork(Topology(), seed=1, flash=flash)

    def driver(node: Node) -> Driver:
        return LinuxDriver(node.id, lab.namespace_of(node.id), lambda: topology) if real else SimulatorDriver(simulated, node.id)

    async with ActorSystem() as system:
        outlets, journal = Outlets(), Journal(database)
        store = await system.spawn("topology", lambda: TopologyStore(database, outlets, time.time))
        await store.ask(ImportTopology(author="bench", topology=topology), timeout=T)
        await system.spawn("device", lambda: Devices(driver, simulated, 3600.0, time.time, journal=journal))
        await system.spawn("intents", lambda: Compilations(compiled))
        await system.spawn("deployer", lambda: DeploySupervisor(journal, outlets, time.time))
        yield system
    await database.close()
    await flash.close()


async def deploy(system: ActorSystem, strategy: Strategy) -> tuple[float, Progress]:
    """Return the seconds from the order to the ending."""
    began = time.perf_counter()
    deployer = system.ref("deployer")
    deploy_id = (await deployer.ask(Execute(compile_id="c", author="bench", strategy=strategy, gates=Gates()), timeout=T)).deploy_id
    while True:
        progress: Progress = await deployer.ask(GetDeployment(deploy_id=deploy_id), timeout=T)
        if progress.state in ENDINGS:
            return time.perf_counter() - began, progress
        await asyncio.sleep(0.02)


async def run(size: int, targets: int, strategy: Strategy, *, real: bool = False) -> float:
    """Return how long a deployment of that size takes."""
    topology = network(size)
    with tempfile.TemporaryDirectory() as folder:
        if real:
            topology = lab.wired(topology)
            await lab.up(topology)
        try:
            async with hub(Path(folder), topology, routed(topology, targets), real) as system:
                took, progress = await deploy(system, strategy)
        finally:
            if real:
                await lab.down()
    assert progress.state == "succeeded", progress.reason
    return took


async def journal_cost(devices: int) -> float:
    """Return the seconds that a deployment of that many devices spends on the journal: BEGIN, a note a phase, DECIDE, the ending."""
    topology = network(max(devices, 4))
    rows = routed(topology, 10).rows
    nodes = list(rows)[:devices]
    desired = {node: {row.id: row for row in rows[node]} for node in nodes}
    plan = make_plan(plan_id="d", topology_revision=1, installed={node: {} for node in nodes}, desired=desired)
    progress = Progress(
        deploy_id="d", compile_id="c", rolls_back=None, author="b", state="planned", percent=0, waves=waves_of([plan.nodes]), started_at=0.0
    )
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(Path(folder) / "control.sqlite3", "control")
        journal, seq = Journal(database), 0
        began = time.perf_counter()
        await journal.begin(Recorded(progress=progress, plan=plan, epoch="e", decided=False), [])
        for note, about in enumerate(NOTES):
            events = []
            for node in plan.nodes if about == "devices" else ("",):
                seq += 1
                events.append(progress.event(seq, 0.0, device=node, step="done"))
            await journal.note(progress, events, decide=plan if note == DECIDE else None)
        took = time.perf_counter() - began
        await database.close()
    return took


async def to_socket() -> list[float]:
    """Return the seconds from each event of a demo deployment to its arrival at a WebSocket."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            server=Server(data_dir=Path(folder)), admin=Admin(password="benchmark only"), network=NetworkSettings(interval=3600.0)
        )
        async with House(settings, show_first_password=lambda _: None) as house:
            runner = web.AppRunner(make_app(house), access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
                late = await _followed(client)
            await runner.cleanup()
    return late


async def _followed(client: aiohttp.ClientSession) -> list[float]:
    login = await (await client.post("/api/v1/auth/login", json={"username": "admin", "password": "benchmark only"})).json()
    client.headers["Authorization"] = f"Bearer {login['access_token']}"
    topology = read(demo(), format="json").topology
    assert topology.nodes
    await client.post("/api/v1/topology/import", data=demo(), headers={"Content-Type": "application/json"})
    compiled = await (await client.post("/api/v1/intent/compile", json={"source": demo_intents(), "name": "demo"})).json()
    late: list[float] = []
    for _ in range(6):
        order = {"compile_id": compiled["id"]}
        started = await (await client.post("/api/v1/deploy/execute", json=order)).json()
        first = True
        async with client.ws_connect(f"/ws/deploy/{started['deploy_id']}") as socket:
            async for message in socket:
                frame = json.loads(message.data)
                if frame["type"] == "events":
                    now = time.time()
                    if not first:  # the first frame is the replay of what was before
                        late += [now - item["at"] for item in frame["items"]]
                    first = False
                    if frame["items"][-1]["state"] in ENDINGS:
                        break
        back = await client.post(f"/api/v1/deploy/rollback/{started['deploy_id']}", headers={"Prefer": "wait=20"})
        assert back.status == 200, await back.text()
    return late


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    logging.disable(logging.WARNING)

    def times(work: Callable[[], float], each: int = 1) -> list[float]:
        return [work() for _ in range(runs * each)]

    def do(size: int, targets: int, strategy: Strategy = AT_ONCE, *, real: bool = False) -> Callable[[], float]:
        return lambda: uvloop.run(run(size, targets, strategy, real=real))

    found: dict[str, tuple[list[float], str, float]] = {
        "journal of 1 device": (times(lambda: 1000 * uvloop.run(journal_cost(1)), QUICK), "ms", 6.0),
        "journal of 100 devices": (times(lambda: 1000 * uvloop.run(journal_cost(100)), QUICK), "ms", 105.0),
        "1,000 simulated devices, 10 rows each, at once, verified": (times(do(1000, 10)), "s", 3.0),
        "100 simulated devices, 10 rows each, at once": (times(do(100, 10)), "s", 1.0),
        "the same as a canary (1, 10, 89)": (times(do(100, 10, Strategy())), "s", 1.0),
    }
    late = sorted(x * 1000 for _ in range(runs) for x in uvloop.run(to_socket()))
    found["progress event to a socket, p50"] = ([statistics.median(late)], "ms", 20.0)
    found["progress event to a socket, p99"] = ([late[int(len(late) * 0.99)]], "ms", 20.0)
    if os.geteuid() == 0:
        found["50 routers in namespaces, 20 routes each"] = (times(do(50, 20, real=True)), "s", 2.0)
    show(found)


def show(found: Mapping[str, tuple[list[float], str, float]]) -> None:
    """Print the table and write the file."""
    print(f"{'':60} {'min':>8} {'median':>8} {'max':>8}  aim")
    for name, (values, unit, aim) in found.items():
        print(f"{name:60} {min(values):8.2f} {statistics.median(values):8.2f} {max(values):8.2f}  <= {aim:g} {unit}")
    RESULTS.mkdir(exist_ok=True)
    shown = {name: {"values": values, "unit": unit, "aim": aim} for name, (values, unit, aim) in found.items()}
    (RESULTS / "deploy.json").write_text(json.dumps(shown, indent=1))


if __name__ == "__main__":
    main()
