"""What operators ask of the door, and what sockets tell their sessions."""

from collections.abc import Mapping

import attrs

from actors.runtime import Message, Request


@attrs.frozen(kw_only=True)
class ClientInfo:
    """A client as operators see it: *age* in s, *backlog* in bytes, *conflated* items it was spared; positions it has acknowledged."""

    id: str
    user: str
    role: str
    address: str
    age: float
    subscriptions: tuple[str, ...]
    backlog: int
    conflated: int
    lagging: tuple[str, ...]
    acknowledged: Mapping[str, int]
    frames_sent: int


@attrs.frozen(kw_only=True)
class GetClients(Request[tuple[ClientInfo, ...]]):
    """Return who is connected, oldest first."""


@attrs.frozen(kw_only=True)
class Kick(Request[None]):
    """Close a client's socket for good (4503). Raise NotFound."""

    id: str


@attrs.frozen(kw_only=True)
class SendAway(Request[int]):
    """Ask all clients to come back later, in batches, each at a moment of its own; returns how many there were."""


@attrs.frozen(kw_only=True)
class Received(Message):
    """A text frame came in. The next comes when the session listens again."""

    text: str
