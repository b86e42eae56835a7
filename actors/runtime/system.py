"""The system: the root of the tree, the register of paths, and what all actors share."""

import asyncio
import logging
import random
import time
from collections.abc import Callable

from actors.runtime.actor import Actor
from actors.runtime.cell import Cell
from actors.runtime.deadletters import DeadLetters
from actors.runtime.errand import Tracer
from actors.runtime.lifecycle import Status
from actors.runtime.pulse import Pulse
from actors.runtime.ref import Ref
from actors.runtime.supervisor import Backoff, Restart, Supervision
from actors.runtime.sweeper import Sweeper

log = logging.getLogger(__name__)

QUIET_EVERY = 0.02
"""seconds between two looks whether a draining system has become quiet"""


class Root(Actor):
    """Parent of the top-level actors. When they keep failing the process is to end."""

    supervision = Supervision(intensity=10, period=60.0, backoff=Backoff())


class ActorSystem:
    """All actors of a process. Use it as `async with ActorSystem() as system`.

    *now* is the wall clock (UNIX time, s), for what people read; everything else runs on the loop's monotonic clock.
    """

    def __init__(self, *, now: Callable[[], float] = time.time, seed: int | None = None, root: Callable[[], Actor] = Root) -> None:
        self.now = now
        self.dice = random.Random(seed)  # noqa: S311  # jitter, no secret
        self.dead_letters = DeadLetters(now)
        self.tracer: Tracer | None = None
        self.draining = False
        self._killed = False
        self._cells: dict[str, Cell] = {}
        self._left: dict[str, int] = {}
        self._make_root = root

    async def __aenter__(self) -> "ActorSystem":
        self.loop = asyncio.get_running_loop()
        self.clock = self.loop.time
        self.sweeper = Sweeper(self)
        self.pulse = Pulse(self)
        self.failure: asyncio.Future[BaseException] = self.loop.create_future()
        self._root = Cell(self, None, "", self._make_root)
        await self._root.begin()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._root.stop()
        for stray in self.cells():  # after a kill, children may outlast their parents by a moment
            await stray.stop()
        self.sweeper.close()
        self.pulse.close()

    def give_up(self, error: BaseException) -> None:
        """The top-level actors keep failing: `failure` gets the error, and the process is to end."""
        if not self.failure.done():
            self.failure.set_result(error)

    async def spawn(self, name: str, factory: Callable[[], Actor], *, restart: Restart = Restart.ON_CRASH) -> Ref:
        """Start a top-level actor and wait until it runs. Raise StartFailed."""
        assert self._root.life is not None
        return await self._root.life.spawn(name, factory, restart=restart)

    def ref(self, path: str) -> Ref:
        """Return the address; nobody need live there yet."""
        cell = self._cells.get(path)
        return cell.ref if cell is not None else Ref(self, path)  # whose way has been found before

    def cell(self, path: str) -> Cell | None:
        """Return the cell at *path*. For the runtime and its inspection only."""
        return self._cells.get(path)

    def cells(self) -> list[Cell]:
        """Return all cells, parents before children."""
        return list(self._cells.values())

    def register(self, cell: Cell) -> None:
        """Make the cell known under its path."""
        self._cells[cell.path] = cell

    def unregister(self, cell: Cell, left: int) -> None:
        """Forget the cell; *left* messages were still queued."""
        if self._cells.get(cell.path) is cell:
            del self._cells[cell.path]
        if left and self.draining:
            self._left[cell.path] = left

    async def drain(self, within: float) -> dict[str, int]:
        """Refuse messages from outside, let the actors finish what they have within that many seconds, leaves first.

        Return how many messages were left unhandled, by path.
        """
        self.draining = True
        deadline = self.clock() + within
        while self._busy() and not self._killed and self.clock() < deadline:  # noqa: ASYNC110  # quiet is a state of all cells that no event tells
            await asyncio.sleep(QUIET_EVERY)
        await self._root.drain(deadline)
        return self._left

    def _busy(self) -> bool:
        """Tell whether a message or a deferred answer is still being worked on. What is suspended does not count."""
        for cell in self._cells.values():
            jobs = cell.life.jobs_begun if cell.life is not None else None
            if cell.current is not None or (jobs is not None and jobs.owed):
                return True
            if len(cell.lane) and cell.status is not Status.SUSPENDED:
                return True
        return False

    def kill(self) -> None:
        """End everything now (a second signal)."""
        self._killed = True
        self._root.kill()
