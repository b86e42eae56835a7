"""Terminated: who gets it, when, and who does not any more. Restates Pekko's typed WatchSpec."""

import asyncio
from collections.abc import Callable
from functools import partial

import attrs
import pytest

from actors.runtime import Actor, ActorSystem, Message, Request, Restart, Terminated, handles
from actors.runtime.errors import StartFailed
from tests.actors.runtime.cast import Echo, Fail, Hold, Note, Player, Spawn, Stage, Words, cell_of


@attrs.frozen(kw_only=True)
class Watch(Request[None]):
    """Watch that actor."""

    path: str


@attrs.frozen(kw_only=True)
class Unwatch(Request[None]):
    """Stop watching it."""

    path: str


class Watcher(Player):
    @handles
    async def start_watching(self, message: Watch) -> None:
        self.watch(self.system.ref(message.path))

    @handles
    async def stop_watching(self, message: Unwatch) -> None:
        self.unwatch(self.system.ref(message.path))


async def pair(system: ActorSystem, stage: Stage) -> Callable[[Request[None]], "asyncio.Future[None]"]:
    """Start watcher w and target t; return a way to ask w."""
    w = await system.spawn("w", partial(Watcher, stage))
    await system.spawn("t", partial(Player, stage))
    return lambda request: asyncio.ensure_future(w.ask(request, timeout=60))


async def test_terminated(system: ActorSystem, stage: Stage) -> None:
    """Who watches is told when the watched actor has stopped."""
    ask = await pair(system, stage)
    await ask(Watch(path="t"))
    system.ref("t").stop()
    await stage.seen("w sees t go")
    assert stage.log.index("t stops") < stage.log.index("w sees t go")


async def test_already_gone(system: ActorSystem, stage: Stage) -> None:
    """Watching an address where nobody lives is answered with Terminated at once."""
    ask = await pair(system, stage)
    await ask(Watch(path="nobody"))
    await stage.seen("w sees nobody go")


async def test_restart_is_not_termination(system: ActorSystem, stage: Stage) -> None:
    """A restart of the watched actor is not told; its end after that is, once."""
    ask = await pair(system, stage)
    await ask(Watch(path="t"))
    system.ref("t").tell(Fail())
    assert await system.ref("t").ask(Echo(word="back"), timeout=5) == "back"
    assert "w sees t go" not in stage.log
    system.ref("t").stop()
    await stage.seen("w sees t go")


async def test_crash_for_good(system: ActorSystem, stage: Stage) -> None:
    """An actor that is never restarted has terminated when it crashes."""
    ask = await pair(system, stage)
    await system.spawn("x", partial(Player, stage), restart=Restart.NEVER)
    await ask(Watch(path="x"))
    system.ref("x").tell(Fail())
    await stage.seen("w sees x go")


async def test_watching_twice(system: ActorSystem, stage: Stage) -> None:
    """Watching twice is told once."""
    ask = await pair(system, stage)
    await ask(Watch(path="t"))
    await ask(Watch(path="t"))
    await cell_of(system, "t").stop()
    await system.ref("w").ask(Words(), timeout=1)
    assert stage.log.count("w sees t go") == 1


async def test_unwatch(system: ActorSystem, stage: Stage) -> None:
    """After unwatch nothing is told."""
    ask = await pair(system, stage)
    await ask(Watch(path="t"))
    await ask(Unwatch(path="t"))
    await cell_of(system, "t").stop()
    await system.ref("w").ask(Words(), timeout=1)
    assert "w sees t go" not in stage.log


async def test_unwatch_in_time(system: ActorSystem, stage: Stage) -> None:
    """Unwatch also withdraws a Terminated that waits in the mailbox already."""
    ask = await pair(system, stage)
    await ask(Watch(path="t"))
    holding = asyncio.ensure_future(system.ref("w").ask(Hold(), timeout=60))
    await stage.seen("w holds gate")
    unwatching = ask(Unwatch(path="t"))
    await asyncio.sleep(0)
    await cell_of(system, "t").stop()
    stage.gate().set()
    await asyncio.gather(holding, unwatching)
    await system.ref("w").ask(Words(), timeout=1)
    assert "w sees t go" not in stage.log
    assert cell_of(system, "w").dropped == {"expired": 1}


