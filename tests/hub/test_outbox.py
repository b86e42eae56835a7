"""The outbox of one client: what counts as slow, and what happens before."""

import asyncio
from collections.abc import Iterable

import orjson
import pytest

from actors.channels import Position
from actors.frames import Frame
from hub.ws.closecodes import CloseCode
from hub.ws.outbox import REFUSE, Outbox

LIMIT = 1000
KIB = 2**10


class Client:
    """A client that takes what was written when the test says so; *room* bytes fit into its transport."""

    def __init__(self, room: int = 0) -> None:
        self.room = room
        self.taken_: list[bytes] = []
        self.writes = 0
        self.code: int | None = None
        self.ended = asyncio.Event()
        self._waiting: list[bytes] = []
        self._gate = asyncio.Event()
        self._gone = False

    @property
    def busy(self) -> bool:
        return self.pending > self.room

    @property
    def pending(self) -> int:
        return sum(map(len, self._waiting))

    def write(self, frame: Frame) -> None:
        self.write_all([frame])

    def write_all(self, frames: Iterable[Frame]) -> None:
        self.writes += 1
        self._waiting += [payload for frame in frames for payload in frame.payloads]
        if self._gate.is_set():
            self.take()

    def take(self) -> None:
        """Take what was written and is waiting, and from now on everything."""
        self.taken_ += self._waiting
        self._waiting.clear()
        self._gate.set()

    def stop(self) -> None:
        """Take nothing any more."""
        self._gate.clear()

    def cut(self) -> None:
        """Be gone."""
        self._gone = True
        self._gate.set()

    async def taken(self) -> None:
        if self.busy:
            await self._gate.wait()
        if self._gone:
            raise ConnectionResetError

    def listen(self) -> None:
        """There is nothing to hear."""

    def close(self, code: int, reason: str) -> None:
        if self.code is None:
            self.code = code
            assert reason == CloseCode(code).name.lower()
            self.ended.set()


def event(offset: int, size: int = 100) -> Frame:
    """Return the event of that offset on channel `c`."""
    return Frame(b"x" * size, channel="c", epoch="e", first=offset, last=offset)


async def finished(outbox: Outbox, client: Client) -> int | None:
    """Let the client take everything; return the code it was closed with."""
    outbox.close(CloseCode.DRAIN)
    client.take()
    async with asyncio.timeout(5):
        await client.ended.wait()
    return client.code


async def test_a_client_that_keeps_up_is_written_to_at_once() -> None:
    """Without a task of its own."""
    client = Client()
    client.take()
    outbox = Outbox(client, LIMIT)
    assert outbox.push(Frame(b"1"))
    assert client.taken_ == [b"1"]
    assert len(asyncio.all_tasks()) == 1


async def test_frames_are_sent_in_order_and_then_the_goodbye() -> None:
    """What was pushed before the close is sent before it, what waits in few writes."""
    client = Client()
    outbox = Outbox(client, LIMIT)
    for frame in (b"1", b"2", b"3"):
        outbox.push(Frame(frame))
    assert await finished(outbox, client) == CloseCode.DRAIN
    assert client.taken_[:3] == [b"1", b"2", b"3"]
    assert orjson.loads(client.taken_[3])["type"] == "bye"
    assert client.writes == 2


async def test_nothing_follows_the_goodbye() -> None:
    """Neither frames nor another reason."""
    client = Client()
    outbox = Outbox(client, LIMIT)
    outbox.close(CloseCode.KICKED)
    outbox.push(Frame(b"late"))
    assert await finished(outbox, client) == CloseCode.KICKED
    assert len(client.taken_) == 1


async def test_what_is_pushed_while_the_client_is_stuck_is_bounded() -> None:
    """Above the limit it is slow, and nothing is kept for it."""
    client = Client()
    outbox = Outbox(client, LIMIT)
    outbox.push(Frame(b"x"))
    await asyncio.sleep(0)  # the writer runs
    for _ in range(12):
        outbox.push(Frame(b"x" * 100))
    assert outbox.backlog < 100
    assert await finished(outbox, client) == CloseCode.SLOW


