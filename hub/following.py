"""The events of one answer, for clients that hold no socket: an outlet of its own on the channel of the conversation."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import orjson

from actors.channels import Subscribe
from actors.frames import Frame
from actors.talk import Begun

if TYPE_CHECKING:
    from hub.house import House

ASK = 15.0
BACKLOG = 5000
"""frames that may wait for a client; above it the stream ends"""
_numbers = itertools.count(1)


class _Feed:
    """An outlet that is read from one end."""

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self.ready = asyncio.Event()
        self.overrun = False

    def push(self, frame: Frame) -> bool:
        """Take a frame."""
        self.overrun = self.overrun or len(self.frames) >= BACKLOG
        if not self.overrun:
            self.frames.extend(frame.payloads)
        self.ready.set()
        return not self.overrun


async def follow(house: "House", begun: Begun, reader: str) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the events of one answer to the user *reader*, to `done` or `error`; what was published before comes first."""
    feed, path = _Feed(), f"rest/{next(_numbers)}"
    house.outlets.add(path, feed)
    try:
        request = Subscribe(channel=f"chat/{begun.conversation_id}", subscriber=path, reply_to=0, reader=reader)
        await house.system.ref("chat").ask(request, timeout=ASK)
        while not feed.overrun:
            while feed.frames:
                for event in _events(orjson.loads(feed.frames.popleft()), begun.turn):
                    yield event
                    if event["kind"] in ("done", "error"):
                        return
            feed.ready.clear()
            await feed.ready.wait()
    finally:
        house.outlets.remove(path)


def _events(frame: dict[str, Any], turn: int) -> list[dict[str, Any]]:
    """Return the events of the turn that a frame carries."""
    if frame["type"] == "events":
        return [item for item in frame["items"] if item["turn"] == turn]
    if frame["type"] != "snapshot":
        return []
    state = frame["data"]
    later = [m for m in state["messages"] if m["seq"] == turn + 1]
    if later:
        return [{"kind": "done", "turn": turn, "reply": later[0]["text"], **later[0]["body"]}]
    return [{"kind": "delta", "turn": turn, "text": state["so_far"]}] if state["so_far"] else []
