"""The ring of messages that nobody processed, with the reason, for operators to read and replay."""

from collections import deque
from collections.abc import Callable
from itertools import islice

import attrs

from actors.runtime.messages import Message


@attrs.frozen(kw_only=True)
class DeadLetter:
    """*at* is UNIX time in s; *reason* is one of no-actor, full, stopped, drained, unhandled, poison."""

    id: int
    at: float
    to: str
    sender: str
    reason: str
    type: str
    message: Message
    error: str | None = None


class DeadLetters:
    """Keeps the newest *capacity* letters, counts all of them."""

    def __init__(self, now: Callable[[], float], capacity: int = 1000) -> None:
        self._now = now
        self._ring: deque[DeadLetter] = deque(maxlen=capacity)
        self.total = 0
        self.by_reason: dict[str, int] = {}

    def add(self, to: str, message: Message, reason: str, sender: str = "", error: str | None = None) -> None:
        """File one letter."""
        self.total += 1
        self.by_reason[reason] = self.by_reason.get(reason, 0) + 1
        letter = DeadLetter(
            id=self.total, at=self._now(), to=to, sender=sender, reason=reason, type=type(message).__name__, message=message, error=error
        )
        self._ring.append(letter)

    def newest(self, limit: int = 100) -> list[DeadLetter]:
        """Return letters, newest first."""
        return list(islice(reversed(self._ring), limit))

    def get(self, letter_id: int) -> DeadLetter | None:
        """Return one letter while the ring still holds it."""
        return next((letter for letter in self._ring if letter.id == letter_id), None)
