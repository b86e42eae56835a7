"""Asking: answers, refusals, deadlines, cycles, and askers that go away. Restates Pekko's typed AskSpec."""

import asyncio
import time
from functools import partial

import pytest

from actors.runtime import ActorCrashed, ActorStopped, ActorSystem, AskCycle, AskTimeout, Ref
from actors.runtime.errors import NotHandled, StartFailed
from actors.runtime.inspect import waits
from paranet.errors import NotFound
from tests.actors.runtime.cast import DeferForward, Echo, Fail, Forward, Hold, Note, Player, Refuse, Spawn, Stage, Unknown, cell_of, until


async def cast(system: ActorSystem, stage: Stage, *names: str) -> list[Ref]:
    return [await system.spawn(name, partial(Player, stage, partial(Player, stage))) for name in names]


async def test_answer(system: ActorSystem, stage: Stage) -> None:
    """An ask returns what the handler returns."""
    (a,) = await cast(system, stage, "a")
    assert await a.ask(Echo(word="hello"), timeout=1) == "hello"


async def test_domain_error_is_a_reply(system: ActorSystem, stage: Stage) -> None:
    """A ParaNetError reaches the asker as it is and does not crash the actor."""
    (a,) = await cast(system, stage, "a")
    with pytest.raises(NotFound, match="not here"):
        await a.ask(Refuse(), timeout=1)
    assert cell_of(system, "a").generation == 1


async def test_crash_is_told(system: ActorSystem, stage: Stage) -> None:
    """Who asked for what the actor crashed on gets ActorCrashed at once."""
    (a,) = await cast(system, stage, "a")
    with pytest.raises(ActorCrashed):
        await a.ask(Fail(), timeout=1)
    assert system.clock() < 0.5


async def test_unknown_message(system: ActorSystem, stage: Stage) -> None:
    """A message without a handler is refused with NotHandled and filed as unhandled."""
    (a,) = await cast(system, stage, "a")
    with pytest.raises(NotHandled):
        await a.ask(Unknown(), timeout=1)
    assert system.dead_letters.by_reason == {"unhandled": 1}


async def test_nobody_there(system: ActorSystem, stage: Stage) -> None:
    """Asking an address where nobody lives fails at once."""
    with pytest.raises(ActorStopped):
        await system.ref("nobody").ask(Echo(word=""), timeout=1)


async def test_stopped_actor(system: ActorSystem, stage: Stage) -> None:
    """Asking an actor that has stopped fails at once."""
    (a,) = await cast(system, stage, "a")
    await cell_of(system, "a").stop()
    with pytest.raises(ActorStopped):
        await a.ask(Echo(word=""), timeout=1)


async def test_stop_answers_the_queued(system: ActorSystem, stage: Stage) -> None:
    """An actor that stops answers everybody who still waits for it."""
    (a,) = await cast(system, stage, "a")
    asks = [asyncio.create_task(a.ask(Hold(), timeout=60)) for _ in range(5)]
    await stage.seen("a holds gate")
    await cell_of(system, "a").stop()
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(result) for result in results] == [ActorStopped] * 5


async def test_timeout(system: ActorSystem, stage: Stage) -> None:
    """An ask that is not answered fails within a sweep of its timeout."""
    (a,) = await cast(system, stage, "a")
    with pytest.raises(AskTimeout, match="a did not answer Hold"):
        await a.ask(Hold(), timeout=2)
    assert 2 <= system.clock() < 2.1
    assert cell_of(system, "a").ask_timeouts == 1
    stage.gate().set()


async def test_one_timer_for_all_asks(system: ActorSystem, stage: Stage) -> None:
    """Asks of different timeouts all fail in their own time, in order."""
    (a,) = await cast(system, stage, "a")
    ended: list[float] = []

    async def ask(timeout: float) -> None:
        with pytest.raises(AskTimeout):
            await a.ask(Hold(), timeout=timeout)
        ended.append(timeout)

    await asyncio.gather(*(ask(timeout) for timeout in (5, 1, 3, 0.5, 0.52)))
    assert ended == [0.5, 0.52, 1, 3, 5]
    stage.gate().set()


async def test_late_reply(system: ActorSystem, stage: Stage) -> None:
    """A reply after the timeout is counted as late and is no dead letter."""
    (a,) = await cast(system, stage, "a")
    with pytest.raises(AskTimeout):
        await a.ask(Hold(), timeout=1)
    stage.gate().set()
    assert await a.ask(Echo(word="next"), timeout=1) == "next"
    assert cell_of(system, "a").late_replies == 1
    assert system.dead_letters.total == 0


