"""The loop at a mailbox: takes one message at a time, hands it to its handler, and keeps the books."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from time import perf_counter_ns as _now
from typing import TYPE_CHECKING

from actors.runtime.envelope import DEFERRED, STASHED, Envelope, Stamp
from actors.runtime.errors import ActorCrashed, ActorStopped, MailboxFull, NotHandled
from actors.runtime.lifecycle import BATCH, SLICE_NS, Ended, Status, being_cancelled
from actors.runtime.messages import Message
from actors.runtime.stats import Times
from paranet.errors import ParaNetError

if TYPE_CHECKING:
    from actors.runtime.actor import Actor
    from actors.runtime.cell import Cell

log = logging.getLogger(__name__)
_SUSPENDED = Status.SUSPENDED  # reading a member off its enum costs as much as a call
Handler = Callable[[Message], Awaitable[object]]
Known = tuple[Handler, list[int], list[int]]
"""a handler with the histograms of its message type: waiting, handling"""


class Pump:
    """Feeds one actor instance. `run` returns the signal or the crash that ended it."""

    __slots__ = ("_actor", "_cell", "_handlers", "stashed")

    def __init__(self, cell: "Cell", actor: "Actor") -> None:
        self._cell = cell
        self._actor = actor
        self._handlers: dict[type[Message], Known] = {}
        self.stashed: deque[Envelope] | None = None

    async def run(self) -> BaseException:
        """Handle messages one at a time until a signal ends the generation; return that signal or the crash."""
        cell = self._cell
        queue = cell.lane.queue
        while True:
            if cell.signals:
                return cell.signals.pop(0)
            if queue and cell.status is not _SUSPENDED:
                crash = await self._batch()
                if crash is not None:
                    return crash
                if queue:
                    await asyncio.sleep(0)
            elif cell.status is Status.DRAINING:
                return Ended("drained")
            else:
                cell.waker = cell.system.loop.create_future()
                try:
                    await cell.waker
                finally:
                    cell.waker = None

    async def _batch(self) -> BaseException | None:
        """Handle the next messages with all accounting; return the error that crashes the actor.

        This is the hot path: one message costs one pass of this loop and no call but its handler's.
        """
        cell, handlers, frame = self._cell, self._handlers, self._cell.frame
        queue, take = cell.lane.queue, cell.lane.take
        started = _now()
        yield_at = started + SLICE_NS
        for _ in range(BATCH):
            if not queue or cell.signals or cell.status is _SUSPENDED:
                break
            envelope = take()
            reply = envelope.reply
            if (envelope.mark is not None or (reply is not None and reply.done())) and self._is_stale(envelope):
                continue
            known = handlers.get(type(envelope.message)) or self._learn(envelope)
            if known is None:
                continue
            handler, wait_times, handle_times = known
            cell.current = envelope
            cell.current_since = started
            frame.deadline = envelope.deadline
            frame.errand = envelope.errand
            outcome = "ok"
            try:
                result = await handler(envelope.message)
            except ParaNetError as refusal:
                outcome = self._refuse(envelope, refusal)
            except (Exception, asyncio.CancelledError) as error:
                return self._crash(envelope, error, started)
            else:
                if reply is not None or envelope.mark is not None:
                    outcome = self._answer(envelope, result)
            ended = _now()
            if outcome != "stashed":
                cell.processed += 1
                wait_times[(started - envelope.enqueued).bit_length()] += 1
                handle_times[(ended - started).bit_length()] += 1
            if cell.observers:
                cell.observe(envelope, started - envelope.enqueued, ended - started, outcome)
            started = ended
            if ended > yield_at:
                break
        cell.current = frame.errand = None
        return None

    def _is_stale(self, envelope: Envelope) -> bool:
        """Tell whether the message is not to be handled any more: its asker is gone, or who sent it has withdrawn it."""
        mark = envelope.mark
        envelope.mark = None
        if envelope.answered or (isinstance(mark, Stamp) and not mark.spend()):
            self._cell.drop("expired")
            self._show(envelope, "expired")
            return True
        return False

    def _learn(self, envelope: Envelope) -> Known | None:
        """Find the handler of a type that comes for the first time in this generation."""
        kind = type(envelope.message)
        name = self._actor.handler_names().get(kind)
        if name is None:
            self._cell.bury(envelope, "unhandled")
            envelope.fail(NotHandled(f"{self._cell.path} does not know {kind.__name__}", actor=self._cell.path))
            self._show(envelope, "unhandled")
            return None
        times = self._cell.times.get(kind)
        if times is None:
            times = self._cell.times[kind] = Times()
        self._handlers[kind] = known = getattr(self._actor, name), times.wait, times.handle
        return known

    def _answer(self, envelope: Envelope, result: object) -> str:
        if envelope.mark is STASHED:
            return "stashed"
        if envelope.mark is DEFERRED:
            return "deferred"
        if envelope.answer(result):
            return "ok"
        self._cell.late_replies += 1
        return "late"

    def _refuse(self, envelope: Envelope, refusal: ParaNetError) -> str:
        self._take_back(envelope)
        if envelope.reply is None:
            log.warning("%s refused %s: %s", self._cell.path, type(envelope.message).__name__, refusal)
        elif not envelope.fail(refusal):
            self._cell.late_replies += 1
        return f"refused: {refusal.code}"

    def _crash(self, envelope: Envelope, error: BaseException, started: int) -> BaseException:
        """File the message that the actor failed on. Raise the error when it is the actor's own cancellation."""
        cell, kind = self._cell, type(envelope.message).__name__
        cell.current = None
        self._take_back(envelope)
        self._show(envelope, "crashed", started)
        if isinstance(error, asyncio.CancelledError) and being_cancelled():
            cell.bury(envelope, "stopped")
            envelope.fail(ActorStopped(f"{cell.path} was stopped at {kind}", actor=cell.path))
            raise error
        cell.poison += 1
        cell.bury(envelope, "poison", repr(error))
        envelope.fail(ActorCrashed(f"{cell.path} failed on {kind}", actor=cell.path))
        return error

    def _show(self, envelope: Envelope, outcome: str, started: int | None = None) -> None:
        if self._cell.observers:
            now = _now()
            started = now if started is None else started
            self._cell.observe(envelope, started - envelope.enqueued, now - started, outcome)

    # -- setting aside

    def stash(self) -> None:
        """Put the current message aside. Raise MailboxFull."""
        cell, envelope = self._cell, self._cell.current
        assert envelope is not None, "stash sets the current message aside: call it inside a handler"
        if self.stashed is None:
            self.stashed = deque()
        if len(self.stashed) >= cell.spec.capacity:
            raise MailboxFull(f"{cell.path} has set aside {len(self.stashed)} messages", actor=cell.path, retry_after=1)
        envelope.mark = STASHED
        self.stashed.append(envelope)

    def unstash(self) -> None:
        """Put everything stashed back in front of the mailbox."""
        while self.stashed:
            envelope = self.stashed.pop()
            envelope.mark = None
            self._cell.lane.force(envelope, front=True)

    def _take_back(self, envelope: Envelope) -> None:
        """Undo stash for a message whose handler failed after it."""
        if envelope.mark is STASHED and self.stashed and envelope in self.stashed:
            self.stashed.remove(envelope)
            envelope.mark = None
