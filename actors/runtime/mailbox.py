"""The bounded user lane of a mailbox and what happens when it is full."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from enum import StrEnum
from time import perf_counter
from typing import Any

import attrs

from actors.runtime.messages import Message


class Overflow(StrEnum):
    """What a full mailbox does with one more message."""

    REJECT = "reject"
    """tell returns False, ask raises MailboxFull"""
    BLOCK = "block"
    """ask waits for room until its deadline; tell returns False"""
    DROP_OLDEST = "drop-oldest"
    """for lossy types: the oldest queued message of the type makes room"""


@attrs.frozen
class Conflate:
    """For lossy types: of messages with the same key only the newest is kept, in the place of the first."""

    key: Callable[[Any], Hashable]


@attrs.frozen(kw_only=True)
class Mailbox:
    """How an actor declares its user lane. *lossy* message types are those of which some may be lost."""

    capacity: int = 1024
    overflow: Overflow = Overflow.REJECT
    lossy: Mapping[type[Message], Overflow | Conflate] = attrs.field(factory=dict)


class Envelope:
    """A message on its way. Private to the runtime."""

    __slots__ = ("deadline", "deferred", "enqueued", "message", "reply", "sender", "stashed", "timer")

    def __init__(self, message: Message, sender: str, reply: "asyncio.Future[Any] | None", deadline: float) -> None:
        self.message = message
        self.sender = sender
        self.reply = reply
        self.deadline = deadline
        self.enqueued = perf_counter()
        self.deferred = False  # a job will answer
        self.stashed = False  # set aside; it will be handled again
        self.timer: tuple[Hashable, int] | None = None

    def answer(self, result: object) -> bool:
        """Give the asker the result; False when nobody waits for it any more."""
        if self.reply is None:
            return True
        if self.reply.done():
            return False
        self.reply.set_result(result)
        return True

    def fail(self, error: BaseException) -> bool:
        """Give the asker the error; False when nobody waits for it any more."""
        if self.reply is None:
            return True
        if self.reply.done():
            return False
        self.reply.set_exception(error)
        return True


class UserLane:
    """A bounded FIFO of envelopes. It decides alone what gives way; the cell does the counting."""

    __slots__ = ("_conflated", "_spec", "_waiters", "high_water", "queue")

    def __init__(self, spec: Mailbox) -> None:
        self._spec = spec
        self.queue: deque[Envelope] = deque()
        self.high_water = 0
        self._conflated: dict[tuple[type[Message], Hashable], Envelope] | None = None
        self._waiters: deque[asyncio.Future[None]] | None = None

    @property
    def full(self) -> bool:
        return len(self.queue) >= self._spec.capacity

    def put(self, envelope: Envelope) -> str | None:
        """Take the envelope in. Return None, or why a message was lost for it: `full` (this one), `oldest`, `conflated`."""
        queue = self.queue
        lost = None
        if self._spec.lossy:
            policy = self._spec.lossy.get(type(envelope.message))
            if isinstance(policy, Conflate) and self._conflate(envelope, policy):
                return "conflated"
            if policy is Overflow.DROP_OLDEST and len(queue) >= self._spec.capacity and self._drop_oldest(type(envelope.message)):
                lost = "oldest"
        size = len(queue)
        if size >= self._spec.capacity:
            return "full"
        queue.append(envelope)
        if size >= self.high_water:
            self.high_water = size + 1
        return lost

    def force(self, envelope: Envelope, *, front: bool = False) -> None:
        """Take the envelope in whatever the capacity says: what was let in once, and Terminated, is never lost."""
        if front:
            self.queue.appendleft(envelope)
        else:
            self.queue.append(envelope)

    def take(self) -> Envelope:
        """Return the oldest envelope."""
        envelope = self.queue.popleft()
        if self._conflated:
            policy = self._spec.lossy.get(type(envelope.message))
            if isinstance(policy, Conflate):
                self._conflated.pop((type(envelope.message), policy.key(envelope.message)), None)
        if self._waiters:
            self._wake_one()
        return envelope

    async def room(self) -> None:
        """Wait until there may be room (`BLOCK`)."""
        if self._waiters is None:
            self._waiters = deque()
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake_one()  # the room was ours; pass it on
            raise

    def wake_all(self) -> None:
        """Let everybody who waits for room look again (the mailbox closes)."""
        while self._waiters:
            self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _conflate(self, envelope: Envelope, policy: Conflate) -> bool:
        if self._conflated is None:
            self._conflated = {}
        key = type(envelope.message), policy.key(envelope.message)
        queued = self._conflated.get(key)
        if queued is not None and envelope.reply is None:
            queued.message = envelope.message
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