async def test_expired_is_not_handled(system: ActorSystem, stage: Stage) -> None:
    """A queued ask whose asker has given up is dropped as expired instead of being worked on."""
    (a,) = await cast(system, stage, "a")
    holding = asyncio.create_task(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    with pytest.raises(AskTimeout):
        await a.ask(Hold(gate="never"), timeout=1)
    stage.gate().set()
    await holding
    await a.ask(Echo(word=""), timeout=1)
    assert "a holds never" not in stage.log
    assert cell_of(system, "a").dropped == {"expired": 1}


async def test_asker_cancelled_before_the_reply(system: ActorSystem, stage: Stage) -> None:
    """An asker cancelled while it waits leaves no edge, no timer entry and no error behind."""
    (a,) = await cast(system, stage, "a")
    asking = asyncio.create_task(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    stage.gate().set()
    assert await a.ask(Echo(word="on"), timeout=1) == "on"
    assert waits(system) == []


async def test_asker_cancelled_after_the_reply(system: ActorSystem, stage: Stage) -> None:
    """An asker cancelled in the very moment its error arrives is cancelled, and the error bothers nobody."""
    (a,) = await cast(system, stage, "a")
    asking = asyncio.create_task(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    cell = cell_of(system, "a")
    assert cell.current is not None
    cell.current.fail(RuntimeError("nobody reads this"))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    stage.gate().set()


async def test_deadline_travels(system: ActorSystem, stage: Stage) -> None:
    """An ask made while handling an ask never lasts longer than what is left of the first."""
    a, _, c = await cast(system, stage, "a", "b", "c")
    blocking = asyncio.create_task(c.ask(Hold(), timeout=60))
    await stage.seen("c holds gate")
    with pytest.raises(AskTimeout):
        await a.ask(Forward(to=("b", "c")), timeout=1)
    assert system.clock() < 1.1
    stage.gate().set()
    await blocking
    assert await a.ask(Echo(word="free"), timeout=1) == "free"


async def test_deadline_travels_into_a_deferred_job(system: ActorSystem, stage: Stage) -> None:
    """A job that answers an ask has no more time than the ask."""
    a, b = await cast(system, stage, "a", "b")
    blocking = asyncio.create_task(b.ask(Hold(), timeout=60))
    await stage.seen("b holds gate")
    with pytest.raises(AskTimeout):
        await a.ask(DeferForward(to=("b",)), timeout=1)
    assert cell_of(system, "b").ask_timeouts == 1
    stage.gate().set()
    await blocking


async def test_no_time_left(system: ActorSystem, stage: Stage) -> None:
    """An ask without time does not even try."""
    (a,) = await cast(system, stage, "a")
    with pytest.raises(AskTimeout, match="no time"):
        await a.ask(Echo(word=""), timeout=0)
    assert cell_of(system, "a").sent == 0


@pytest.mark.parametrize(("way", "path"), [(("a",), ["a", "a"]), (("b", "a"), ["b", "a", "b"]), (("b", "c", "a"), ["c", "a", "b", "c"])])
async def test_cycle(system: ActorSystem, stage: Stage, way: tuple[str, ...], path: list[str]) -> None:
    """Actors that would wait for each other, one alone included, are told so at once, with the path."""
    a, *_ = await cast(system, stage, "a", "b", "c")
    began = time.perf_counter()
    with pytest.raises(AskCycle) as caught:
        await a.ask(Forward(to=way), timeout=60)
    assert time.perf_counter() - began < 0.1
    assert caught.value.extra["path"] == path
    assert waits(system) == []


async def test_cycle_through_gathered_asks(system: ActorSystem, stage: Stage) -> None:
    """Asks made side by side in one handler all count: the one that closes a cycle fails, the others go on."""

    class Asker(Player):
        async def _forward(self, to: tuple[str, ...], timeout: float) -> str:
            refs = [self.system.ref(name) for name in ("b", "c")]
            asks = [refs[0].ask(Forward(to=("a",)), timeout=30), refs[1].ask(Echo(word="fine"), timeout=30)]
            results = await asyncio.gather(*asks, return_exceptions=True)
            return " ".join(result if isinstance(result, str) else type(result).__name__ for result in results)

    a = await system.spawn("a", partial(Asker, stage))
    await cast(system, stage, "b", "c")
    assert await a.ask(Forward(to=()), timeout=60) == "AskCycle fine"


async def test_cycle_with_a_parent_that_spawns(system: ActorSystem, stage: Stage) -> None:
    """A child that asks, while starting, the parent that waits for its start is told so at once."""

    class Child(Player):
        async def on_start(self) -> None:
            await self.system.ref("a").ask(Echo(word="?"), timeout=30)

    a = await system.spawn("a", partial(Player, stage, partial(Child, stage)))
    with pytest.raises(StartFailed, match="wait for ever"):
        await a.ask(Spawn(name="child"), timeout=60)
    assert system.clock() < 1


async def test_answer_under_way_is_no_cycle(system: ActorSystem, stage: Stage) -> None:
    """Who has been answered waits no more, even before it has run again."""
    a, b = await cast(system, stage, "a", "b")
    holding = asyncio.create_task(b.ask(Hold(), timeout=30))
    await stage.seen("b holds gate")
    first = asyncio.create_task(a.ask(Forward(to=("b",)), timeout=30))
    await until(lambda: cell_of(system, "b").lane.queue)
    second = asyncio.create_task(b.ask(Forward(to=("a",)), timeout=30))  # handled right after the answer to a was given
    await asyncio.sleep(0)
    stage.gate().set()
    assert list(await asyncio.gather(holding, first, second)) == ["gate", "b", "a"]


async def test_deferred_answer_is_no_cycle(system: ActorSystem, stage: Stage) -> None:
    """An actor that has left an answer to a job may ask the one who waits for that job."""

    class Asker(Player):
        async def _forward(self, to: tuple[str, ...], timeout: float) -> str:
            return await self.system.ref("b").ask(DeferForward(to=("c",)), timeout=5) if to else "a answers"

    a = await system.spawn("a", partial(Asker, stage))
    b, c = await cast(system, stage, "b", "c")
    holding = asyncio.create_task(c.ask(Hold(), timeout=30))
    await stage.seen("c holds gate")
    first = asyncio.create_task(a.ask(Forward(to=("b",)), timeout=30))
    await until(lambda: cell_of(system, "c").lane.queue)
    second = asyncio.create_task(b.ask(Forward(to=("a",)), timeout=30))
    await until(lambda: cell_of(system, "a").lane.queue)
    stage.gate().set()
    assert list(await asyncio.gather(holding, first, second)) == ["gate", "c", "a answers"]


async def test_cycle_through_a_deferred_job(system: ActorSystem, stage: Stage) -> None:
    """A job that asks the very actor that waits for it closes a cycle."""
    await cast(system, stage, "b")

    class Asker(Player):
        async def _forward(self, to: tuple[str, ...], timeout: float) -> str:
            return await self.system.ref("b").ask(DeferForward(to=("c",)), timeout=5)

    c = await system.spawn("c", partial(Asker, stage))
    with pytest.raises(AskCycle, match=r"b \(DeferForward\) -> c -> b \(DeferForward\)"):
        await c.ask(Forward(to=()), timeout=60)


async def test_waits_are_shown(system: ActorSystem, stage: Stage) -> None:
    """The wait-for graph names who waits for whom, for what, and how much time is left."""
    a, _ = await cast(system, stage, "a", "b")

    class Holder(Player):
        async def _forward(self, to: tuple[str, ...], timeout: float) -> str:
            self.stage.say("held")
            await self.stage.gate().wait()
            return "done"

    await system.spawn("c", partial(Holder, stage))
    asking = asyncio.create_task(a.ask(Forward(to=("b", "c")), timeout=9))
    await stage.seen("held")
    assert [(edge.asker, edge.target, edge.message) for edge in waits(system)] == [("a", "b", "Forward"), ("b", "c", "Forward")]
    assert waits(system)[0].left == pytest.approx(9, abs=0.1)
    stage.gate().set()
    assert await asking == "done"
    assert waits(system) == []


async def test_tell_returns_without_waiting(system: ActorSystem, stage: Stage) -> None:
    """tell queues and returns; nothing has been handled yet."""
    (a,) = await cast(system, stage, "a")
    assert a.tell(Note(word="x"))
    assert "a notes x" not in stage.log
    await stage.seen("a notes x")


async def test_tell_nobody(system: ActorSystem) -> None:
    """Telling an address where nobody lives returns False and leaves a dead letter."""
    assert not system.ref("nobody").tell(Note(word="x"))
    assert system.dead_letters.by_reason == {"no-actor": 1}


async def test_refusal_of_a_tell(system: ActorSystem, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A domain error raised for a message that was told has no reader but the log; the actor goes on."""
    (a,) = await cast(system, stage, "a")
    a.tell(Refuse())
    assert await a.ask(Echo(word="on"), timeout=1) == "on"
    assert "a refused Refuse: not here" in caplog.text
