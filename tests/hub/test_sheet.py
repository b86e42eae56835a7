"""Batches that the kernel sends from memory: every byte arrives, in its order, whatever is sent next."""

import asyncio
import os
import random
import socket
from collections.abc import Callable, Iterator

import pytest
import uvloop

from actors.frames import Frame
from hub.ws.sheet import MOST, WORTH, Sheet
from tests.hub.test_wire import bench

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def sheet() -> Iterator[Sheet]:
    """An empty one."""
    made = Sheet()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a TCP connection; the first does not block."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as near:
        far, _ = server.accept()
        with far:
            near.setblocking(False)
            yield near, far


def received(far: socket.socket, size: int) -> bytes:
    """Read that much."""
    data = b""
    while len(data) < size:
        data += far.recv(size - len(data))
    return data


def test_what_is_under_way_is_not_overwritten(sheet: Sheet, pair: Pair) -> None:
    """A client that has read nothing yet gets the batches as they were, though the sheet holds another by now."""
    near, far = pair
    batches = [os.urandom(60_000) for _ in range(8)]
    assert [sheet.send(near.fileno(), batch) for batch in batches] == [60_000] * 8
    sheet.send(near.fileno(), b"last" * 1000)
    assert received(far, 480_000) == b"".join(batches)
    assert received(far, 4000) == b"last" * 1000


def test_a_full_socket_takes_a_part_and_then_nothing(sheet: Sheet, pair: Pair) -> None:
    """The rest is the transport's."""
    near, far = pair
    batch = os.urandom(MOST)
    taken: list[int] = []
    while not taken or taken[-1]:
        taken.append(sheet.send(near.fileno(), batch))
    assert len(taken) > 1
    assert 0 < taken[-2] <= MOST
    assert received(far, sum(taken)) == (batch * len(taken))[: sum(taken)]


def test_a_socket_that_is_broken_takes_nothing(sheet: Sheet) -> None:
    """Its transport finds out, and says why."""
    assert sheet.send(-1, b"x" * WORTH) == 0


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_large_and_small_frames_keep_their_order(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Past the transport and through it, to clients that share them, of which one reads late."""
    dice = random.Random(4)
    texts = [f"{n} ".encode() + bytes([97 + n % 26]) * dice.choice([5, WORTH, 60_000, 200_000]) for n in range(120)]
    sent = [Frame(text, channel="c", epoch="e", first=n, last=n) for n, text in enumerate(texts, start=1)]

    async def read() -> tuple[list[str], list[str]]:
        async with (
            bench(cancelling=False) as (held, _, client),
            client.ws_connect("/ws", max_msg_size=0) as one,
            client.ws_connect("/ws", max_msg_size=0) as other,
        ):
            outboxes = [(await held.opened.get()).outbox for _ in range(2)]
            swift: list[str] = []
            late: list[str] = []
            for frame in sent:
                assert [outbox.push(frame) for outbox in outboxes] == [True, True]
                swift.append(await one.receive_str(timeout=5))
                while max(outbox.backlog for outbox in outboxes) > 100_000:
                    late.append(await other.receive_str(timeout=5))
            while len(late) < len(sent):
                late.append(await other.receive_str(timeout=5))
            return swift, late

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(read()) == ([text.decode() for text in texts],) * 2
