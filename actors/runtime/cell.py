"""The private machine around one actor: its lanes, its loop, its generations."""

import asyncio
import logging
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from actors.runtime.errors import ActorCrashed, ActorStopped, Escalated, MailboxFull, NotHandled, StartFailed
from actors.runtime.jobs import Jobs
from actors.runtime.mailbox import Envelope, UserLane
from actors.runtime.messages import Message, Terminated
from actors.runtime.ref import FOREVER, Frame, Ref, current
from actors.runtime.stats import Times
from actors.runtime.supervisor import Restart, Supervisor
from actors.runtime.timers import Timers
from paranet.errors import ParaNetError

if TYPE_CHECKING:
    from actors.runtime.actor import Actor
    from actors.runtime.system import ActorSystem

log = logging.getLogger(__name__)
R = TypeVar("R")
Handler = Callable[[Message], Awaitable[object]]

BATCH = 64
"""messages an actor handles before it lets the others run"""
STOP_GRACE = 5.0
"""seconds a handler may go on once its actor is to stop; then it is cancelled"""
_now = time.perf_counter


class Status(StrEnum):
    """Where a cell is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    SUSPENDED = "suspended"
    BACKOFF = "backoff"
    HALTED = "halted"
    DRAINING = "draining"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Ended(Exception):
    """The signal that ends a generation in peace."""


class Cell:
    """One address. Its actor instances come and go; lanes, counters and watchers stay."""

    def __init__(
        self, system: "ActorSystem", parent: "Cell | None", name: str, factory: "Callable[[], Actor]", restart: Restart = Restart.ON_CRASH
    ) -> None:
        self.system = system
        self.parent = parent
        self.name = name
        self.path: str = f"{parent.path}/{name}" if parent is not None and parent.path else name
        self.ref = Ref(system, self.path)
        self.restart = restart
        self.actor: Actor = factory()
        self.spec = self.actor.mailbox
        self.lane = UserLane(self.spec)
        self.children: dict[str, Cell] = {}
        self.waits: dict[Cell, int] = {}
        self.status = Status.STARTING
        self.closed = False
        self.tearing_down = False
        self.generation = 0
        self.started_at = system.clock()
        self.sent = self.processed = self.dead = self.poison = self.restarts = self.ask_timeouts = self.late_replies = 0
        self.dropped: dict[str, int] = {}
        self.times: dict[type[Message], Times] = {}
        self.last_error: str | None = None
        self.backoff_until = 0.0
        self.current: Envelope | None = None
        self.current_since = 0.0
        self.stashed: deque[Envelope] | None = None
        self.jobs: Jobs | None = None
        self._factory = factory
        self._frame = Frame(self, blocking=True)
        self._attempt = 0
        self._signals: deque[BaseException] = deque()
        self._watchers: set[Cell] | None = None
        self._waker: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None
        self._over: asyncio.Future[None] | None = None
        self._timers: Timers | None = None
        self._supervisor: Supervisor | None = None

    # -- messages in

    def offer(self, envelope: Envelope) -> bool:
        """Put a message into the user lane. False: refused, and filed as a dead letter when nobody waits for an answer."""
        if self.closed or (self.system.draining and not envelope.sender):
            self._dead(envelope, "stopped")
            return False
        self.sent += 1
        lost = self.lane.put(envelope)
        if lost is not None:
            self.dropped[lost] = self.dropped.get(lost, 0) + 1
            if lost == "full":
                if envelope.reply is None:
                    self.system.dead_letters.add(self.path, envelope.message, "full", envelope.sender)
                return False
        if self._waker is not None:
            self._wake()
        return True

    def force(self, envelope: Envelope, *, front: bool = False) -> None:
        """Put a message in that may not be refused."""
        self.sent += 1
        self.lane.force(envelope, front=front)
        self._wake()

    def fail(self, error: BaseException) -> None:
        """Crash the actor from outside its handler (a job, an escalation, an operator); through the system lane."""
        self._signals.append(error)
        self._wake()

    def _wake(self) -> None:
        waker = self._waker
        if waker is not None and not waker.done():
            waker.set_result(None)

    def _dead(self, envelope: Envelope, reason: str, error: str | None = None) -> None:
        self.dead += 1
        self.system.dead_letters.add(self.path, envelope.message, reason, envelope.sender, error)

    # -- life

    @property
    def stopped(self) -> bool:
        return self.status is Status.STOPPED

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def begin(self) -> bool:
        """Start a generation and wait for its on_start. False when that failed; the supervisor has been told then."""
        loop = self.system.loop
        if self.generation:
            self.actor = self._factory()
        self.generation += 1
        self.status = Status.STARTING
        self._begun = loop.create_future()
        self._task = loop.create_task(self._generation(), name=f"actor:{self.path}#{self.generation}")
        await asyncio.wait((self._begun, self._task), return_when=asyncio.FIRST_COMPLETED)
        return self._begun.done()

    async def spawn(self, name: str, factory: "Callable[[], Actor]", *, restart: Restart = Restart.ON_CRASH) -> Ref:
        """Start a child. Raise StartFailed when its on_start fails; it is not retried then."""
        if self.closed or self.tearing_down:
            raise ActorStopped(f"{self.path or 'the system'} is stopping", actor=self.path)
        if name in self.children:
            raise ValueError(f"{self.path} has a child {name!r} already")
        child = Cell(self.system, self, name, factory, restart=Restart.NEVER)
        self.children[name] = child
        self.system.register(child)
        if not await child.begin():
            raise StartFailed(f"{child.path}: {child.last_error}", actor=child.path)
        child.restart = restart
        return child.ref

    @property
    def supervisor(self) -> Supervisor:
        if self._supervisor is None:
            self._supervisor = Supervisor(self, self.actor.supervision)
        return self._supervisor

    @property
    def timers(self) -> Timers:
        if self._timers is None:
            self._timers = Timers(self.system.loop, self._timer_fired)
        return self._timers

    def _timer_fired(self, message: Message, timer: tuple[Hashable, int]) -> None:
        envelope = Envelope(message, self.path, None, FOREVER)
        envelope.timer = timer
        self.offer(envelope)

    def suspend(self) -> None:
        """Let messages pile up until resume."""
        if self.status is Status.RUNNING:
            self.status = Status.SUSPENDED

    def resume(self) -> None:
        """Go on after suspend."""
        if self.status is Status.SUSPENDED:
            self.status = Status.RUNNING
            self._wake()

    async def _generation(self) -> None:
        """Run one instance from on_start to on_stop. Never raises; tells the supervisor or finishes the cell."""
        self.actor._cell = self
        current.set(self._frame)
        error: BaseException | None
        try:
            await self._on_start()
            error = await self._pump()
        except asyncio.CancelledError:
            error = Ended("killed")
        except Exception as caught:
            error = caught
        crashed = not isinstance(error, Ended)
        if crashed:
            self.last_error = "".join(traceback.format_exception(error))[-4000:]
            log.error("%s crashed: %r", self.path, error, exc_info=None if isinstance(error, Escalated) else error)
        await self._tear_down()
        parent = self.parent
        if crashed and parent is not None:
            parent.supervisor.crashed(self, error)
        elif self.closed or parent is None:
            self.finish("stopped")
        else:
            self.status = Status.HALTED

    async def _on_start(self) -> None:
        self._frame.deadline = FOREVER
        await self.actor.on_start()
        self.started_at = self.system.clock()
        self.status = Status.RUNNING
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)

    async def _pump(self) -> BaseException:
        """Handle messages one at a time until a signal ends the generation; return that signal or the crash."""
        table = {kind: getattr(self.actor, name) for kind, name in self.actor.handler_names().items()}
        queue = self.lane.queue
        handled = 0
        while True:
            if self._signals:
                return self._signals.popleft()
            if queue and self.status is not Status.SUSPENDED:
                crash = await self._process(self.lane.take(), table)
                if crash is not None:
                    return crash
                handled += 1
                if handled >= BATCH:
                    handled = 0
                    await asyncio.sleep(0)
            elif self.status is Status.DRAINING:
                return Ended("drained")
            else:
                handled = 0
                self._waker = self.system.loop.create_future()
                try:
                    await self._waker
                finally:
                    self._waker = None

    def _handler_for(self, envelope: Envelope, table: dict[type[Message], Handler]) -> Handler | None:
        """Return the handler, or None for a message that is not to be handled any more or at all."""
        reply = envelope.reply
        if (reply is not None and reply.done()) or (envelope.timer is not None and not self.timers.accepts(envelope)):
            self.dropped["expired"] = self.dropped.get("expired", 0) + 1
            return None
        handler = table.get(type(envelope.message))
        if handler is None:
            self._dead(envelope, "unhandled")
            envelope.fail(NotHandled(f"{self.path} does not know {type(envelope.message).__name__}", actor=self.path))
        return handler

    async def _process(self, envelope: Envelope, table: dict[type[Message], Handler]) -> BaseException | None:
        """Handle one message with all accounting; return the error that crashes the actor."""
        handler = self._handler_for(envelope, table)
        if handler is None:
            return None
        started = _now()
        self.current, self.current_since = envelope, started
        self._frame.deadline = envelope.deadline
        try:
            result: object = await handler(envelope.message)
        except ParaNetError as refusal:
            result = refusal
        except asyncio.CancelledError as cancelled:
            if _cancelling():
                self._dead(envelope, "stopped")
                envelope.fail(ActorStopped(f"{self.path} was stopped at {self.describe_current()}", actor=self.path))
                raise
            return self._poison(envelope, cancelled)
        except Exception as error:
            return self._poison(envelope, error)
        finally:
            self.current = None
        if envelope.stashed:
            return None
        self.processed += 1
        self._answer(envelope, result)
        kind = type(envelope.message)
        times = self.times.get(kind)
        if times is None:
            times = self.times[kind] = Times()
        times.wait.add(started - envelope.enqueued)
        times.handle.add(_now() - started)
        if self.system.tracer is not None:
            self.system.tracer(self, envelope, started)
        return None

    def _answer(self, envelope: Envelope, result: object) -> None:
        refused = isinstance(result, ParaNetError)
        if envelope.reply is None:
            if refused:
                log.warning("%s refused %s: %s", self.path, type(envelope.message).__name__, result)
        elif not envelope.deferred and not (envelope.fail(result) if isinstance(result, ParaNetError) else envelope.answer(result)):
            self.late_replies += 1

    def _poison(self, envelope: Envelope, error: BaseException) -> BaseException:
        self.poison += 1
        self._dead(envelope, "poison", repr(error))
        kind = type(envelope.message).__name__
        envelope.fail(ActorCrashed(f"{self.path} failed on {kind}", actor=self.path))
        return error

    # -- endings

    def request_stop(self) -> None:
        """Stop after the current message. What is queued becomes dead letters."""
        if not self.closed:
            self.closed = True
            self.lane.wake_all()
            if self.running:
                self._signals.append(Ended("stopped"))
                self._wake()
            else:
                self.finish("stopped")

    async def stop(self, *, grace: float = STOP_GRACE) -> None:
        """Stop and wait; a handler that goes on for *grace* seconds is cancelled."""
        self.request_stop()
        await self._ended(grace)

    async def halt(self) -> None:
        """End the generation but keep the address: its group is being restarted."""
        if self.running:
            self._signals.append(Ended("halted"))
            self._wake()
            await self._ended(STOP_GRACE)

    async def drain(self, deadline: float) -> None:
        """Take nothing more from outside, handle what is queued until *deadline*, children first, then stop."""
        for child in reversed(list(self.children.values())):
            await child.drain(deadline)
        if self.closed:
            return
        self.closed = True
        self.lane.wake_all()
        if not self.running:
            self.finish("drained")
            return
        self.status = Status.DRAINING
        self._wake()
        assert self._task is not None
        await asyncio.wait((self._task,), timeout=max(0.0, deadline - self.system.clock()))
        if not self._task.done():
            self._signals.append(Ended("drained"))
            self._wake()
            await self._ended(0.5)

    def kill(self) -> None:
        """End at once: cancel the handler and do not wait."""
        self.closed = True
        for child in self.children.values():
            child.kill()
        if self._task is not None and not self._task.done():
            self._task.cancel()

    async def _ended(self, grace: float) -> None:
        task = self._task
        if task is None or task.done() or task is asyncio.current_task():
            return
        await asyncio.wait((task,), timeout=grace)
        for _ in range(3):  # a handler may swallow a cancellation; it gets three
            if task.done():
                return
            task.cancel()
            await asyncio.wait((task,), timeout=1.0)
        log.error("%s does not end; giving it up: %s", self.path, self.describe_current())
        self.finish("stopped")

    async def _tear_down(self) -> None:
        """End what this generation started: children last-born first, jobs, timers, then on_stop."""
        self.tearing_down = True
        if self.status is not Status.DRAINING:
            self.status = Status.STOPPING
        try:
            if self._supervisor is not None:
                await self._supervisor.cancel()
            for child in reversed(list(self.children.values())):
                await child.stop()
            if self.jobs is not None:
                await self.jobs.close()
                self.jobs = None
            if self._timers is not None:
                self._timers.cancel_all()
            self.unstash()
            await self.actor.on_stop()
        except Exception:
            log.exception("%s: on_stop failed", self.path)
        except asyncio.CancelledError:  # killed: nothing follows but the end of this task
            log.warning("%s: its end was cut short", self.path)
        finally:
            self.tearing_down = False
            self._signals.clear()

    def finish(self, reason: str) -> None:
        """Leave the tree: answer every waiter, file what is left, tell the watchers."""
        if self.status is Status.STOPPED:
            return
        self.closed = True
        self.status = Status.STOPPED
        self.lane.wake_all()
        left = 0
        while self.lane.queue:
            envelope = self.lane.take()
            envelope.fail(ActorStopped(f"{self.path} has stopped", actor=self.path))
            self._dead(envelope, reason)
            left += 1
        self.system.unregister(self, left)
        if self.parent is not None:
            self.parent.children.pop(self.name, None)
        for watcher in self._watchers or ():
            watcher.deliver_terminated(self.path)
        self._watchers = None
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def back_off(self, delay: float) -> None:
        """Note that a restart is coming in *delay* seconds."""
        self.status = Status.BACKOFF
        self.restarts += 1
        self.backoff_until = self.system.clock() + delay

    def next_attempt(self, calm: float) -> int:
        """Return how many failures in a row came before this one; a calm spell starts the count anew."""
        if self.system.clock() - self.started_at >= calm:
            self._attempt = 0
        self._attempt += 1
        return self._attempt - 1

    # -- watching, jobs, stash: the actor's own wishes

    def watch(self, ref: Ref) -> None:
        target = self.system.cell(ref.path)
        if target is None:
            self.deliver_terminated(ref.path)
            return
        if target._watchers is None:
            target._watchers = set()
        target._watchers.add(self)

    def unwatch(self, ref: Ref) -> None:
        target = self.system.cell(ref.path)
        if target is not None and target._watchers is not None:
            target._watchers.discard(self)

    def deliver_terminated(self, path: str) -> None:
        if not self.closed:
            self.force(Envelope(Terminated(path=path), path, None, FOREVER))

    async def pipe(self, job: Coroutine[Any, Any, Message], failed: Callable[[Exception], Message] | None, name: str | None) -> None:
        await self._jobs().pipe(job, failed, name)

    async def defer(self, job: Coroutine[Any, Any, R]) -> R:
        envelope = self.current
        assert envelope is not None, "defer answers an ask: call it inside a handler"
        await self._jobs().defer(job, envelope)
        envelope.deferred = True
        return None  # type: ignore[return-value]  # the job's result is what the asker gets

    def _jobs(self) -> Jobs:
        if self.jobs is None:
            self.jobs = Jobs(self, self.actor.jobs_limit)
        return self.jobs

    def stash(self) -> None:
        envelope = self.current
        assert envelope is not None, "stash sets the current message aside: call it inside a handler"
        if self.stashed is None:
            self.stashed = deque()
        if len(self.stashed) >= self.spec.capacity:
            raise MailboxFull(f"{self.path} has set aside {len(self.stashed)} messages", actor=self.path, retry_after=1)
        envelope.stashed = True
        self.stashed.append(envelope)

    def unstash(self) -> None:
        while self.stashed:
            envelope = self.stashed.pop()
            envelope.stashed = False
            self.lane.force(envelope, front=True)

    # -- looking in

    def way_to(self, goal: "Cell") -> "list[Cell] | None":
        """Return the cells from here to *goal* along the wait-for graph, both included; None when there is no way."""
        if self is goal:
            return [self]
        seen = {self}
        stack = [[self]]
        while stack:
            path = stack.pop()
            for following in path[-1].waits:
                if following is goal:
                    return [*path, goal]
                if following not in seen:
                    seen.add(following)
                    stack.append([*path, following])
        return None

    def describe_current(self) -> str:
        """Name the message being handled."""
        return type(self.current.message).__name__ if self.current else "idle"

    def stack(self) -> tuple[str, ...]:
        """Return where the handler stands, innermost frame last."""
        if self._task is None or self.current is None:
            return ()
        return tuple(f"{f.f_code.co_filename}:{f.f_lineno} {f.f_code.co_name}" for f in self._task.get_stack(limit=12))


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
