"""From an HTTP upgrade to a session: sign-in is a phase that produces the caller; then the socket is a mailbox."""

import asyncio
import contextlib

from aiohttp import WSMsgType, web

from actors.runtime import ActorStopped, Ref
from hub.auth import Caller
from hub.keys import HOUSE
from hub.operations import Access
from hub.signin import caller_of
from hub.ws.closecodes import CloseCode
from hub.ws.door import Enter
from hub.ws.outbox import Outbox, say_goodbye
from hub.ws.protocol import SUBPROTOCOL, FilterBody, Hello, Sub, error_frame, parse
from hub.ws.session import Received
from paranet.errors import InvalidInput, ParaNetError, Unauthenticated

HELLO_WITHIN = 10.0
ASK = 30.0


async def everything(request: web.Request) -> web.WebSocketResponse:
    """/ws: the client subscribes itself; it may sign in with a first frame `hello`."""
    return await _serve(request, None, hello=True)


async def telemetry(request: web.Request) -> web.WebSocketResponse:
    """/ws/telemetry?nodes=&metrics=&since=: subscribed from the start."""
    return await _serve(request, _from_query(request, "telemetry"))


async def deployment(request: web.Request) -> web.WebSocketResponse:
    """/ws/deploy/{id}?since=: subscribed from the start."""
    return await _serve(request, _from_query(request, f"deploy/{request.match_info['id']}"))


ROUTES = (("/ws", everything), ("/ws/telemetry", telemetry), ("/ws/deploy/{id}", deployment))
"""sockets need a token, at the upgrade or in `hello`; channels ask for their own role"""
ACCESS = Access.VIEWER


def _from_query(request: web.Request, channel: str) -> Sub:
    query = request.query
    unknown = sorted(query.keys() - {"nodes", "metrics", "since"})
    if unknown:
        raise InvalidInput(f"?{unknown[0]}= means nothing here; there are nodes, metrics and since")
    nodes, metrics = (tuple(part for part in query.get(name, "").split(",") if part) for name in ("nodes", "metrics"))
    return Sub(id=0, ch=channel, since=query.get("since"), filter=FilterBody(nodes=nodes, metrics=metrics))


async def _serve(request: web.Request, first: Sub | None, *, hello: bool = False) -> web.WebSocketResponse:
    house = request.app[HOUSE]
    caller = await caller_of(request, house.tokens)
    if caller is None and not hello:
        raise Unauthenticated("a token is required: Authorization header or session cookie")
    socket = web.WebSocketResponse(
        max_msg_size=house.settings.realtime.max_frame, protocols=(SUBPROTOCOL,), compress=False, timeout=2.0, autoclose=True
    )
    await socket.prepare(request)
    if caller is None:
        caller = await _greeted(socket, request)
    if caller is not None:
        await _converse(socket, request, caller, first)
    return socket


async def _greeted(socket: web.WebSocketResponse, request: web.Request) -> Caller | None:
    """Wait for `hello`; None when it did not come or did not convince."""
    try:
        async with asyncio.timeout(HELLO_WITHIN):
            message = await socket.receive()
        frame = parse(message.data) if message.type is WSMsgType.TEXT else None
        if isinstance(frame, Hello):
            return await request.app[HOUSE].tokens.check(frame.token)
        error: ParaNetError = Unauthenticated("the first frame must be hello with a token")
    except TimeoutError:
        error = Unauthenticated("no hello came")
    except ParaNetError as refusal:
        error = refusal
    with contextlib.suppress(ConnectionError):
        await socket.send_frame(error_frame(error, None), WSMsgType.TEXT)
        await socket.close(code=CloseCode.BAD_TOKEN, message=error.code.encode())
    return None


async def _converse(socket: web.WebSocketResponse, request: web.Request, caller: Caller, first: Sub | None) -> None:
    """Read and write side by side until either ends; the session ends with them, before the goodbyes."""
    house, transport = request.app[HOUSE], request.transport
    outbox = Outbox(house.settings.realtime.max_backlog)
    ticket = next(house.tickets)
    house.waiting[ticket] = outbox
    writer = asyncio.create_task(outbox.write_to(socket), name=f"ws-writer:{ticket}")
    reader: asyncio.Task[None] | None = None
    session: Ref | None = None
    try:
        session = house.system.ref(await house.system.ref("ws").ask(Enter(caller=caller, ticket=ticket, first=first), timeout=ASK))
        reader = asyncio.create_task(_listen(socket, session, outbox), name=f"ws-reader:{ticket}")
        await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
    except ParaNetError as error:
        outbox.push(error_frame(error, None))
        outbox.close(CloseCode.DRAIN)
    finally:
        house.waiting.pop(ticket, None)
        if session is not None:
            session.stop()
        if reader is not None:
            reader.cancel()
            await asyncio.wait((reader,))
        outbox.close(CloseCode.INTERNAL)  # in case nobody has given a better reason
        await say_goodbye(socket, transport, await writer)


async def _listen(socket: web.WebSocketResponse, session: Ref, outbox: Outbox) -> None:
    """Hand every text frame to the session, one at a time; a client that sends faster waits."""
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            try:
                await session.ask(Received(text=message.data), timeout=ASK)
            except ActorStopped:
                return
        elif message.type is WSMsgType.BINARY:
            outbox.push(error_frame(InvalidInput("frames are text"), None))
