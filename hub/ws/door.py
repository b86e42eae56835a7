"""Door: parent of all WebSocket sessions; lets in as many as the settings allow."""

from collections.abc import Mapping
from functools import partial

import attrs

from actors.channels import Outlets
from actors.runtime import Actor, Request, Restart, Terminated, handles
from hub.auth import Caller, Tokens
from hub.problems import TooManyClients
from hub.settings import Realtime
from hub.ws.outbox import Outbox
from hub.ws.protocol import Sub
from hub.ws.session import WsSession


@attrs.frozen(kw_only=True)
class Enter(Request[str]):
    """Start a session for the client whose outbox waits under *ticket*; returns the session's path."""

    caller: Caller
    ticket: int
    first: Sub | None = None


class Door(Actor):
    """Keeps the outboxes of clients that are on their way in, so that messages need only name them."""

    def __init__(self, tokens: Tokens, outlets: Outlets, settings: Realtime, waiting: dict[int, Outbox]) -> None:
        self._tokens = tokens
        self._outlets = outlets
        self._settings = settings
        self._waiting = waiting

    async def on_start(self) -> None:
        self._clients = 0

    def inspect(self) -> Mapping[str, object]:
        return {"clients": self._clients, "most": self._settings.max_clients}

    @handles
    async def enter(self, message: Enter) -> str:
        if self._clients >= self._settings.max_clients:
            raise TooManyClients(f"{self._clients} clients are connected", retry_after=5)
        name = str(message.ticket)
        path = f"{self.ref.path}/{name}"
        outbox = self._waiting.pop(message.ticket)
        make = partial(WsSession, path, message.caller, message.first, outbox, self._outlets, self._tokens, self._settings)
        self.watch(await self.spawn(name, make, restart=Restart.NEVER))
        self._clients += 1
        return path

    @handles
    async def left(self, message: Terminated) -> None:
        self._clients -= 1
