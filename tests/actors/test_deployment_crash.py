"""A hub that is killed in the middle of a deployment, and the one that comes after it."""

import asyncio
from collections.abc import Callable
from itertools import count, product
from pathlib import Path

import pytest

from actors.deployment import RETRIES
from actors.orders import CancelDeployment
from actors.progress import Progress
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from paranet.errors import NotFound
from paranet.orchestrator.waves import Strategy
from tests.actors.deploying import AFTER, BEFORE, HOPS, Hook, Hub, T, flash, hub, kept, live, orderly, plan, powered, starting
from tests.actors.recorder import WITHIN
from tests.paranet.controller.simulator.networks import route

WRITES = 16
"""of a deployment in three waves: BEGIN, two each to validate and to stage, three a wave (with its gate), DECIDE, and the ending"""
DECIDE = 14
SIDES = ("before", "after")
POWER = pytest.mark.parametrize("power", ["power cut", "devices live on"])
Moment = Callable[[int, str, Progress], bool]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once."""
    monkeypatch.setattr("actors.deployment.RETRY_AFTER", 0.001)
    monkeypatch.setattr("actors.deployment.TELL_EVERY", 60.0)  # so that a slow machine writes no more than a fast one


class Rig:
    """A hub to be killed, and its devices, which live on or lose their power with it."""

    def __init__(self, folder: Path, memory: MemoryFlash) -> None:
        self.folder, self.memory = folder, memory

    async def crash(
        self,
        network: SimulatedNetwork,
        moment: Moment,
        *,
        start: bool = True,
        strategy: Strategy | None = None,
        committed: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Open a hub, have it *start* to deploy, and kill it at the moment, be it while it opens."""
        reached = asyncio.Event()

        async def hook(call: int, when: str, progress: Progress) -> None:
            if moment(call, when, progress):
                reached.set()
                await asyncio.Event().wait()

        async def live() -> None:
            async with hub(self.folder, network, hook, committed=committed, killed=reached) as house:
                if start:
                    await house.begin(plan(), strategy)
                await asyncio.Event().wait()

        task = asyncio.create_task(live(), name="a doomed hub")
        async with asyncio.timeout(WITHIN):
            await reached.wait()
        task.cancel()
        await asyncio.wait((task,))

    async def next(self, network: SimulatedNetwork, power: str) -> SimulatedNetwork:
        """Return the devices as the next hub finds them."""
        return await powered(self.memory) if power == "power cut" else network


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, flash())


def write(number: int, side: str) -> Moment:
    """The moment before or after a write of the journal, counted from 0."""
    return lambda call, when, _: (call, when) == (number, side)


async def settled(house: Hub) -> str | None:
    """Return how the deployment ended, None when it never began; check what is true of every ending."""
    try:
        progress = await house.ended("d1")
    except NotFound:
        return None
    assert progress.inconsistent_devices == ()
    assert house.leases() == {}
    events = await house.journal.events("d1")
    assert orderly(events)
    assert events[-1]["state"] == progress.state
    assert (await house.follow("d1")).items == events
    return progress.state


async def test_a_deployment_writes_its_journal_at_every_step(rig: Rig) -> None:
    """So that the tests below are about every step there is."""
    async with hub(rig.folder, await powered(rig.memory)) as house:
        await house.run(plan())
        assert house.journal.writes == WRITES


@POWER
@pytest.mark.parametrize(("call", "when"), [*product(range(WRITES), SIDES)])
async def test_killed_at_any_write_it_is_all_or_nothing(rig: Rig, call: int, when: str, power: str) -> None:
    """Without DECIDE every device has the rows from before, with it those from after, live and in its memory."""
    network = await powered(rig.memory)
    await rig.crash(network, write(call, when))
    network = await rig.next(network, power)
    decided = call > DECIDE or (call, when) == (DECIDE, "after")
    async with hub(rig.folder, network) as house:
        ending = await settled(house)
    assert ending == (None if (call, when) == (0, "before") else "succeeded" if decided else "rolled_back")
    assert live(network) == await kept(rig.memory) == (AFTER if decided else BEFORE)


@POWER
async def test_killed_in_the_middle_of_a_wave(rig: Rig, power: str) -> None:
    """Two devices have committed, the third has not answered: all of them go back."""
    network, done = await powered(rig.memory), set[str]()
    both = asyncio.Event()

    def committed(node: str) -> None:
        done.add(node)
        if done == {"a", "c"}:
            both.set()

    def hold(_call: int, when: str, progress: Progress) -> bool:
        if (when, progress.state) == ("after", "committing"):
            network.lab.hang("b")
        return False

    killed = asyncio.Event()
    async with hub(rig.folder, network, deaf(hold), committed=committed, killed=killed) as house:
        await house.begin(plan(), Strategy(kind="all-at-once"))
        await both.wait()
        killed.set()
    network = await rig.next(network, power)
    async with hub(rig.folder, network) as house:
        assert await settled(house) == "rolled_back"
    assert live(network) == await kept(rig.memory) == BEFORE


