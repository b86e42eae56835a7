"""The frames a client may send, the channels there are, and how errors look in a frame."""

from collections.abc import Mapping

import attrs

from actors.channels import Filter
from hub.codec import decode, encode
from hub.operations import Access
from hub.problems import STATUS
from paranet.codec import structure
from paranet.errors import InvalidInput, NotFound, ParaNetError

SUBPROTOCOL = "paranet.v1.json"
RETRYABLE = (429, 502, 503, 504)


@attrs.frozen(kw_only=True)
class Hello:
    """First frame on /ws when the upgrade carried no token."""

    token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class FilterBody:
    """Which nodes and metrics are wanted; left out or empty means all."""

    nodes: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    def value(self) -> Filter:
        """Return it as channels take it."""
        return Filter(nodes=frozenset(self.nodes), metrics=frozenset(self.metrics))


@attrs.frozen(kw_only=True)
class Sub:
    """Subscribe to a channel; *since* is a position `epoch:offset` to resume from."""

    id: int
    ch: str
    since: str | None = None
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
class Pong:
    """Answer to ping."""


Frame = Hello | Sub | Unsub | Auth | Pong
FRAMES: Mapping[str, type[Frame]] = {"hello": Hello, "sub": Sub, "unsub": Unsub, "auth": Auth, "pong": Pong}


@attrs.frozen(kw_only=True)
class ChannelRoute:
    """Who writes a channel and which role may read it."""

    owner: str
    access: Access


_CHANNELS: Mapping[str, ChannelRoute] = {
    "topology": ChannelRoute(owner="topology", access=Access.VIEWER),
    "telemetry": ChannelRoute(owner="telemetry", access=Access.VIEWER),
    "actors": ChannelRoute(owner="overseer", access=Access.OPERATOR),
    "deployments": ChannelRoute(owner="deployer", access=Access.OPERATOR),
    "deploy/": ChannelRoute(owner="deployer", access=Access.OPERATOR),
}
"""by name, or by prefix where the name ends in a slash"""


def channel_route(name: str) -> ChannelRoute:
    """Return the route of a channel. Raise NotFound."""
    route = _CHANNELS.get(name) or _CHANNELS.get(name.partition("/")[0] + "/")
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


def error_frame(error: ParaNetError, reply_to: int | None) -> bytes:
    """Return the error as a frame, with the same code as over REST."""
    retry = error.extra.get("retry_after")
    body = {
        "code": error.code,
        "detail": error.detail,
        "errors": error.errors,
        "retryable": STATUS[type(error)] in RETRYABLE,
        "retry_ms": int(float(str(retry)) * 1000) if retry is not None else None,
    }
    return encode({"type": "error", "id": reply_to, "error": body})
