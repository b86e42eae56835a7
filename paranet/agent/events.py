"""Server-sent events as models' endpoints write them: bytes in, the JSON objects of their `data` lines out."""

from typing import Any

import orjson

MAX_LINE = 1_000_000
"""bytes of a line that has not ended"""


class Unreadable(ValueError):
    """What came is no stream of events."""


class Events:
    """Cuts a stream into events. What a read of the socket brings may end in the middle of a line; a line that never ends is no event.

    Making objects of the client's classes of them would cost more than all the rest of a token's way.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[dict[str, Any]]:
        """Return the events that *piece* completes. Raise Unreadable."""
        lines = (self._rest + piece).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        if len(self._rest) > MAX_LINE:
            raise Unreadable(f"a line of more than {MAX_LINE} bytes")
        data = [line[5:].strip() for line in lines if line.startswith(b"data:")]
        return [_event(text) for text in data if text and text != b"[DONE]"]


def _event(text: bytes) -> dict[str, Any]:
    event = orjson.loads(text)
    if not isinstance(event, dict):
        raise Unreadable(f"an event that is no object: {text[:60]!r}")
    if event.get("error"):
        raise Unreadable(f"it says: {str(event['error'])[:200]}")
    return event
