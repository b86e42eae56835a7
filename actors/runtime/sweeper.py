"""The one timer behind all asks."""

import asyncio
from typing import TYPE_CHECKING

from actors.runtime.envelope import Envelope
from actors.runtime.errors import AskTimeout

if TYPE_CHECKING:
    from actors.runtime.cell import Cell
    from actors.runtime.system import ActorSystem

GRAIN = 0.02
"""seconds a slot covers; an ask may time out by as much too late"""


class Sweeper:
    """Deadlines fall into slots of GRAIN seconds; a system in which nobody has asked lately has no timer at all."""

    def __init__(self, system: "ActorSystem") -> None:
        self._system = system
        self._slots: dict[int, dict[Envelope, Cell]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0

    def add(self, envelope: Envelope, cell: "Cell") -> None:
        """Fail the envelope's ask when its deadline passes."""
        slot = int(envelope.deadline / GRAIN) + 1
        entries = self._slots.get(slot)
        if entries is None:
            entries = self._slots[slot] = {}
            if self._timer is None or slot < self._next:
                self._arm(slot)
        entries[envelope] = cell

    def remove(self, envelope: Envelope) -> None:
        """Forget the envelope: it was answered, or its asker is gone. A cancelled asker leaves no future behind."""
        entries = self._slots.get(int(envelope.deadline / GRAIN) + 1)
        if entries is not None:
            entries.pop(envelope, None)
        reply = envelope.reply
        if reply is not None and not reply.cancel() and not reply.cancelled():
            reply.exception()  # an error that came together with the asker's own cancellation counts as seen

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._slots.clear()

    def _arm(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = slot
        self._timer = self._system.loop.call_at(slot * GRAIN, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        due = int(self._system.clock() / GRAIN)
        for slot in [s for s in self._slots if s <= max(due, self._next)]:
            for envelope, cell in self._slots.pop(slot).items():
                error = AskTimeout(f"{cell.path} did not answer {type(envelope.message).__name__} in time", actor=cell.path)
                if envelope.fail(error):
                    cell.ask_timeouts += 1
        if self._slots:
            self._arm(min(self._slots))
