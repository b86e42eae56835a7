"""Server-sent events as models' endpoints write them: bytes in, the JSON objects of their `data` lines out."""

from collections.abc import Iterator
from typing import Any

import orjson

MAX_LINE = 1_000_000
"""bytes of a line that has not ended"""


class Unreadable(ValueError):
    """What came is no stream of events."""


class Events:
    """Cuts a stream into events. What a read of the socket brings may end in the middle of a line.

    Making objects of the client's classes of them would cost more than all the rest of a token's way.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[dict[str, Any]]:
        """Yield the events that *piece* completes. Raise Unreadable."""
        lines = (self._rest + piece).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        if len(self._rest) > MAX_LINE:
            raise Unreadable(f"a line of more than {MAX_LINE} bytes")
        for line in lines:
            field, _, text = line.partition(b":")
            if field == b"data" and (text := text.strip()) and text != b"[DONE]":
                yield _event(text)

    def end(self) -> Iterator[dict[str, Any]]:
        """Yield what stands in a last line that nobody has ended."""
        return self.feed(b"\n")


def _event(text: bytes) -> dict[str, Any]:
    event = orjson.loads(text)
    if not isinstance(event, dict):
        raise Unreadable(f"an event that is no object: {text[:60]!r}")
    if event.get("error"):
        raise Unreadable(f"it says: {str(event['error'])[:200]}")
    return event
