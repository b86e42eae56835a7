"""Timers of one actor generation: named, restartable, silent after a restart."""

import asyncio
from collections.abc import Callable, Hashable

from actors.runtime.envelope import Stamp
from actors.runtime.messages import Message


class _Timer(Stamp):
    """One start of one key. Withdrawing it also silences a message of it that waits in the mailbox."""

    __slots__ = ("handle", "interval", "key", "timers")

    def __init__(self, timers: "Timers", key: Hashable, interval: float | None) -> None:
        super().__init__()
        self.timers = timers
        self.key = key
        self.interval = interval
        self.handle: asyncio.TimerHandle | None = None

    def spend(self) -> bool:
        if self.valid and self.interval is None:
            self.timers.cancel(self.key)
            return True
        return self.valid


class Timers:
    """Messages to oneself, later. Starting a key again replaces its timer, also one that has fired but was not handled yet."""

    __slots__ = ("_closed", "_deliver", "_loop", "_running")

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[Message, Stamp], bool]) -> None:
        self._loop = loop
        self._deliver = deliver
        self._running: dict[Hashable, _Timer] = {}
        self._closed = False

    def once(self, key: Hashable, message: Message, *, after: float) -> None:
        """Send *message* in *after* seconds."""
        self._start(key, message, after, None)

    def every(self, key: Hashable, message: Message, *, interval: float, first: float | None = None) -> None:
        """Send *message* every *interval* seconds on a fixed grid; ticks that a busy loop missed are skipped, not made up for."""
        self._start(key, message, interval if first is None else first, interval)

    def cancel(self, key: Hashable) -> None:
        """Stop the timer; a message of it that waits in the mailbox is not handled any more."""
        timer = self._running.pop(key, None)
        if timer is not None:
            timer.valid = False
            if timer.handle is not None:
                timer.handle.cancel()

    def close(self) -> None:
        """Stop every timer; none can be started any more."""
        self._closed = True
        for key in list(self._running):
            self.cancel(key)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the running timers."""
        return tuple(str(key) for key in self._running)

    def _start(self, key: Hashable, message: Message, after: float, interval: float | None) -> None:
        self.cancel(key)
        if not self._closed:
            timer = self._running[key] = _Timer(self, key, interval)
            self._arm(timer, message, self._loop.time() + after)

    def _arm(self, timer: _Timer, message: Message, when: float) -> None:
        timer.handle = self._loop.call_at(when, self._fire, timer, message, when)

    def _fire(self, timer: _Timer, message: Message, when: float) -> None:
        if timer.interval is not None:
            missed = int((self._loop.time() - when) / timer.interval)
            self._arm(timer, message, when + (missed + 1) * timer.interval)
        if not self._deliver(message, timer) and timer.interval is None:
            self.cancel(timer.key)
