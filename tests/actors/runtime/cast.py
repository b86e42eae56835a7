"""The actors that the tests put on stage."""

import asyncio
from collections.abc import Callable, Mapping

import attrs

from actors.runtime import Actor, Mailbox, Message, Request, Terminated, handles
from actors.runtime.cell import Cell
from actors.runtime.system import ActorSystem
from paranet.errors import NotFound


@attrs.frozen(kw_only=True)
class Note(Message):
    """Remember a word."""

    word: str


@attrs.frozen(kw_only=True)
class Echo(Request[str]):
    """Answer with the word."""

    word: str


@attrs.frozen(kw_only=True)
class Words(Request[tuple[str, ...]]):
    """Answer with all the words noted by this instance."""


@attrs.frozen(kw_only=True)
class Fail(Request[str]):
    """Crash."""

    error: type[BaseException] = RuntimeError


@attrs.frozen(kw_only=True)
class Refuse(Request[str]):
    """Raise a domain error."""


@attrs.frozen(kw_only=True)
class Hold(Request[str]):
    """Answer when the stage's gate of that name opens."""

    gate: str = "gate"


@attrs.frozen(kw_only=True)
class Forward(Request[str]):
    """Ask each actor of *to* in turn, the next passing on the rest; the last answers."""

    to: tuple[str, ...]
    timeout: float = 30.0


@attrs.frozen(kw_only=True)
class DeferForward(Request[str]):
    """The same in a deferred job."""

    to: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Unknown(Request[str]):
    """Nobody handles this."""


@attrs.frozen(kw_only=True)
class Spawn(Request[str]):
    """Spawn a child of the stage's making and watch it."""

    name: str


class Stage:
    """What a test and its actors share: a log of what happened, gates to hold actors at, and faults to inject."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.faults: dict[str, BaseException] = {}
        self._gates: dict[str, asyncio.Event] = {}
        self._seen: dict[str, asyncio.Event] = {}

    def gate(self, name: str = "gate") -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def say(self, line: str) -> None:
        self.log.append(line)
        self._seen.setdefault(line, asyncio.Event()).set()

    async def seen(self, line: str) -> None:
        """Wait until *line* has been said."""
        await self._seen.setdefault(line, asyncio.Event()).wait()

    def strike(self, where: str) -> None:
        """Raise the fault that the test has put there."""
        fault = self.faults.get(where)
        if fault is not None:
            raise fault


class Player(Actor):
    """Does what the messages above say, and tells the stage of its comings and goings."""

    mailbox = Mailbox(capacity=8)

    def __init__(self, stage: Stage, make_child: "Callable[[], Actor] | None" = None) -> None:
        self.stage = stage
        self.make_child = make_child
        self.words: list[str] = []
        stage.strike("init")

    @property
    def name(self) -> str:
        return self.ref.path

    async def on_start(self) -> None:
        self.stage.say(f"{self.name} starts")
        self.stage.strike(f"start {self.name}")

    async def on_stop(self) -> None:
        self.stage.say(f"{self.name} stops")
        self.stage.strike(f"stop {self.name}")

    def inspect(self) -> Mapping[str, object]:
        self.stage.strike(f"inspect {self.name}")
        return {"words": list(self.words), "count": len(self.words)}

    @handles
    async def note(self, message: Note) -> None:
        self.words.append(message.word)
        self.stage.say(f"{self.name} notes {message.word}")

    @handles
    async def echo(self, message: Echo) -> str:
        return message.word

    @handles
    async def all_words(self, message: Words) -> tuple[str, ...]:
        return tuple(self.words)

    @handles
    async def fail(self, message: Fail) -> str:
        raise message.error("on purpose")

    @handles
    async def refuse(self, message: Refuse) -> str:
        raise NotFound("not here")

    @handles
    async def hold(self, message: Hold) -> str:
        self.stage.say(f"{self.name} holds {message.gate}")
        await self.stage.gate(message.gate).wait()
        return message.gate

    @handles
    async def forward(self, message: Forward) -> str:
        return await self._forward(message.to, message.timeout)

    @handles
    async def defer_forward(self, message: DeferForward) -> str:
        return await self.defer(self._forward(message.to, 30.0))

    async def _forward(self, to: tuple[str, ...], timeout: float) -> str:
        if not to:
            return self.name
        return await self.system.ref(to[0]).ask(Forward(to=to[1:], timeout=timeout), timeout=timeout)

    @handles
    async def spawn_child(self, message: Spawn) -> str:
        assert self.make_child is not None
        ref = await self.spawn(message.name, self.make_child)
        self.watch(ref)
        return ref.path

    @handles
    async def gone(self, message: Terminated) -> None:
        self.stage.say(f"{self.name} sees {message.path} go")


def cell_of(system: ActorSystem, path: str) -> Cell:
    """Return the cell, which must be there."""
    cell = system.cell(path)
    assert cell is not None
    return cell


def balance(cell: Cell) -> tuple[int, int]:
    """Return both sides of `sent = processed + queued + dropped + dead`."""
    return cell.sent, cell.processed + cell.queued + sum(cell.dropped.values()) + cell.dead


async def until(condition: Callable[[], object], *, every: float = 0.0) -> None:
    """Let the actors run until *condition* holds; the virtual clock moves by *every* between two looks."""
    while not condition():  # noqa: ASYNC110  # a state of the runtime that no event tells
        await asyncio.sleep(every)
