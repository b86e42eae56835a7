"""References: the only way to reach an actor. A ref is a path; it outlives restarts."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from actors.runtime.errors import ActorStopped, AskCycle, AskTimeout, MailboxFull
from actors.runtime.mailbox import Envelope, Overflow
from actors.runtime.messages import Message, Request

if TYPE_CHECKING:
    from actors.runtime.cell import Cell
    from actors.runtime.system import ActorSystem

R = TypeVar("R")
FOREVER = float("inf")


class Frame:
    """On whose behalf code runs: the actor, until when, and whether that actor stands still meanwhile."""

    __slots__ = ("blocking", "cell", "deadline")

    def __init__(self, cell: "Cell", *, blocking: bool, deadline: float = FOREVER) -> None:
        self.cell = cell
        self.blocking = blocking
        self.deadline = deadline


current: ContextVar[Frame | None] = ContextVar("actor", default=None)


class Ref:
    """An address such as `deployer/17`. Cheap, comparable, safe to keep."""

    __slots__ = ("_cell", "_system", "path")

    def __init__(self, system: "ActorSystem", path: str) -> None:
        self._system = system
        self.path = path
        self._cell: Cell | None = None

    def __repr__(self) -> str:
        return f"Ref({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other.path == self.path and other._system is self._system

    def __hash__(self) -> int:
        return hash(self.path)

    def _resolve(self) -> "Cell | None":
        cell = self._cell
        if cell is None or cell.stopped:
            cell = self._cell = self._system.cell(self.path)
        return cell

    def tell(self, message: Message) -> bool:
        """Send and go on. Return False when the mailbox refused it; never block, never raise."""
        frame = current.get()
        cell = self._resolve()
        if cell is None:
            self._system.dead_letters.add(self.path, message, "no-actor", frame.cell.path if frame else "")
            return False
        return cell.offer(Envelope(message, frame.cell.path if frame else "", None, FOREVER))

    async def ask(self, message: Request[R], *, timeout: float) -> R:
        """Send and return the answer.

        *timeout* is in seconds and never reaches beyond the deadline of the ask this one is made for.
        Raise AskTimeout, AskCycle, MailboxFull, ActorStopped, ActorCrashed or the domain's own ParaNetError.
        """
        system = self._system
        frame = current.get()
        now = system.clock()
        deadline = now + timeout
        sender = ""
        if frame is not None:
            sender = frame.cell.path
            deadline = min(deadline, frame.deadline)
        if deadline <= now:
            raise AskTimeout(f"no time is left to ask {self.path}")
        cell = self._resolve()
        if cell is None:
            raise ActorStopped(f"there is no actor {self.path!r}", actor=self.path)
        envelope = Envelope(message, sender, system.loop.create_future(), deadline)
        system.sweeper.add(envelope, self.path)
        try:
            if frame is not None and frame.blocking:
                with _waiting(frame.cell, cell):
                    return cast("R", await _deliver(cell, envelope))
            return cast("R", await _deliver(cell, envelope))
        except AskTimeout:
            cell.ask_timeouts += 1
            raise
        finally:
            system.sweeper.remove(envelope)

    def stop(self) -> None:
        """Ask the actor to stop after its current message."""
        cell = self._resolve()
        if cell is not None:
            cell.request_stop()


async def _deliver(cell: "Cell", envelope: Envelope) -> Any:
    reply = envelope.reply
    assert reply is not None
    while cell.spec.overflow is Overflow.BLOCK and cell.lane.full and not cell.closed:
        await _room_or_deadline(cell, reply)
    if not cell.offer(envelope):
        if cell.closed:
            raise ActorStopped(f"{cell.path} is stopping", actor=cell.path)
        raise MailboxFull(f"{cell.path} has {len(cell.lane.queue)} messages waiting", actor=cell.path, retry_after=1)
    return await reply


async def _room_or_deadline(cell: "Cell", reply: "asyncio.Future[Any]") -> None:
    """Wait for room; the sweeper fails *reply* at the deadline, which ends the wait too."""
    room = asyncio.ensure_future(cell.lane.room())
    try:
        await asyncio.wait((room, reply), return_when=asyncio.FIRST_COMPLETED)
    finally:
        room.cancel()
    if reply.done():
        reply.result()


@contextmanager
def _waiting(asker: "Cell", target: "Cell") -> Iterator[None]:
    """Hold the edge asker -> target of the wait-for graph; refuse at once when it would close a cycle."""
    path = target.way_to(asker)
    if path is not None:
        names = [asker.path, *(c.path for c in path)]
        raise AskCycle(f"asking would wait for ever: {' -> '.join(names)}", path=names)
    waits = asker.waits
    waits[target] = waits.get(target, 0) + 1
    try:
        yield
    finally:
        if waits[target] == 1:
            del waits[target]
        else:
            waits[target] -= 1


class Sweeper:
    """One timer for all asks: deadlines fall into slots of GRAIN seconds, an empty system has no timer at all."""

    GRAIN = 0.02

    def __init__(self, system: "ActorSystem") -> None:
        self._system = system
        self._slots: dict[int, dict[Envelope, str]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    def add(self, envelope: Envelope, path: str) -> None:
        """Fail the envelope's ask when its deadline passes."""
        slot = int(envelope.deadline / self.GRAIN) + 1
        entries = self._slots.get(slot)
        if entries is None:
            entries = self._slots[slot] = {}
            if self._timer is None or slot < self._next:
                self._arm(slot)
        entries[envelope] = path

    def remove(self, envelope: Envelope) -> None:
        """Forget the envelope: it was answered, or its asker is gone. A cancelled asker leaves no future behind."""
        entries = self._slots.get(int(envelope.deadline / self.GRAIN) + 1)
        if entries is not None:
            entries.pop(envelope, None)
        reply = envelope.reply
        if reply is not None and not reply.cancel() and not reply.cancelled():
            reply.exception()  # an error that came together with the asker's own cancellation counts as seen

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._slots.clear()

    def _arm(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = slot
        self._timer = self._system.loop.call_at(slot * self.GRAIN, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        due = int(self._system.clock() / self.GRAIN)
        for slot in [s for s in self._slots if s <= max(due, self._next)]:
            for envelope, path in self._slots.pop(slot).items():
                envelope.fail(AskTimeout(f"{path} did not answer {type(envelope.message).__name__} in time", actor=path))
        if self._slots:
            self._arm(min(self._slots))
