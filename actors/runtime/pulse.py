"""The heartbeat of the loop: how late it is, who blocks it, who is stuck, how busy the actors are."""

import asyncio
import logging
import sys
import threading
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING

import attrs

from actors.runtime.stats import Blocked, Lag

if TYPE_CHECKING:
    from actors.runtime.cell import Cell
    from actors.runtime.envelope import Envelope
    from actors.runtime.system import ActorSystem

log = logging.getLogger(__name__)

BEAT = 0.1
"""seconds between heartbeats"""
KEPT = 600
"""heartbeats whose lag is kept: one minute"""
SAMPLE = 10
"""heartbeats between two samples of the actors' counters"""
SMOOTH = 0.4
"""how much the newest second weighs in a rate"""
BLOCKED_AFTER = 0.5
"""seconds without a heartbeat after which the loop counts as blocked"""
DEPTH = 16
"""frames of a stack that are kept"""


@attrs.frozen
class _Caught:
    actor: str
    message: str
    stack: tuple[str, ...]


class Pulse:
    """Beats on the loop; a daemon thread looks at the beats from outside and sees where the loop stands when they stay away."""

    def __init__(self, system: "ActorSystem") -> None:
        self.blocks: deque[Blocked] = deque(maxlen=50)
        self._system = system
        self._lags: deque[float] = deque(maxlen=KEPT)
        self._thread_id = threading.get_ident()
        self._stop = threading.Event()
        self._caught: _Caught | None = None
        self._last = perf_counter()
        self._beats = 0
        self._sampled = system.clock()
        self._timer = system.loop.call_later(BEAT, self._beat)
        self._thread = threading.Thread(target=self._look, name="actors-watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop beating and looking."""
        self._timer.cancel()
        self._stop.set()
        self._thread.join()

    @property
    def lag(self) -> Lag:
        """The lag over the last minute."""
        lags = sorted(self._lags)
        if not lags:
            return Lag(samples=0, p50=0.0, p99=0.0, max=0.0)
        return Lag(samples=len(lags), p50=lags[len(lags) // 2], p99=lags[len(lags) * 99 // 100], max=lags[-1])

    def _beat(self) -> None:
        now = perf_counter()
        late = max(0.0, now - self._last - BEAT)
        self._last = now
        self._lags.append(late)
        if self._caught is not None:
            self._note(self._caught, late)
        self._beats += 1
        if self._beats % SAMPLE == 0:
            self._sample()
        self._timer = self._system.loop.call_later(BEAT, self._beat)

    def _note(self, caught: _Caught, late: float) -> None:
        self._caught = None
        if late >= BLOCKED_AFTER:
            at = self._system.now() - late
            self.blocks.append(Blocked(at=at, seconds=late, actor=caught.actor, message=caught.message, stack=caught.stack))

    def _sample(self) -> None:
        clock = self._system.clock()
        seconds, self._sampled = clock - self._sampled, clock
        for cell in self._system.cells():
            done = cell.processed - cell.marked
            if done or cell.rate:
                cell.marked = cell.processed
                cell.rate += (done / seconds - cell.rate) * SMOOTH
                if cell.rate < 0.01:
                    cell.rate = 0.0
            if cell.current is not None and cell.stuck and cell.life is not None:
                _complain(cell, cell.current, cell.life.stack())

    # -- in the thread

    def _look(self) -> None:
        while not self._stop.wait(BLOCKED_AFTER / 2):
            if self._caught is None and perf_counter() - self._last - BEAT > BLOCKED_AFTER:
                self._catch()

    def _catch(self) -> None:
        frame = sys._current_frames().get(self._thread_id)
        lines: list[str] = []
        while frame is not None and len(lines) < DEPTH:
            lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}")
            frame = frame.f_back
        task = asyncio.current_task(self._system.loop)
        kind, _, rest = (task.get_name() if task else "").partition(":")
        path = rest.partition("#")[0] if kind == "actor" else ""
        cell = self._system.cell(path) if path else None
        envelope = cell.current if cell is not None else None
        self._caught = _Caught(path, type(envelope.message).__name__ if envelope else "", tuple(reversed(lines)))
        log.warning("the event loop is blocked by %s: %s", path or "no actor", lines[:1])


def _complain(cell: "Cell", envelope: "Envelope", stack: tuple[str, ...]) -> None:
    """Log once for each message that an actor is stuck in."""
    if cell.complained is not envelope:
        cell.complained = envelope
        log.warning("%s has been at %s for %.1f s: %s", cell.path, type(envelope.message).__name__, cell.current_age, stack[-1:] or "")
