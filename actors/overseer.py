"""Overseer: shows the actors on channel `actors`: once a second the ones whose figures changed, keyed by path."""

from collections.abc import Mapping
from typing import Any

import attrs

from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.ids import epoch
from actors.runtime import Actor, Message, handles
from actors.runtime.inspect import tree
from actors.runtime.stats import ActorInfo

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
        self._channel = Channel("actors", self._outlets, epoch=epoch())
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
        return {info.path: summary(info) for info in tree(self.system)}

    def _snapshot(self) -> list[dict[str, Any]]:
        return list(self._figures().values())


def summary(info: ActorInfo) -> dict[str, Any]:
    """Return what a tree of actors shows of each: figures that stand still while the actor is idle."""
    handle = [latency["handle"] for latency in info.times.values()]
    return {
        "path": info.path,
        "type": info.type,
        "parent": info.parent,
        "status": info.status,
        "generation": info.generation,
        "queued": info.mailbox.length,
        "capacity": info.mailbox.capacity,
        "dropped": sum(info.mailbox.dropped.values()),
        "processed": info.processed,
        "rate": round(info.rate, 1),
        "handle_p95": max((latency.p95 for latency in handle), default=0.0),
        "restarts": info.restarts,
        "dead": info.dead,
        "stuck": info.stuck,
        "current": info.current,
        "tracing": info.tracing,
    }
