"""The frames a client may send, the channels there are, and how errors look in a frame."""

from collections.abc import Mapping
from typing import Any

import attrs

from actors.channels import EVERYTHING, Filter
from actors.frames import Frame as Message
from hub.codec import decode, encode
from hub.operations import Access
from hub.problems import STATUS
from paranet.codec import structure
from paranet.errors import InvalidInput, NotFound, ParaNetError
from paranet.metrics.labels import LABEL_NAME
from paranet.models.units import Seconds

SUBPROTOCOL = "paranet.v1.json"
SHORTEST, LONGEST = 0.05, 3600.0
"""seconds between two frames that a filter may ask for"""
RETRYABLE = (429, 502, 503, 504)


@attrs.frozen(kw_only=True)
class Hello:
    """First frame on /ws when the upgrade carried no token."""

    token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class FilterBody:
    """Which nodes and metrics are wanted, and which labels (`name=value`); left out or empty means all.

    *interval*: the newest of each series, at most once in that time. *changes*: only values that are others than before.
    """

    nodes: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    interval: Seconds = attrs.field(default=Seconds(0.0))
    changes: bool = False

    def value(self) -> Filter:
        """Return it as channels take it. Raise InvalidInput."""
        if self.interval and not SHORTEST <= self.interval <= LONGEST:
            raise InvalidInput(f"filter.interval: must be from {SHORTEST:g} to {LONGEST:g} s, not {self.interval:g}")
        if not (self.nodes or self.metrics or self.labels or self.interval or self.changes):
            return EVERYTHING
        for label in self.labels:
            if LABEL_NAME.fullmatch(label.partition("=")[0]) is None or "=" not in label:
                raise InvalidInput(f"filter.labels: must be name=value, not {label[:60]!r}")
        nodes, metrics, labels = map(frozenset, (self.nodes, self.metrics, self.labels))
        return Filter(nodes=nodes, metrics=metrics, labels=labels, interval=self.interval, changes=self.changes)


@attrs.frozen(kw_only=True)
class Sub:
    """Subscribe to a channel. *since* is a position `epoch:offset` to resume from, *credit* the bytes that are welcome for now."""

    id: int
    ch: str
    since: str | None = None
    credit: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.gt(0)))
    filter: FilterBody = attrs.field(factory=FilterBody)


@attrs.frozen(kw_only=True)
class Unsub:
    """End a subscription."""

    id: int
    ch: str


@attrs.frozen(kw_only=True)
class Auth:
    """Go on with a newer token."""

    id: int
    token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Ask:
    """Have an operation done as over REST. *method* is its name; *params* hold what its path and query need, its `body`, and headers."""

    id: int
    method: str
    params: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Ack:
    """Everything of the channel up to *offset* has been processed; what it was credited for may be sent again."""

    ch: str
    offset: int = attrs.field(validator=attrs.validators.ge(0))
    id: int | None = None


@attrs.frozen(kw_only=True)
class Grant:
    """So many more bytes of the channel are welcome; from the first on its events come only for credit."""

    ch: str
    bytes: int = attrs.field(validator=attrs.validators.gt(0))
    id: int | None = None


@attrs.frozen(kw_only=True)
class Pong:
    """Answer to ping."""


Frame = Hello | Sub | Unsub | Ask | Ack | Grant | Auth | Pong
FRAMES: Mapping[str, type[Frame]] = {
    "hello": Hello,
    "sub": Sub,
    "unsub": Unsub,
    "ask": Ask,
    "ack": Ack,
    "credit": Grant,
    "auth": Auth,
    "pong": Pong,
}


@attrs.frozen(kw_only=True)
class ChannelRoute:
    """Who writes a channel, which role may read it, and the area of the API it belongs to, for scopes of machines' tokens."""

    owner: str
    access: Access
    area: str

    @property
    def scopes(self) -> frozenset[str]:
        """Scopes of which a machine's token needs one."""
        return frozenset({"*", "read", self.area, f"{self.area}:read"})


CHANNELS: Mapping[str, ChannelRoute] = {
    "topology": ChannelRoute(owner="topology", access=Access.VIEWER, area="topology"),
    "telemetry": ChannelRoute(owner="telemetry", access=Access.VIEWER, area="monitor"),
    "alerts": ChannelRoute(owner="alerts", access=Access.VIEWER, area="alerts"),
    "log": ChannelRoute(owner="syslog", access=Access.OPERATOR, area="logs"),
    "actors": ChannelRoute(owner="overseer", access=Access.OPERATOR, area="system"),
    "chat/": ChannelRoute(owner="chat", access=Access.VIEWER, area="chat"),
    "deployments": ChannelRoute(owner="deployer", access=Access.OPERATOR, area="deploy"),
    "deploy/": ChannelRoute(owner="deployer", access=Access.OPERATOR, area="deploy"),
}
"""by name, or by prefix where the name ends in a slash"""


def channel_route(name: str) -> ChannelRoute:
    """Return the route of a channel. Raise NotFound."""
    route = CHANNELS.get(name) or CHANNELS.get(name.partition("/")[0] + "/")
    if route is None or name.endswith("/"):
        raise NotFound(f"there is no channel {name[:60]!r}")
    return route


def parse(text: str) -> Frame:
    """Return a client's frame. Raise InvalidInput."""
    body = decode(text)
    if not isinstance(body, dict):
        raise InvalidInput("a frame is a JSON object")
    kind = body.pop("type", None)
    cls = FRAMES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise InvalidInput(f"type: must be one of {', '.join(FRAMES)}")
    return structure(body, cls)


def frame_id(text: str) -> int | None:
    """Return the id of a frame that could not be taken, for the error frame to name."""
    try:
        body = decode(text)
    except InvalidInput:
        return None
    found = body.get("id") if isinstance(body, dict) else None
    return found if type(found) is int else None


def error_frame(error: ParaNetError, reply_to: int | None, *, channel: str | None = None) -> Message:
    """Return the error as a frame, with the same code and status as over REST. *channel* is one that ends by it."""
    retry = error.extra.get("retry_after")
    body = {
        **error.extra,
        "code": error.code,
        "status": STATUS[type(error)],
        "detail": error.detail,
        "errors": error.errors,
        "retryable": STATUS[type(error)] in RETRYABLE,
        "retry_ms": int(float(str(retry)) * 1000) if retry is not None else None,
    }
    frame = {"type": "error", "id": reply_to, "error": body}
    return Message(encode(frame if channel is None else {**frame, "ch": channel}))