async def test_a_large_answer_may_be_taken_in_the_clients_own_time() -> None:
    """A snapshot of several parts is still on its way when the next events come: that client is not slow, it reads as fast as it can."""
    client = Client()
    outbox = Outbox(client, LIMIT)
    parts = [bytes([65 + i]) * LIMIT for i in range(5)]
    for part in parts:
        outbox.push(Frame(part))
    await asyncio.sleep(0)
    for _ in range(3):
        outbox.push(Frame(b"tick"))
    assert await finished(outbox, client) == CloseCode.DRAIN
    assert client.taken_[:8] == [*parts, b"tick", b"tick", b"tick"]


async def test_a_client_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 4008, however little waits."""
    monkeypatch.setattr("hub.ws.outbox.NO_PROGRESS", 0.01)
    client = Client()
    outbox = Outbox(client, LIMIT)
    outbox.push(Frame(b"x"))
    ended = asyncio.Event()
    outbox.on_close = ended.set
    async with asyncio.timeout(5):
        await ended.wait()
    assert await finished(outbox, client) == CloseCode.SLOW


async def test_events_are_refused_before_a_client_is_closed() -> None:
    """Above REFUSE; answers still go in. The position before the first refused one is kept, and offered when there is room."""
    client = Client()
    outbox = Outbox(client, 2**20)
    offered: list[dict[str, Position]] = []
    room = asyncio.Event()

    def offer() -> None:
        offered.append(outbox.take_lagging())
        room.set()

    outbox.on_room = offer
    outbox.push(event(1, REFUSE + 1))
    assert not outbox.push(event(2))
    assert not outbox.push(event(3))
    assert outbox.push(Frame(b"answer"))
    client.take()
    async with asyncio.timeout(5):
        await room.wait()
    assert offered == [{"c": Position(epoch="e", offset=1)}]
    assert not outbox.lagging
    assert client.taken_[-1] == b"answer"
    assert await finished(outbox, client) == CloseCode.DRAIN


async def test_events_need_credit_once_some_was_given() -> None:
    """One frame may go below zero; what is acknowledged may be sent again; other channels are not concerned."""
    client = Client()
    client.take()
    outbox = Outbox(client, 2**20)
    rooms: list[dict[str, Position]] = []
    outbox.on_room = lambda: rooms.append(outbox.take_lagging())
    outbox.grant("c", 150)
    assert [outbox.push(event(n)) for n in (1, 2, 3, 4)] == [True, True, False, False]
    assert outbox.push(Frame(b"x", channel="d", epoch="e", first=1, last=1))
    outbox.acknowledge("c", 1)
    assert rooms == [{"c": Position(epoch="e", offset=2)}]
    assert outbox.push(event(3))
    outbox.grant("c", 1000)
    assert outbox.push(event(4))


async def test_acknowledging_alone_takes_nothing_away() -> None:
    """It is written down for operators."""
    client = Client()
    client.take()
    outbox = Outbox(client, LIMIT)
    outbox.acknowledge("c", 7)
    assert all(outbox.push(event(n)) for n in range(100))
    assert outbox.credits["c"].acked == 7


async def test_a_silent_client_is_pinged_then_let_go() -> None:
    """Only who is idle is pinged."""
    client = Client()
    client.take()
    outbox = Outbox(client, LIMIT)
    outbox.beat()
    outbox.heard = True
    outbox.beat()
    assert not client.taken_
    outbox.beat()
    assert [orjson.loads(raw)["type"] for raw in client.taken_] == ["ping"]
    outbox.beat()
    assert await finished(outbox, client) == CloseCode.NO_PONG


async def test_a_goodbye_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not for a client that takes a byte now and then, which is progress, but no end."""
    monkeypatch.setattr("hub.ws.outbox.NO_PROGRESS", 0.02)

    class Trickle(Client):
        left = 1_000_000

        @property
        def pending(self) -> int:
            self.left -= 1
            return self.left

    client = Trickle()
    outbox = Outbox(client, LIMIT)
    outbox.push(Frame(b"x"))
    outbox.close(CloseCode.KICKED)
    async with asyncio.timeout(5):
        await client.ended.wait()
    assert client.code == CloseCode.KICKED
    client.cut()  # as the socket does, GOODBYE seconds later
    writers = asyncio.all_tasks() - {asyncio.current_task()}
    _, late = await asyncio.wait(writers, timeout=5)
    assert not late
