"""A hub that is killed in the middle of a deployment on real routers, and the one that comes after it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from actors.progress import Progress
from paranet.controller.driver import Driver
from paranet.controller.linux.device import LinuxDriver
from paranet.controller.linux.lab import namespace_of
from paranet.models.device import Delta, Row, RowKey, Rows
from paranet.models.topology import Node, Topology
from paranet.orchestrator.plan import Plan, make_plan
from tests.actors.deploying import flash, hub, orderly, powered
from tests.actors.recorder import WITHIN
from tests.actors.test_deployment_crash import DECIDE, WRITES
from tests.namespaces import built, needs_namespaces, route
from tests.paranet.controller.simulator.networks import line

pytestmark = needs_namespaces
NODES = ("a", "b", "c")
LINKS = {"a": "a-b", "b": "b-c", "c": "b-c"}
Table = dict[RowKey, Row]


def deny(number: int) -> Row:
    return Row(family="ip.acl", key=f"{number:05} x", value={"seq": number, "action": "deny", "match": {"protocol": "udp"}})


def before(network: Topology, node: str) -> Table:
    """One route to be changed, one to go, one rule to be replaced."""
    rows = [route(network, node, "10.8.0.0/24", LINKS[node]), route(network, node, "10.7.0.0/24", LINKS[node]), deny(10)]
    return {row.id: row for row in rows}


def after(network: Topology, node: str) -> Table:
    """One route that drops, one new, another rule."""
    changed = Row(family="ip.route", key="10.8.0.0/24", value={"next_hops": []})
    rows = [changed, route(network, node, "10.9.0.0/24", LINKS[node]), deny(20)]
    return {row.id: row for row in rows}


def plan(network: Topology) -> Plan:
    installed: dict[str, Rows] = {node: before(network, node) for node in NODES}
    desired: dict[str, Rows] = {node: after(network, node) for node in NODES}
    return make_plan(plan_id="d1", topology_revision=1, installed=installed, desired=desired)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Topology]:
    """Routers a - b - c with the rows from before."""
    async with built(line(*NODES, demand=None), tmp_path) as topology:
        for device in plan(topology).devices:
            session = driver(topology, device.node)
            await session.connect()
            await session.revert(make_all(topology, device.node))
            await session.close()
        yield topology


def make_all(network: Topology, node: str) -> Delta:
    """What leads from nothing to the rows from before."""
    made = make_plan(plan_id="0", topology_revision=1, installed={node: {}}, desired={node: before(network, node)})
    return made.devices[0].delta


def driver(network: Topology, node: str) -> LinuxDriver:
    return LinuxDriver(node, namespace_of(node), lambda: network)


async def live(network: Topology) -> dict[str, dict[RowKey, Mapping[str, object]]]:
    found: dict[str, dict[RowKey, Mapping[str, object]]] = {}
    for node in NODES:
        session = driver(network, node)
        await session.connect()
        found[node] = {key: row.value for key, row in (await session.read_rows()).items()}
        await session.close()
    return found


@pytest.mark.parametrize(("call", "when"), [(0, "before"), *((call, "after") for call in range(WRITES)), (DECIDE, "before")])
async def test_killed_at_any_write_it_is_all_or_nothing(
    network: Topology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, when: str
) -> None:
    """Without DECIDE every router has the rows from before, with it those from after; the history says which."""
    monkeypatch.setattr("actors.deployment.RETRY_AFTER", 0.001)
    monkeypatch.setattr("actors.deployment.TELL_EVERY", 60.0)
    reached = asyncio.Event()

    async def hook(number: int, side: str, _progress: Progress) -> None:
        if (number, side) == (call, when):
            reached.set()
            await asyncio.Event().wait()

    def session(node: Node) -> Driver:
        return driver(network, node.id)

    async def doomed() -> None:
        async with hub(tmp_path, await powered(flash()), hook, killed=reached, driver=session, topology=network) as house:
            await house.begin(plan(network))
            await asyncio.Event().wait()

    task = asyncio.create_task(doomed(), name="a doomed hub")
    async with asyncio.timeout(WITHIN):
        await reached.wait()
    task.cancel()
    await asyncio.wait((task,))
    decided = call > DECIDE or (call, when) == (DECIDE, "after")
    async with hub(tmp_path, await powered(flash()), driver=session, topology=network) as house:
        if (call, when) != (0, "before"):
            progress = await house.ended("d1")
            assert (progress.state, progress.inconsistent_devices) == ("succeeded" if decided else "rolled_back", ())
            assert orderly(await house.journal.events("d1"))
        assert house.leases() == {}
    table = after if decided else before
    assert await live(network) == {node: {key: row.value for key, row in table(network, node).items()} for node in NODES}
