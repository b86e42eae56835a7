"""From an HTTP upgrade to a session: sign-in is a phase that produces the caller; then the socket is a mailbox."""

import asyncio
import contextlib

from aiohttp import WSMsgType, web

from actors.runtime import ActorStopped, Ref
from hub.auth import Caller, Tokens
from hub.keys import HOUSE, TRAIL
from hub.operations import Access
from hub.problems import TooManySockets
from hub.signin import caller_of
from hub.ws.closecodes import CloseCode
from hub.ws.door import Enter
from hub.ws.outbox import Outbox
from hub.ws.pipe import pipe_to
from hub.ws.protocol import SUBPROTOCOL, FilterBody, Hello, Sub, error_frame, parse
from hub.ws.session import Received
from paranet.errors import InvalidInput, ParaNetError, Unauthenticated
from paranet.models.units import parse_seconds

HELLO_WITHIN = 10.0
ASK = 30.0
BURST = 2.0
"""seconds' worth of frames that a client may send at once"""
RATE_RETRY = 5000
"""ms after which a client that flooded may come back"""
QUERY = frozenset({"nodes", "metrics", "interval", "since", "ticket"})


async def everything(request: web.Request) -> web.WebSocketResponse:
    """/ws: the client subscribes itself; it may sign in with a first frame `hello`."""
    return await _serve(request, None, hello=True)


async def telemetry(request: web.Request) -> web.WebSocketResponse:
    """/ws/telemetry?nodes=&metrics=&since=: subscribed from the start."""
    return await _serve(request, _from_query(request, "telemetry"))


async def deployment(request: web.Request) -> web.WebSocketResponse:
    """/ws/deploy/{id}?since=: subscribed from the start."""
    return await _serve(request, _from_query(request, f"deploy/{request.match_info['id']}"))


async def alerts(request: web.Request) -> web.WebSocketResponse:
    """/ws/alerts?since=: subscribed from the start."""
    return await _serve(request, _from_query(request, "alerts"))


async def chat(request: web.Request) -> web.WebSocketResponse:
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
    nodes, metrics = (tuple(part for part in query.get(name, "").split(",") if part) for name in ("nodes", "metrics"))
    try:
        interval = parse_seconds(query.get("interval", "0"))
    except ValueError as error:
        raise InvalidInput(f"?interval=: {error}") from None
    wanted = FilterBody(nodes=nodes, metrics=metrics, interval=interval)
    wanted.value()  # what is wrong with it is said before the upgrade
    return Sub(id=0, ch=channel, since=query.get("since"), filter=wanted)


async def _serve(request: web.Request, first: Sub | None, *, hello: bool = False) -> web.WebSocketResponse:
    house = request.app[HOUSE]
    caller = await _caller(request)
    if caller is None and not hello:
        raise Unauthenticated("a token is required: Authorization header, session cookie or ticket")
    limits = house.settings.realtime
    socket = web.WebSocketResponse(
        max_msg_size=limits.max_frame,
        protocols=(SUBPROTOCOL,),
        compress=limits.deflate and house.frames_shared,
        timeout=2.0,
        autoclose=True,
    )
    await socket.prepare(request)
    outbox = Outbox(pipe_to(socket, request, shared=house.frames_shared), limits.max_backlog)
    try:
        if caller is None:
            caller = await _greeted(socket, outbox, house.tokens)
        if caller is not None:
            await _converse(socket, request, outbox, caller, first)
    finally:
        await outbox.say_goodbye()
    return socket


async def _caller(request: web.Request) -> Caller | None:
    tokens = request.app[HOUSE].tokens
    ticket = request.query.get("ticket")
    return await caller_of(request, tokens) if ticket is None else await tokens.admit(ticket)


async def _greeted(socket: web.WebSocketResponse, outbox: Outbox, tokens: Tokens) -> Caller | None:
    """Wait for `hello`; None when it did not come or did not convince."""
    try:
        async with asyncio.timeout(HELLO_WITHIN):
            message = await socket.receive()
        frame = parse(message.data) if message.type is WSMsgType.TEXT else None
        if isinstance(frame, Hello):
            return await tokens.check(frame.token)
        error: ParaNetError = Unauthenticated("the first frame must be hello with a token")
    except TimeoutError:
        error = Unauthenticated("no hello came")
    except ParaNetError as refusal:
        error = refusal
    outbox.push(error_frame(error, None))
    outbox.close(CloseCode.BAD_TOKEN)
    return None


async def _converse(socket: web.WebSocketResponse, request: web.Request, outbox: Outbox, caller: Caller, first: Sub | None) -> None:
    """Read until either side ends it; the session ends with it, before the goodbyes."""
    house = request.app[HOUSE]
    ticket = next(house.tickets)
    house.waiting[ticket] = outbox
    session: Ref | None = None
    try:
        enter = Enter(caller=caller, ticket=ticket, address=request.remote or "", request=request[TRAIL].id, first=first)
        session = house.system.ref(await house.system.ref("ws").ask(enter, timeout=ASK))
        with contextlib.suppress(TimeoutError, ActorStopped):
            async with asyncio.timeout(None) as reading:
                outbox.on_close = lambda: reading.reschedule(0.0)
                if outbox.closed:  # while the session began
                    outbox.on_close()
                await _listen(socket, session, outbox, house.settings.realtime.max_rate)
    except ParaNetError as error:
        outbox.push(error_frame(error, None))
        retry = error.extra.get("retry_after")
        code = CloseCode.CROWD if isinstance(error, TooManySockets) else CloseCode.DRAIN
        outbox.close(code, int(retry * 1000) if isinstance(retry, (int, float)) else None)
    finally:
        outbox.on_close = None
        house.waiting.pop(ticket, None)
        if session is not None:
            session.stop()


async def _listen(socket: web.WebSocketResponse, session: Ref, outbox: Outbox, rate: float) -> None:
    """Hand every text frame to the session, one at a time, until either side ends it; a client that sends faster waits."""
    loop = asyncio.get_running_loop()
    allowed, since = BURST * rate, loop.time()
    async for message in socket:
        now = loop.time()
        allowed, since = min(BURST * rate, allowed + (now - since) * rate) - 1, now
        outbox.heard = True
        if allowed < 0:
            outbox.close(CloseCode.RATE, RATE_RETRY)
        elif message.type is WSMsgType.TEXT:
            await session.ask(Received(text=message.data), timeout=ASK)
        elif message.type is WSMsgType.BINARY:
            outbox.push(error_frame(InvalidInput("frames are text"), None))
