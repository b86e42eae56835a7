"""Going back from a deployment that succeeded."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.orders import RollBack
from actors.progress import Progress
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DeviceError, NotFound, RowConflict, VerificationFailed, WrongState
from tests.actors.deploying import AFTER, BEFORE, HOPS, Hub, T, flash, hub, kept, live, plan, plan_on, powered
from tests.paranet.controller.simulator.networks import route


@pytest.fixture
def memory() -> MemoryFlash:
    return flash()


@pytest.fixture
async def network(memory: MemoryFlash) -> SimulatedNetwork:
    return await powered(memory)


@pytest.fixture
async def opened(tmp_path: Path, network: SimulatedNetwork) -> AsyncIterator[Hub]:
    """A hub in which `d1` has been deployed on a, b and c."""
    async with hub(tmp_path, network) as house:
        assert (await house.run(plan())).state == "succeeded"
        yield house


async def back(house: Hub, deploy_id: str) -> Progress:
    started = await house.deployer.ask(RollBack(deploy_id=deploy_id, author="bob"), timeout=T)
    return await house.ended(started.deploy_id)


async def test_it_leads_back_to_what_was_before(opened: Hub, network: SimulatedNetwork, memory: MemoryFlash) -> None:
    """As a deployment of its own, which says what it rolls back; the older one stays as it was."""
    progress = await back(opened, "d1")
    assert (progress.state, progress.rolls_back, progress.author) == ("succeeded", "d1", "bob")
    assert progress.deploy_id != "d1"
    assert live(network) == await kept(memory) == BEFORE
    assert (await opened.recorded("d1")).progress.state == "succeeded"


async def test_it_can_be_rolled_back_itself(opened: Hub, network: SimulatedNetwork) -> None:
    """Which is the deployment again."""
    first = await back(opened, "d1")
    assert (await back(opened, first.deploy_id)).state == "succeeded"
    assert live(network) == AFTER


async def test_later_work_on_other_rows_stays(opened: Hub, network: SimulatedNetwork, memory: MemoryFlash) -> None:
    """On the same devices, by a later deployment and by somebody else."""
    later, foreign = route("10.5.0.0/24", HOPS["b"]), route("10.4.0.0/24", HOPS["b"])
    assert (await opened.run(plan_on(network, "d2", "b", later))).state == "succeeded"
    opened.lab.change_row("b", foreign)
    assert (await back(opened, "d1")).state == "succeeded"
    expected = {**BEFORE, "b": {**BEFORE["b"], later.key: later.value, foreign.key: foreign.value}}
    assert live(network) == await kept(memory) == expected


@pytest.mark.parametrize("who", ["a later deployment", "somebody else"])
async def test_later_work_on_the_same_rows_is_a_conflict(opened: Hub, network: SimulatedNetwork, who: str) -> None:
    """It names the device and the row, and nothing is touched."""
    changed = route("10.8.0.0/24", (*HOPS["b"], 9))
    if who == "somebody else":
        opened.lab.change_row("b", changed)
    else:
        assert (await opened.run(plan_on(network, "d2", "b", changed))).state == "succeeded"
    there = live(network)
    with pytest.raises(RowConflict, match=r"b: ip\.route 10\.8\.0\.0/24") as caught:
        await back(opened, "d1")
    assert (caught.value.extra["node"], caught.value.extra["row"]) == ("b", ["ip.route", "10.8.0.0/24"])
    assert live(network) == there
    assert opened.leases() == {}


async def test_the_newer_one_first_then_the_older(opened: Hub, network: SimulatedNetwork) -> None:
    """Where they overlap that is the way back."""
    assert (await opened.run(plan_on(network, "d2", "b", route("10.8.0.0/24", (*HOPS["b"], 9))))).state == "succeeded"
    assert (await back(opened, "d2")).state == "succeeded"
    assert live(network) == AFTER
    assert (await back(opened, "d1")).state == "succeeded"
    assert live(network) == BEFORE


async def test_only_what_succeeded_can_be_rolled_back(opened: Hub) -> None:
    """Not one that was undone already, not one that never was."""
    opened.lab.refuse_next("b", "stage")
    opened.lab.change_row("b", route("10.8.0.0/24", HOPS["b"]))
    assert (await opened.run(plan("d2", ["a"]))).state == "rolled_back"
    with pytest.raises(WrongState, match="rolled_back"):
        await back(opened, "d2")
    with pytest.raises(NotFound):
        await back(opened, "d9")


async def test_a_way_back_into_a_loop_is_refused(opened: Hub, network: SimulatedNetwork) -> None:
    """It is proven like any other plan: what b had would send packets of later work in circles."""
    opened.lab.change_row("c", route("10.7.0.0/24", ("b", "b-c")))
    there = live(network)
    with pytest.raises((VerificationFailed, RowConflict)):
        await back(opened, "d1")
    assert live(network) == there


async def test_a_device_that_is_away_is_named(opened: Hub) -> None:
    """Nothing is started without it."""
    opened.lab.kill_node("b")
    with pytest.raises(DeviceError, match="b is unreachable") as caught:
        await back(opened, "d1")
    assert caught.value.extra["devices"] == ["b"]


async def test_it_works_after_a_restart(tmp_path: Path, network: SimulatedNetwork) -> None:
    """The plan with its inverses is in the journal."""
    async with hub(tmp_path, network) as house:
        await house.run(plan())
    async with hub(tmp_path, network) as house:
        assert (await back(house, "d1")).state == "succeeded"
    assert live(network) == BEFORE
