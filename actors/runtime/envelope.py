"""A message on its way. Private to the runtime."""

import asyncio
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from actors.runtime.errand import errand
from actors.runtime.messages import Message

if TYPE_CHECKING:
    from actors.runtime.frames import Frame

FOREVER = float("inf")


class Stamp:
    """By whose leave a message was sent: a timer, a watch, a job. Once withdrawn, what was sent by it is not handled any more."""

    __slots__ = ("valid",)

    def __init__(self) -> None:
        self.valid = True

    def spend(self) -> bool:
        """Tell, as its message comes to be handled, whether it still is to be."""
        return self.valid


class _Mark:
    __slots__ = ()


DEFERRED: Final = _Mark()
"""a job will answer"""
STASHED: Final = _Mark()
"""set aside; it will be handled again"""


class Envelope:
    """The message, who sent it, who waits for its answer and until when (loop time). *enqueued* is perf_counter_ns."""

    __slots__ = ("deadline", "enqueued", "errand", "mark", "message", "reply", "sender")

    def __init__(
        self,
        message: Message,
        sender: "Frame | None",
        reply: "asyncio.Future[Any] | None" = None,
        deadline: float = FOREVER,
        mark: "Stamp | _Mark | None" = None,
    ) -> None:
        self.message = message
        self.sender = sender
        self.reply = reply
        self.deadline = deadline
        self.mark = mark
        self.errand = errand.get() if sender is None else sender.errand
        self.enqueued = perf_counter_ns()

    @property
    def sender_path(self) -> str:
        """The sender's path; empty for one outside the system."""
        return self.sender.path if self.sender is not None else ""

    @property
    def answered(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.reply is not None and self.reply.done()

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
