"""The private machine behind one address: its lanes, its counters, its watchers. Generations come and go in it."""

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from actors.runtime.envelope import STASHED, Envelope, Stamp
from actors.runtime.errors import ActorStopped, Escalated, MailboxFull
from actors.runtime.frames import Frame
from actors.runtime.generation import Generation
from actors.runtime.lifecycle import Ended, Status
from actors.runtime.mailbox import UserLane
from actors.runtime.messages import Message, Terminated
from actors.runtime.ref import Ref
from actors.runtime.stats import Times, seconds_since
from actors.runtime.supervisor import Restart

if TYPE_CHECKING:
    from actors.runtime.actor import Actor
    from actors.runtime.observers import Observer, Trace, Window
    from actors.runtime.system import ActorSystem

log = logging.getLogger(__name__)


class Cell:
    """One address. Its actor instances come and go; lanes, counters and watchers stay."""

    __slots__ = (
        "_attempt",
        "_factory",
        "_watchers",
        "actor",
        "ask_timeouts",
        "backoff_until",
        "children",
        "closed",
        "complained",
        "current",
        "current_since",
        "dead",
        "dropped",
        "frame",
        "generation",
        "gone",
        "lane",
        "last_error",
        "late_replies",
        "life",
        "marked",
        "name",
        "observers",
        "parent",
        "path",
        "poison",
        "processed",
        "rate",
        "ref",
        "restart",
        "restarts",
        "sent",
        "signals",
        "spec",
        "started_at",
        "status",
        "system",
        "times",
        "trace",
        "waker",
        "window",
    )

    def __init__(
        self, system: "ActorSystem", parent: "Cell | None", name: str, factory: "Callable[[], Actor]", restart: Restart = Restart.ON_CRASH
    ) -> None:
        self.system = system
        self.parent = parent
        self.name = name
        self.path: str = f"{parent.path}/{name}" if parent is not None and parent.path else name
        self.ref = Ref(system, self.path)
        self.frame = Frame(self.path)
        self.restart = restart
        self.actor: Actor = factory()
        self.spec = self.actor.mailbox
        self.lane = UserLane(self.spec)
        self.children: dict[str, Cell] = {}
        self.status = Status.STARTING
        self.closed = False
        self.gone = False
        self.generation = 0
        self.life: Generation | None = None
        self.started_at = system.clock()
        self.sent = self.processed = self.dead = self.poison = self.restarts = self.ask_timeouts = self.late_replies = 0
        self.dropped: dict[str, int] = {}
        self.times: dict[type[Message], Times] = {}
        self.rate = 0.0
        self.marked = 0
        self.complained: Envelope | None = None
        self.last_error: str | None = None
        self.backoff_until = 0.0
        self.current: Envelope | None = None
        self.current_since = 0  # perf_counter_ns
        self.signals: list[BaseException] = []
        self.waker: asyncio.Future[None] | None = None
        self.observers: tuple[Observer, ...] = ()
        self.trace: Trace | None = None
        self.window: Window | None = None
        self._factory = factory
        self._attempt = 0
        self._watchers: dict[Cell, Stamp] = {}

    # -- messages in

    def offer(self, envelope: Envelope) -> bool:
        """Put a message into the user lane. False: refused, and filed as a dead letter when nobody waits for an answer."""
        self.sent += 1
        if self.closed or (envelope.sender is None and self.system.draining):
            self._refused(envelope, "stopped")
            return False
        lane = self.lane
        size = len(lane.queue)
        if size < lane.room:
            lane.queue.append(envelope)
            if size >= lane.high_water:
                lane.high_water = size + 1
        else:
            lost = lane.put(envelope)
            if lost == "full":
                self._refused(envelope, lost)
                return False
            if lost is not None:
                self.drop(lost)
        if self.waker is not None:
            self.wake()
        return True

    def admit(self, envelope: Envelope) -> None:
        """Put an ask into the user lane. Raise ActorStopped or MailboxFull."""
        if not self.offer(envelope):
            if self.closed or self.system.draining:
                raise ActorStopped(f"{self.path} is stopping", actor=self.path)
            raise MailboxFull(f"{self.path} has {len(self.lane)} messages waiting", actor=self.path, retry_after=1)

    def force(self, envelope: Envelope) -> None:
        """Put a message in that may not be refused."""
        self.sent += 1
        self.lane.force(envelope)
        self.wake()

    def fail(self, error: BaseException) -> None:
        """Crash the actor from outside its handler (a job, an escalation); through the system lane."""
        if self.parent is None:
            self.system.give_up(error)
        elif self.running:
            self.signal(error)

    def signal(self, signal: BaseException) -> None:
        """Put something into the system lane: it ends the generation after the current message."""
        self.signals.append(signal)
        self.wake()

    def wake(self) -> None:
        """Have the actor look at its lanes."""
        waker = self.waker
        if waker is not None and not waker.done():
            waker.set_result(None)

    # -- messages lost

    def drop(self, reason: str) -> None:
        """Count a message that was let go as declared."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def bury(self, envelope: Envelope, reason: str, error: str | None = None) -> None:
        """Count and file a message that had been taken in and is not processed."""
        self.dead += 1
        self.system.dead_letters.add(self.path, envelope.message, reason, envelope.sender_path, error)

    def _refused(self, envelope: Envelope, reason: str) -> None:
        self.drop(reason)
        if envelope.reply is None:
            self.system.dead_letters.add(self.path, envelope.message, reason, envelope.sender_path)

    # -- life

    @property
    def running(self) -> bool:
        """Whether a generation is under way, from before its on_start until after its on_stop."""
        return self.life is not None and self.life.running

    async def begin(self) -> bool:
        """Start a generation and wait for its on_start. False when that failed; the supervisor has been told then."""
        if self.generation:
            try:
                self.actor = self._factory()
            except Exception as error:
                self.crashed(error)
                return False
        self.generation += 1
        self.status = Status.STARTING
        self.started_at = self.system.clock()
        self.life = Generation(self, self.actor)
        return await self.life.begin()

    def ended(self, error: BaseException) -> None:
        """A generation is over: leave, wait for the group to be restarted, or let the supervisor decide."""
        if not isinstance(error, Ended):
            self.crashed(error)
        elif self.closed:
            self.finish("drained" if self.status is Status.DRAINING else "stopped")
        else:
            self.status = Status.HALTED

    def crashed(self, error: BaseException) -> None:
        """Note the error and let the parent decide."""
        self.last_error = "".join(traceback.format_exception(error))[-4000:]
        log.error("%s crashed: %r", self.path, error, exc_info=None if isinstance(error, Escalated) else error)
        if self.parent is not None and self.parent.life is not None:
            self.parent.life.supervisor.crashed(self, error)
        else:
            self.finish("stopped")

    def suspend(self) -> bool:
        """Let messages pile up until resume. False when the actor does not run."""
        if self.status is Status.RUNNING:
            self.status = Status.SUSPENDED
        return self.status is Status.SUSPENDED

    def resume(self) -> bool:
        """Go on after suspend. False when the actor does not run."""
        if self.status is Status.SUSPENDED:
            self.status = Status.RUNNING
            self.wake()
        return self.status is Status.RUNNING

    # -- endings

    def request_stop(self) -> None:
        """Stop after the current message. What is queued becomes dead letters."""
        if not self.closed:
            self.closed = True
            if self.running:
                self.signal(Ended("stopped"))
            else:
                self.finish("stopped")

    async def stop(self) -> None:
        """Stop and wait; a handler that goes on for STOP_GRACE seconds, or that waits for the one who stops it, is cancelled."""
        self.request_stop()
        if self.life is not None:
            await self.life.wait_ended()

    async def halt(self) -> None:
        """End the generation but keep the address: it is to be restarted."""
        if self.life is not None and self.running:
            self.life.halting = True
            self.signal(Ended("halted"))
            await self.life.wait_ended()

    async def drain(self, deadline: float) -> None:
        """Take nothing more, handle what is queued until *deadline*, children first, then stop."""
        for child in reversed(list(self.children.values())):
            await child.drain(deadline)
        if self.closed:
            return
        self.closed = True
        if self.life is None or not self.running:
            self.finish("drained")
            return
        self.status = Status.DRAINING
        self.wake()
        if not await self.life.ended_within(deadline - self.system.clock()):
            self.signal(Ended("drained"))
            await self.life.wait_ended(0.5)

    def kill(self) -> None:
        """End at once: cancel the handler and do not wait."""
        self.closed = True
        for child in self.children.values():
            child.kill()
        if self.life is not None:
            self.life.cancel()

    def finish(self, reason: str) -> None:
        """Leave the tree: answer every waiter, file what is left, tell the watchers."""
        if self.gone:
            return
        self.closed = self.gone = True
        self.status = Status.STOPPED
        self.observers = ()
        left = len(self.lane)
        while self.lane.queue:
            envelope = self.lane.take()
            envelope.fail(ActorStopped(f"{self.path} has stopped", actor=self.path))
            self.bury(envelope, reason)
        self.system.unregister(self, left)
        if self.parent is not None and self.parent.children.get(self.name) is self:
            del self.parent.children[self.name]
        watchers, self._watchers = self._watchers, {}
        for watcher, stamp in watchers.items():
            watcher.tell_terminated(self.path, stamp)

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

    # -- watchers

    def add_watcher(self, watcher: "Cell", stamp: Stamp) -> None:
        """Have *watcher* told when this has left."""
        self._watchers[watcher] = stamp

    def remove_watcher(self, watcher: "Cell") -> None:
        """Undo add_watcher."""
        self._watchers.pop(watcher, None)

    def tell_terminated(self, path: str, stamp: Stamp) -> None:
        """Deliver Terminated, unless this is about to leave itself."""
        if not self.closed:
            self.force(Envelope(Terminated(path=path), Frame(path), mark=stamp))

    # -- looking in

    @property
    def stashed(self) -> int:
        """Messages that the actor has set aside."""
        return len(self.life.pump.stashed or ()) if self.life is not None else 0

    @property
    def current_age(self) -> float:
        """Seconds that the handler has been at its message."""
        return seconds_since(self.current_since) if self.current is not None else 0.0

    @property
    def stuck(self) -> bool:
        """Whether that is longer than its actor says is well."""
        return self.current is not None and self.current_age > self.actor.stuck_after

    @property
    def queued(self) -> int:
        """Messages taken in that are neither processed nor lost: waiting, set aside, or in the handler's hands."""
        in_hand = self.current is not None and self.current.mark is not STASHED
        return len(self.lane) + self.stashed + in_hand

    def describe_current(self) -> str:
        """Name the message being handled."""
        return type(self.current.message).__name__ if self.current else "idle"

    def observe(self, envelope: Envelope, waited: int, handled: int, outcome: str) -> None:
        """Show the message, with its times in ns, to those who look; they leave by themselves."""
        self.observers = tuple(
            observer for observer in self.observers if observer.saw(self, envelope, waited * 1e-9, handled * 1e-9, outcome)
        )
