"""The two lanes and what a full mailbox does."""

import asyncio
from functools import partial

import attrs
import pytest

from actors.runtime import ActorStopped, ActorSystem, AskTimeout, Conflate, Mailbox, MailboxFull, Message, Overflow, Ref, handles
from tests.actors.runtime.cast import Echo, Fail, Hold, Note, Player, Stage, Words, balance, cell_of


@attrs.frozen(kw_only=True)
class Sample(Message):
    """A lossy message."""

    key: str
    value: int


class Reject(Player):
    mailbox = Mailbox(capacity=3)


class Block(Player):
    mailbox = Mailbox(capacity=3, overflow=Overflow.BLOCK)


class Sampled(Player):
    @handles
    async def sample(self, message: Sample) -> None:
        self.words.append(f"{message.key}{message.value}")


class Oldest(Sampled):
    mailbox = Mailbox(capacity=3, lossy={Sample: Overflow.DROP_OLDEST})


class Newest(Sampled):
    mailbox = Mailbox(capacity=3, lossy={Sample: Conflate(lambda sample: sample.key)})


async def held(system: ActorSystem, stage: Stage, kind: type[Player]) -> tuple[Ref, "asyncio.Task[str]"]:
    """Return an actor in the middle of a message, so that everything else queues."""
    ref = await system.spawn("a", partial(kind, stage))
    holding = asyncio.create_task(ref.ask(Hold(), timeout=60))
    await stage.seen("a holds gate")
    return ref, holding


async def test_fifo(system: ActorSystem, stage: Stage) -> None:
    """Messages of one sender are handled in the order they were sent."""
    ref, holding = await held(system, stage, Player)
    for word in "abcdef":
        ref.tell(Note(word=word))
    stage.gate().set()
    assert await ref.ask(Words(), timeout=1) == tuple("abcdef")
    await holding


async def test_reject(system: ActorSystem, stage: Stage) -> None:
    """A full mailbox refuses: tell returns False and leaves a dead letter, ask raises MailboxFull with a time to retry."""
    ref, holding = await held(system, stage, Reject)
    assert [ref.tell(Note(word="x")) for _ in range(4)] == [True, True, True, False]
    with pytest.raises(MailboxFull) as caught:
        await ref.ask(Echo(word="x"), timeout=1)
    assert caught.value.extra["retry_after"] == 1
    assert system.dead_letters.by_reason == {"full": 1}
    assert cell_of(system, "a").dropped == {"full": 2}
    assert balance(cell_of(system, "a")) == (6, 6)
    stage.gate().set()
    await holding


async def test_block(system: ActorSystem, stage: Stage) -> None:
    """With BLOCK asks wait in line for room and are handled in their order; tells are refused."""
    ref, holding = await held(system, stage, Block)
    asks = [asyncio.create_task(ref.ask(Echo(word=str(n)), timeout=60)) for n in range(8)]
    await asyncio.sleep(0)
    assert len(cell_of(system, "a").lane) == 8
    assert len(cell_of(system, "a").lane.queue) == 3
    assert not ref.tell(Note(word="x"))
    stage.gate().set()
    assert await asyncio.gather(*asks) == [str(n) for n in range(8)]
    await holding


async def test_block_ends_with_the_deadline(system: ActorSystem, stage: Stage) -> None:
    """Waiting for room does not outlast the ask."""
    ref, holding = await held(system, stage, Block)
    for _ in range(3):
        ref.tell(Note(word="x"))
    with pytest.raises(AskTimeout):
        await ref.ask(Echo(word="x"), timeout=1)
    stage.gate().set()
    await holding


async def test_full_and_stopped(system: ActorSystem, stage: Stage) -> None:
    """Stopping answers those in the mailbox and those in line for room."""
    ref, holding = await held(system, stage, Block)
    asks = [asyncio.create_task(ref.ask(Echo(word=str(n)), timeout=60)) for n in range(6)]
    await asyncio.sleep(0)
    cell = cell_of(system, "a")
    await cell.stop()
    results = await asyncio.gather(holding, *asks, return_exceptions=True)
    assert [type(result) for result in results] == [ActorStopped] * 7
    assert balance(cell) == (7, 7)