def deaf(moment: Moment) -> Hook:
    """A hook that only looks."""

    async def hook(call: int, when: str, progress: Progress) -> None:
        moment(call, when, progress)

    return hook


async def test_decided_while_nobody_was_there_to_confirm(rig: Rig) -> None:
    """Devices that went back by themselves, because the hub was away too long, get the decided rows all the same."""
    network = await powered(rig.memory)
    await rig.crash(network, write(DECIDE, "after"))
    network.tick(600.0, 0.0)
    assert live(network) == BEFORE
    async with hub(rig.folder, network) as house:
        assert await settled(house) == "succeeded"
    assert live(network) == await kept(rig.memory) == AFTER


@pytest.mark.parametrize(("call", "when"), [*product(range(2), SIDES)])
async def test_killed_again_while_undoing(rig: Rig, call: int, when: str) -> None:
    """The hub that comes back to undo dies too, be it while it starts: the third one ends it."""
    network = await powered(rig.memory)
    await rig.crash(network, lambda _call, side, progress: side == "after" and starting(progress, 2))
    await rig.crash(network, write(call, when), start=False)
    async with hub(rig.folder, network) as house:
        assert await settled(house) == "rolled_back"
    assert live(network) == await kept(rig.memory) == BEFORE


@pytest.mark.parametrize(("call", "ending"), [(DECIDE - 2, "rolled_back"), (DECIDE, "succeeded")])
async def test_the_next_hub_waits_for_its_devices(rig: Rig, monkeypatch: pytest.MonkeyPatch, call: int, ending: str) -> None:
    """One that is away when the hub comes back is given longer than in the middle of a deployment."""
    monkeypatch.setattr("actors.device.RECONNECT", 0.0001)
    network, notes = await powered(rig.memory), count()
    await rig.crash(network, write(call, "after"))
    network.lab.kill_node("a")

    async def hook(_call: int, when: str, _progress: Progress) -> None:
        if when == "after" and next(notes) == RETRIES:
            network.lab.revive_node("a")

    async with hub(rig.folder, network, hook) as house:
        assert await settled(house) == ending
    assert live(network) == await kept(rig.memory) == (AFTER if ending == "succeeded" else BEFORE)


async def test_killed_while_it_is_cancelled(rig: Rig) -> None:
    """The next hub knows that somebody wanted it undone, and says so."""
    network, reached = await powered(rig.memory), asyncio.Event()

    async def hook(_call: int, when: str, progress: Progress) -> None:
        if (when, progress.state) == ("before", "rolling_back"):
            reached.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(WITHIN), hub(rig.folder, network, hook, killed=reached) as house:
        recorder = await house.follow(await house.begin(plan()))
        await recorder.until(lambda r: any(i["state"] == "committing" for i in r.items))
        await house.deployer.ask(CancelDeployment(deploy_id="d1"), timeout=T)
        await reached.wait()
    async with hub(rig.folder, network) as house:
        assert await settled(house) == "cancelled"
        assert (await house.recorded("d1")).progress.reason == "cancelled"
    assert live(network) == await kept(rig.memory) == BEFORE


@pytest.mark.parametrize(("call", "when"), [*product((3, 4), SIDES)])
async def test_killed_after_a_failed_validation_foreign_rows_stay(rig: Rig, call: int, when: str) -> None:
    """What was never committed is not undone, whoever wrote it since."""
    network = await powered(rig.memory)
    network.lab.change_row("b", route("10.8.0.0/24", (*HOPS["b"], 7)))
    expected = live(network)
    await rig.crash(network, write(call, when))
    async with hub(rig.folder, network) as house:
        assert await settled(house) == "rolled_back"
    assert live(network) == expected


@POWER
@pytest.mark.parametrize(("call", "when"), [*product((9, 10, 11), SIDES)])
async def test_killed_while_a_failed_commit_is_undone(rig: Rig, call: int, when: str, power: str) -> None:
    """The second wave was refused; at whatever write of the way back the hub dies, everything is as before."""
    network = await powered(rig.memory)
    network.lab.refuse_next("b", "commit")
    await rig.crash(network, write(call, when))
    network = await rig.next(network, power)
    async with hub(rig.folder, network) as house:
        assert await settled(house) == "rolled_back"
    assert live(network) == await kept(rig.memory) == BEFORE
