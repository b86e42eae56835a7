"""Overseer: shows the actors on channel `actors`: once a second the ones whose figures changed, keyed by path."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import attrs

from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe, keyed
from actors.ids import epoch
from actors.runtime import Actor, Message, handles
from actors.runtime.cell import Cell
from actors.runtime.stats import quantile

INTERVAL = 1.0


@attrs.frozen(kw_only=True)
class Look(Message):
    """Time to see what changed."""


class Overseer(Actor):
    """Looks only while somebody watches."""

    def __init__(self, outlets: Outlets) -> None:
        self._outlets = outlets

    async def on_start(self) -> None:
        self._shown: dict[str, dict[str, Any]] = {}
        self._channel = Channel("actors", self._outlets, epoch=epoch(), conflate=keyed(itemgetter("path")))
        self._channel.reopen(self._snapshot)
        self.timers.every("look", Look(), interval=INTERVAL)

    def inspect(self) -> Mapping[str, object]:
        return {"subscribers": self._channel.subscribers}

    @handles
    async def look(self, message: Look) -> None:
        if not self._channel.subscribers:
            return
        before, now = self._shown, self._figures()
        changed = [item for path, item in now.items() if before.get(path) != item]
        gone = [{"path": path, "gone": True} for path in before.keys() - now.keys()]
        self._shown = now
        self._channel.publish([*changed, *gone])

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, self._snapshot)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)

    def _figures(self) -> dict[str, dict[str, Any]]:
        return {cell.path: summary(cell) for cell in self.system.cells()}

    def _snapshot(self) -> list[dict[str, Any]]:
        return list(self._figures().values())


def summary(cell: Cell) -> dict[str, Any]:
    """Return what a tree of actors shows of each: figures that stand still while the actor is idle."""
    parent, current = cell.parent, cell.current
    return {
        "path": cell.path,
        "type": type(cell.actor).__name__,
        "parent": parent.path if parent and parent.path else None,
        "status": cell.status.value,
        "generation": cell.generation,
        "queued": len(cell.lane),
        "capacity": cell.spec.capacity,
        "dropped": sum(cell.dropped.values()),
        "processed": cell.processed,
        "rate": round(cell.rate, 1),
        "handle_p95": max((quantile(times.handle, 0.95) for times in cell.times.values()), default=0.0),
        "restarts": cell.restarts,
        "dead": cell.dead,
        "stuck": cell.stuck,
        "current": type(current.message).__name__ if current is not None else None,
        "tracing": cell.trace is not None,
    }
