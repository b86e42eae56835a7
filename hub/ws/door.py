"""Door: parent of all WebSocket sessions; lets in as many as the settings allow, keeps their heartbeat, knows who is there."""

import asyncio
from collections.abc import Mapping
from functools import partial

import attrs

from actors.accounts import SessionsChanged
from actors.channels import Outlets
from actors.runtime import Actor, Message, Request, Restart, Terminated, handles
from hub.auth import Caller, Tokens
from hub.problems import TooManyClients, TooManySockets
from hub.settings import Realtime
from hub.ws.closecodes import CloseCode
from hub.ws.messages import ClientInfo, GetClients, Kick, SendAway
from hub.ws.outbox import Outbox
from hub.ws.protocol import Sub
from hub.ws.session import RETRY, Answer, Client, Recheck, WsSession
from paranet.errors import NotFound

SLOTS = 16
"""slots of the timing wheel: so many times an interval one of them is beaten"""
BATCH = 200
"""clients that are sent away at once"""
BETWEEN = 0.05
"""seconds between two batches"""


@attrs.frozen(kw_only=True)
class Enter(Request[str]):
    """Start a session for the client whose outbox waits under *ticket*; returns the session's path."""

    caller: Caller
    ticket: int
    address: str = ""
    request: str = ""
    first: Sub | None = None


@attrs.frozen(kw_only=True)
class Turn(Message):
    """The timing wheel goes on by one slot."""


class Door(Actor):
    """Keeps the outboxes of clients that are on their way in, so that messages need only name them."""

    def __init__(self, tokens: Tokens, outlets: Outlets, settings: Realtime, waiting: dict[int, Outbox], answer: Answer) -> None:
        self._tokens = tokens
        self._outlets = outlets
        self._settings = settings
        self._waiting = waiting
        self._answer = answer

    async def on_start(self) -> None:
        self._clients: dict[str, Client] = {}
        self._wheel: list[dict[str, Outbox]] = [{} for _ in range(SLOTS)]
        self._at = 0
        self._users: dict[str, set[str]] = {}
        self.timers.every("turn", Turn(), interval=self._settings.ping / SLOTS)

    def inspect(self) -> Mapping[str, object]:
        return {"clients": len(self._clients), "most": self._settings.max_clients}

    @handles
    async def enter(self, message: Enter) -> str:
        if len(self._clients) >= self._settings.max_clients:
            raise TooManyClients(f"{len(self._clients)} clients are connected", retry_after=5)
        mine = len(self._users.get(message.caller.user.id, ()))
        if mine >= self._settings.max_per_user:
            raise TooManySockets(f"{message.caller.user.username} has {mine} sockets open", retry_after=5)
        name = str(message.ticket)
        path = f"{self.ref.path}/{name}"
        outbox = self._waiting.pop(message.ticket)
        client = Client(
            path=path, caller=message.caller, address=message.address, since=self.system.now(), outbox=outbox, request=message.request
        )
        make = partial(WsSession, client, message.first, self._answer, self._outlets, self._tokens, self._settings)
        self.watch(await self.spawn(name, make, restart=Restart.NEVER))
        self._clients[path] = client
        self._wheel[(self._at - 1) % SLOTS][path] = outbox  # a whole interval from now
        self._users.setdefault(message.caller.user.id, set()).add(path)
        return path

    @handles
    async def left(self, message: Terminated) -> None:
        client = self._clients.pop(message.path, None)
        for slot in self._wheel:
            slot.pop(message.path, None)
        if client is not None:
            paths = self._users[client.caller.user.id]
            paths.discard(message.path)
            if not paths:
                del self._users[client.caller.user.id]

    @handles
    async def turn(self, message: Turn) -> None:
        self._at = (self._at + 1) % SLOTS
        for outbox in self._wheel[self._at].values():
            outbox.beat()

    @handles
    async def sessions_changed(self, message: SessionsChanged) -> None:
        for path in self._users.get(message.user_id, ()) if message.user_id else self._clients:
            self.system.ref(path).tell(Recheck())

    @handles
    async def clients(self, message: GetClients) -> tuple[ClientInfo, ...]:
        now = self.system.now()
        return tuple(_info(client, now, self._outlets.subscriptions(path)) for path, client in self._clients.items())

    @handles
    async def kick(self, message: Kick) -> None:
        client = self._clients.get(f"{self.ref.path}/{message.id}")
        if client is None:
            raise NotFound(f"there is no client {message.id[:60]!r}")
        client.outbox.close(CloseCode.KICKED)

    @handles
    async def send_away(self, message: SendAway) -> int:
        outboxes = [client.outbox for client in self._clients.values()]
        return await self.defer(self._send_away(outboxes))

    async def _send_away(self, outboxes: list[Outbox]) -> int:
        low, high = RETRY
        high = max(high, len(outboxes) / 1000 * high)  # the more there are, the longer they take to come back
        for i, outbox in enumerate(outboxes, start=1):
            outbox.close(CloseCode.DRAIN, int(self.system.dice.uniform(low, high) * 1000))
            if i % BATCH == 0:
                await asyncio.sleep(BETWEEN)
        return len(outboxes)


def _info(client: Client, now: float, subscriptions: tuple[str, ...]) -> ClientInfo:
    outbox, user = client.outbox, client.caller.user
    return ClientInfo(
        id=client.path.rpartition("/")[2],
        user=user.username,
        role=user.role.word,
        address=client.address,
        age=now - client.since,
        subscriptions=tuple(sorted({*subscriptions, *outbox.lagging})),
        backlog=outbox.backlog,
        conflated=outbox.conflated,
        lagging=tuple(outbox.lagging),
        acknowledged={channel: credit.acked for channel, credit in outbox.credits.items() if credit.acked},
        frames_sent=outbox.sent,
    )
