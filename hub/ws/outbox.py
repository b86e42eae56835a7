"""What is still to be sent to one client: bounded by bytes, written by one task, never waited for by anybody else."""

import asyncio
import contextlib
from collections import deque

import orjson
from aiohttp import WSMsgType, web

from hub.ws.closecodes import CloseCode

NO_PROGRESS = 10.0
"""seconds a client may take nothing before it is let go"""

MOST = 16
"""times the backlog allowed that one answer may be on top of it"""
GOODBYE = 3.0
"""seconds a client has for the closing handshake"""


class Outbox:
    """The outlet of one socket. Frames are references to bytes that all clients of a channel share."""

    def __init__(self, max_backlog: int) -> None:
        self._max_backlog = max_backlog
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._burst = 0
        self._idle = True
        self._ready = asyncio.Event()
        self._closing: CloseCode | None = None
        self.sent = 0

    @property
    def backlog(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def push(self, frame: bytes) -> None:
        """Take one frame. A client that lets too much pile up is closed as slow, and its backlog is let go."""
        if self._closing is not None:
            return
        self._queue.append(frame)
        self._bytes += len(frame)
        if self._idle:  # the writer had nothing left to send: a large answer is not the client's fault, until it has been taken
            self._burst += len(frame)
        if self._bytes > self._max_backlog + min(self._burst, MOST * self._max_backlog):
            self._queue.clear()
            self._bytes = 0
            self.close(CloseCode.SLOW)
        self._ready.set()

    def close(self, code: CloseCode, retry_ms: int | None = None) -> None:
        """Say goodbye after what waits has been sent."""
        if self._closing is None:
            self._queue.append(orjson.dumps({"type": "bye", "code": int(code), "retry_ms": retry_ms}))
            self._closing = code
            self._ready.set()

    async def write_to(self, socket: web.WebSocketResponse) -> CloseCode:
        """Send until closed, or until the client takes nothing any more; return why it ended."""
        try:
            while True:
                self._idle = False
                while self._queue:
                    frame = self._queue.popleft()
                    self._bytes = max(0, self._bytes - len(frame))
                    async with asyncio.timeout(NO_PROGRESS):
                        await socket.send_frame(frame, WSMsgType.TEXT)
                    self.sent += 1
                if self._closing is not None:
                    return self._closing
                self._idle, self._burst = True, 0
                self._ready.clear()
                await self._ready.wait()
        except (TimeoutError, ConnectionError):
            self._closing = self._closing or CloseCode.SLOW
            return self._closing
        finally:
            self._queue.clear()


async def say_goodbye(socket: web.WebSocketResponse, transport: asyncio.Transport | None, code: CloseCode) -> None:
    """Close the socket; a client that does not take what is still on its way within GOODBYE is cut off."""
    if transport is not None:  # armed first: whatever happens to this task, the connection ends
        asyncio.get_running_loop().call_later(GOODBYE, transport.abort)
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(GOODBYE):
            await socket.close(code=code, message=code.name.lower().encode())
