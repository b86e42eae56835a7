"""Supervision as in OTP: who is restarted together, how often, how soon, and when the failure is the parent's."""

import asyncio
import logging
import random
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

from actors.runtime.errors import Escalated
from actors.runtime.frames import current

if TYPE_CHECKING:
    from actors.runtime.cell import Cell

log = logging.getLogger(__name__)


class Strategy(StrEnum):
    """Which children are restarted when one crashes."""

    ONE_FOR_ONE = "one-for-one"
    ONE_FOR_ALL = "one-for-all"
    REST_FOR_ONE = "rest-for-one"


class Restart(StrEnum):
    """Whether a child that crashed is started again (OTP: transient, temporary)."""

    ON_CRASH = "on-crash"
    NEVER = "never"


@attrs.frozen(kw_only=True)
class Backoff:
    """Seconds to wait before the n-th restart in a row: *first* doubling up to *most*, each jittered down by up to half.

    A child that has run for *calm* seconds starts from *first* again.
    """

    first: float = 0.05
    most: float = 10.0
    calm: float = 30.0

    def delay(self, attempt: int, dice: random.Random) -> float:
        """Return the wait before restart number *attempt*, counted from 0."""
        return min(self.most, self.first * 2.0 ** min(attempt, 30)) * dice.uniform(0.5, 1.0)


@attrs.frozen(kw_only=True)
class Supervision:
    """How an actor looks after its children: at most *intensity* restarts in *period* seconds, beyond that it fails itself."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: int = 5
    period: float = 60.0
    backoff: Backoff = Backoff()


class Supervisor:
    """The supervision of one cell's children. Runs beside the cell's loop, so a busy parent still has its children restarted."""

    __slots__ = ("_cell", "_group_lock", "_restarts", "_spec", "_tasks")

    def __init__(self, cell: "Cell", spec: Supervision) -> None:
        self._cell = cell
        self._spec = spec
        self._restarts: deque[float] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._group_lock = asyncio.Lock()

    @property
    def restarts_in_window(self) -> int:
        """Restarts within the last *period* seconds."""
        horizon = self._cell.system.clock() - self._spec.period
        while self._restarts and self._restarts[0] <= horizon:
            self._restarts.popleft()
        return len(self._restarts)

    def crashed(self, child: "Cell", error: BaseException) -> None:
        """Decide about a child whose generation ended with *error*."""
        assert self._cell.life is not None
        if child.closed or self._cell.life.ending or child.restart is Restart.NEVER:
            child.finish("stopped")
        elif self.restarts_in_window >= self._spec.intensity:
            log.error(
                "%s: %d restarts in %gs: no more of %s", self._cell.path or "root", len(self._restarts), self._spec.period, child.path
            )
            child.finish("stopped")
            self._cell.fail(Escalated(f"{child.path} kept failing: {error!r}"))
        else:
            self._restarts.append(self._cell.system.clock())
            attempt = child.next_attempt(self._spec.backoff.calm)
            delay = self._spec.backoff.delay(attempt, self._cell.system.dice)
            child.back_off(delay)
            task = asyncio.create_task(self._restart(child, child.generation, delay), name=f"restart:{child.path}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def cancel(self) -> None:
        """Give up all pending restarts (the parent stops)."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _restart(self, child: "Cell", generation: int, delay: float) -> None:
        current.set(child.frame)  # who waits for the child now waits for this
        if self._spec.strategy is Strategy.ONE_FOR_ONE:
            await asyncio.sleep(delay)
            await self._begin([child])
            return
        async with self._group_lock:
            if child.generation != generation or child.closed:
                return  # the group was restarted, for another's crash, while this one waited
            group = self._group(child)
            for cell in reversed(group):
                await (cell.stop() if cell.restart is Restart.NEVER else cell.halt())
            await asyncio.sleep(delay)
            await self._begin(group)

    async def _begin(self, group: list["Cell"]) -> None:
        for cell in group:
            if not cell.closed and not cell.running and not await cell.begin():
                return  # its failed start has come back through crashed()

    def _group(self, child: "Cell") -> list["Cell"]:
        children = list(self._cell.children.values())
        if self._spec.strategy is Strategy.ONE_FOR_ALL:
            return children
        return children[children.index(child) :]
