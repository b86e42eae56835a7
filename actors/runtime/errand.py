"""What messages are sent for in the end: requests from outside, and who follows them through the actors."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import asyncio


class Errand(NamedTuple):
    """What a message is sent for in the end: the id of a request from outside, and the span of its trace where there is one."""

    request: str
    span: object = None


errand: ContextVar[Errand | None] = ContextVar("errand", default=None)
"""of code that is no actor's; an actor's errand is that of the message it is at"""


class Tracer(Protocol):
    """Somebody who notes what an errand that has a span asks and tells, and how long it waits for answers."""

    def asked(self, on: Errand, path: str, message: object) -> "tuple[Errand, Callable[[asyncio.Future[Any]], None]]":
        """Return the errand that the actor at *path* is on while it answers, and whom to show the reply when the asker goes on."""

    def told(self, on: Errand, path: str, message: object) -> Errand:
        """Return the errand that the actor at *path* is on while it does what nobody waits for."""
