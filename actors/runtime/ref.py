"""References: the only way to reach an actor. A ref is a path; it outlives restarts."""

from typing import TYPE_CHECKING, TypeVar, cast

from actors.runtime.envelope import Envelope
from actors.runtime.errors import ActorStopped, AskTimeout
from actors.runtime.frames import current
from actors.runtime.messages import Message, Request

if TYPE_CHECKING:
    from actors.runtime.cell import Cell
    from actors.runtime.system import ActorSystem

R = TypeVar("R")


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
        if cell is None or cell.gone:
            cell = self._cell = self._system.cell(self.path)
        return cell

    def tell(self, message: Message) -> bool:
        """Send and go on. Return False when the mailbox refused it; never block, never raise."""
        cell = self._cell
        if cell is None or cell.gone:
            cell = self._resolve()
        envelope = Envelope(message, current.get())
        tracer = self._system.tracer
        if tracer is not None and (on := envelope.errand) is not None and on.span is not None:
            envelope.errand = tracer.told(on, self.path, message)
        if cell is None:
            self._system.dead_letters.add(self.path, message, "no-actor", envelope.sender_path)
            return False
        return cell.offer(envelope)

    async def ask(self, message: Request[R], *, timeout: float) -> R:
        """Send and return the answer.

        *timeout* is in seconds and never reaches beyond the deadline of the ask this one is made for.
        Raise AskTimeout, AskCycle, MailboxFull, ActorStopped, ActorCrashed or the domain's own ParaNetError.
        """
        system = self._system
        frame = current.get()
        now = system.clock()
        deadline = now + timeout
        if frame is not None and frame.deadline < deadline:
            deadline = frame.deadline
        if deadline <= now:
            raise AskTimeout(f"no time is left to ask {self.path}", actor=self.path)
        cell = self._resolve()
        if cell is None:
            raise ActorStopped(f"there is no actor {self.path!r}", actor=self.path)
        reply = system.loop.create_future()
        envelope = Envelope(message, frame, reply, deadline)
        noted = None
        if system.tracer is not None and envelope.errand is not None and envelope.errand.span is not None:
            envelope.errand, noted = system.tracer.asked(envelope.errand, self.path, message)
        if frame is not None:
            frame.wait(envelope, cell.frame)
        system.sweeper.add(envelope, cell)
        try:
            cell.admit(envelope)
            return cast("R", await reply)
        finally:
            system.sweeper.remove(envelope)
            if frame is not None:
                frame.release(envelope)
            if noted is not None:
                noted(reply)

    def stop(self) -> None:
        """Ask the actor to stop after its current message."""
        cell = self._resolve()
        if cell is not None:
            cell.request_stop()