async def test_drop_oldest(system: ActorSystem, stage: Stage) -> None:
    """For a lossy type the oldest queued message of that type makes room."""
    ref, holding = await held(system, stage, Oldest)
    ref.tell(Note(word="kept"))
    assert all(ref.tell(Sample(key="k", value=n)) for n in range(5))
    stage.gate().set()
    assert await holding
    assert await ref.ask(Words(), timeout=1) == ("kept", "k3", "k4")
    assert cell_of(system, "a").dropped == {"oldest": 3}


async def test_drop_oldest_finds_none(system: ActorSystem, stage: Stage) -> None:
    """Messages of other types never make room for a lossy one."""
    ref, holding = await held(system, stage, Oldest)
    for _ in range(3):
        ref.tell(Note(word="kept"))
    assert not ref.tell(Sample(key="k", value=1))
    stage.gate().set()
    assert await holding


async def test_conflate(system: ActorSystem, stage: Stage) -> None:
    """Of messages with the same key only the newest is handled, in the place of the first."""
    ref, holding = await held(system, stage, Newest)
    for key, value in (("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2)):
        assert ref.tell(Sample(key=key, value=value))
    stage.gate().set()
    assert await ref.ask(Words(), timeout=1) == ("a3", "b2")
    ref.tell(Sample(key="a", value=4))
    assert await ref.ask(Words(), timeout=1) == ("a3", "b2", "a4")
    assert cell_of(system, "a").dropped == {"conflated": 3}
    assert balance(cell_of(system, "a"))[0] == balance(cell_of(system, "a"))[1]
    assert await holding


async def test_asks_are_not_conflated(system: ActorSystem, stage: Stage) -> None:
    """Somebody waits for the answer to the very message that was asked: it neither gives way nor changes."""

    class Same(Player):
        mailbox = Mailbox(lossy={Echo: Conflate(lambda _: "same")})

    ref, holding = await held(system, stage, Same)
    asks = [asyncio.create_task(ref.ask(Echo(word=word), timeout=60)) for word in "ab"]
    await asyncio.sleep(0)
    ref.tell(Echo(word="c"))
    stage.gate().set()
    assert await asyncio.gather(*asks) == ["a", "b"]
    await holding


async def test_system_lane_goes_first(system: ActorSystem, stage: Stage) -> None:
    """A stop does not wait for the messages queued before it; they become dead letters."""
    ref, holding = await held(system, stage, Player)
    for word in "abc":
        ref.tell(Note(word=word))
    cell = cell_of(system, "a")
    ref.stop()
    stage.gate().set()
    assert await holding == "gate"
    await cell.stop()
    assert [line for line in stage.log if "notes" in line] == []
    assert system.dead_letters.by_reason == {"stopped": 3}


async def test_poison_keeps_the_rest(system: ActorSystem, stage: Stage) -> None:
    """What is queued behind a message that crashes the actor is handled, in order, by the next instance; the poison is not."""
    ref, holding = await held(system, stage, Player)
    ref.tell(Note(word="before"))
    ref.tell(Fail())
    for word in "abc":
        ref.tell(Note(word=word))
    stage.gate().set()
    assert await holding
    assert await ref.ask(Words(), timeout=5) == tuple("abc")
    cell = cell_of(system, "a")
    assert (cell.poison, cell.generation) == (1, 2)
    assert system.dead_letters.newest()[0].reason == "poison"
    assert balance(cell)[0] == balance(cell)[1]


async def test_batches_yield(system: ActorSystem, stage: Stage) -> None:
    """An actor with a long queue lets the others run in between."""

    class Long(Player):
        mailbox = Mailbox(capacity=1000)

    long = await system.spawn("a", partial(Long, stage))
    short = await system.spawn("b", partial(Player, stage))
    for n in range(1000):
        long.tell(Note(word=str(n)))
    short.tell(Note(word="me too"))
    await stage.seen("b notes me too")
    assert "a notes 999" not in stage.log


async def test_yields_within_a_batch_of_slow_messages(system: ActorSystem, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch ends when its time is up, however few messages it had."""
    monkeypatch.setattr("actors.runtime.pump.SLICE_NS", 0)
    a = await system.spawn("a", partial(Player, stage))
    b = await system.spawn("b", partial(Player, stage))
    for n in range(4):
        a.tell(Note(word=str(n)))
    b.tell(Note(word="x"))
    await stage.seen("b notes x")
    assert "a notes 3" not in stage.log
