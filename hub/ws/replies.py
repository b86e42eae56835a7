"""The frames of the hub, as docs and clients know them; a name that Python keeps for itself ends in an underscore here.

What is written on the fast path is made by hand; tests hold it against these.
"""

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """Bytes of a client's frame, subscriptions of a socket, frames a second."""

    frame: int
    subscriptions: int
    rate: float


@attrs.frozen(kw_only=True)
class Welcome:
    """First frame: what the hub's log calls this socket, seconds between heartbeats, when the token ends (UNIX s), what a client may do."""

    request: str
    ping: float
    expires: float
    limits: Limits


@attrs.frozen(kw_only=True)
class Ok:
    """What was sent with this id has been done. `sub` is told the position, `ask` status and body, `auth` the token's end."""

    id: int
    ch: str | None = None
    epoch: str | None = None
    offset: int | None = None
    recovered: bool | None = None
    expires: float | None = None
    status: int | None = None
    etag: str | None = None
    location: str | None = None
    body: Any = None


@attrs.frozen(kw_only=True)
class ErrorBody:
    """As in a problem document; *retry_ms* is how long to wait before trying again."""

    code: str
    status: int
    detail: str
    errors: tuple[Mapping[str, Any], ...]
    retryable: bool
    retry_ms: int | None


@attrs.frozen(kw_only=True)
class Error:
    """What was asked was refused; *id* is null where the frame had none. With *ch* a subscription has ended by it."""

    id: int | None
    error: ErrorBody
    ch: str | None = None


@attrs.frozen(kw_only=True)
class Snapshot:
    """The state of a channel at a position; a long list comes in parts, the one with *last* ends it."""

    ch: str
    epoch: str
    offset: int
    part: int
    last: bool
    data: Any


@attrs.frozen(kw_only=True)
class Events:
    """The items from one offset to another, both included; fewer where a filter or conflation leaves some out."""

    ch: str
    epoch: str
    from_: int
    to: int
    items: tuple[Any, ...]


@attrs.frozen(kw_only=True)
class Lag:
    """The client was behind: so many items were spared it, of each key the newest comes."""

    ch: str
    conflated: int


@attrs.frozen(kw_only=True)
class Resync:
    """What was received of this channel no longer connects with what follows: `restarted` or `overrun`."""

    ch: str
    reason: str


@attrs.frozen(kw_only=True)
class Ping:
    """Answer with `pong`, or anything else, before the next one."""


@attrs.frozen(kw_only=True)
class Expiring:
    """The token ends in so many seconds."""

    in_: float


@attrs.frozen(kw_only=True)
class Bye:
    """The socket is about to be closed with this code; come back after *retry_ms*, where it is not null."""

    code: int
    retry_ms: int | None


REPLIES: Mapping[str, type] = {
    "welcome": Welcome,
    "ok": Ok,
    "snapshot": Snapshot,
    "events": Events,
    "lag": Lag,
    "resync": Resync,
    "error": Error,
    "ping": Ping,
    "expiring": Expiring,
    "bye": Bye,
}
