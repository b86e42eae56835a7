"""Who is restarted, when, and who gives up. Restates OTP's supervisor suite and Pekko's typed SupervisionSpec."""

import asyncio
import random
from functools import partial

import pytest

from actors.runtime import Actor, ActorStopped, ActorSystem, Backoff, Restart, Strategy, Supervision
from actors.runtime.errors import Escalated, StartFailed
from tests.actors.runtime.cast import Echo, Fail, Forward, Hold, Note, Player, Stage, Words, cell_of, until


class Parent(Player):
    """Spawns x, y and z in this order."""

    restart = Restart.ON_CRASH

    async def on_start(self) -> None:
        await super().on_start()
        for name in ("x", "y", "z"):
            await self.spawn(name, partial(Player, self.stage), restart=self.restart if name == "y" else Restart.ON_CRASH)


def parent(strategy: Strategy, *, intensity: int = 3, backoff: Backoff = Backoff(), restart: Restart = Restart.ON_CRASH) -> type[Parent]:  # noqa: B008  # a frozen value
    spec = Supervision(strategy=strategy, intensity=intensity, period=60, backoff=backoff)
    return type("Family", (Parent,), {"supervision": spec, "restart": restart})


async def crash(system: ActorSystem, stage: Stage, path: str, back: str) -> list[str]:
    """Crash one actor and return what happens until *back* has started again."""
    stage.log.clear()
    stage._seen.pop(f"{back} starts", None)
    system.ref(path).tell(Fail())
    await stage.seen(f"{back} starts")
    return stage.log


async def test_one_for_one(system: ActorSystem, stage: Stage) -> None:
    """One-for-one restarts the child that crashed and no other."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE), stage))
    assert await crash(system, stage, "p/y", "p/y") == ["p/y stops", "p/y starts"]


async def test_one_for_all(system: ActorSystem, stage: Stage) -> None:
    """One-for-all ends the others last-born first and starts all in their order."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ALL), stage))
    log = await crash(system, stage, "p/y", "p/z")
    assert log == ["p/y stops", "p/z stops", "p/x stops", "p/x starts", "p/y starts", "p/z starts"]


async def test_rest_for_one(system: ActorSystem, stage: Stage) -> None:
    """Rest-for-one restarts the child and those born after it."""
    await system.spawn("p", partial(parent(Strategy.REST_FOR_ONE), stage))
    assert await crash(system, stage, "p/y", "p/z") == ["p/y stops", "p/z stops", "p/y starts", "p/z starts"]


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_temporary_child_stays_away(system: ActorSystem, stage: Stage, strategy: Strategy) -> None:
    """A child with Restart.NEVER that crashes is gone, and nobody else is restarted for it."""
    await system.spawn("p", partial(parent(strategy, restart=Restart.NEVER), stage))
    system.ref("p").tell(Note(word="alive"))
    cell = cell_of(system, "p/y")
    system.ref("p/y").tell(Fail())
    await until(lambda: cell.gone)
    assert [cell_of(system, f"p/{name}").generation for name in "xz"] == [1, 1]
    assert system.cell("p/y") is None


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_temporary_child_goes_with_its_group(system: ActorSystem, stage: Stage, strategy: Strategy) -> None:
    """When its group is restarted, a child with Restart.NEVER is stopped and does not come back."""
    await system.spawn("p", partial(parent(strategy, restart=Restart.NEVER), stage))
    await crash(system, stage, "p/x", "p/z")
    assert system.cell("p/y") is None
    assert cell_of(system, "p/z").generation == 2


async def test_crashes_in_one_group_at_once(system: ActorSystem, stage: Stage) -> None:
    """Two children of a group that crash together cost one restart of the group."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ALL), stage))
    stage.log.clear()
    stage._seen.clear()
    for name in "xy":
        system.ref(f"p/{name}").tell(Fail())
    await stage.seen("p/z starts")
    await asyncio.sleep(60)
    assert [cell_of(system, f"p/{name}").generation for name in "xyz"] == [2, 2, 2]


async def test_sibling_that_waits_for_the_crashed(system: ActorSystem, stage: Stage) -> None:
    """A member of the group that waits for an answer of the one that crashed does not hold up the group's restart."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ALL), stage))
    holding = asyncio.create_task(system.ref("p/x").ask(Hold(), timeout=60))
    await stage.seen("p/x holds gate")
    system.ref("p/x").tell(Fail())
    asking = asyncio.create_task(system.ref("p/y").ask(Forward(to=("p/x",)), timeout=60))
    await until(lambda: len(cell_of(system, "p/x").lane) == 2)
    stage.gate().set()
    with pytest.raises(ActorStopped):
        await asking
    await until(lambda: cell_of(system, "p/z").generation == 2, every=0.01)
    assert system.clock() < 1
    await holding


async def test_same_ref_new_instance(system: ActorSystem, stage: Stage) -> None:
    """After a restart the ref is the same, the state is fresh."""
    a = await system.spawn("a", partial(Player, stage))
    a.tell(Note(word="old"))
    a.tell(Fail())
    assert await a.ask(Words(), timeout=5) == ()
    assert cell_of(system, "a").generation == 2


