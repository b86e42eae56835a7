"""From an HTTP upgrade to a session: sign-in is a phase that produces the caller; then the socket is a mailbox."""

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from hub.auth import Caller, Tokens
from hub.keys import HOUSE, TRAIL
from hub.operations import Access
from hub.problems import TooManyClients, TooManySockets
from hub.signin import caller_of
from hub.ws.closecodes import CloseCode
from hub.ws.door import Enter
from hub.ws.protocol import FilterBody, Hello, Sub, parse
from hub.ws.socket import Socket
from hub.ws.upgrade import upgraded
from paranet.errors import InvalidInput, ParaNetError, Unauthenticated
from paranet.models.units import parse_seconds

if TYPE_CHECKING:
    from hub.house import House

HELLO_WITHIN = 10.0
STRANGERS = 1000
"""sockets that may be open without a session: for their `hello` some seconds, for the door some ms, for their goodbyes"""
ASK = 30.0
QUERY = frozenset({"nodes", "metrics", "labels", "interval", "changes", "since", "ticket"})


async def everything(request: web.Request) -> web.StreamResponse:
    """/ws: the client subscribes itself; it may sign in with a first frame `hello`."""
    return await _serve(request, None, hello=True)


async def telemetry(request: web.Request) -> web.StreamResponse:
    """/ws/telemetry?nodes=&metrics=&since=: subscribed from the start."""
    return await _serve(request, _from_query(request, "telemetry"))


async def deployment(request: web.Request) -> web.StreamResponse:
    """/ws/deploy/{id}?since=: subscribed from the start."""
    return await _serve(request, _from_query(request, f"deploy/{request.match_info['id']}"))


async def alerts(request: web.Request) -> web.StreamResponse:
    """/ws/alerts?since=: subscribed from the start."""
    return await _serve(request, _from_query(request, "alerts"))


async def chat(request: web.Request) -> web.StreamResponse:
    """/ws/chat/{id}?since=: subscribed from the start."""
    return await _serve(request, _from_query(request, f"chat/{request.match_info['id']}"))


ROUTES = (
    ("/ws", everything),
    ("/ws/telemetry", telemetry),
    ("/ws/deploy/{id}", deployment),
    ("/ws/alerts", alerts),
    ("/ws/chat/{id}", chat),
)
"""sockets need a token, at the upgrade or in `hello`; channels ask for their own role"""
ACCESS = Access.VIEWER


def _from_query(request: web.Request, channel: str) -> Sub:
    query = request.query
    unknown = sorted(query.keys() - QUERY)
    if unknown:
        raise InvalidInput(f"?{unknown[0]}= means nothing here; the parameters are: {', '.join(sorted(QUERY))}")
    chosen = {name: tuple(part for part in query.get(name, "").split(",") if part) for name in ("nodes", "metrics", "labels")}
    try:
        interval = parse_seconds(query.get("interval", "0"))
    except ValueError as error:
        raise InvalidInput(f"?interval=: {error}") from None
    changes = query.get("changes", "false")
    if changes not in ("true", "false"):
        raise InvalidInput(f"?changes=: must be true or false, not {changes[:60]!r}")
    wanted = FilterBody(**chosen, interval=interval, changes=changes == "true")
    wanted.value()  # what is wrong with it is said before the upgrade
    return Sub(id=0, ch=channel, since=query.get("since"), filter=wanted)


async def _serve(request: web.Request, first: Sub | None, *, hello: bool = False) -> web.StreamResponse:
    """Sign the client in and begin its session; that goes on when this request is long over."""
    house = request.app[HOUSE]
    caller = await _caller(request)
    if caller is None and not hello:
        raise Unauthenticated("a token is required: Authorization header, session cookie or ticket")
    if caller is None and len(house.sockets) - len(house.outlets) >= STRANGERS:
        raise TooManyClients(f"{STRANGERS} clients have not said who they are yet", retry_after=10)
    async with upgraded(request, house.settings.realtime, house.sockets) as (response, socket):
        caller = caller or await _greeted(socket, house.tokens)
        if caller is not None:
            ticket, name = next(house.tickets), request[TRAIL].id
            await _enter(house, socket, Enter(caller=caller, ticket=ticket, address=request.remote or "", request=name, first=first))
        return response


async def _caller(request: web.Request) -> Caller | None:
    tokens = request.app[HOUSE].tokens
    ticket = request.query.get("ticket")
    return await caller_of(request, tokens) if ticket is None else await tokens.admit(ticket)


async def _greeted(socket: Socket, tokens: Tokens) -> Caller | None:
    """Wait for `hello`; None when it did not come or did not convince."""
    try:
        async with asyncio.timeout(HELLO_WITHIN):
            text = await socket.first()
        frame = parse(text) if text is not None else None
        if isinstance(frame, Hello):
            return await tokens.check(frame.token)
        error: ParaNetError = Unauthenticated("the first frame must be hello with a token")
    except TimeoutError:
        error = Unauthenticated("no hello came")
    except ParaNetError as refusal:
        error = refusal
    socket.outbox.refuse(error)
    socket.outbox.close(CloseCode.BAD_TOKEN)
    return None


async def _enter(house: "House", socket: Socket, enter: Enter) -> None:
    """Begin the session; it and the socket end each other."""
    outbox = house.waiting[enter.ticket] = socket.outbox
    try:
        session = house.system.ref(await house.system.ref("ws").ask(enter, timeout=ASK))
    except ParaNetError as error:
        outbox.refuse(error)
        retry = error.extra.get("retry_after")
        code = CloseCode.CROWD if isinstance(error, TooManySockets) else CloseCode.DRAIN
        outbox.close(code, int(retry * 1000) if isinstance(retry, (int, float)) else None)
    else:
        outbox.on_close = session.stop
        if outbox.closed:  # while the session began
            session.stop()
        else:
            socket.serve(session)
    finally:
        house.waiting.pop(enter.ticket, None)
