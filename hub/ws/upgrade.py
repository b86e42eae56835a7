"""From an HTTP request to a socket: after the handshake the connection is ours, and aiohttp lets go of all it kept for requests."""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_websocket import WS_KEY, ws_ext_parse

from hub.problems import BadRequest
from hub.settings import Realtime
from hub.ws.closecodes import CloseCode
from hub.ws.outbox import Outbox
from hub.ws.protocol import SUBPROTOCOL
from hub.ws.reading import FrameReader
from hub.ws.socket import Socket, Sockets
from hub.ws.wire import WINDOW_BITS

DEFLATE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
"""every message is compressed on its own, ours so that all clients can share it, theirs so that none keeps a window"""


class Upgraded(web.StreamResponse):
    """101. What follows it on the connection is not aiohttp's."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


class _Early:
    """Takes what a client sent on the heels of its request."""

    data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """There is no end to anything here."""


@asynccontextmanager
async def upgraded(request: web.Request, settings: Realtime, sockets: Sockets) -> AsyncIterator[tuple[Upgraded, Socket]]:
    """Answer 101; yield that for the handler to return, and the socket, which outlives the request if a session serves it.

    Raise BadRequest, ConnectionResetError.
    """
    headers, deflate = _handshake(request, deflate=settings.deflate)
    response = Upgraded(status=101, headers=headers)
    response.force_close()
    await response.prepare(request)
    theirs = request.protocol
    socket = _take_over(theirs, settings, sockets, deflate=deflate)
    try:
        yield response, socket
    except asyncio.CancelledError:  # the server is being stopped
        socket.outbox.close(CloseCode.DRAIN)
        raise
    finally:
        if not socket.served:
            socket.outbox.close(CloseCode.INTERNAL)  # in case nobody has given a better reason
        theirs.connection_lost(None)  # aiohttp forgets it: its parser, the request, the task


def _handshake(request: web.Request, *, deflate: bool) -> tuple[Mapping[str, str], bool]:
    """Return the headers of the answer, and whether messages may be deflated. Raise BadRequest."""
    refusal = BadRequest("this is no upgrade to a WebSocket of version 13 (RFC 6455, 4.2.1)")
    try:
        ready = web.WebSocketResponse(protocols=(SUBPROTOCOL,)).can_prepare(request)
    except ValueError:  # a key that is not even ASCII
        raise refusal from None
    if not ready:
        raise refusal
    key = request.headers["Sec-WebSocket-Key"].encode()
    accept = b64encode(hashlib.sha1(key + WS_KEY, usedforsecurity=False).digest()).decode()
    headers = {"Upgrade": "websocket", "Connection": "upgrade", "Sec-WebSocket-Accept": accept}
    if ready.protocol is not None:
        headers["Sec-WebSocket-Protocol"] = ready.protocol
    deflate = deflate and ws_ext_parse(request.headers.get("Sec-WebSocket-Extensions"), isserver=True)[0] == WINDOW_BITS
    if deflate:
        headers["Sec-WebSocket-Extensions"] = DEFLATE
    return headers, deflate


def _take_over(theirs: web.RequestHandler, settings: Realtime, sockets: Sockets, *, deflate: bool) -> Socket:
    """Put a socket in the place of aiohttp's protocol, which may write and close nothing any more."""
    transport = theirs.transport
    if transport is None:
        raise ConnectionResetError("the client has gone")
    socket = Socket(transport, sockets, FrameReader(settings.max_frame, deflate=deflate), rate=settings.max_rate, deflate=deflate)
    socket.outbox = Outbox(socket, settings.max_backlog)
    early = _Early()
    theirs.set_parser(early)  # type: ignore[arg-type]  # all that it asks of a parser
    transport.set_protocol(socket)
    theirs.transport = None
    socket.data_received(early.data)
    return socket
