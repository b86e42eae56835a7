"""What is still to be sent to one client: bounded by bytes, never waited for by anybody else.

The ladder for a client that falls behind: what waits goes out in bigger writes; above REFUSE events are refused, and the session has
the channel tell them later, conflated or from its ring; above the backlog allowed, or when nothing is taken, the socket is closed.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import orjson

from actors.channels import Position
from actors.frames import Frame
from hub.ws.closecodes import CloseCode
from hub.ws.credit import Credit
from hub.ws.protocol import error_frame
from paranet.errors import ParaNetError

NO_PROGRESS = 10.0
"""seconds a client may take nothing before it is let go"""
WRITE = 64 * 2**10
"""bytes of backlog that go into one write"""
REFUSE = 256 * 2**10
"""bytes of backlog above which events are not taken any more"""
MOST = 16
"""times the backlog allowed that one answer may be on top of it"""
PING = Frame.of({"type": "ping"})


class Pipe(Protocol):
    """The way to the client. `Socket` tells what each does."""

    @property
    def busy(self) -> bool: ...

    @property
    def pending(self) -> int: ...

    def write(self, frame: Frame) -> None: ...

    def write_all(self, frames: Iterable[Frame]) -> None: ...

    async def taken(self) -> None: ...

    def listen(self) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class Outbox:
    """The outlet of one socket. Frames are references to bytes that all clients of a channel share."""

    __slots__ = (
        "_burst",
        "_bytes",
        "_closing",
        "_idle",
        "_max_backlog",
        "_pinged",
        "_pipe",
        "_queue",
        "_writer",
        "conflated",
        "credits",
        "heard",
        "lagging",
        "on_close",
        "on_room",
        "sent",
    )

    def __init__(self, pipe: Pipe, max_backlog: int) -> None:
        self._pipe = pipe
        self._max_backlog = max_backlog
        self._queue: list[Frame] = []  # short: a deque takes more than half a kilobyte even when it is empty
        self._bytes = 0
        self._burst = 0
        self._idle = True
        self._writer: asyncio.Task[None] | None = None
        self._closing: CloseCode | None = None
        self._pinged = False
        self.heard = True
        self.sent = 0
        self.conflated = 0
        self.lagging: dict[str, Position] = {}
        self.credits: dict[str, Credit] = {}
        self.on_room: Callable[[], object] | None = None
        """told when there is room for channels that were refused"""
        self.on_close: Callable[[], object] | None = None
        """told once it is closed, by whatever reason"""

    @property
    def closed(self) -> bool:
        """Whether it takes no more."""
        return self._closing is not None

    @property
    def backlog(self) -> int:
        """Bytes that the client has not taken."""
        return self._bytes + self._pipe.pending

    def send(self, message: Mapping[str, object]) -> None:
        """Push a message for this client alone."""
        self.push(Frame(orjson.dumps(message)))

    def push(self, frame: Frame) -> bool:
        """Take a frame, or refuse an event that the client has no room or has given no credit for.

        A client that lets too much of what cannot be refused pile up is closed as slow, and its backlog is let go.
        """
        if self._closing is not None:
            return True
        if frame.channel is not None and not self._admits(frame, frame.channel):
            return False
        self.sent += len(frame.payloads)
        if self._writer is not None:
            self._enqueue(frame)
        else:
            self._pipe.write(frame)
            if self._pipe.busy:
                self._begin()
        return True

    def _admits(self, frame: Frame, channel: str) -> bool:
        credit = self.credits.get(channel) if self.credits else None
        full = self._writer is not None and self.backlog > REFUSE
        if full or (credit is not None and not credit.spend(frame)):
            self.lagging.setdefault(channel, Position(epoch=frame.epoch, offset=frame.first - 1))
            return False
        return True

    def _enqueue(self, frame: Frame) -> None:
        self._queue.append(frame)
        self._bytes += frame.size
        if self._idle:  # the writer had nothing left to send: a large answer is not the client's fault, until it has been taken
            self._burst += frame.size
        if self._bytes > self._max_backlog + min(self._burst, MOST * self._max_backlog):
            self._let_go()
            self.close(CloseCode.SLOW)

    def grant(self, channel: str, allowed: int) -> None:
        """Allow so many more bytes of a channel; from the first grant on its events need credit."""
        self.credits.setdefault(channel, Credit()).grant(allowed)
        self._offer_room()

    def acknowledge(self, channel: str, offset: int) -> None:
        """Take note that the client has processed a channel up to there; what it was credited for comes free."""
        self.credits.setdefault(channel, Credit(metered=False)).acknowledge(offset)
        self._offer_room()

    def take_lagging(self) -> dict[str, Position]:
        """Return where to go on with the channels that were refused and have room now; they are not lagging any more."""
        ready = {ch: at for ch, at in self.lagging.items() if ch not in self.credits or self.credits[ch].left > 0}
        for channel in ready:
            del self.lagging[channel]
        return ready

    def forget(self, channel: str) -> None:
        """Drop what is known of a subscription that has ended."""
        self.lagging.pop(channel, None)
        self.credits.pop(channel, None)

    def beat(self) -> None:
        """Once an interval: a client of which nothing was heard is pinged, and let go when nothing came of that."""
        if self.heard:
            self.heard = self._pinged = False
        elif self._pinged:
            self.close(CloseCode.NO_PONG)
        else:
            self._pinged = True
            self.push(PING)

    def refuse(self, error: ParaNetError, reply_to: int | None = None, *, channel: str | None = None) -> None:
        """Send the error frame for what was asked; *channel* is one that ends by it."""
        self.push(error_frame(error, reply_to, channel=channel))

    def listen(self) -> None:
        """Have the client's next frame come."""
        self._pipe.listen()

    def close(self, code: CloseCode, retry_ms: int | None = None) -> None:
        """Take no more frames, and say goodbye after what waits has been sent. Only the first reason counts."""
        if self._closing is not None:
            return
        bye = Frame.of({"type": "bye", "code": int(code), "retry_ms": retry_ms})
        self._end(code)
        if self._writer is None:
            self._pipe.write(bye)
            self._goodbye()
        else:
            self._queue.append(bye)
            self._bytes += bye.size
            asyncio.get_running_loop().call_later(NO_PROGRESS, self._goodbye)  # a client may take a little now and then, for ever

    def lost(self) -> None:
        """The client has gone, or said goodbye itself."""
        self._let_go()
        if self._closing is None:
            self._end(CloseCode.INTERNAL)

    def _end(self, code: CloseCode) -> None:
        self._closing = code
        if self.on_close is not None:
            self.on_close()

    def _let_go(self) -> None:
        self._queue.clear()
        self._bytes = 0

    def _goodbye(self) -> None:
        assert self._closing is not None
        self._pipe.close(self._closing, self._closing.name.lower())

    def _begin(self) -> None:
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="ws-writer")

    async def _write(self) -> None:
        """Send until nothing waits, or the client takes nothing any more. Only clients that are behind have such a task."""
        self._idle = False
        try:
            while True:
                await self._taken()
                if not self._queue:
                    break
                self._pipe.write_all(self._batch())
        except (TimeoutError, ConnectionError):
            self._let_go()
            if self._closing is None:
                self._end(CloseCode.SLOW)
        finally:
            self._writer = None
        self._idle, self._burst = True, 0
        if self._closing is None:
            self._offer_room()
        else:
            self._goodbye()

    def _batch(self) -> list[Frame]:
        batch: list[Frame] = []
        size = 0
        for frame in self._queue:
            batch.append(frame)
            size += frame.size
            if size >= WRITE:
                break
        del self._queue[: len(batch)]
        self._bytes = max(0, self._bytes - size)
        return batch

    async def _taken(self) -> None:
        """Wait until the client has room. Raise TimeoutError when it takes nothing for NO_PROGRESS."""
        left = self._pipe.pending
        while True:
            try:
                async with asyncio.timeout(NO_PROGRESS):
                    return await self._pipe.taken()
            except TimeoutError:
                before, left = left, self._pipe.pending
                if left >= before:
                    raise

    def _offer_room(self) -> None:
        if self.lagging and self._writer is None and self.on_room is not None:
            self.on_room()
