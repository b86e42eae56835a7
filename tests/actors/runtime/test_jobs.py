"""What actors run beside their mailbox: piped results and deferred answers, bounded and closed with their owner."""

import asyncio
from functools import partial

import attrs
import pytest

from actors.runtime import ActorCrashed, ActorStopped, ActorSystem, AskTimeout, MailboxFull, Message, Ref, Request, handles
from actors.runtime.inspect import describe
from paranet.errors import NotFound
from tests.actors.runtime.cast import Echo, Fail, Hold, Player, Stage, Words, cell_of, until


@attrs.frozen(kw_only=True)
class Pipe(Request[None]):
    """Pipe the word to oneself when the gate of its name opens."""

    word: str
    guarded: bool = False


@attrs.frozen(kw_only=True)
class Defer(Request[str]):
    """Answer with the word when the gate of its name opens."""

    word: str


@attrs.frozen(kw_only=True)
class Abandonable(Request[str]):
    """The same; nobody needs it but the asker."""

    word: str


@attrs.frozen(kw_only=True)
class Done(Message):
    """A job's result."""

    word: str


class Worker(Player):
    jobs_limit = 2

    async def _work(self, word: str) -> str:
        self.stage.say(f"works on {word}")
        try:
            await self.stage.gate(word).wait()
        finally:
            self.stage.say(f"leaves {word}")
        self.stage.strike(word)
        return word

    async def _piped(self, word: str) -> Message:
        return Done(word=await self._work(word))

    @handles
    async def pipe(self, message: Pipe) -> None:
        failed = (lambda error: Done(word=f"failed: {error}")) if message.guarded else None
        await self.pipe_to_self(self._piped(message.word), failed=failed, name=message.word)

    @handles
    async def done(self, message: Done) -> None:
        self.words.append(message.word)
        self.stage.say(f"done {message.word}")

    @handles
    async def deferred(self, message: Defer) -> str:
        return await self.defer(self._work(message.word))

    @handles
    async def abandonable(self, message: Abandonable) -> str:
        return await self.defer(self._work(message.word), abandon=True)


@pytest.fixture
async def worker(system: ActorSystem, stage: Stage) -> Ref:
    return await system.spawn("w", partial(Worker, stage))


async def test_pipe(worker: Ref, stage: Stage) -> None:
    """A piped job's message comes back through the mailbox, which has moved on meanwhile."""
    await worker.ask(Pipe(word="a"), timeout=1)
    assert await worker.ask(Echo(word="meanwhile"), timeout=1) == "meanwhile"
    stage.gate("a").set()
    await stage.seen("done a")


async def test_pipe_failed(worker: Ref, stage: Stage, system: ActorSystem) -> None:
    """A piped job's error becomes the message that was named for it."""
    stage.faults["a"] = RuntimeError("broken")
    await worker.ask(Pipe(word="a", guarded=True), timeout=1)
    stage.gate("a").set()
    await stage.seen("done failed: broken")
    assert cell_of(system, "w").generation == 1


@pytest.mark.parametrize("error", [RuntimeError("broken"), asyncio.CancelledError()])
async def test_pipe_crashes(worker: Ref, stage: Stage, system: ActorSystem, error: BaseException) -> None:
    """A piped job's error that nobody asked for crashes the actor, its own CancelledError too."""
    stage.faults["a"] = error
    await worker.ask(Pipe(word="a"), timeout=1)
    stage.gate("a").set()
    await stage.seen("w stops")
    await worker.ask(Echo(word=""), timeout=5)
    assert cell_of(system, "w").generation == 2


async def test_pipe_into_a_full_mailbox(worker: Ref, stage: Stage) -> None:
    """A job's result is never refused."""
    await worker.ask(Pipe(word="a"), timeout=1)
    holding = asyncio.ensure_future(worker.ask(Hold(), timeout=60))
    await stage.seen("w holds gate")
    while worker.tell(Echo(word="filler")):
        pass
    stage.gate("a").set()
    await stage.seen("leaves a")
    await asyncio.sleep(0)
    stage.gate().set()
    await holding
    await stage.seen("done a")


async def test_result_of_a_former_life(worker: Ref, stage: Stage, system: ActorSystem) -> None:
    """A result that was queued when the actor crashed does not reach the next instance."""
    await worker.ask(Pipe(word="a"), timeout=1)
    holding = asyncio.ensure_future(worker.ask(Hold(), timeout=60))
    await stage.seen("w holds gate")
    worker.tell(Fail())
    stage.gate("a").set()
    await stage.seen("leaves a")
    await asyncio.sleep(0)
    stage.gate().set()
    await holding
    assert await worker.ask(Words(), timeout=5) == ()
    assert cell_of(system, "w").dropped == {"expired": 1}


async def test_defer(worker: Ref, stage: Stage) -> None:
    """A deferred answer reaches its asker while the mailbox moves on."""
    asking = asyncio.ensure_future(worker.ask(Defer(word="a"), timeout=60))
    await stage.seen("works on a")
    assert await worker.ask(Echo(word="meanwhile"), timeout=1) == "meanwhile"
    stage.gate("a").set()
    assert await asking == "a"


