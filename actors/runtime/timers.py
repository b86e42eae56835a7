"""Timers of one actor generation: named, restartable, silent after a restart."""

import asyncio
from collections.abc import Callable, Hashable

from actors.runtime.mailbox import Envelope
from actors.runtime.messages import Message


class Timers:
    """Messages to oneself, later. Starting a key again replaces its timer, also one that has fired but was not handled yet."""

    __slots__ = ("_deliver", "_loop", "_running", "_serial")

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[Message, tuple[Hashable, int]], None]) -> None:
        self._loop = loop
        self._deliver = deliver
        self._running: dict[Hashable, tuple[int, asyncio.TimerHandle | None]] = {}
        self._serial = 0

    def once(self, key: Hashable, message: Message, *, after: float) -> None:
        """Send *message* in *after* seconds."""
        self.cancel(key)
        self._arm(key, message, self._loop.time() + after, None)

    def every(self, key: Hashable, message: Message, *, interval: float, first: float | None = None) -> None:
        """Send *message* every *interval* seconds on a fixed grid; ticks that a busy loop missed are skipped, not made up for."""
        self.cancel(key)
        self._arm(key, message, self._loop.time() + (interval if first is None else first), interval)

    def cancel(self, key: Hashable) -> None:
        """Stop the timer; a message of it that waits in the mailbox is not handled any more."""
        _, handle = self._running.pop(key, (0, None))
        if handle is not None:
            handle.cancel()

    def cancel_all(self) -> None:
        """Stop every timer."""
        for key in list(self._running):
            self.cancel(key)

    def accepts(self, envelope: Envelope) -> bool:
        """Tell whether the timer that sent this is still the current one of its key; a spent one is forgotten."""
        assert envelope.timer is not None
        key, serial = envelope.timer
        current, handle = self._running.get(key, (0, None))
        if current != serial:
            return False
        if handle is None:
            del self._running[key]
        return True

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the running timers."""
        return tuple(str(key) for key in self._running)

    def _arm(self, key: Hashable, message: Message, when: float, interval: float | None, serial: int | None = None) -> None:
        if serial is None:
            self._serial += 1
            serial = self._serial
        self._running[key] = serial, self._loop.call_at(when, self._fire, key, message, when, interval, serial)

    def _fire(self, key: Hashable, message: Message, when: float, interval: float | None, serial: int) -> None:
        if interval is None:
            self._running[key] = serial, None
        else:
            missed = int((self._loop.time() - when) / interval)
            self._arm(key, message, when + (missed + 1) * interval, interval, serial)
        self._deliver(message, (key, serial))
