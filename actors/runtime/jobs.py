"""What an actor runs beside its mailbox: one bounded aiojobs scheduler a generation, closed with it."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import aiojobs

from actors.runtime.errors import ActorCrashed, ActorStopped, MailboxFull
from actors.runtime.mailbox import Envelope
from actors.runtime.messages import Message
from actors.runtime.ref import FOREVER, Frame, current
from paranet.errors import ParaNetError

if TYPE_CHECKING:
    from actors.runtime.cell import Cell

WAITING = 10
"""how many jobs may wait for each that may run"""


class Jobs:
    """The jobs of one generation. A job is no part of the actor's turn: its asks do not make the actor wait."""

    def __init__(self, cell: "Cell", limit: int) -> None:
        self._cell = cell
        self._limit = limit
        self._scheduler = aiojobs.Scheduler(limit=limit, pending_limit=limit * WAITING, close_timeout=2.0)

    def __len__(self) -> int:
        return len(self._scheduler)

    async def pipe(self, job: Coroutine[Any, Any, Message], failed: Callable[[Exception], Message] | None, name: str | None) -> None:
        """Run *job*; its message, or the one *failed* makes of its error, comes to the actor and is never refused."""
        await self._spawn(job, self._piped(job, failed), name)

    async def defer(self, job: Coroutine[Any, Any, object], envelope: Envelope) -> None:
        """Run *job*; its result answers the envelope's asker."""
        await self._spawn(job, self._deferred(job, envelope), type(envelope.message).__name__)

    async def close(self) -> None:
        """Cancel what runs and wait for it."""
        await self._scheduler.close()

    async def _spawn(self, job: Coroutine[Any, Any, object], wrapped: Coroutine[Any, Any, None], name: str | None) -> None:
        if len(self._scheduler) >= self._limit * WAITING:
            job.close()
            wrapped.close()
            raise MailboxFull(f"{self._cell.path} has {len(self._scheduler)} jobs under way", actor=self._cell.path, retry_after=1)
        await self._scheduler.spawn(wrapped, name=f"job:{self._cell.path}:{name or 'job'}")

    async def _piped(self, job: Coroutine[Any, Any, Message], failed: Callable[[Exception], Message] | None) -> None:
        cell = self._cell
        current.set(Frame(cell, blocking=False))
        try:
            message = await job
        except Exception as error:
            if failed is None:
                cell.fail(error)
                return
            message = failed(error)
        cell.force(Envelope(message, cell.path, None, FOREVER))

    async def _deferred(self, job: Coroutine[Any, Any, object], envelope: Envelope) -> None:
        cell = self._cell
        current.set(Frame(cell, blocking=False, deadline=envelope.deadline))
        try:
            in_time = envelope.answer(await job)
        except ParaNetError as refusal:
            in_time = envelope.fail(refusal)
        except Exception as error:
            in_time = envelope.fail(ActorCrashed(f"{cell.path} failed on {type(envelope.message).__name__}", actor=cell.path))
            cell.fail(error)
        finally:
            job.close()
            envelope.fail(ActorStopped(f"{cell.path} was stopped while it worked", actor=cell.path))
        if not in_time:
            cell.late_replies += 1
