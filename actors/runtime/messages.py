"""What travels between actors: plain attrs values, nothing live inside."""

from typing import Generic, TypeVar

import attrs

R = TypeVar("R", covariant=True)


@attrs.frozen(kw_only=True)
class Message:
    """Anything that may be told."""


@attrs.frozen(kw_only=True)
class Request(Message, Generic[R]):
    """A message that is answered: asking it returns an R."""


@attrs.frozen(kw_only=True)
class Terminated(Message):
    """The watched actor at *path* has stopped for good. It comes after everything that actor sent."""

    path: str


@attrs.frozen(kw_only=True)
class Started(Message):
    """What one who spawns waits for: the child's on_start. Seen in the wait-for graph only."""


@attrs.frozen(kw_only=True)
class Stopped(Message):
    """What one who stops an actor waits for. Seen in the wait-for graph only."""
