"""Subscribers that keep what was pushed to them, and an actor that sees others end."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import attrs
import orjson

from actors.channels import Channel, Position, Snapshot, Subscribe, Subscribed
from actors.frames import Frame
from actors.runtime import Actor, Request, Terminated, handles

WITHIN = 10.0
"""seconds after which a test gives up waiting; nothing takes that long"""


class Recorder:
    """An outlet that remembers its frames as bytes."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self._arrived = asyncio.Event()

    def push(self, frame: Frame) -> bool:
        self.raw.extend(frame.payloads)
        self._arrived.set()
        return True

    @property
    def frames(self) -> list[dict[str, Any]]:
        """Everything pushed so far, read."""
        return [orjson.loads(frame) for frame in self.raw]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The frames of one type."""
        return [frame for frame in self.frames if frame["type"] == kind]

    @property
    def items(self) -> list[Any]:
        """The items of all event frames, in order."""
        return [item for frame in self.of("events") for item in frame["items"]]

    async def until(self, seen: Callable[["Recorder"], object]) -> None:
        """Wait until *seen* of what was pushed."""
        async with asyncio.timeout(WITHIN):
            while not seen(self):
                self._arrived.clear()
                await self._arrived.wait()


class Choosy(Recorder):
    """A subscriber that refuses events while it has no room."""

    def __init__(self) -> None:
        super().__init__()
        self.room = True
        self.refused_at: Position | None = None

    def push(self, frame: Frame) -> bool:
        if frame.channel is not None and not self.room:
            self.refused_at = self.refused_at or Position(epoch=frame.epoch, offset=frame.first - 1)
            return False
        return super().push(frame)

    def go_on(self, channel: Channel, path: str, snapshot: Snapshot | None) -> Subscribed:
        """Have room again, and subscribe from where it refused."""
        self.room, since, self.refused_at = True, self.refused_at, None
        return channel.attach(Subscribe(channel=channel.name, subscriber=path, reply_to=None, since=since), snapshot)


@attrs.frozen(kw_only=True)
class Look(Request[None]):
    """Watch the actor at *path*."""

    path: str


class Witness(Actor):
    """Sees actors end. *gone* is shared with the test."""

    def __init__(self, gone: dict[str, asyncio.Event]) -> None:
        self._gone = gone

    @handles
    async def look(self, message: Look) -> None:
        self._gone[message.path] = asyncio.Event()
        self.watch(self.system.ref(message.path))

    @handles
    async def terminated(self, message: Terminated) -> None:
        self._gone[message.path].set()


def continuous(events: Sequence[dict[str, Any]]) -> bool:
    """Tell whether the event frames follow each other without a gap and without an overlap."""
    return all(after["from"] == before["to"] + 1 for before, after in pairwise(events))
