"""One life of an actor: from on_start over its messages to on_stop, and all that ends with it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from actors.runtime.envelope import FOREVER, Envelope, Stamp
from actors.runtime.errand import Errand
from actors.runtime.errors import ActorStopped, StartFailed
from actors.runtime.frames import Frame, current, errand_now, standing_by
from actors.runtime.jobs import Jobs
from actors.runtime.lifecycle import CANCEL_GRACE, CANCELS, STOP_GRACE, Ended, Status, being_cancelled
from actors.runtime.messages import Message, Started, Stopped
from actors.runtime.pump import Pump
from actors.runtime.supervisor import Restart, Supervisor
from actors.runtime.timers import Timers

if TYPE_CHECKING:
    from actors.runtime.actor import Actor
    from actors.runtime.cell import Cell
    from actors.runtime.ref import Ref

log = logging.getLogger(__name__)
R = TypeVar("R")


class Watch(Stamp):
    """One watch of one generation."""

    __slots__ = ("life", "path", "target")

    def __init__(self, life: "Generation", path: str, target: "Cell | None") -> None:
        super().__init__()
        self.life = life
        self.path = path
        self.target = target

    def spend(self) -> bool:
        if self.life.watching.get(self.path) is self:
            del self.life.watching[self.path]
        return self.valid and not self.life.ending


class Generation:
    """One instance with its loop, timers, watches, jobs and supervisor."""

    __slots__ = (
        "_begun",
        "_born_on",
        "_jobs",
        "_stamp",
        "_supervisor",
        "_task",
        "_timers",
        "actor",
        "cell",
        "ending",
        "halting",
        "pump",
        "waiting_for_others",
        "watching",
    )

    def __init__(self, cell: "Cell", actor: "Actor") -> None:
        self.cell = cell
        self.actor = actor
        self.ending = False
        self.halting = False
        self.waiting_for_others = False
        self.pump = Pump(cell, actor)
        self.watching: dict[str, Watch] = {}
        self._stamp = Stamp()
        self._begun: asyncio.Future[bool] | None = None
        self._born_on: Errand | None = None
        self._task: asyncio.Task[None] | None = None
        self._timers: Timers | None = None
        self._jobs: Jobs | None = None
        self._supervisor: Supervisor | None = None

    # -- from beginning to end

    async def begin(self) -> bool:
        """Start the loop and wait for on_start. False when that failed."""
        loop = self.cell.system.loop
        begun: asyncio.Future[bool] = loop.create_future()
        self._begun = begun
        self._born_on = errand_now() if self.cell.generation == 1 else None
        self._task = loop.create_task(self._run(), name=f"actor:{self.cell.path}#{self.cell.generation}")
        try:
            return await begun
        finally:
            self._begun = None

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        """Live, never raise, and tell the cell how it ended."""
        current.set(self.cell.frame)
        error = await self._live()
        await self._tear_down()
        self.cell.ended(error)
        self._report_begun(False)

    def _report_begun(self, well: bool) -> None:
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(well)

    async def _live(self) -> BaseException:
        cell = self.cell
        self.actor._life = self
        cell.frame.deadline, cell.frame.errand = FOREVER, self._born_on  # what it begins with is for whoever had it spawned
        try:
            await self.actor.on_start()
            cell.frame.errand = None
            cell.started_at = cell.system.clock()
            if cell.status is Status.STARTING:
                cell.status = Status.RUNNING
            self._report_begun(True)
            return await self.pump.run()
        except asyncio.CancelledError as cancelled:  # the generation's edge: whoever cancelled waits for its end
            return Ended("cancelled") if being_cancelled() and (cell.closed or self.halting) else cancelled
        except Exception as error:
            return error

    # -- the end

    async def wait_ended(self, grace: float = STOP_GRACE) -> None:
        """Wait for the end; cancel what holds it up longer than *grace*, or at once when that waits for the caller."""
        task, frame = self._task, current.get()
        if task is None or task.done() or task is asyncio.current_task():
            return
        held_up = frame is not None and self.cell.frame.way_to(frame) is not None
        with standing_by(Stopped(), self.cell.frame):
            await self._insist(task, 0.0 if held_up else grace)

    async def _insist(self, task: "asyncio.Task[None]", grace: float) -> None:
        cancels = 0
        await asyncio.wait((task,), timeout=grace)
        while not task.done():
            if not self.waiting_for_others:  # its children and jobs end within their own limits
                if cancels == CANCELS:
                    log.error("%s does not end; giving it up: %s", self.cell.path, self.cell.describe_current())
                    self.cell.finish("stopped")
                    return
                task.cancel()
                cancels += 1
            await asyncio.wait((task,), timeout=CANCEL_GRACE)

    async def ended_within(self, seconds: float) -> bool:
        """Wait that long for the end to come by itself."""
        assert self._task is not None
        await asyncio.wait((self._task,), timeout=max(0.0, seconds))
        return self._task.done()

    def cancel(self) -> None:
        """End without waiting."""
        if self._task is not None and not self._task.done():
            self._task.cancel()

    async def _tear_down(self) -> None:
        """End what this generation started: timers, watches, children last-born first, jobs; then on_stop."""
        cell = self.cell
        self.ending = True
        if cell.status is not Status.DRAINING:
            cell.status = Status.STOPPING
        self._stamp.valid = False
        if self._timers is not None:
            self._timers.close()
        for watch in list(self.watching.values()):
            self._unwatch(watch)
        try:
            self.waiting_for_others = True
            await self._end_others()
        except asyncio.CancelledError:  # killed, and the children with it: the rest follows at once, and then the end of this task
            for child in list(cell.children.values()):
                child.request_stop()
        finally:
            self.waiting_for_others = False
            self.pump.unstash()
            cell.signals.clear()
        await self._stop_actor()

    async def _stop_actor(self) -> None:
        try:
            await self.actor.on_stop()
        except Exception:
            log.exception("%s: on_stop failed", self.cell.path)
        except asyncio.CancelledError:  # nothing follows but the end of this task; whoever cancelled it waits for that
            log.warning("%s: on_stop was cut short", self.cell.path)

    async def _end_others(self) -> None:
        if self._supervisor is not None:
            await self._supervisor.cancel()
        for child in reversed(list(self.cell.children.values())):
            await child.stop()
        if self._jobs is not None:
            await self._jobs.close()

    # -- the actor's own wishes

    async def spawn(self, name: str, factory: "Callable[[], Actor]", *, restart: Restart = Restart.ON_CRASH) -> "Ref":
        """Start a child. Raise StartFailed when its on_start fails; it is not retried then."""
        cell = self.cell
        if cell.closed or self.ending:
            raise ActorStopped(f"{cell.path or 'the system'} is stopping", actor=cell.path)
        if name in cell.children:
            raise ValueError(f"{cell.path} has a child {name!r} already")
        child = type(cell)(cell.system, cell, name, factory, restart=Restart.NEVER)
        cell.children[name] = child
        cell.system.register(child)
        try:
            with standing_by(Started(), child.frame):
                well = await child.begin()
        except BaseException:
            child.request_stop()
            raise
        if not well:
            why = child.last_error.strip().rpartition("\n")[2] if child.last_error else "it was stopped"
            raise StartFailed(f"{child.path}: {why}", actor=child.path)
        child.restart = restart
        return child.ref

    @property
    def supervisor(self) -> Supervisor:
        """The supervision of the children."""
        if self._supervisor is None:
            self._supervisor = Supervisor(self.cell, self.actor.supervision)
        return self._supervisor

    @property
    def restarts_in_window(self) -> int:
        """Restarts of children that count against the intensity now."""
        return self._supervisor.restarts_in_window if self._supervisor is not None else 0

    @property
    def timers(self) -> Timers:
        """The timers of this generation."""
        if self._timers is None:
            self._timers = Timers(self.cell.system.loop, self._timer_fired)
            if self.ending:
                self._timers.close()
        return self._timers

    @property
    def timer_keys(self) -> tuple[str, ...]:
        """Names of the running timers."""
        return self._timers.keys if self._timers is not None else ()

    def _timer_fired(self, message: Message, stamp: Stamp) -> bool:
        envelope = Envelope(message, self.cell.frame, mark=stamp)
        envelope.errand = None  # whatever the actor is at as it fires
        return self.cell.offer(envelope)

    def hand_in(self, message: Message, frame: Frame) -> None:
        """Take what a job of this generation has brought; nobody is interested any more when that has ended."""
        if not self.ending:
            self.cell.force(Envelope(message, frame, mark=self._stamp))

    def watch(self, ref: "Ref") -> None:
        """Have Terminated delivered when *ref* stops for good."""
        target = self.cell.system.cell(ref.path)
        known = self.watching.get(ref.path)
        if self.ending or (known is not None and known.target is target):
            return
        watch = self.watching[ref.path] = Watch(self, ref.path, target)
        if target is None:
            self.cell.tell_terminated(ref.path, watch)
        else:
            target.add_watcher(self.cell, watch)

    def unwatch(self, ref: "Ref") -> None:
        """Undo watch; Terminated does not come any more even when it is under way."""
        watch = self.watching.get(ref.path)
        if watch is not None:
            self._unwatch(watch)

    def _unwatch(self, watch: Watch) -> None:
        watch.valid = False
        del self.watching[watch.path]
        if watch.target is not None:
            watch.target.remove_watcher(self.cell)

    @property
    def jobs(self) -> Jobs:
        """The jobs of this generation."""
        if self._jobs is None:
            self._jobs = Jobs(self, self.actor.jobs_limit)
        return self._jobs

    @property
    def jobs_begun(self) -> Jobs | None:
        """The jobs, if there ever was one."""
        return self._jobs

    async def defer(self, job: Coroutine[Any, Any, R], *, abandon: bool) -> R:
        """Let *job* answer the current ask."""
        envelope = self.cell.current
        assert envelope is not None, "defer answers an ask: call it inside a handler"
        await self.jobs.defer(job, envelope, abandon=abandon)
        return None  # type: ignore[return-value]  # the job's result is what the asker gets

    # -- looking in

    def stack(self) -> tuple[str, ...]:
        """Return where the handler stands, innermost frame last."""
        return standing(self._task.get_coro()) if self._task is not None and self.cell.current is not None else ()


def standing(coro: Any) -> tuple[str, ...]:
    """Return where a suspended coroutine waits, following what it awaits, innermost last."""
    lines: list[str] = []
    while coro is not None and len(lines) < 32:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None) or getattr(coro, "ag_frame", None)
        if frame is None:
            break
        lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}")
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None) or getattr(coro, "ag_await", None)
    return tuple(lines)
