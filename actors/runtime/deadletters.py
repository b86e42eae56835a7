"""The ring of messages that nobody processed, with the reason, for operators to read and replay."""

from collections import deque
from collections.abc import Callable
from itertools import islice

import attrs

from actors.runtime.messages import Message, Terminated


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
    replayed: bool = False

    @property
    def replayable(self) -> bool:
        """Whether telling it again makes sense: once, and not what only the runtime may say."""
        return not self.replayed and not isinstance(self.message, Terminated)


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
        index = self._index(letter_id)
        return self._ring[index] if index is not None else None

    def mark_replayed(self, letter_id: int) -> None:
        """Note that the letter's message was told again."""
        index = self._index(letter_id)
        if index is not None:
            self._ring[index] = attrs.evolve(self._ring[index], replayed=True)

    def _index(self, letter_id: int) -> int | None:
        index = letter_id - (self.total - len(self._ring)) - 1
        return index if 0 <= index < len(self._ring) else None
