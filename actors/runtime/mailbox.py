"""The bounded user lane of a mailbox and what happens when it is full."""

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from enum import StrEnum
from typing import Any

import attrs

from actors.runtime.envelope import Envelope
from actors.runtime.messages import Message


class Overflow(StrEnum):
    """What a full mailbox does with one more message."""

    REJECT = "reject"
    """tell returns False, ask raises MailboxFull"""
    BLOCK = "block"
    """ask waits in line for room until its deadline; tell returns False"""
    DROP_OLDEST = "drop-oldest"
    """for lossy types: the oldest queued message of the type makes room"""


@attrs.frozen
class Conflate:
    """For lossy types: of messages told with the same key only the newest is kept, in the place of the first."""

    key: Callable[[Any], Hashable]


@attrs.frozen(kw_only=True)
class Mailbox:
    """How an actor declares its user lane. *lossy* message types are those of which some may be lost."""

    capacity: int = 1024
    overflow: Overflow = Overflow.REJECT
    lossy: Mapping[type[Message], Overflow | Conflate] = attrs.field(factory=dict)


class UserLane:
    """A bounded FIFO of envelopes. It decides alone what gives way; the cell does the counting."""

    __slots__ = ("_conflated", "_spec", "blocked", "high_water", "queue", "room", "take")

    def __init__(self, spec: Mailbox) -> None:
        self._spec = spec
        self.queue: deque[Envelope] = deque()
        self.blocked: deque[Envelope] | None = None
        """asks that wait in line for room (`BLOCK`); the mailbox is full as long as there is one"""
        self.high_water = 0
        self._conflated: dict[tuple[type[Message], Hashable], Envelope] | None = None
        self.room = 0 if spec.lossy else spec.capacity
        """below this length any message may simply be appended; otherwise `put` decides"""
        plain = not spec.lossy and spec.overflow is not Overflow.BLOCK
        self.take: Callable[[], Envelope] = self.queue.popleft if plain else self._take
        """returns the oldest envelope"""

    def __len__(self) -> int:
        return len(self.queue) + len(self.blocked or ())

    def put(self, envelope: Envelope) -> str | None:
        """Take the envelope in. Return None, or why a message was lost for it: `full` (this one), `oldest`, `conflated`."""
        queue, capacity, lost = self.queue, self._spec.capacity, None
        policy = self._spec.lossy.get(type(envelope.message))
        if isinstance(policy, Conflate) and self._conflate(envelope, policy):
            return "conflated"
        if policy is Overflow.DROP_OLDEST and len(queue) >= capacity and self._drop_oldest(type(envelope.message)):
            lost = "oldest"
        if len(queue) >= capacity:
            if self._spec.overflow is not Overflow.BLOCK or envelope.reply is None:
                return "full"
            self.blocked = self.blocked or deque()
            self.blocked.append(envelope)
            return lost
        queue.append(envelope)
        self.high_water = max(self.high_water, len(queue))
        return lost

    def force(self, envelope: Envelope, *, front: bool = False) -> None:
        """Take the envelope in whatever the capacity says: what was let in once, and Terminated, is never lost."""
        if front:
            self.queue.appendleft(envelope)
        else:
            self.queue.append(envelope)

    def _take(self) -> Envelope:
        envelope = self.queue.popleft()
        if self._conflated:
            kind = type(envelope.message)
            policy = self._spec.lossy.get(kind)
            if isinstance(policy, Conflate):
                key = kind, policy.key(envelope.message)
                if self._conflated.get(key) is envelope:
                    del self._conflated[key]
        while self.blocked and len(self.queue) < self._spec.capacity:
            self.queue.append(self.blocked.popleft())
        return envelope

    def _conflate(self, envelope: Envelope, policy: Conflate) -> bool:
        if envelope.reply is not None:  # somebody waits for the answer to this very message
            return False
        if self._conflated is None:
            self._conflated = {}
        key = type(envelope.message), policy.key(envelope.message)
        queued = self._conflated.get(key)
        if queued is not None:
            queued.message, queued.sender, queued.mark = envelope.message, envelope.sender, envelope.mark
            return True
        if len(self.queue) < self._spec.capacity:
            self._conflated[key] = envelope
        return False

    def _drop_oldest(self, kind: type[Message]) -> bool:
        for i, queued in enumerate(self.queue):
            if type(queued.message) is kind and queued.reply is None:
                del self.queue[i]
                return True
        return False
