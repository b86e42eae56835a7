"""The runtime on the loops it is used on: plain asyncio and uvloop."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

import attrs
import uvloop

from actors.runtime import ActorSystem, AskTimeout, Mailbox, Request, handles
from tests.actors.runtime.cast import Echo, Fail, Hold, Note, Player, Stage, Words, balance, cell_of
from tests.actors.runtime.test_supervision import Parent

LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@attrs.frozen(kw_only=True)
class Later(Request[str]):
    """Answered by a timer's message."""


class Roomy(Player):
    mailbox = Mailbox(capacity=10_000)


async def test_tell_and_ask(system: ActorSystem, stage: Stage) -> None:
    """Ten thousand messages are told, handled in order and counted."""
    a = await system.spawn("a", partial(Roomy, stage))
    for n in range(9_999):
        assert a.tell(Note(word=str(n)))
    assert await a.ask(Words(), timeout=10) == tuple(str(n) for n in range(9_999))
    assert balance(cell_of(system, "a")) == (10_000, 10_000)


async def test_timeout(system: ActorSystem, stage: Stage) -> None:
    """The sweeper's timer works with this loop's clock."""
    a = await system.spawn("a", partial(Player, stage))
    began = system.clock()
    try:
        await a.ask(Hold(), timeout=0.05)
    except AskTimeout:
        took = system.clock() - began
    assert 0.045 <= took < 1
    stage.gate().set()


async def test_crash_and_restart(system: ActorSystem, stage: Stage) -> None:
    """A crash is followed by a restart after the backoff."""
    a = await system.spawn("a", partial(Player, stage))
    a.tell(Fail())
    assert await a.ask(Echo(word="back"), timeout=5) == "back"


async def test_family(system: ActorSystem, stage: Stage) -> None:
    """A tree starts, and drains leaves first."""
    await system.spawn("p", partial(Parent, stage))
    assert await system.drain(5) == {}
    assert stage.log[-4:] == ["p/z stops", "p/y stops", "p/x stops", "p stops"]


async def test_second_signal(system: ActorSystem, stage: Stage) -> None:
    """A second signal ends a drain."""
    a = await system.spawn("a", partial(Player, stage))
    a.tell(Hold())
    await stage.seen("a holds gate")
    draining = asyncio.ensure_future(system.drain(1000))
    await asyncio.sleep(0)
    system.kill()
    async with asyncio.timeout(5):
        await draining


class Ticking(Player):
    @handles
    async def later(self, message: Later) -> str:
        self.timers.every("note", Note(word="tick"), interval=0.005)
        return "started"


async def test_timers(system: ActorSystem, stage: Stage) -> None:
    """Timers fire on this loop."""
    a = await system.spawn("a", partial(Ticking, stage))
    await a.ask(Later(), timeout=5)
    async with asyncio.timeout(5):
        await stage.seen("a notes tick")
