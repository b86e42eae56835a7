"""WsSession: one client: who it is, what it has subscribed to, what it asks."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import singledispatchmethod

import attrs

from actors.accounts import Role
from actors.channels import Filter, Outlets, Position, Subscribe, Unsubscribe
from actors.frames import Frame as Message_
from actors.runtime import Actor, Conflate, Mailbox, Message, handles
from actors.runtime.errand import Errand
from actors.runtime.frames import go_on
from hub.auth import Caller, Tokens
from hub.settings import Realtime
from hub.ws.closecodes import CloseCode
from hub.ws.messages import Received
from hub.ws.outbox import Outbox
from hub.ws.protocol import Ack, Ask, Auth, Frame, Grant, Hello, Pong, Sub, Unsub, channel_route, error_frame, frame_id, parse
from paranet.errors import Forbidden, InvalidInput, NotFound, ParaNetError, Unauthenticated

log = logging.getLogger(__name__)

ASK = 15.0
EXPIRY_NOTICE = 60.0
"""seconds before a token expires that the client is told; half its time for short ones"""
RETRY = (0.5, 5.0)
"""seconds after which clients are asked to come back: spread, so that they do not come all at once"""

Answer = Callable[[Caller, str, Ask], Awaitable[Message_]]


@attrs.frozen(kw_only=True)
class Recheck(Message):
    """Something about the client's user or token has changed."""


@attrs.frozen(kw_only=True)
class Room(Message):
    """The client has room again for channels that it lagged behind on."""


@attrs.frozen(kw_only=True)
class Answered(Message):
    """What the client asked for has been done, or refused."""

    frame: Message_ = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Expiring(Message):
    """The token ends soon."""


@attrs.frozen(kw_only=True)
class Expired(Message):
    """The token has ended."""


@attrs.frozen(kw_only=True)
class Client:
    """Who is behind a socket: the caller at the upgrade, from which address, by which *request*, since when (UNIX s), and the way to it."""

    path: str
    caller: Caller
    address: str
    since: float
    request: str
    outbox: Outbox


