"""The outbox of one client: what counts as slow."""

import asyncio
from typing import Any, cast

import pytest
from aiohttp import web

from hub.ws.closecodes import CloseCode
from hub.ws.outbox import Outbox

LIMIT = 1000


class Hesitant:
    """A client that takes its next frame when the test says so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.taken: list[bytes] = []

    async def send_frame(self, frame: bytes, _kind: object) -> None:
        """Take the place of WebSocketResponse.send_frame."""
        self.asked.set()
        await self.gate.wait()
        self.taken.append(frame)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the outbox, if it looks at one; the last entry counts."""
    times = [1000.0]

    class Time:
        monotonic = staticmethod(lambda: times[-1])

    monkeypatch.setattr("hub.ws.outbox.time", Time, raising=False)
    return times


def writing(outbox: Outbox, client: Hesitant) -> "asyncio.Task[CloseCode]":
    """Start the writer."""
    return asyncio.create_task(outbox.write_to(cast("web.WebSocketResponse", client)))


async def finished(outbox: Outbox, writer: "asyncio.Task[Any]", client: Hesitant) -> CloseCode:
    """Let the client take everything; return why the writer ended."""
    outbox.close(CloseCode.DRAIN)
    client.gate.set()
    async with asyncio.timeout(5):
        return cast("CloseCode", await writer)


async def test_frames_are_sent_in_order_and_then_the_goodbye() -> None:
    """What was pushed before the close is sent before it."""
    outbox, client = Outbox(LIMIT), Hesitant()
    writer = writing(outbox, client)
    for frame in (b"1", b"2", b"3"):
        outbox.push(frame)
    assert await finished(outbox, writer, client) is CloseCode.DRAIN
    assert client.taken[:3] == [b"1", b"2", b"3"]
    assert b'"bye"' in client.taken[3]


async def test_what_is_pushed_while_the_client_is_stuck_is_bounded(clock: list[float]) -> None:
    """Above the limit it is slow, and nothing is kept for it."""
    outbox, client = Outbox(LIMIT), Hesitant()
    writer = writing(outbox, client)
    outbox.push(b"x")
    await client.asked.wait()
    for _ in range(12):
        clock.append(clock[-1] + 1)
        outbox.push(b"x" * 100)
    assert outbox.backlog == 0
    assert await finished(outbox, writer, client) is CloseCode.SLOW


async def test_a_large_answer_may_be_taken_in_the_clients_own_time(clock: list[float]) -> None:
    """A snapshot of several parts is still on its way when the next events come: that client is not slow, it reads as fast as it can."""
    outbox, client = Outbox(LIMIT), Hesitant()
    writer = writing(outbox, client)
    parts = [bytes([65 + i]) * LIMIT for i in range(5)]
    for part in parts:
        outbox.push(part)
    await client.asked.wait()
    for _ in range(3):
        clock.append(clock[-1] + 1)
        outbox.push(b"tick")
    assert await finished(outbox, writer, client) is CloseCode.DRAIN
    assert client.taken[:8] == [*parts, b"tick", b"tick", b"tick"]
