"""Messages to oneself, later. Restates Pekko's typed TimerSpec."""

import asyncio
from functools import partial

import attrs
import pytest

from actors.runtime import ActorSystem, Message, Ref, Request, handles
from actors.runtime.inspect import describe
from tests.actors.runtime.cast import Fail, Hold, Player, Stage, Words, balance, cell_of


@attrs.frozen(kw_only=True)
class Tick(Message):
    """A timer's message."""

    name: str = "tick"


@attrs.frozen(kw_only=True)
class Once(Request[None]):
    """Start a single timer."""

    key: str = "tick"
    name: str = "tick"
    after: float = 1.0


@attrs.frozen(kw_only=True)
class Every(Request[None]):
    """Start a periodic timer."""

    interval: float = 1.0
    first: float | None = None


@attrs.frozen(kw_only=True)
class Cancel(Request[None]):
    """Cancel it."""

    key: str = "tick"


class Clock(Player):
    @handles
    async def tick(self, message: Tick) -> None:
        self.words.append(f"{message.name}@{round(self.system.clock() - self.began, 3):g}")
        self.stage.strike("tick")

    async def on_start(self) -> None:
        await super().on_start()
        self.began = self.system.clock()

    @handles
    async def once(self, message: Once) -> None:
        self.timers.once(message.key, Tick(name=message.name), after=message.after)

    @handles
    async def every(self, message: Every) -> None:
        self.timers.every("tick", Tick(), interval=message.interval, first=message.first)

    @handles
    async def cancel(self, message: Cancel) -> None:
        self.timers.cancel(message.key)


@pytest.fixture
async def clock(system: ActorSystem, stage: Stage) -> Ref:
    return await system.spawn("c", partial(Clock, stage))


async def words(clock: Ref) -> tuple[str, ...]:
    return await clock.ask(Words(), timeout=1)


async def held(clock: Ref, stage: Stage, seconds: float) -> None:
    """Keep the clock busy for that long."""
    holding = asyncio.ensure_future(clock.ask(Hold(), timeout=1000))
    await stage.seen("c holds gate")
    await asyncio.sleep(seconds)
    stage.gate().set()
    await holding


async def test_once(clock: Ref) -> None:
    """A single timer fires once, when its time has come."""
    await clock.ask(Once(after=3), timeout=1)
    await asyncio.sleep(2.9)
    assert await words(clock) == ()
    await asyncio.sleep(10)
    assert await words(clock) == ("tick@3",)


async def test_every(clock: Ref) -> None:
    """A periodic timer fires on a fixed grid."""
    await clock.ask(Every(interval=2), timeout=1)
    await asyncio.sleep(6.5)
    assert await words(clock) == ("tick@2", "tick@4", "tick@6")


async def test_every_with_another_first(clock: Ref) -> None:
    """The first tick may come at another time than the interval."""
    await clock.ask(Every(interval=2, first=0.5), timeout=1)
    await asyncio.sleep(5)
    assert await words(clock) == ("tick@0.5", "tick@2.5", "tick@4.5")


async def test_cancel(clock: Ref) -> None:
    """A cancelled timer fires no more; cancelling what is not there is nothing."""
    await clock.ask(Every(), timeout=1)
    await asyncio.sleep(1.5)
    await clock.ask(Cancel(), timeout=1)
    await clock.ask(Cancel(key="never started"), timeout=1)
    await asyncio.sleep(10)
    assert await words(clock) == ("tick@1",)


async def test_restarted_key(clock: Ref) -> None:
    """Starting a key again replaces its timer."""
    await clock.ask(Once(name="old", after=1), timeout=1)
    await clock.ask(Once(name="new", after=2), timeout=1)
    await asyncio.sleep(5)
    assert await words(clock) == ("new@2",)


async def test_keys_are_apart(clock: Ref) -> None:
    """Timers of different keys do not disturb each other."""
    await clock.ask(Once(key="a", name="a", after=1), timeout=1)
    await clock.ask(Once(key="b", name="b", after=2), timeout=1)
    await clock.ask(Cancel(key="a"), timeout=1)
    await asyncio.sleep(5)
    assert await words(clock) == ("b@2",)


