"""Deployments in all weathers: whatever goes wrong, every device ends as it was or as it was to be, owners and timers included."""

import asyncio
import tempfile
from pathlib import Path

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.orders import CancelDeployment
from actors.progress import Progress
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.models.device import Row, Rows
from paranet.orchestrator.plan import Plan, make_plan
from paranet.orchestrator.waves import Strategy
from tests.actors.deploying import HOPS, NODES, Hub, before, flash, hub, orderly, powered
from tests.actors.recorder import WITHIN
from tests.actors.scripted import hurry
from tests.paranet.controller.simulator.networks import route

__all__ = ["hurry"]

STEPS = ("stage", "commit", "confirm", "discard", "revert", "read_rows")
KINDS = ("keep", "own", "change", "remove")
FAR = 1000.0
"""s, longer than any device waits for a confirm"""


@attrs.frozen
class Act:
    """Something that happens right after a write of the journal."""

    write: int
    what: str
    node: str = "a"
    step: str = ""


WRITES = st.integers(0, 16)
ACTS = st.one_of(
    st.builds(Act, WRITES, st.sampled_from(("refuse", "lose")), st.sampled_from(NODES), st.sampled_from(STEPS)),
    st.builds(Act, WRITES, st.sampled_from(("elapse", "reboot")), st.sampled_from(NODES)),
    st.builds(Act, WRITES, st.sampled_from(("cancel", "kill the hub"))),
)
WISHES = st.fixed_dictionaries({node: st.tuples(*[st.sampled_from(KINDS)] * 3) for node in NODES})
STRATEGIES = st.sampled_from((Strategy(), Strategy(kind="all-at-once")))


@given(wishes=WISHES, acts=st.lists(ACTS, max_size=5), strategy=STRATEGIES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_it_ends_as_it_was_or_as_it_was_to_be(wishes: dict[str, tuple[str, ...]], acts: list[Act], strategy: Strategy) -> None:
    """Whoever is not named as uncertain has its rows with their owners, and waits for nothing; all leases are free."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_weathered(Path(folder), _plan(wishes), acts, strategy))


def _plan(wishes: dict[str, tuple[str, ...]]) -> Plan:
    desired = {node: _wished(before(node), kinds, node) for node, kinds in wishes.items()}
    return make_plan(plan_id="d1", topology_revision=1, installed={node: before(node) for node in wishes}, desired=desired)


def _wished(rows: Rows, kinds: tuple[str, ...], node: str) -> dict[tuple[str, str], Row]:
    found = dict(rows)
    for (key, row), kind in zip(rows.items(), kinds, strict=True):
        if kind == "remove":
            del found[key]
        elif kind != "keep":
            value = route(row.key, (*HOPS[node], 2)).value if kind == "change" else row.value
            found[key] = attrs.evolve(row, value=value, owners=("web/web",))
    return found


async def _weathered(folder: Path, plan: Plan, acts: list[Act], strategy: Strategy) -> None:
    network, left, killed = await powered(flash()), list(acts), asyncio.Event()
    houses: list[Hub] = []

    async def hook(call: int, when: str, _progress: Progress) -> None:
        for act in [act for act in left if act.write == call and when == "after"]:
            left.remove(act)
            if act.what == "kill the hub":
                killed.set()
                await asyncio.Event().wait()
            await _happens(act, network, houses[-1])

    async def doomed() -> None:
        async with hub(folder, network, hook, killed=killed) as house:
            houses.append(house)
            await house.begin(plan, strategy)
            await house.ended("d1")
            await _judged(house, plan, network)

    task, gone = asyncio.create_task(doomed(), name="hub"), asyncio.create_task(killed.wait(), name="killed")
    async with asyncio.timeout(WITHIN):
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if killed.is_set():
        task.cancel()
        await asyncio.wait((task,))
        async with hub(folder, network) as house:
            await house.ended("d1")
            await _judged(house, plan, network)
    else:
        await task


async def _happens(act: Act, network: SimulatedNetwork, house: Hub) -> None:
    if act.what == "refuse":
        house.lab.refuse_next(act.node, act.step)
    elif act.what == "lose":
        house.lab.lose_next(act.node, act.step)
    elif act.what == "elapse":
        network.device(act.node).store.elapse(FAR)
    elif act.what == "reboot":
        house.lab.reboot(act.node)
    else:
        house.deployer.tell(CancelDeployment(deploy_id="d1"))


async def _judged(house: Hub, plan: Plan, network: SimulatedNetwork) -> None:
    recorded = await house.recorded("d1")
    progress = recorded.progress
    assert (progress.state == "failed") == bool(progress.inconsistent_devices)
    assert recorded.decided or progress.state != "succeeded"
    changes = {device.node: device.delta for device in plan.devices}
    for node in set(changes) - set(progress.inconsistent_devices):
        rows, delta = dict(before(node)), changes[node] if recorded.decided else changes[node].inverse()
        for change in delta.changes:
            rows.pop(change.id, None)
            if change.after is not None:
                rows[change.id] = change.after
        assert network.device(node).store.running == rows, (node, progress.state)
        assert not network.device(node).store.awaits_confirm, (node, progress.state)
    assert house.leases() == {}
    assert orderly(await house.journal.events("d1"))
