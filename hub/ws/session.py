"""WsSession: one client: who it is, what it has subscribed to, whether it is still there."""

import logging
from collections.abc import Mapping
from functools import singledispatchmethod

import attrs
import orjson

from actors.accounts import Role
from actors.channels import Filter, Outlets, Position, Subscribe, Unsubscribe
from actors.runtime import Actor, Mailbox, Message, Overflow, Request, handles
from hub.auth import Caller, Tokens
from hub.settings import Realtime
from hub.ws.closecodes import CloseCode
from hub.ws.outbox import Outbox
from hub.ws.protocol import Auth, Frame, Hello, Pong, Sub, Unsub, channel_route, error_frame, frame_id, parse
from paranet.errors import Forbidden, InvalidInput, ParaNetError, Unauthenticated

log = logging.getLogger(__name__)

ASK = 15.0
EXPIRY_NOTICE = 60.0
"""seconds before a token expires that the client is told; half its time for short ones"""

RETRY = (0.5, 5.0)
"""seconds after which clients are asked to come back: spread, so that they do not come all at once"""


@attrs.frozen(kw_only=True)
class Received(Request[None]):
    """A text frame came in; the answer means the next may come."""

    text: str


@attrs.frozen(kw_only=True)
class Beat(Message):
    """Time to see whether the client is still there and still allowed in."""


@attrs.frozen(kw_only=True)
class Expiring(Message):
    """The token ends soon."""


@attrs.frozen(kw_only=True)
class Expired(Message):
    """The token has ended."""


class WsSession(Actor):
    """Bad frames get an error frame and never end the session; a crash does, with 1011."""

    mailbox = Mailbox(capacity=8, overflow=Overflow.BLOCK)

    def __init__(
        self, path: str, caller: Caller, first: Sub | None, outbox: Outbox, outlets: Outlets, tokens: Tokens, settings: Realtime
    ) -> None:
        self._path = path
        self._caller = caller
        self._first = first
        self._outbox = outbox
        self._outlets = outlets
        self._tokens = tokens
        self._settings = settings

    async def on_start(self) -> None:
        self._subscribed: dict[str, Filter] = {}
        self._heard = True
        self._farewell = CloseCode.INTERNAL
        self._outlets.add(self._path, self._outbox)
        self._watch_token()
        limits = {"frame": self._settings.max_frame, "subscriptions": self._settings.max_subscriptions}
        self._push({"type": "welcome", "ping": self._settings.ping, "expires": self._caller.claims.expires_at, "limits": limits})
        self.timers.every("beat", Beat(), interval=self._settings.ping)
        if self._first is not None:
            await self._guarded(self._first, self._first.id)

    async def on_stop(self) -> None:
        self._outlets.remove(self._path)
        code = CloseCode.DRAIN if self.system.draining else self._farewell
        retry = int(self.system.dice.uniform(*RETRY) * 1000) if code.come_back else None
        self._outbox.close(code, retry)

    def inspect(self) -> Mapping[str, object]:
        return {
            "user": self._caller.user.username,
            "role": self._caller.user.role.word,
            "subscriptions": sorted(self._subscribed),
            "backlog": self._outbox.backlog,
            "frames_sent": self._outbox.sent,
        }

    @handles
    async def received(self, message: Received) -> None:
        self._heard = True
        try:
            frame = parse(message.text)
        except ParaNetError as error:
            self._outbox.push(error_frame(error, frame_id(message.text)))
            return
        await self._guarded(frame, getattr(frame, "id", None))

    async def _guarded(self, frame: Frame, reply_to: int | None) -> None:
        try:
            await self._take(frame)
        except ParaNetError as error:
            self._outbox.push(error_frame(error, reply_to))

    @singledispatchmethod
    async def _take(self, frame: Frame) -> None:
        raise NotImplementedError(frame)

    @_take.register
    async def _(self, frame: Hello) -> None:
        raise InvalidInput("hello comes first or not at all: use auth to renew the token")

    @_take.register
    async def _(self, frame: Pong) -> None:
        """Hearing anything is enough."""

    @_take.register
    async def _(self, frame: Sub) -> None:
        route = channel_route(frame.ch)
        if self._caller.user.role < route.access:
            raise Forbidden(f"channel {frame.ch[:60]!r} needs role {Role(route.access).word}")
        if frame.ch not in self._subscribed and len(self._subscribed) >= self._settings.max_subscriptions:
            raise InvalidInput(f"at most {self._settings.max_subscriptions} subscriptions")
        request = Subscribe(
            channel=frame.ch,
            subscriber=self._path,
            reply_to=frame.id,
            since=Position.parse(frame.since) if frame.since is not None else None,
            filter=frame.filter.value(),
        )
        await self.system.ref(route.owner).ask(request, timeout=ASK)
        self._subscribed[frame.ch] = request.filter

    @_take.register
    async def _(self, frame: Unsub) -> None:
        if frame.ch in self._subscribed:
            del self._subscribed[frame.ch]
            await self.system.ref(channel_route(frame.ch).owner).ask(Unsubscribe(channel=frame.ch, subscriber=self._path), timeout=ASK)
        self._push({"type": "ok", "id": frame.id, "ch": frame.ch})

    @_take.register
    async def _(self, frame: Auth) -> None:
        caller = await self._tokens.check(frame.token)
        if caller.user.id != self._caller.user.id:
            raise Forbidden("the token belongs to somebody else")
        self._caller = caller
        self._watch_token()
        self._push({"type": "ok", "id": frame.id, "expires": caller.claims.expires_at})

    def _watch_token(self) -> None:
        left = max(0.0, self._caller.claims.expires_at - self.system.now())
        self.timers.once("expiring", Expiring(), after=max(left / 2, left - EXPIRY_NOTICE))
        self.timers.once("expired", Expired(), after=left)

    @handles
    async def expiring(self, message: Expiring) -> None:
        self._push({"type": "expiring", "in": max(0.0, self._caller.claims.expires_at - self.system.now())})

    @handles
    async def expired(self, message: Expired) -> None:
        self._leave(CloseCode.TOKEN_EXPIRED)

    @handles
    async def beat(self, message: Beat) -> None:
        if not self._heard:
            self._leave(CloseCode.NO_PONG)
            return
        try:
            self._caller = attrs.evolve(self._caller, user=await self._tokens.still(self._caller.claims))
        except Unauthenticated:
            self._leave(CloseCode.BAD_TOKEN)
            return
        self._heard = False
        self._push({"type": "ping"})

    def _leave(self, code: CloseCode) -> None:
        self._farewell = code
        self.ref.stop()

    def _push(self, frame: Mapping[str, object]) -> None:
        self._outbox.push(orjson.dumps(frame))
