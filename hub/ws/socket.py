"""One end of a WebSocket: a protocol of asyncio right on the transport, without a task of its own."""

import asyncio
import os
import socket as net
from collections.abc import Iterable
from socket import AF_INET, AF_INET6, IPPROTO_TCP
from typing import TYPE_CHECKING

from actors.frames import Frame
from actors.runtime import Ref
from hub.ws.closecodes import CloseCode
from hub.ws.messages import Received
from hub.ws.reading import BrokenFrame, FrameReader, Opcode, close_code, text_of
from hub.ws.sheet import MOST, WORTH, Sheet
from hub.ws.wire import CLOSE, PONG, control, wire
from paranet.errors import InvalidInput

if TYPE_CHECKING:
    from hub.ws.outbox import Outbox

GOODBYE = 3.0
"""seconds a client has for the closing handshake"""
BURST = 2.0
"""seconds' worth of frames that a client may send at once"""
RATE_RETRY = 5000
"""ms after which a client that flooded may come back"""


UNSENT = 128 * 2**10
"""bytes that may lie in the kernel before they are on their way: what a slow client has not taken is to be seen here, and conflated"""


class Socket(asyncio.Protocol):
    """Hands text frames one at a time to whoever listens; as long as one is being handled, nothing more is read.

    Its outbox writes through it and is told when the connection is over.
    """

    __slots__ = (
        "_allowed",
        "_cut",
        "_descriptor",
        "_first",
        "_gone",
        "_listened",
        "_loop",
        "_paused",
        "_rate",
        "_reader",
        "_room",
        "_session",
        "_sockets",
        "_transport",
        "deflate",
        "outbox",
    )

    def __init__(self, transport: asyncio.Transport, sockets: "Sockets", reader: FrameReader, *, rate: float, deflate: bool) -> None:
        self.deflate = deflate
        self.outbox: Outbox
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._descriptor = _prepared(transport)
        self._sockets = sockets
        self._reader: FrameReader | None = reader
        """None once nothing that comes is of interest any more"""
        self._rate = rate
        self._allowed = BURST * rate - self._loop.time() * rate
        """frames allowed, less those a client gets by the mere passing of time"""
        self._listened = False
        """whether there is somebody who has nothing to do"""
        self._session: Ref | None = None
        self._first: asyncio.Future[str | None] | None = None
        self._paused = False
        self._room: asyncio.Future[None] | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._gone = False
        sockets.add(self)

    # -- listening

    async def first(self) -> str | None:
        """Return the first text frame; None when another kind came, or none ever will."""
        if self._reader is None:
            return None
        self._first = self._loop.create_future()
        self.listen()
        return await self._first

    def serve(self, session: Ref) -> None:
        """From now on tell *session* what comes; it calls listen when it is done with a frame."""
        self._session = session
        self.listen()

    def listen(self) -> None:
        """Go on with what has come meanwhile."""
        self._listened = True
        if self._reader is not None and len(self._reader):
            self._read()

    def data_received(self, data: bytes) -> None:
        if self._reader is not None:
            self.outbox.heard = True
            self._reader.feed(data)
            self._read()

    def _read(self) -> None:
        try:
            while self._reader is not None and self._listened and (found := self._reader.next()) is not None:
                self._take(*found)
        except BrokenFrame as broken:
            self._reader = None
            self.outbox.lost()
            if self._cut is None:
                self._say_close(broken.code, broken.detail)
                if self._transport.can_write_eof():  # the client need not wait for more; closing at once could take this from it
                    self._transport.write_eof()
        if self._gone:
            return
        if self._reader is None or self._listened or not len(self._reader):
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _take(self, opcode: Opcode, payload: bytes) -> None:
        self._allowed = min(self._allowed, (BURST - self._loop.time()) * self._rate) - 1
        if self._allowed + self._loop.time() * self._rate < 0:
            self.outbox.close(CloseCode.RATE, RATE_RETRY)
        elif opcode is Opcode.TEXT:
            self._hand_on(text_of(payload))
        elif opcode is Opcode.BINARY:
            self._refuse()
        elif opcode is Opcode.PING and not self._paused and self._cut is None:
            self._transport.write(control(PONG, payload))
        elif opcode is Opcode.CLOSE:
            self._take_close(payload)

    def _hand_on(self, text: str) -> None:
        if self.outbox.closed:
            return
        self._listened = False
        if self._session is None:
            self._answer_first(text)
        elif not self._session.tell(Received(text=text)):  # it is about to end
            self._reader = None

    def _refuse(self) -> None:
        if self._session is None:
            self._answer_first(None)
        else:
            self.outbox.refuse(InvalidInput("frames are text"))

    def _answer_first(self, text: str | None) -> None:
        if self._first is not None and not self._first.done():
            self._first.set_result(text)

    def _take_close(self, payload: bytes) -> None:
        code = close_code(payload)
        self._reader = None
        self.outbox.lost()
        if self._cut is None:
            self._say_close(code, "")
        self._transport.close()

    @property
    def served(self) -> bool:
        """Whether it has, or had, a session."""
        return self._session is not None

    # -- writing

    @property
    def busy(self) -> bool:
        """Whether the client has to take something first."""
        return self._paused

    @property
    def pending(self) -> int:
        """Bytes written that the client has not taken."""
        return self._transport.get_write_buffer_size() if not self._gone else 0

    def write(self, frame: Frame) -> None:
        """Send it. Not while busy."""
        if self._cut is None and not self._gone:
            raw = wire(frame, deflate=self.deflate)
            sent = self._send_sheet(raw) if frame.channel is not None and WORTH <= len(raw) <= MOST else 0
            if not sent:
                self._transport.write(raw)
            elif sent < len(raw):
                self._transport.write(memoryview(raw)[sent:])

    def _send_sheet(self, raw: bytes) -> int:
        """Send what others get too past the transport, if that has nothing waiting; return how many bytes went."""
        transport = self._transport
        if self._descriptor < 0 or transport.is_closing() or transport.get_write_buffer_size():
            return 0
        return self._sockets.sheet(deflated=self.deflate).send(self._descriptor, raw)

    def write_all(self, frames: Iterable[Frame]) -> None:
        """Send them in order, in one go. Not while busy."""
        if self._cut is None and not self._gone:
            self._transport.write(b"".join([wire(frame, deflate=self.deflate) for frame in frames]))

    async def taken(self) -> None:
        """Wait until it is not busy any more. Raise ConnectionError when it never will be."""
        if self._paused and not self._gone:
            self._room = self._room or self._loop.create_future()
            await asyncio.shield(self._room)
        if self._gone:
            raise ConnectionResetError("the client has gone")

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    # -- the end

    def close(self, code: int, reason: str) -> None:
        """Make the closing handshake; a client that does not answer is cut off. What is under way is sent before."""
        if self._cut is None and not self._gone:
            self._say_close(code, reason)
            self.listen()  # for the client's own goodbye

    def _say_close(self, code: int | None, reason: str) -> None:
        self._answer_first(None)
        self._cut = self._loop.call_later(GOODBYE, self._transport.abort)  # whatever the client does, the connection ends
        self._transport.write(control(CLOSE, b"" if code is None else code.to_bytes(2) + reason.encode()))

    def eof_received(self) -> None:
        """The client says no more; the transport closes itself when all has been taken."""
        self.outbox.lost()
        if self._cut is None:
            self._cut = self._loop.call_later(GOODBYE, self._transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._gone = True
        self._reader = None
        if self._cut is not None:
            self._cut.cancel()
        self.resume_writing()
        self._answer_first(None)
        self.outbox.lost()
        self._sockets.discard(self)


class Sockets:
    """Those that are open. Whoever ends the hub waits for their goodbyes."""

    def __init__(self) -> None:
        self._open: set[Socket] = set()
        self._sheets: dict[bool, Sheet] = {}
        self._none: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, socket: Socket) -> None:
        """Remember it until it has gone."""
        self._open.add(socket)

    def discard(self, socket: Socket) -> None:
        """It has gone."""
        self._open.discard(socket)
        if self._none is not None and not self._open:
            self._none.set()

    def sheet(self, *, deflated: bool) -> Sheet:
        """Return what batches are sent from."""
        found = self._sheets.get(deflated)
        if found is None:
            found = self._sheets[deflated] = Sheet()
        return found

    async def close(self) -> None:
        """Close all, and wait until they are: no longer than a goodbye takes."""
        self._none = asyncio.Event()
        for socket in list(self._open):
            socket.outbox.close(CloseCode.DRAIN)
        if self._open:
            await self._none.wait()
        for sheet in self._sheets.values():
            sheet.close()
        self._sheets.clear()


def _prepared(transport: asyncio.Transport) -> int:
    """Bound what the kernel keeps. Return what may be written to past the transport; -1 where there is no such thing, or TLS is."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return -1
    if sock.family in (AF_INET, AF_INET6) and hasattr(net, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(IPPROTO_TCP, net.TCP_NOTSENT_LOWAT, UNSENT)
    if transport.get_extra_info("sslcontext") is not None or not hasattr(os, "memfd_create"):
        return -1
    return int(sock.fileno())
