"""Endings: children first, handlers that hang, draining, the second signal, and nothing left."""

import asyncio
from functools import partial

import pytest

from actors.runtime import Actor, ActorStopped, ActorSystem, Mailbox, Ref, handles
from tests.actors.runtime.cast import DeferForward, Echo, Forward, Hold, Note, Player, Spawn, Stage, Words, balance, cell_of, until
from tests.actors.runtime.test_supervision import Parent


class Deaf(Player):
    """Swallows cancellation while it holds."""

    times = 2

    @handles
    async def hold(self, message: Hold) -> str:
        self.stage.say(f"{self.name} holds {message.gate}")
        for _ in range(self.times):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.stage.say(f"{self.name} does not listen")
        return "finally"


async def test_children_first(system: ActorSystem, stage: Stage) -> None:
    """Children stop before their parent, the last-born first."""
    await system.spawn("p", partial(Parent, stage))
    stage.log.clear()
    await cell_of(system, "p").stop()
    assert stage.log == ["p/z stops", "p/y stops", "p/x stops", "p stops"]
    assert system.cells() == []


async def test_current_message_is_finished(system: ActorSystem, stage: Stage) -> None:
    """A stop waits for the message at hand."""
    a = await system.spawn("a", partial(Player, stage))
    holding = asyncio.ensure_future(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    stopping = asyncio.ensure_future(cell_of(system, "a").stop())
    await asyncio.sleep(4)
    stage.gate().set()
    await stopping
    assert await holding == "gate"


async def test_handler_that_never_returns(system: ActorSystem, stage: Stage) -> None:
    """A handler that goes on after the grace is cancelled; its asker and all others are answered."""
    a = await system.spawn("a", partial(Player, stage))
    asks = [asyncio.ensure_future(a.ask(Hold(), timeout=60)) for _ in range(3)]
    await stage.seen("a holds gate")
    cell = cell_of(system, "a")
    await cell.stop()
    assert system.clock() == pytest.approx(5, abs=0.1)
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(result) for result in results] == [ActorStopped] * 3
    assert balance(cell) == (3, 3)


async def test_handler_that_swallows_cancellation(system: ActorSystem, stage: Stage) -> None:
    """A handler that does not listen is cancelled again."""
    a = await system.spawn("a", partial(Deaf, stage))
    a.tell(Hold())
    await stage.seen("a holds gate")
    await cell_of(system, "a").stop()
    assert stage.log.count("a does not listen") == 2
    assert stage.log[-1] == "a stops"


