"""Gatherer: makes few messages of the many pieces of an answer, and lets none of them wait for long."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

COALESCE = 0.03
"""seconds that pieces of an answer are gathered before they are published; the first piece never waits"""

Event = Mapping[str, Any]


class Gatherer:
    """Publishes the first piece at once, then what came within COALESCE; other events come after what was said before them.

    *tell* takes an event, or refuses it: it is told again a COALESCE later, with what has come meanwhile. *ask* returns once one is taken.
    """

    def __init__(self, tell: Callable[[Event], bool], ask: Callable[[Event], Awaitable[None]]) -> None:
        self._tell = tell
        self._ask = ask
        self._pieces: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    async def emit(self, event: Event) -> None:
        """Take one event of the answer."""
        if event["kind"] == "delta":
            self._pieces.append(event["text"])
            if self._timer is None:
                self.flush()
            return
        if self._pieces:
            await self._ask(self._gathered())
            self._pieces.clear()
        await self._ask(event)

    def flush(self) -> None:
        """Publish what is gathered. Until a COALESCE has passed without any piece, what comes waits for its end."""
        self.close()
        if self._pieces:
            if self._tell(self._gathered()):
                self._pieces.clear()
            self._timer = asyncio.get_running_loop().call_later(COALESCE, self.flush)

    def close(self) -> None:
        """Publish nothing more by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _gathered(self) -> Event:
        return {"kind": "delta", "text": "".join(self._pieces)}
