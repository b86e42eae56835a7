"""What channels push into outlets: encoded messages that many clients share."""

from collections.abc import Mapping
from typing import Any

import orjson


class Frame:
    """One or several encoded messages in order, for everybody they go to the same object.

    *channel*, *epoch*, *first* and *last* tell which part of a channel they are; a frame with a channel may be refused by an
    outlet, one without (an answer, a snapshot) may not. *wire* and *deflated* belong to the door: what it makes of the payloads once.
    """

    __slots__ = ("channel", "deflated", "epoch", "first", "last", "payloads", "size", "wire")

    def __init__(self, *payloads: bytes, channel: str | None = None, epoch: str = "", first: int = 0, last: int = 0) -> None:
        self.payloads = payloads
        self.size = sum(map(len, payloads))
        self.channel = channel
        self.epoch = epoch
        self.first = first
        self.last = last
        self.wire: bytes | None = None
        self.deflated: bytes | None = None

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Frame":
        """Return one message for one client."""
        return cls(orjson.dumps(message))