async def test_handler_that_is_given_up(system: ActorSystem, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """One that never listens is given up and named; its waiters are answered, and the stop ends."""

    class Stone(Deaf):
        times = 5

    a = await system.spawn("a", partial(Stone, stage))
    a.tell(Hold())
    await stage.seen("a holds gate")
    waiting = asyncio.ensure_future(a.ask(Echo(word="?"), timeout=60))
    cell = cell_of(system, "a")
    await cell.stop()
    with pytest.raises(ActorStopped):
        await waiting
    assert "a does not end; giving it up: Hold" in caplog.text
    assert cell.life is not None
    for _ in range(3):
        cell.life.cancel()
        await asyncio.sleep(0)


async def test_on_stop_that_hangs(system: ActorSystem, stage: Stage) -> None:
    """An on_stop that does not end is cut short, and the rest of the tree still stops in order."""

    class Hanging(Player):
        async def on_stop(self) -> None:
            self.stage.say("hangs")
            await asyncio.Event().wait()

    await system.spawn("a", partial(Player, stage))
    await system.spawn("b", partial(Hanging, stage))
    await cell_of(system, "b").stop()
    assert system.clock() < 7
    assert system.cell("b") is None


async def test_slow_children_have_their_own_time(system: ActorSystem, stage: Stage) -> None:
    """A parent whose children take long to stop is not cut short for it: none is left behind."""
    p = await system.spawn("p", partial(Player, stage, partial(Player, stage)))
    for name in "abc":
        await p.ask(Spawn(name=name), timeout=1)
        system.ref(f"p/{name}").tell(Hold(gate=name))
        await stage.seen(f"p/{name} holds {name}")
    await cell_of(system, "p").stop()
    assert stage.log[-4:] == ["p/c stops", "p/b stops", "p/a stops", "p stops"]
    assert system.clock() == pytest.approx(15, abs=0.5)


async def test_child_that_waits_for_its_parent(system: ActorSystem, stage: Stage) -> None:
    """A child that waits for an answer of the one who stops it is cancelled at once: the answer cannot come."""
    p = await system.spawn("p", partial(Player, stage, partial(Player, stage)))
    await p.ask(Spawn(name="child"), timeout=1)
    holding = asyncio.ensure_future(p.ask(Hold(), timeout=60))
    await stage.seen("p holds gate")
    asking = asyncio.ensure_future(system.ref("p/child").ask(Forward(to=("p",)), timeout=60))
    await until(lambda: cell_of(system, "p").lane.queue)
    p.stop()
    stage.gate().set()
    await asyncio.wait((holding, asking))
    assert system.clock() < 1
    assert isinstance(asking.exception(), ActorStopped)


async def test_stop_in_start(system: ActorSystem, stage: Stage) -> None:
    """Stopping an actor whose on_start hangs ends it, and who spawned it is told."""

    class Slow(Player):
        async def on_start(self) -> None:
            self.stage.say("slow")
            await asyncio.Event().wait()

    spawning = asyncio.ensure_future(system.spawn("a", partial(Slow, stage)))
    await stage.seen("slow")
    await cell_of(system, "a").stop()
    with pytest.raises(Exception, match="it was stopped"):
        await spawning
    assert system.cell("a") is None


async def test_stop_itself(system: ActorSystem, stage: Stage) -> None:
    """An actor that stops itself finishes the message at hand."""

    class Finite(Player):
        @handles
        async def note(self, message: Note) -> None:
            self.ref.stop()
            self.stage.say("last words")

    a = await system.spawn("a", partial(Finite, stage))
    cell = cell_of(system, "a")
    a.tell(Note(word="x"))
    await stage.seen("a stops")
    await asyncio.sleep(0)
    assert stage.log[-2:] == ["last words", "a stops"]
    assert cell.gone


async def test_spawner_cancelled(system: ActorSystem, stage: Stage) -> None:
    """When who spawns is cancelled, the child that was starting is stopped."""

    class Slow(Player):
        async def on_start(self) -> None:
            self.stage.say("slow")
            await self.stage.gate().wait()

    spawning = asyncio.ensure_future(system.spawn("a", partial(Slow, stage)))
    await stage.seen("slow")
    cell = cell_of(system, "a")
    spawning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await spawning
    stage.gate().set()
    await cell.stop()
    assert system.cell("a") is None


async def test_drain_finishes_what_is_queued(system: ActorSystem, stage: Stage) -> None:
    """Draining handles all that is queued, refuses what comes from outside, and reports nothing left."""
    a = await system.spawn("a", partial(Player, stage))
    holding = asyncio.ensure_future(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    for word in "abc":
        a.tell(Note(word=word))
    draining = asyncio.ensure_future(system.drain(10))
    await asyncio.sleep(0.1)
    assert not a.tell(Note(word="too late"))
    with pytest.raises(ActorStopped):
        await a.ask(Words(), timeout=1)
    stage.gate().set()
    assert await draining == {}
    assert await holding == "gate"
    assert [line for line in stage.log if "notes" in line] == ["a notes a", "a notes b", "a notes c"]


async def test_drain_lets_actors_talk(system: ActorSystem, stage: Stage) -> None:
    """While draining, actors still reach each other and their children: what is queued can be done."""
    a = await system.spawn("a", partial(Player, stage, partial(Player, stage)))
    await system.spawn("b", partial(Player, stage))
    await a.ask(Spawn(name="child"), timeout=1)
    holding = asyncio.ensure_future(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    asks = [asyncio.ensure_future(a.ask(request, timeout=60)) for request in (Forward(to=("b", "a/child")), DeferForward(to=("b",)))]
    await asyncio.sleep(0)
    draining = asyncio.ensure_future(system.drain(10))
    await asyncio.sleep(0.1)
    stage.gate().set()
    assert await asyncio.gather(*asks) == ["a/child", "b"]
    assert await draining == {}
    await holding


async def test_drain_leaves_first(system: ActorSystem, stage: Stage) -> None:
    """A drained system stops from the leaves to the root, last-born first."""
    await system.spawn("a", partial(Player, stage))
    await system.spawn("p", partial(Parent, stage))
    stage.log.clear()
    await system.drain(10)
    assert stage.log == ["p/z stops", "p/y stops", "p/x stops", "p stops", "a stops"]


async def test_drain_reports_what_is_left(system: ActorSystem, stage: Stage) -> None:
    """What cannot be finished in time is reported by path, filed as drained, and its askers are answered."""
    a = await system.spawn("a", partial(Player, stage))
    asks = [asyncio.ensure_future(a.ask(Hold(), timeout=60)) for _ in range(3)]
    await stage.seen("a holds gate")
    assert await system.drain(2) == {"a": 2}
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(result) for result in results] == [ActorStopped] * 3
    assert system.dead_letters.by_reason == {"stopped": 1, "drained": 2}
    assert system.clock() < 4


async def test_second_signal(system: ActorSystem, stage: Stage) -> None:
    """A second signal ends a drain at once; every waiter is answered and every on_stop has run."""
    a = await system.spawn("a", partial(Player, stage, partial(Player, stage)))
    await a.ask(Spawn(name="child"), timeout=1)
    asks = [asyncio.ensure_future(ref.ask(Hold(gate=ref.path), timeout=60)) for ref in (a, system.ref("a/child")) for _ in range(2)]
    await stage.seen("a holds a")
    await stage.seen("a/child holds a/child")
    draining = asyncio.ensure_future(system.drain(1000))
    await asyncio.sleep(1)
    system.kill()
    await draining
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(result) for result in results] == [ActorStopped] * 4
    assert system.clock() < 2
    assert {"a stops", "a/child stops"} <= set(stage.log)


async def test_kill_while_stopping(stage: Stage) -> None:
    """Leaving the system after a kill waits for every on_stop, also of children whose parents were cut short."""

    class Thorough(Player):
        async def on_stop(self) -> None:
            self.stage.say(f"{self.name} clears up")
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)
            self.stage.say(f"{self.name} has cleared up")

    async with ActorSystem() as system:
        a = await system.spawn("a", partial(Player, stage, partial(Thorough, stage)))
        await a.ask(Spawn(name="child"), timeout=1)
        a.stop()
        await stage.seen("a/child clears up")
        system.kill()
    assert stage.log[-1] == "a/child has cleared up"


