"""What an actor runs beside its mailbox: one bounded aiojobs scheduler a generation, closed with it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import aiojobs

from actors.runtime.envelope import DEFERRED, Envelope
from actors.runtime.errors import ActorCrashed, ActorStopped, AskTimeout, MailboxFull
from actors.runtime.frames import Frame, current
from actors.runtime.lifecycle import being_cancelled
from actors.runtime.messages import Message
from paranet.errors import ParaNetError

if TYPE_CHECKING:
    from actors.runtime.generation import Generation

WAITING = 10
"""how many jobs may wait for each that may run"""


class Jobs:
    """The jobs of one generation. A job is no part of the actor's turn: its asks do not make the actor wait."""

    __slots__ = ("_cell", "_life", "_limit", "_scheduler", "_under_way")

    def __init__(self, life: "Generation", limit: int) -> None:
        self._life = life
        self._cell = life.cell
        self._limit = limit
        self._scheduler = aiojobs.Scheduler(limit=limit, pending_limit=limit * WAITING, close_timeout=2.0)
        self._under_way: dict[Frame, tuple[Coroutine[Any, Any, object], Envelope | None]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def frames(self) -> list[Frame]:
        """Where the jobs stand in the wait-for graph."""
        return list(self._under_way)

    @property
    def owed(self) -> int:
        """How many of them somebody waits for."""
        return sum(envelope is not None and not envelope.answered for _, envelope in self._under_way.values())

    async def pipe(self, job: Coroutine[Any, Any, Message], failed: Callable[[Exception], Message] | None, name: str | None) -> None:
        """Run *job*; its message, or the one *failed* makes of its error, comes to the actor and is never refused."""
        frame = Frame(self._cell.path, job=name or "job")
        frame.errand = self._cell.frame.errand
        await self._spawn(frame, job, None, self._piped(job, failed, frame))

    async def defer(self, job: Coroutine[Any, Any, object], envelope: Envelope, *, abandon: bool = False) -> None:
        """Run *job*; its result answers the envelope's asker. With *abandon* it is cancelled when nobody waits for that any more."""
        frame = Frame(self._cell.path, deadline=envelope.deadline, job=type(envelope.message).__name__)
        frame.errand = envelope.errand
        deferred = self._abandoned(job, envelope, frame) if abandon else self._deferred(job, envelope, frame)
        await self._spawn(frame, job, envelope, deferred)
        envelope.mark = DEFERRED
        if envelope.sender is not None:
            envelope.sender.hand_over(envelope, frame)

    async def close(self) -> None:
        """Cancel what runs, wait for it, and answer the askers of what never began."""
        await self._scheduler.close()
        for job, envelope in self._under_way.values():
            job.close()
            if envelope is not None:
                envelope.fail(ActorStopped(f"{self._cell.path} was stopped before it came to this", actor=self._cell.path))
        self._under_way.clear()

    async def _spawn(
        self, frame: Frame, job: Coroutine[Any, Any, object], envelope: Envelope | None, wrapped: Coroutine[Any, Any, None]
    ) -> None:
        ending = self._life.ending or self._scheduler.closed
        if ending or len(self) >= self._limit * (WAITING + 1):
            job.close()
            wrapped.close()
            if ending:
                raise ActorStopped(f"{self._cell.path} is stopping", actor=self._cell.path)
            raise MailboxFull(f"{self._cell.path} has {len(self)} jobs under way", actor=self._cell.path, retry_after=1)
        self._under_way[frame] = job, envelope
        await self._scheduler.spawn(wrapped, name=f"job:{frame}")

    async def _piped(self, job: Coroutine[Any, Any, Message], failed: Callable[[Exception], Message] | None, frame: Frame) -> None:
        current.set(frame)
        try:
            message = await job
        except asyncio.CancelledError as cancelled:
            if being_cancelled():
                raise
            self._cell.fail(cancelled)
        except Exception as error:
            if failed is None:
                self._cell.fail(error)
            else:
                self._life.hand_in(failed(error), frame)
        else:
            self._life.hand_in(message, frame)
        finally:
            self._under_way.pop(frame, None)

    async def _abandoned(self, job: Coroutine[Any, Any, object], envelope: Envelope, frame: Frame) -> None:
        task = asyncio.current_task()

        def gone(reply: "asyncio.Future[Any]") -> None:
            if task is not None and (reply.cancelled() or isinstance(reply.exception(), AskTimeout)):
                task.cancel()

        if envelope.reply is not None:
            envelope.reply.add_done_callback(gone)
        await self._deferred(job, envelope, frame)

    async def _deferred(self, job: Coroutine[Any, Any, object], envelope: Envelope, frame: Frame) -> None:
        cell = self._cell
        current.set(frame)
        in_time = True
        try:
            in_time = envelope.answer(await job)
        except ParaNetError as refusal:
            in_time = envelope.fail(refusal)
        except (Exception, asyncio.CancelledError) as error:
            if being_cancelled():
                envelope.fail(ActorStopped(f"{cell.path} was stopped while it worked", actor=cell.path))
                raise
            in_time = envelope.fail(ActorCrashed(f"{cell.path} failed on {type(envelope.message).__name__}", actor=cell.path))
            cell.fail(error)
        finally:
            self._under_way.pop(frame, None)
            cell.late_replies += not in_time