class WsSession(Actor):
    """Bad frames get an error frame and never end the session; a crash does, with 1011."""

    mailbox = Mailbox(capacity=64, lossy={Recheck: Conflate(lambda _: None), Room: Conflate(lambda _: None)})
    """never full: one frame, one of these each, the token's timer, and the answers of as many jobs as there may be"""
    jobs_limit = 4

    def __init__(self, client: Client, first: Sub | None, answer: Answer, outlets: Outlets, tokens: Tokens, settings: Realtime) -> None:
        self._client = client
        self._path = client.path
        self._outbox = client.outbox
        self._caller = client.caller
        self._first = first
        self._answer = answer
        self._outlets = outlets
        self._tokens = tokens
        self._settings = settings

    async def on_start(self) -> None:
        self._subscribed: dict[str, Filter] = {}
        self._farewell = CloseCode.INTERNAL
        me = self.ref
        self._outbox.on_room = lambda: me.tell(Room())
        self._outlets.add(self._path, self._outbox)
        self._watch_token()
        limits = {"frame": self._settings.max_frame, "subscriptions": self._settings.max_subscriptions, "rate": self._settings.max_rate}
        expires = self._caller.claims.expires_at
        request = self._client.request
        self._outbox.send({"type": "welcome", "request": request, "ping": self._settings.ping, "expires": expires, "limits": limits})
        if self._first is not None:
            await self._guarded(self._first, self._first.id)

    async def on_stop(self) -> None:
        self._outbox.on_room = None
        self._outlets.remove(self._path)
        code = CloseCode.DRAIN if self.system.draining else self._farewell
        self._outbox.close(code, int(self.system.dice.uniform(*RETRY) * 1000) if code.come_back else None)

    def inspect(self) -> Mapping[str, object]:
        return {
            "user": self._caller.user.username,
            "role": self._caller.user.role.word,
            "address": self._client.address,
            "subscriptions": sorted(self._subscribed),
            "backlog": self._outbox.backlog,
            "conflated": self._outbox.conflated,
            "frames_sent": self._outbox.sent,
        }

    @handles
    async def received(self, message: Received) -> None:
        try:
            frame = parse(message.text)
        except ParaNetError as error:
            self._outbox.refuse(error, frame_id(message.text))
        else:
            await self._guarded(frame, getattr(frame, "id", None))
        self._outbox.listen()

    async def _guarded(self, frame: Frame, reply_to: int | None) -> None:
        try:
            await self._take(frame)
        except ParaNetError as error:
            self._outbox.refuse(error, reply_to)

    @singledispatchmethod
    async def _take(self, frame: Frame) -> None:
        raise TypeError(f"nobody takes {type(frame).__name__}")

    @_take.register
    async def _(self, frame: Hello) -> None:
        raise InvalidInput("hello comes first or not at all: use auth to renew the token")

    @_take.register
    async def _(self, frame: Pong) -> None:
        """Hearing anything is enough."""

    @_take.register
    async def _(self, frame: Sub) -> None:
        owner = self._owner(frame.ch)
        if frame.ch not in self._subscribed and len(self._subscribed) >= self._settings.max_subscriptions:
            raise InvalidInput(f"at most {self._settings.max_subscriptions} subscriptions")
        request = Subscribe(
            channel=frame.ch,
            subscriber=self._path,
            reply_to=frame.id,
            since=Position.parse(frame.since) if frame.since is not None else None,
            filter=frame.filter.value(),
            reader=self._caller.user.id,
        )
        self._outbox.forget(frame.ch)
        if frame.credit is not None:
            self._outbox.grant(frame.ch, frame.credit)
        await self.system.ref(owner).ask(request, timeout=ASK)
        self._subscribed[frame.ch] = request.filter

    def _owner(self, channel: str) -> str:
        """Return who writes the channel. Raise NotFound, or Forbidden when the client may not read it."""
        route = channel_route(channel)
        if self._caller.user.role < route.access:
            raise Forbidden(f"channel {channel[:60]!r} needs role {Role(route.access).word}")
        if self._caller.scopes is not None and not route.scopes & set(self._caller.scopes):
            raise Forbidden(f"channel {channel[:60]!r} is outside the scopes of this token: {', '.join(self._caller.scopes)}")
        return route.owner

    @_take.register
    async def _(self, frame: Unsub) -> None:
        if frame.ch in self._subscribed:
            await self._leave_channel(frame.ch)
        self._outbox.send({"type": "ok", "id": frame.id, "ch": frame.ch})

    async def _leave_channel(self, channel: str) -> None:
        del self._subscribed[channel]
        self._outbox.forget(channel)
        await self.system.ref(channel_route(channel).owner).ask(Unsubscribe(channel=channel, subscriber=self._path), timeout=ASK)

    @_take.register
    async def _(self, frame: Ask) -> None:
        await self.pipe_to_self(self._asked(frame), name=f"ask {frame.method[:40]}")

    async def _asked(self, frame: Ask) -> Message:
        go_on(Errand(f"{self._client.request}/{frame.id}"))
        try:
            return Answered(frame=await self._answer(self._caller, self._client.address, frame))
        except ParaNetError as error:
            return Answered(frame=error_frame(error, frame.id))

    @handles
    async def answered(self, message: Answered) -> None:
        self._outbox.push(message.frame)

    @_take.register
    async def _(self, frame: Ack) -> None:
        self._check_subscribed(frame.ch)
        self._outbox.acknowledge(frame.ch, frame.offset)

    @_take.register
    async def _(self, frame: Grant) -> None:
        self._check_subscribed(frame.ch)
        self._outbox.grant(frame.ch, frame.bytes)

    def _check_subscribed(self, channel: str) -> None:
        if channel not in self._subscribed:
            raise NotFound(f"there is no subscription to {channel[:60]!r}")

    @handles
    async def room(self, message: Room) -> None:
        for channel, since in self._outbox.take_lagging().items():
            if channel in self._subscribed:
                await self._go_on(channel, since)

    async def _go_on(self, channel: str, since: Position) -> None:
        """Have the channel tell what the client refused."""
        wanted, reader = self._subscribed[channel], self._caller.user.id
        request = Subscribe(channel=channel, subscriber=self._path, reply_to=None, since=since, filter=wanted, reader=reader)
        try:
            told = await self.system.ref(channel_route(channel).owner).ask(request, timeout=ASK)
            self._outbox.conflated += told.conflated
        except ParaNetError as error:
            del self._subscribed[channel]
            self._outbox.refuse(error, channel=channel)

    @_take.register
    async def _(self, frame: Auth) -> None:
        caller = await self._tokens.check(frame.token)
        if caller.user.id != self._caller.user.id:
            raise Forbidden("the token belongs to somebody else")
        self._caller = caller
        self._watch_token()
        await self._check_permissions()
        self._outbox.send({"type": "ok", "id": frame.id, "expires": caller.claims.expires_at})

    def _watch_token(self) -> None:
        """Have the token's end announced; then the same timer waits for the end."""
        left = max(0.0, self._caller.claims.expires_at - self.system.now())
        self.timers.once("token", Expiring(), after=max(left / 2, left - EXPIRY_NOTICE))

    @handles
    async def expiring(self, message: Expiring) -> None:
        left = max(0.0, self._caller.claims.expires_at - self.system.now())
        self._outbox.send({"type": "expiring", "in": left})
        self.timers.once("token", Expired(), after=left)

    @handles
    async def expired(self, message: Expired) -> None:
        self._leave(CloseCode.TOKEN_EXPIRED)

    @handles
    async def recheck(self, message: Recheck) -> None:
        try:
            self._caller = attrs.evolve(self._caller, user=await self._tokens.still(self._caller.claims))
        except Unauthenticated:
            self._leave(CloseCode.BAD_TOKEN)
        else:
            await self._check_permissions()

    async def _check_permissions(self) -> None:
        """End the subscriptions that the user may not have any more; a socket that was opened for one of them ends with it."""
        for channel in list(self._subscribed):
            try:
                self._owner(channel)
            except Forbidden as error:
                await self._leave_channel(channel)
                self._outbox.refuse(error, channel=channel)
                if self._first is not None and channel == self._first.ch:
                    self._leave(CloseCode.FORBIDDEN)

    def _leave(self, code: CloseCode) -> None:
        self._farewell = code
        self.ref.stop()