async def test_normal_stop_is_no_crash(system: ActorSystem, stage: Stage) -> None:
    """A child that stops is not restarted, and its siblings are left alone."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ALL), stage))
    await cell_of(system, "p/y").stop()
    await asyncio.sleep(60)
    assert system.cell("p/y") is None
    assert cell_of(system, "p/x").generation == 1


async def test_intensity_and_escalation(system: ActorSystem, stage: Stage) -> None:
    """A child that crashes more often than the intensity makes its parent fail, which its own parent restarts afresh."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE, intensity=3), stage))
    for generation in (2, 3, 4):
        await crash(system, stage, "p/x", "p/x")
        assert cell_of(system, "p/x").generation == generation
    await crash(system, stage, "p/x", "p/z")
    assert cell_of(system, "p").generation == 2
    assert "Escalated" in (cell_of(system, "p").last_error or "")
    assert cell_of(system, "p/x").generation == 1


async def test_intensity_starts_anew_with_the_parent(system: ActorSystem, stage: Stage) -> None:
    """A parent that was restarted has all its restarts to give again."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE, intensity=1), stage))
    await crash(system, stage, "p/x", "p/x")
    await crash(system, stage, "p/x", "p/z")
    await crash(system, stage, "p/x", "p/x")
    assert cell_of(system, "p").generation == 2


async def test_restarts_leave_the_window(system: ActorSystem, stage: Stage) -> None:
    """Only restarts within the period count."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE, intensity=1), stage))
    for _ in range(4):
        await crash(system, stage, "p/x", "p/x")
        await asyncio.sleep(61)
    assert cell_of(system, "p").generation == 1
    assert cell_of(system, "p/x").restarts == 4


async def test_escalation_answers_at_once(system: ActorSystem, stage: Stage) -> None:
    """Who waits in the mailbox of a child that is given up is answered, although its parent is busy."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE, intensity=0), stage))
    busy = asyncio.create_task(system.ref("p").ask(Hold(), timeout=60))
    await stage.seen("p holds gate")
    system.ref("p/x").tell(Fail())
    with pytest.raises(ActorStopped):
        await system.ref("p/x").ask(Echo(word="?"), timeout=60)
    assert system.clock() < 1
    stage.gate().set()
    await busy


async def test_root_gives_up(stage: Stage) -> None:
    """When the top-level actors keep failing, the system's failure says so, for the process to end."""

    class Strict(Actor):
        supervision = Supervision(intensity=1)

    async with ActorSystem(root=Strict) as system:
        a = await system.spawn("a", partial(Player, stage))
        await crash(system, stage, "a", "a")
        a.tell(Fail())
        assert isinstance(await system.failure, Escalated)


