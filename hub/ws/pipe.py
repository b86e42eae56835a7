"""The way to one client's socket: shared bytes straight into the transport, or aiohttp's own frames where that is not possible."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from aiohttp import WSMsgType, web
from aiohttp.http_websocket import WebSocketWriter

from actors.frames import Frame
from hub.ws.wire import WINDOW_BITS, framed, wire

log = logging.getLogger(__name__)

GOODBYE = 3.0
"""seconds a client has for the closing handshake"""


class Pipe(Protocol):
    """Where an outbox writes."""

    @property
    def busy(self) -> bool:
        """Whether the client has to take something first."""

    @property
    def pending(self) -> int:
        """Bytes written that the client has not taken."""

    def write(self, frame: Frame) -> None:
        """Send it. Not while busy."""

    def write_all(self, frames: Iterable[Frame]) -> None:
        """Send them in order, in one go. Not while busy."""

    async def taken(self) -> None:
        """Wait until it is not busy any more. Raise ConnectionError when it never will be."""

    async def close(self, code: int, reason: bytes) -> None:
        """Make the closing handshake; a client that does not answer is cut off."""


class SharedPipe:
    """Writes the bytes that all clients share. On such a socket every data frame comes from here, control frames from aiohttp."""

    __slots__ = ("_deflate", "_protocol", "_socket", "_transport", "_writer")

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, transport: asyncio.Transport) -> None:
        self._socket = socket
        self._transport = transport
        self._protocol = request.protocol
        self._writer = request.writer
        self._deflate = socket.compress == WINDOW_BITS

    @property
    def busy(self) -> bool:
        return self._protocol.writing_paused

    @property
    def pending(self) -> int:
        return self._transport.get_write_buffer_size()

    def write(self, frame: Frame) -> None:
        if not self._transport.is_closing():
            self._transport.write(wire(frame, deflate=self._deflate))

    def write_all(self, frames: Iterable[Frame]) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"".join([wire(frame, deflate=self._deflate) for frame in frames]))

    async def taken(self) -> None:
        await self._writer.drain()

    async def close(self, code: int, reason: bytes) -> None:
        await _close(self._socket, self._transport, code, reason)


class PlainPipe:
    """Has aiohttp frame every message for every client."""

    __slots__ = ("_queue", "_socket", "_transport")

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self._socket = socket
        self._transport = transport
        self._queue: deque[bytes] = deque()

    @property
    def busy(self) -> bool:
        return bool(self._queue)

    @property
    def pending(self) -> int:
        return sum(map(len, self._queue))

    def write(self, frame: Frame) -> None:
        self._queue.extend(frame.payloads)

    def write_all(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._queue.extend(frame.payloads)

    async def taken(self) -> None:
        while self._queue:
            await self._socket.send_frame(self._queue[0], WSMsgType.TEXT)
            self._queue.popleft()

    async def close(self, code: int, reason: bytes) -> None:
        await _close(self._socket, self._transport, code, reason)


def pipe_to(socket: web.WebSocketResponse, request: web.Request, *, shared: bool) -> SharedPipe | PlainPipe:
    """Return the pipe to a socket that is prepared."""
    transport = request.transport
    if shared and transport is not None:
        return SharedPipe(socket, request, transport)
    return PlainPipe(socket, transport)


async def _close(socket: web.WebSocketResponse, transport: asyncio.Transport | None, code: int, reason: bytes) -> None:
    if transport is not None:  # armed first: whatever happens to this task, the connection ends
        asyncio.get_running_loop().call_later(GOODBYE, transport.abort)
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(GOODBYE):
            await socket.close(code=code, message=reason)


class _Sink(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = b""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.taken += bytes(data)


async def frames_can_be_shared() -> bool:
    """Tell whether our frames are those aiohttp would write, and whether it offers what sharing them needs; if not, the log says so."""
    try:
        for payload in (b"x", b"x" * 200, b"x" * 70_000):
            sink = _Sink()
            await WebSocketWriter(web.BaseRequest.protocol, sink).send_frame(payload, WSMsgType.TEXT)  # type: ignore[arg-type]  # not touched
            if sink.taken != framed(payload):
                raise TypeError("its frames are others than ours")
        for holder, name in ((web.RequestHandler, "writing_paused"), (web.Request, "writer"), (web.WebSocketResponse, "compress")):
            if not hasattr(holder, name):
                raise TypeError(f"{holder.__name__}.{name} is gone")
    except (TypeError, AttributeError) as error:
        log.warning("frames are not shared between clients, each costs more: aiohttp has changed: %s", error)
        return False
    return True
