"""Leases of deployments: who is refused, what lapses, what is taken away."""

import asyncio

import pytest

from actors.deployer import Lapsed
from actors.leases import TTL
from actors.orders import ForceRelease
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import DevicesBusy
from tests.actors.deploying import BEFORE, HOPS, Hub, live, plan, plan_on
from tests.actors.scripted import Script, commits, enters, house, hurry, memory, network, script
from tests.paranet.controller.simulator.networks import route

__all__ = ["house", "hurry", "memory", "network", "script"]


async def test_devices_in_use_are_refused(house: Hub, script: Script) -> None:
    """With the deployment that holds them; others are free, and so are these when it has ended."""
    held = asyncio.Event()

    def hold() -> None:
        house.lab.hang("a")
        held.set()

    script.at(enters("staging"), hold)
    first = await house.begin(plan("d1", ["a", "b"]))
    await held.wait()
    with pytest.raises(DevicesBusy) as caught:
        await house.begin(plan("d2", ["b", "c"]))
    assert caught.value.extra == {"leases": {"b": first}, "behind": [first]}
    assert first in caught.value.detail
    assert (await house.run(plan("d3", ["c"]))).state == "succeeded"
    house.lab.release("a")
    assert (await house.ended(first)).state == "succeeded"
    assert house.leases() == {}


async def test_a_lease_without_progress_lapses(house: Hub, network: SimulatedNetwork, script: Script) -> None:
    """Another one gets the device then, and whoever held it before can do nothing to it any more."""
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        held.set()
        await go_on.wait()

    script.at(enters("staging"), hold)
    await house.begin(plan("d1", ["a", "b"]))
    await held.wait()
    house.now.advance(TTL)
    assert (await house.run(plan_on(network, "d2", "b", route("10.9.9.0/24", HOPS["b"])))).state == "succeeded"
    go_on.set()
    lost = await house.ended("d1")
    assert (lost.state, lost.inconsistent_devices) == ("rolled_back", ())
    assert "b is no longer leased" in (lost.reason or "")
    assert live(network)["a"] == BEFORE["a"]


async def test_a_device_that_was_taken_away_can_be_deployed_to(house: Hub, network: SimulatedNetwork, script: Script) -> None:
    """Committed and not confirmed, it waits for nobody any more: the next deployment keeps what it shows and goes on."""
    taken = asyncio.Event()

    async def take() -> None:
        house.deployer.tell(ForceRelease(node="a"))
        taken.set()

    script.at(commits(1), take)
    progress = await house.run(plan())
    assert (progress.state, progress.inconsistent_devices) == ("failed", ("a",))
    assert network.device("a").store.awaits_confirm
    shown = network.device("a").store.running
    own = route("10.5.0.0/24", HOPS["a"])
    assert (await house.run(plan_on(network, "d2", "a", own))).state == "succeeded"
    assert network.device("a").store.running == {**shown, own.id: own}
    assert not network.device("a").store.awaits_confirm


async def test_a_lease_that_lapsed_holds_up_nobody_in_the_queue(house: Hub, script: Script) -> None:
    """Its holder has not ended, and may never."""
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        held.set()
        await go_on.wait()

    script.at(enters("staging"), hold)
    await house.begin(plan("d1", ["a", "b"]))
    await held.wait()
    assert await house.begin(plan("d2", ["b"]), queue=True) == "d2"
    house.now.advance(TTL)
    house.deployer.tell(Lapsed())
    assert (await house.ended("d2")).state == "succeeded"
    assert (await house.recorded("d1")).progress.state == "staging"
    go_on.set()
    await house.ended("d1")