async def test_crash_loop_in_start(system: ActorSystem, stage: Stage) -> None:
    """A child that cannot start any more is tried until the intensity is reached, then its parent fails."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE, intensity=3), stage))
    stage.faults["start p/x"] = RuntimeError("no more")
    cell = cell_of(system, "p/x")
    system.ref("p/x").tell(Fail())
    await until(lambda: cell.gone, every=1)
    assert cell.restarts == 3


async def test_failed_first_start(system: ActorSystem, stage: Stage) -> None:
    """A child whose first start fails is not retried: who spawned it gets StartFailed."""
    stage.faults["start a"] = RuntimeError("no")
    with pytest.raises(StartFailed, match="RuntimeError: no"):
        await system.spawn("a", partial(Player, stage))
    assert system.cell("a") is None
    del stage.faults["start a"]
    await system.spawn("a", partial(Player, stage))


async def test_factory_fails_at_restart(system: ActorSystem, stage: Stage) -> None:
    """A factory that raises at a restart is one more crash, and is tried again."""
    a = await system.spawn("a", partial(Player, stage))
    stage.faults["init"] = RuntimeError("no instance")
    a.tell(Fail())
    await until(lambda: cell_of(system, "a").restarts >= 3, every=0.1)
    del stage.faults["init"]
    assert await a.ask(Echo(word="back"), timeout=60) == "back"


async def test_cancelled_error_of_its_own(system: ActorSystem, stage: Stage) -> None:
    """CancelledError raised by a handler itself is a crash like any other."""
    a = await system.spawn("a", partial(Player, stage))
    a.tell(Fail(error=asyncio.CancelledError))
    assert await a.ask(Echo(word="back"), timeout=5) == "back"
    assert (cell_of(system, "a").generation, cell_of(system, "a").poison) == (2, 1)


async def test_cancelled_error_in_start(system: ActorSystem, stage: Stage) -> None:
    """CancelledError raised by on_start itself is a failed start."""
    stage.faults["start a"] = asyncio.CancelledError()
    with pytest.raises(StartFailed):
        await system.spawn("a", partial(Player, stage))
    assert system.cell("a") is None


async def test_task_cancelled_by_a_stranger(system: ActorSystem, stage: Stage) -> None:
    """An actor whose task somebody cancels is restarted; the message at hand is answered, not lost."""
    a = await system.spawn("a", partial(Player, stage))
    asking = asyncio.create_task(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    life = cell_of(system, "a").life
    assert life is not None
    life.cancel()
    with pytest.raises(ActorStopped):
        await asking
    assert await a.ask(Echo(word="back"), timeout=5) == "back"


async def test_stop_fails(system: ActorSystem, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """An error in on_stop is logged and holds up nothing."""
    await system.spawn("a", partial(Player, stage))
    stage.faults["stop a"] = RuntimeError("stuck drawer")
    await cell_of(system, "a").stop()
    assert "a: on_stop failed" in caplog.text
    assert system.cell("a") is None


async def test_crash_and_stop_both_fail(system: ActorSystem, stage: Stage) -> None:
    """An on_stop that fails after a crash does not prevent the restart."""
    a = await system.spawn("a", partial(Player, stage))
    stage.faults["stop a"] = RuntimeError("stuck drawer")
    a.tell(Fail())
    assert await a.ask(Echo(word="back"), timeout=5) == "back"


async def test_backoff_grows_and_resets(system: ActorSystem, stage: Stage) -> None:
    """Waits double up to the most, jittered down by up to half; a calm spell starts from the first again."""
    backoff = Backoff(first=1.0, most=8.0, calm=100.0)
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE, intensity=50, backoff=backoff), stage))
    waits = []
    for _ in range(6):
        began = system.clock()
        await crash(system, stage, "p/x", "p/x")
        waits.append(system.clock() - began)
    for wait, most in zip(waits, (1, 2, 4, 8, 8, 8), strict=True):
        assert most / 2 <= wait <= most + 0.1
    await asyncio.sleep(100)
    began = system.clock()
    await crash(system, stage, "p/x", "p/x")
    assert system.clock() - began <= 1.1


async def test_backoff_grows_over_failed_starts(system: ActorSystem, stage: Stage) -> None:
    """A long life before the first crash does not count as calm between the failing starts that follow it."""
    backoff = Backoff(first=1.0, most=64.0, calm=10.0)
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE, intensity=5, backoff=backoff), stage))
    await asyncio.sleep(3600)
    stage.faults["start p/x"] = RuntimeError("no")
    began = system.clock()
    cell = cell_of(system, "p/x")
    system.ref("p/x").tell(Fail())
    await until(lambda: cell.gone, every=0.1)
    assert system.clock() - began >= (1 + 2 + 4 + 8 + 16) / 2


def test_jitter() -> None:
    """Delays are spread over the upper half of the wait, and never overflow."""
    backoff = Backoff(first=1.0, most=4.0)
    dice = random.Random(7)
    delays = {backoff.delay(1, dice) for _ in range(100)}
    assert len(delays) == 100
    assert all(1.0 <= delay <= 2.0 for delay in delays)
    assert backoff.delay(10_000, dice) <= 4.0


async def test_stop_during_backoff(system: ActorSystem, stage: Stage) -> None:
    """Stopping an actor that waits for its restart ends it, and answers those in its mailbox."""
    a = await system.spawn("a", partial(Player, stage))
    a.tell(Fail())
    await until(lambda: cell_of(system, "a").status == "backoff")
    asking = asyncio.create_task(a.ask(Echo(word="?"), timeout=60))
    await asyncio.sleep(0)
    await cell_of(system, "a").stop()
    with pytest.raises(ActorStopped):
        await asking
    stage.log.clear()
    await asyncio.sleep(60)
    assert stage.log == []


async def test_busy_parent_still_restarts(system: ActorSystem, stage: Stage) -> None:
    """A parent in the middle of a message does not keep a crashed child down."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE), stage))
    busy = asyncio.create_task(system.ref("p").ask(Hold(), timeout=60))
    await stage.seen("p holds gate")
    await crash(system, stage, "p/x", "p/x")
    assert not busy.done()
    stage.gate().set()
    await busy


async def test_crash_of_the_parent_ends_the_children(system: ActorSystem, stage: Stage) -> None:
    """A parent that crashes takes its children with it, last-born first, before its own on_stop; then it starts anew."""
    await system.spawn("p", partial(parent(Strategy.ONE_FOR_ONE), stage))
    log = await crash(system, stage, "p", "p/z")
    assert log == ["p/z stops", "p/y stops", "p/x stops", "p stops", "p starts", "p/x starts", "p/y starts", "p/z starts"]


async def test_name_is_taken(system: ActorSystem, stage: Stage) -> None:
    """Two children of one name are refused."""
    await system.spawn("a", partial(Player, stage))
    with pytest.raises(ValueError, match="has a child 'a' already"):
        await system.spawn("a", partial(Player, stage))


async def test_name_is_free_again(system: ActorSystem, stage: Stage) -> None:
    """The name of a child that has stopped can be used again, and old refs reach the new one."""
    a = await system.spawn("a", partial(Player, stage))
    await cell_of(system, "a").stop()
    await system.spawn("a", partial(Player, stage))
    assert await a.ask(Echo(word="new"), timeout=1) == "new"