async def test_drain_under_load(system: ActorSystem, stage: Stage) -> None:
    """Asks that keep coming during a drain are each answered or refused; none is lost."""

    class Roomy(Player):
        mailbox = Mailbox(capacity=10_000)

    a = await system.spawn("a", partial(Roomy, stage))
    results: list[str] = []

    async def client(n: int) -> None:
        try:
            while True:
                results.append(await a.ask(Echo(word=str(n)), timeout=5))
                await asyncio.sleep(0.001 * n)
        except ActorStopped:
            results.append("refused")

    clients = [asyncio.ensure_future(client(n)) for n in range(1, 51)]
    await asyncio.sleep(0.3)
    assert await system.drain(5) == {}
    await asyncio.gather(*clients)
    assert results.count("refused") == 50


async def test_ten_thousand(system: ActorSystem) -> None:
    """After 10,000 actors have come and gone, no task, cell or timer of theirs is left."""
    before = len(asyncio.all_tasks())
    refs: list[Ref] = [await system.spawn(f"n{n}", Actor) for n in range(10_000)]
    assert len(asyncio.all_tasks()) == before + 10_000
    for ref in refs:
        ref.stop()
    await until(lambda: not system.cells())
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before


async def test_leaving_the_system(stage: Stage) -> None:
    """Leaving the `async with` stops everything."""
    async with ActorSystem() as system:
        await system.spawn("p", partial(Parent, stage))
    assert stage.log[-1] == "p stops"
    assert system.cells() == []
