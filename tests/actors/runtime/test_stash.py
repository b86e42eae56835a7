"""Setting messages aside. Restates Pekko's typed StashSpec."""

import asyncio
from functools import partial

import attrs
import pytest

from actors.runtime import ActorStopped, ActorSystem, AskTimeout, Mailbox, MailboxFull, Ref, Request, handles
from actors.runtime.inspect import describe
from tests.actors.runtime.cast import Fail, Note, Player, Stage, Words, balance, cell_of


@attrs.frozen(kw_only=True)
class Save(Request[str]):
    """Answered once the actor is open."""

    word: str


@attrs.frozen(kw_only=True)
class Open(Request[None]):
    """Open, and take up what was set aside."""


class Sleeper(Player):
    mailbox = Mailbox(capacity=4)
    open = False

    @handles
    async def save(self, message: Save) -> str:
        if not self.open:
            result: str = self.stash()
            self.stage.strike("after stash")
            return result
        self.words.append(message.word)
        return message.word

    @handles
    async def wake(self, message: Open) -> None:
        self.open = True
        self.unstash()


@pytest.fixture
async def sleeper(system: ActorSystem, stage: Stage) -> Ref:
    return await system.spawn("s", partial(Sleeper, stage))


def save(sleeper: Ref, *words: str, timeout: float = 60) -> "list[asyncio.Future[str]]":
    return [asyncio.ensure_future(sleeper.ask(Save(word=word), timeout=timeout)) for word in words]


async def test_in_their_order(sleeper: Ref) -> None:
    """What was set aside is handled in its old order, before what came later, and its askers are answered then."""
    asks = save(sleeper, "a", "b")
    await asyncio.sleep(0)
    opening = asyncio.ensure_future(sleeper.ask(Open(), timeout=1))
    await asyncio.sleep(0)
    sleeper.tell(Note(word="later"))
    assert await asyncio.gather(*asks) == ["a", "b"]
    await opening
    assert await sleeper.ask(Words(), timeout=1) == ("a", "b", "later")


async def test_counts(sleeper: Ref, system: ActorSystem) -> None:
    """A message set aside is queued, shown as stashed, and counted once however often it comes up."""
    asks = save(sleeper, "a", "b")
    await sleeper.ask(Words(), timeout=1)
    cell = cell_of(system, "s")
    assert describe(cell).mailbox.stashed == 2
    assert (cell.processed, cell.queued) == (1, 2)
    assert balance(cell) == (3, 3)
    await sleeper.ask(Open(), timeout=1)
    await asyncio.gather(*asks)
    assert balance(cell) == (4, 4)
    assert cell.queued == 0


async def test_bounded(sleeper: Ref) -> None:
    """Setting aside more than the mailbox holds is refused with MailboxFull; the actor goes on."""
    asks = []
    for word in "abcd":
        asks += save(sleeper, word)
        await sleeper.ask(Words(), timeout=1)
    with pytest.raises(MailboxFull):
        await sleeper.ask(Save(word="e"), timeout=1)
    await sleeper.ask(Open(), timeout=1)
    assert await asyncio.gather(*asks) == list("abcd")


async def test_kept_over_a_crash(sleeper: Ref, system: ActorSystem) -> None:
    """What was set aside survives a crash: the next instance sees it again, in order."""
    asks = save(sleeper, "a", "b")
    await sleeper.ask(Words(), timeout=1)
    sleeper.tell(Fail())
    await sleeper.ask(Words(), timeout=5)
    assert describe(cell_of(system, "s")).mailbox.stashed == 2
    await sleeper.ask(Open(), timeout=1)
    assert await asyncio.gather(*asks) == ["a", "b"]


async def test_poison_is_not_kept(sleeper: Ref, system: ActorSystem, stage: Stage) -> None:
    """A message on which the handler fails after setting it aside is poison, and never comes back."""
    stage.faults["after stash"] = RuntimeError("boom")
    sleeper.tell(Save(word="a"))
    await sleeper.ask(Words(), timeout=5)
    cell = cell_of(system, "s")
    assert (cell.poison, cell.generation, cell.stashed) == (1, 2, 0)
    assert balance(cell) == (2, 2)


async def test_refused_after_stash(sleeper: Ref, stage: Stage, system: ActorSystem) -> None:
    """A refusal after setting the message aside is the answer."""
    stage.faults["after stash"] = MailboxFull("changed my mind")
    with pytest.raises(MailboxFull, match="changed my mind"):
        await sleeper.ask(Save(word="a"), timeout=1)
    assert cell_of(system, "s").stashed == 0


async def test_stop_answers(sleeper: Ref, system: ActorSystem) -> None:
    """Those whose message lies aside are answered when the actor stops."""
    (asking,) = save(sleeper, "a")
    await sleeper.ask(Words(), timeout=1)
    await cell_of(system, "s").stop()
    with pytest.raises(ActorStopped):
        await asking


async def test_timeout_while_aside(sleeper: Ref, system: ActorSystem) -> None:
    """An ask that times out while it lies aside is not handled later."""
    (asking,) = save(sleeper, "a", timeout=1)
    with pytest.raises(AskTimeout):
        await asking
    await sleeper.ask(Open(), timeout=1)
    assert await sleeper.ask(Words(), timeout=1) == ()
    assert cell_of(system, "s").dropped == {"expired": 1}


async def test_nothing_aside(sleeper: Ref) -> None:
    """unstash with nothing set aside does nothing."""
    await sleeper.ask(Open(), timeout=1)
    assert await sleeper.ask(Words(), timeout=1) == ()