async def test_cancelled_while_queued(system: ActorSystem, clock: Ref, stage: Stage) -> None:
    """A message that has fired but was not handled yet is withdrawn by cancel."""
    await clock.ask(Once(after=1), timeout=1)
    holding = asyncio.ensure_future(clock.ask(Hold(), timeout=60))
    await stage.seen("c holds gate")
    cancelling = asyncio.ensure_future(clock.ask(Cancel(), timeout=60))
    await asyncio.sleep(2)
    stage.gate().set()
    await asyncio.gather(holding, cancelling)
    assert await words(clock) == ()
    assert cell_of(system, "c").dropped == {"expired": 1}


async def test_replaced_while_queued(clock: Ref, stage: Stage) -> None:
    """A message of the former timer that waits in the mailbox does not pass for one of the new timer."""
    await clock.ask(Once(name="old", after=1), timeout=1)
    holding = asyncio.ensure_future(clock.ask(Hold(), timeout=60))
    await stage.seen("c holds gate")
    replacing = asyncio.ensure_future(clock.ask(Once(name="new", after=5), timeout=60))
    await asyncio.sleep(2)
    stage.gate().set()
    await asyncio.gather(holding, replacing)
    await asyncio.sleep(10)
    assert await words(clock) == ("new@7",)


@pytest.mark.parametrize("request_", [Once(after=1), Every(interval=1)])
async def test_no_timer_across_a_restart(clock: Ref, system: ActorSystem, request_: Once | Every) -> None:
    """No timer of a generation fires in the next."""
    await clock.ask(request_, timeout=1)
    clock.tell(Fail())
    await asyncio.sleep(10)
    assert cell_of(system, "c").generation == 2
    assert await words(clock) == ()


async def test_no_queued_tick_across_a_restart(clock: Ref, system: ActorSystem, stage: Stage) -> None:
    """A tick that was queued when the actor crashed is not handled by the next generation, even if that starts the same timer."""
    await clock.ask(Every(interval=1), timeout=1)
    holding = asyncio.ensure_future(clock.ask(Hold(), timeout=60))
    await stage.seen("c holds gate")
    clock.tell(Fail())
    starting = asyncio.ensure_future(clock.ask(Every(interval=100), timeout=60))
    await asyncio.sleep(3.5)
    stage.gate().set()
    await asyncio.gather(holding, starting)
    assert await words(clock) == ()
    cell = cell_of(system, "c")
    assert cell.dropped == {"expired": 3}
    assert balance(cell)[0] == balance(cell)[1]


async def test_missed_ticks_are_not_made_up(clock: Ref, system: ActorSystem) -> None:
    """Ticks that a blocked loop missed are skipped, and the grid is kept."""
    await clock.ask(Every(interval=1), timeout=1)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.5)
    loop._jumping.now += 5  # type: ignore[attr-defined]  # the virtual loop's clock: as if a handler had blocked it
    await asyncio.sleep(1.2)
    assert await words(clock) == ("tick@5.5", "tick@6")


async def test_crash_in_a_tick(clock: Ref, system: ActorSystem, stage: Stage) -> None:
    """An error in a timer's message is a crash like any other, filed as poison."""
    await clock.ask(Once(after=1), timeout=1)
    stage.faults["tick"] = RuntimeError("tick")
    await asyncio.sleep(5)
    assert (cell_of(system, "c").generation, cell_of(system, "c").poison) == (2, 1)


async def test_keys_are_shown(clock: Ref, system: ActorSystem) -> None:
    """Operators see the timers that run; a single timer is forgotten when its message has been handled."""
    await clock.ask(Once(key="x", after=1), timeout=1)
    assert describe(cell_of(system, "c")).timers == ("x",)
    await asyncio.sleep(2)
    assert describe(cell_of(system, "c")).timers == ()


async def test_timers_end_with_the_actor(clock: Ref, system: ActorSystem) -> None:
    """A timer started while the actor stops never fires."""

    class Late(Clock):
        async def on_stop(self) -> None:
            self.timers.every("late", Tick(), interval=1)

    await system.spawn("late", partial(Late, Stage()))
    await cell_of(system, "late").stop()
    await asyncio.sleep(5)
    assert system.dead_letters.total == 0