async def test_abandoned_by_its_asker(worker: Ref, stage: Stage, system: ActorSystem) -> None:
    """Work that only its answer is good for ends with the asker; other deferred work goes on. Neither is a crash."""
    asking = [asyncio.ensure_future(worker.ask(kind(word=kind.__name__), timeout=60)) for kind in (Abandonable, Defer)]
    await stage.seen("works on Abandonable")
    await stage.seen("works on Defer")
    for task in asking:
        task.cancel()
    await stage.seen("leaves Abandonable")
    stage.gate("Defer").set()
    await stage.seen("leaves Defer")
    assert await worker.ask(Echo(word="still here"), timeout=1) == "still here"
    assert cell_of(system, "w").generation == 1


async def test_abandoned_by_the_clock(worker: Ref, stage: Stage) -> None:
    """As when the asker's time is over."""
    with pytest.raises(AskTimeout):
        await worker.ask(Abandonable(word="a"), timeout=1)
    await stage.seen("leaves a")


async def test_what_is_answered_is_not_abandoned(worker: Ref, stage: Stage) -> None:
    """An answer in time is the answer."""
    stage.gate("a").set()
    assert await worker.ask(Abandonable(word="a"), timeout=1) == "a"


async def test_defer_refuses(worker: Ref, stage: Stage, system: ActorSystem) -> None:
    """A domain error of the job is the answer, and no crash."""
    stage.faults["a"] = NotFound("no a")
    asking = asyncio.ensure_future(worker.ask(Defer(word="a"), timeout=60))
    stage.gate("a").set()
    with pytest.raises(NotFound):
        await asking
    assert cell_of(system, "w").generation == 1


@pytest.mark.parametrize("error", [RuntimeError("broken"), asyncio.CancelledError()])
async def test_defer_crashes(worker: Ref, stage: Stage, system: ActorSystem, error: BaseException) -> None:
    """Any other error of the job crashes the actor, and the asker is told."""
    stage.faults["a"] = error
    asking = asyncio.ensure_future(worker.ask(Defer(word="a"), timeout=60))
    stage.gate("a").set()
    with pytest.raises(ActorCrashed):
        await asking
    await worker.ask(Echo(word=""), timeout=5)
    assert cell_of(system, "w").generation == 2


async def test_late_deferred_answer(worker: Ref, stage: Stage, system: ActorSystem) -> None:
    """A deferred answer after the deadline is counted as late."""
    asking = asyncio.ensure_future(worker.ask(Defer(word="a"), timeout=1))
    await asyncio.wait((asking,))
    stage.gate("a").set()
    await stage.seen("leaves a")
    await asyncio.sleep(0)
    assert cell_of(system, "w").late_replies == 1
    assert asking.exception() is not None


async def test_stop_answers_jobs(worker: Ref, stage: Stage, system: ActorSystem) -> None:
    """Stopping cancels the jobs and answers their askers, also of those that had not begun for want of room."""
    asks = [asyncio.ensure_future(worker.ask(Defer(word=word), timeout=60)) for word in "abcd"]
    await until(lambda: describe(cell_of(system, "w")).jobs == 4)
    await stage.seen("works on b")
    await cell_of(system, "w").stop()
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(result) for result in results] == [ActorStopped] * 4
    assert "leaves a" in stage.log
    assert "works on c" not in stage.log


async def test_crash_ends_jobs(worker: Ref, stage: Stage) -> None:
    """A crash cancels the jobs of the generation before the next one starts."""
    await worker.ask(Pipe(word="a"), timeout=1)
    worker.tell(Fail())
    await worker.ask(Echo(word=""), timeout=5)
    assert stage.log.index("leaves a") < stage.log.index("w stops")


async def test_limit(worker: Ref, stage: Stage) -> None:
    """At most *jobs_limit* run at once."""
    for word in "abc":
        await worker.ask(Pipe(word=word), timeout=1)
    await asyncio.sleep(0)
    assert "works on c" not in stage.log
    stage.gate("a").set()
    await stage.seen("works on c")


async def test_bound(worker: Ref, stage: Stage) -> None:
    """Too many jobs are refused with MailboxFull, and nothing of the refused one is left."""
    for n in range(22):
        await worker.ask(Pipe(word=str(n)), timeout=1)
    with pytest.raises(MailboxFull):
        await worker.ask(Pipe(word="one too many"), timeout=1)


async def test_no_job_after_the_end(system: ActorSystem, stage: Stage) -> None:
    """on_stop cannot start jobs any more."""

    class Late(Worker):
        async def on_stop(self) -> None:
            try:
                await self.pipe_to_self(self._piped("late"))
            except ActorStopped:
                self.stage.say("refused")

    await system.spawn("late", partial(Late, stage))
    await cell_of(system, "late").stop()
    assert stage.log[-1] == "refused"