async def test_after_everything_it_sent(system: ActorSystem, stage: Stage) -> None:
    """Terminated comes after all that the watched actor has sent."""

    class Talker(Player):
        async def on_stop(self) -> None:
            for word in "ab":
                self.system.ref("w").tell(Note(word=word))

    ask = await pair(system, stage)
    await system.spawn("x", partial(Talker, stage))
    await ask(Watch(path="x"))
    system.ref("x").stop()
    await stage.seen("w sees x go")
    assert [line for line in stage.log if line.startswith("w ")][1:] == ["w notes a", "w notes b", "w sees x go"]


async def test_full_mailbox_takes_it(system: ActorSystem, stage: Stage) -> None:
    """Terminated is delivered into a mailbox that is full."""
    ask = await pair(system, stage)
    await ask(Watch(path="t"))
    holding = asyncio.ensure_future(system.ref("w").ask(Hold(), timeout=60))
    await stage.seen("w holds gate")
    while system.ref("w").tell(Note(word="x")):
        pass
    await cell_of(system, "t").stop()
    stage.gate().set()
    await stage.seen("w sees t go")
    await holding


async def test_watches_end_with_the_generation(system: ActorSystem, stage: Stage) -> None:
    """An instance is not told of what a former instance has watched, neither of its children nor of others, not even when it was queued."""
    p = await system.spawn("w", partial(Watcher, stage, partial(Player, stage)))
    await system.spawn("t", partial(Player, stage))
    await p.ask(Spawn(name="child"), timeout=1)
    await p.ask(Watch(path="t"), timeout=1)
    holding = asyncio.ensure_future(p.ask(Hold(), timeout=60))
    await stage.seen("w holds gate")
    p.tell(Fail())
    await cell_of(system, "t").stop()
    stage.gate().set()
    await holding
    await p.ask(Words(), timeout=5)
    assert [line for line in stage.log if "sees" in line] == []


async def test_a_former_watcher_is_forgotten(system: ActorSystem, stage: Stage) -> None:
    """The watched does not keep the watches of instances that are gone."""
    ask = await pair(system, stage)
    await ask(Watch(path="t"))
    system.ref("w").tell(Fail())
    await system.ref("w").ask(Words(), timeout=5)
    assert cell_of(system, "t")._watchers == {}


async def test_same_name_again(system: ActorSystem, stage: Stage) -> None:
    """A new actor under the name of one that has gone can be watched, and each end is told once."""
    ask = await pair(system, stage)
    for times in (1, 2):
        await ask(Watch(path="t"))
        await cell_of(system, "t").stop()
        await system.spawn("t", partial(Player, stage))
        await system.ref("w").ask(Words(), timeout=1)
        assert stage.log.count("w sees t go") == times


async def test_each_other(system: ActorSystem, stage: Stage) -> None:
    """Actors may watch each other; the survivor is told."""
    ask = await pair(system, stage)
    other = await system.spawn("v", partial(Watcher, stage))
    await ask(Watch(path="v"))
    await other.ask(Watch(path="w"), timeout=1)
    other.stop()
    await stage.seen("w sees v go")


async def test_watching_needs_a_handler(system: ActorSystem) -> None:
    """An actor that watches but does not handle Terminated is wrong, and is told when it tries."""

    class Blind(Actor):
        async def on_start(self) -> None:
            self.watch(self.system.ref("t"))

        @handles
        async def note(self, message: Note) -> None: ...

    with pytest.raises(StartFailed, match="watches but does not handle Terminated"):
        await system.spawn("blind", Blind)


def test_terminated_is_a_message() -> None:
    """Nothing live travels in it: it names a path."""
    assert attrs.asdict(Terminated(path="a/b")) == {"path": "a/b"}
    assert issubclass(Terminated, Message)
