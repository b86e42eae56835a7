"""Frames that are made once for all: what the hub relies on in aiohttp, and what clients make of them."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.http_websocket import WebSocketWriter
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from actors.frames import Frame
from hub.settings import Settings
from hub.ws import pipe
from hub.ws.outbox import Outbox
from hub.ws.pipe import PlainPipe, SharedPipe, frames_can_be_shared, pipe_to
from hub.ws.wire import framed, wire
from tests.hub.api import sign_in
from tests.hub.houses import opened
from tests.hub.sockets import connected

TEXTS = ["", "x", "ü" * 62, "x" * 125, "x" * 126, "x" * 3000, "x" * 65_535, "ab" * 40_000]


async def test_our_frames_are_those_of_aiohttp() -> None:
    """With this version of it."""
    assert await frames_can_be_shared()


async def test_where_aiohttp_differs_the_log_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """And frames are not shared."""

    async def otherwise(self: WebSocketWriter, message: bytes, opcode: int, compress: int | None = None) -> None:
        self.transport.write(b"\x81\x7e" + message)

    monkeypatch.setattr(WebSocketWriter, "send_frame", otherwise)
    with caplog.at_level(logging.WARNING):
        assert not await frames_can_be_shared()
    assert "aiohttp has changed" in caplog.text


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("compress", [0, 15, 9])
async def test_every_client_reads_what_was_pushed(shared: bool, compress: int) -> None:
    """Plain and deflated, shared and not, in one write and in several, with pings of aiohttp's own in between."""
    pipes: list[SharedPipe | PlainPipe] = []

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        pipes.append(pipe_to(socket, request, shared=shared))
        outbox = Outbox(pipes[0], 2**20)
        outbox.push(Frame(*(text.encode() for text in TEXTS)))
        await socket.ping()
        for text in TEXTS:
            outbox.push(Frame(text.encode()))
        async for _ in socket:
            outbox.push(Frame(b"last"))
        await outbox.say_goodbye()
        return socket

    app = web.Application()
    app.router.add_get("/ws", serve)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/ws", compress=compress) as ws:
        got = [await ws.receive_str(timeout=5) for _ in range(2 * len(TEXTS))]
        await ws.send_str("more")
        assert await ws.receive_str(timeout=5) == "last"
    assert got == TEXTS * 2
    assert isinstance(pipes[0], SharedPipe if shared else PlainPipe)


@given(st.lists(st.text(max_size=400), max_size=5), st.booleans())
def test_a_frame_is_made_once(texts: list[str], deflate: bool) -> None:
    """Whoever it goes to gets the same bytes object."""
    frame = Frame(*(text.encode() for text in texts))
    assert wire(frame, deflate=deflate) is wire(frame, deflate=deflate)
    assert frame.wire is None or frame.wire == b"".join(framed(text.encode()) for text in texts)


async def test_a_browsers_offer_of_deflate_is_taken(settings: Settings) -> None:
    """Large frames come compressed and are read as they were."""
    async with opened(settings) as (_, client):
        operator = await sign_in(client, "operator")
        await operator.call("POST", "/topology/nodes", json={"id": "r1", "properties": {"text": "abc" * 5000}})
        async with connected(operator, compress=15) as socket:
            assert cast("Any", socket.ws).compress == 15
            await socket.subscribe("topology")
            (node,) = (await socket.hear("snapshot"))["data"]["nodes"]
    assert node["properties"]["text"] == "abc" * 5000


async def test_without_sharing_the_hub_works_the_same(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each client's frames are made for it."""

    async def no() -> bool:
        return False

    monkeypatch.setattr("hub.house.frames_can_be_shared", no)
    async with opened(settings) as (house, client), connected(await sign_in(client, "operator")) as socket:
        assert not house.frames_shared
        await socket.subscribe("topology")
        assert (await socket.hear("snapshot"))["offset"] == 0


async def test_a_client_that_never_answers_the_goodbye_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """After GOODBYE seconds, whatever its socket does."""
    monkeypatch.setattr(pipe, "GOODBYE", 0.05)
    cut = asyncio.Event()

    class Deaf:
        async def close(self, **_: object) -> None:
            await asyncio.Event().wait()

    transport = SimpleNamespace(abort=cut.set, get_write_buffer_size=lambda: 0)
    plain = PlainPipe(cast("web.WebSocketResponse", Deaf()), cast("asyncio.Transport", transport))
    async with asyncio.timeout(5):
        await plain.close(4000, b"drain")
        await cut.wait()
