"""What operators see and do: the tree, traces, windows, dead letters, the loop's health, and the actions on one actor."""

import asyncio
import threading
from functools import partial

import pytest

from actors.runtime import ActorStopped, ActorSystem, Mailbox, Ref, handles, inspect, operate
from actors.runtime import pulse as pulse_module
from actors.runtime.observers import MOST_KEYS, flat
from paranet.codec import unstructure
from paranet.errors import NotFound, WrongState
from tests.actors.runtime.cast import Echo, Fail, Forward, Hold, Note, Player, Refuse, Spawn, Stage, Unknown, Words, cell_of, until


@pytest.fixture
async def a(system: ActorSystem, stage: Stage) -> Ref:
    return await system.spawn("a", partial(Player, stage, partial(Player, stage)))


async def test_tree(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """The tree shows parents before children, and is plain data that the codec can write."""
    await a.ask(Spawn(name="child"), timeout=1)
    parent, child = inspect.tree(system)
    assert (parent.path, parent.parent, parent.children) == ("a", None, ("a/child",))
    assert (child.path, child.parent, child.type, child.status, child.generation) == ("a/child", "a", "Player", "running", 1)
    assert isinstance(unstructure(inspect.tree(system)), list)


async def test_latencies(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """Waiting and handling are timed by message type."""
    for _ in range(10):
        await a.ask(Echo(word=""), timeout=1)
    times = inspect.describe(cell_of(system, "a")).times["Echo"]
    assert times["handle"].count == times["wait"].count == 10
    assert 0 <= times["handle"].p50 <= times["handle"].p95 <= times["handle"].p99 < 1


async def test_error_is_kept(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """The last error is shown with its trace, the restart with the time until it comes."""
    a.tell(Fail())
    await until(lambda: cell_of(system, "a").status == "backoff")
    info = inspect.describe(cell_of(system, "a"))
    assert "RuntimeError: on purpose" in (info.last_error or "")
    assert 0 < info.backoff_for <= 0.05
    assert (info.restarts, info.restarts_in_window, info.poison) == (1, 1, 1)


async def test_inspect_fails(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """An inspect that fails is shown as such and hurts nobody."""
    stage.faults["inspect a"] = RuntimeError("shy")
    assert inspect.state_of(cell_of(system, "a")) == {"inspect_failed": "RuntimeError('shy')"}
    assert await a.ask(Echo(word="well"), timeout=1) == "well"


async def test_stuck(system: ActorSystem, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that runs for longer than its stuck_after is shown with its message, age and stack, and logged once."""

    class Patient(Player):
        stuck_after = -1.0

    a = await system.spawn("a", partial(Patient, stage))
    holding = asyncio.ensure_future(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    (info,) = inspect.stuck(system)
    assert (info.path, info.current, info.stuck) == ("a", "Hold", True)
    assert info.current_age > 0
    assert any("cast.py" in line and "hold" in line for line in info.stack)
    other = asyncio.ensure_future((await system.spawn("b", partial(Patient, stage))).ask(Hold(), timeout=60))
    await asyncio.sleep(5)
    assert caplog.text.count("a has been at Hold") == 1
    assert caplog.text.count("b has been at Hold") == 1
    stage.gate().set()
    await asyncio.gather(holding, other)
    assert inspect.stuck(system) == []


async def test_blocked_loop(system: ActorSystem, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that blocks the loop is caught in the act by the watchdog: who, at which message, where in the code."""
    monkeypatch.setattr(pulse_module, "BLOCKED_AFTER", 0.01)

    class Blocking(Player):
        @handles
        async def note(self, message: Note) -> None:
            threading.Event().wait(0.7)

    a = await system.spawn("a", partial(Blocking, stage))
    a.tell(Note(word="x"))
    await a.ask(Echo(word=""), timeout=5)
    await asyncio.sleep(1)
    block = inspect.blocks(system)[0]
    assert (block.actor, block.message) == ("a", "Note")
    assert block.seconds > 0.5
    assert any("test_operate.py" in line and "note" in line for line in block.stack)
    assert inspect.lag(system).max > 0.5


async def test_lag(system: ActorSystem) -> None:
    """The loop's lag is sampled all the time and kept for a minute."""
    await asyncio.sleep(120)
    lag = inspect.lag(system)
    assert lag.samples == 600
    assert 0 <= lag.p50 <= lag.p99 <= lag.max


async def test_rate(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """The rate follows the messages processed a second, and goes back to nothing."""
    for _ in range(100):
        await a.ask(Echo(word=""), timeout=1)
        await asyncio.sleep(0.1)
    assert inspect.describe(cell_of(system, "a")).rate == pytest.approx(10, abs=1)
    await asyncio.sleep(60)
    assert inspect.describe(cell_of(system, "a")).rate == 0


async def test_trace(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """A trace records sender, type, times and outcome of every message."""
    operate.start_trace(system, "a")
    await a.ask(Echo(word=""), timeout=1)
    for request in (Refuse(), Unknown(), Fail()):
        with pytest.raises(Exception, match=r".+"):
            await a.ask(request, timeout=1)
    await a.ask(Echo(word=""), timeout=5)
    entries = inspect.trace(system, "a")
    assert [(entry.type, entry.outcome) for entry in entries] == [
        ("Echo", "ok"),
        ("Refuse", "refused: not-found"),
        ("Unknown", "unhandled"),
        ("Fail", "crashed"),
        ("Echo", "ok"),
    ]
    assert all(entry.wait >= 0 and entry.handle >= 0 and entry.sender == "" for entry in entries)
    assert entries[0].at == pytest.approx(1_700_000_000, abs=1)


async def test_trace_names_the_sender(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """Messages of other actors carry their path."""
    await system.spawn("b", partial(Player, stage))
    operate.start_trace(system, "b")
    await a.ask(Forward(to=("b",)), timeout=1)
    assert [entry.sender for entry in inspect.trace(system, "b")] == ["a"]


@pytest.mark.parametrize("wait", [0.0, 20.0])
async def test_trace_ends(system: ActorSystem, a: Ref, wait: float) -> None:
    """A trace switches itself off after so many messages or seconds, and costs nothing after that."""
    operate.start_trace(system, "a", messages=3, seconds=10)
    await asyncio.sleep(wait)
    for _ in range(5):
        await a.ask(Echo(word=""), timeout=1)
    assert len(inspect.trace(system, "a")) == (0 if wait else 3)
    assert not inspect.describe(cell_of(system, "a")).tracing
    assert cell_of(system, "a").observers == ()


async def test_trace_can_be_stopped(system: ActorSystem, a: Ref) -> None:
    """An operator may end a trace; what it has stays to be read."""
    operate.start_trace(system, "a")
    await a.ask(Echo(word=""), timeout=1)
    operate.stop_trace(system, "a")
    await a.ask(Echo(word=""), timeout=1)
    assert len(inspect.trace(system, "a")) == 1


async def test_window(system: ActorSystem, a: Ref, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window shows what changed in an actor's state, when, and after which message."""
    monkeypatch.setattr("actors.runtime.observers.LOOK_EVERY", 0.0)
    assert inspect.window(system, "a") == []
    await a.ask(Echo(word="nothing"), timeout=1)
    a.tell(Note(word="x"))
    await a.ask(Echo(word="nothing"), timeout=1)
    changes = inspect.window(system, "a", ms=1000)
    assert [(change.key, change.before, change.after, change.cause) for change in changes] == [
        ("words", "[]", "['x']", "Note"),
        ("count", 0, 1, "Note"),
    ]
    await asyncio.sleep(3)
    assert inspect.window(system, "a", ms=1000) == []
    assert len(inspect.window(system, "a", ms=10_000)) == 2


async def test_window_looks_seldom(system: ActorSystem, a: Ref) -> None:
    """Many messages in a moment cost few looks at the state; reading always looks."""
    inspect.window(system, "a")
    window = cell_of(system, "a").window
    assert window is not None
    for word in "abc":
        a.tell(Note(word=word))
    await a.ask(Words(), timeout=1)
    assert inspect.window(system, "a")[-1].after == 3


async def test_window_closes(system: ActorSystem, a: Ref) -> None:
    """A window that nobody reads closes by itself."""
    inspect.window(system, "a")
    await asyncio.sleep(61)
    await a.ask(Echo(word=""), timeout=1)
    assert cell_of(system, "a").observers == ()


def test_flat_is_bounded() -> None:
    """A state is compared by its leaves, and a huge one is cut."""
    assert flat({"a": {"b": 1, "c": [2]}, "d": None}) == {"a.b": 1, "a.c": "[2]", "d": None}
    assert len(flat({str(n): n for n in range(10_000)})) == MOST_KEYS


async def test_dead_letters(system: ActorSystem, a: Ref) -> None:
    """Dead letters are kept with reason, sender and text, newest first, and counted by reason."""
    system.ref("nobody").tell(Note(word="first"))
    a.tell(Fail())
    await a.ask(Echo(word=""), timeout=5)
    newest, first = inspect.dead_letters(system)
    assert (newest.to, newest.type, newest.reason, newest.error) == ("a", "Fail", "poison", "RuntimeError('on purpose')")
    assert (first.to, first.reason, first.replayable) == ("nobody", "no-actor", True)
    assert "first" in first.message


async def test_dead_letters_are_bounded(system: ActorSystem) -> None:
    """The ring keeps the newest thousand and finds them by id; older ones are only counted."""
    for n in range(1500):
        system.ref("nobody").tell(Note(word=str(n)))
    letters = system.dead_letters
    assert letters.total == 1500
    assert letters.get(500) is None
    oldest, newest = letters.get(501), letters.get(1500)
    assert oldest is not None
    assert newest is not None
    assert (oldest.id, newest.id) == (501, 1500)
    assert letters.get(1501) is None


async def test_replay(system: ActorSystem, stage: Stage) -> None:
    """A dead letter can be told again, once."""
    system.ref("late").tell(Note(word="hello"))
    await system.spawn("late", partial(Player, stage))
    assert operate.replay(system, 1)
    await stage.seen("late notes hello")
    with pytest.raises(WrongState, match="twice"):
        operate.replay(system, 1)


async def test_replay_of_nothing(system: ActorSystem) -> None:
    """A letter that is not kept cannot be replayed."""
    with pytest.raises(NotFound):
        operate.replay(system, 1)


async def test_restart(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """An operator's restart makes a new instance, keeps the mailbox, and does not count against the intensity."""
    a.tell(Note(word="old"))
    await a.ask(Words(), timeout=1)
    assert await operate.restart(system, "a")
    assert await a.ask(Words(), timeout=1) == ()
    cell = cell_of(system, "a")
    assert (cell.generation, cell.restarts, cell.last_error) == (2, 1, None)
    assert inspect.describe(cell).restarts_in_window == 0


async def test_restart_of_a_hanging_actor(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """Restarting an actor whose handler hangs cancels it after the grace; its asker is told, the queue is kept."""
    holding = asyncio.ensure_future(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    a.tell(Note(word="kept"))
    assert await operate.restart(system, "a")
    with pytest.raises(ActorStopped):
        await holding
    assert await a.ask(Words(), timeout=1) == ("kept",)


async def test_restart_cuts_the_backoff(system: ActorSystem, a: Ref) -> None:
    """Restarting an actor that waits for its restart starts it now, once."""
    a.tell(Fail())
    await until(lambda: cell_of(system, "a").status == "backoff")
    assert await operate.restart(system, "a")
    await asyncio.sleep(60)
    assert cell_of(system, "a").generation == 2


async def test_restart_that_fails(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """When the new instance cannot start, the operator is told and the supervisor takes over."""
    stage.faults["start a"] = RuntimeError("no")
    assert not await operate.restart(system, "a")
    del stage.faults["start a"]
    assert await a.ask(Echo(word="back"), timeout=60) == "back"


async def test_suspend_and_resume(system: ActorSystem, a: Ref) -> None:
    """A suspended actor handles nothing and loses nothing until it is resumed."""
    operate.suspend(system, "a")
    asking = asyncio.ensure_future(a.ask(Echo(word="later"), timeout=60))
    await asyncio.sleep(10)
    assert not asking.done()
    assert inspect.describe(cell_of(system, "a")).status == "suspended"
    operate.resume(system, "a")
    assert await asking == "later"


async def test_suspend_what_does_not_run(system: ActorSystem, a: Ref) -> None:
    """Only a running actor can be suspended."""
    a.tell(Fail())
    await until(lambda: cell_of(system, "a").status == "backoff")
    with pytest.raises(WrongState, match="backoff"):
        operate.suspend(system, "a")


async def test_stop_while_suspended(system: ActorSystem, a: Ref) -> None:
    """A suspended actor can be stopped."""
    operate.suspend(system, "a")
    await cell_of(system, "a").stop()
    assert system.cell("a") is None


async def test_drain_one(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """Draining one actor finishes its queue and stops it; the others live on."""
    await system.spawn("b", partial(Player, stage))
    for word in "abc":
        a.tell(Note(word=word))
    assert await operate.drain(system, "a", within=5) == 0
    assert "a notes c" in stage.log
    assert [info.path for info in inspect.tree(system)] == ["b"]


async def test_drain_one_too_slow(system: ActorSystem, stage: Stage, a: Ref) -> None:
    """What an actor cannot finish in time is counted."""
    asks = [asyncio.ensure_future(a.ask(Hold(), timeout=60)) for _ in range(3)]
    await stage.seen("a holds gate")
    assert await operate.drain(system, "a", within=1) == 3
    assert all(isinstance(result, ActorStopped) for result in await asyncio.gather(*asks, return_exceptions=True))


async def test_nobody_there(system: ActorSystem) -> None:
    """Every action on an address where nobody lives says so."""
    for action in (operate.suspend, operate.resume, operate.start_trace, operate.stop_trace, inspect.trace, inspect.window):
        with pytest.raises(NotFound):
            action(system, "nobody")
    with pytest.raises(NotFound):
        await operate.restart(system, "nobody")


async def test_mailbox_figures(system: ActorSystem, stage: Stage) -> None:
    """The mailbox shows length, capacity, high water, oldest age and drops by reason."""

    class Small(Player):
        mailbox = Mailbox(capacity=2)

    a = await system.spawn("a", partial(Small, stage))
    holding = asyncio.ensure_future(a.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    for _ in range(3):
        a.tell(Note(word="x"))
    mailbox = inspect.describe(cell_of(system, "a")).mailbox
    assert (mailbox.length, mailbox.capacity, mailbox.high_water, mailbox.dropped) == (2, 2, 2, {"full": 1})
    assert mailbox.oldest > 0
    stage.gate().set()
    await holding
