"""Frames that are made once for all, and connections that are taken over from aiohttp: what the hub relies on in it."""

import asyncio
import base64
import gc
import os
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import aiohttp
import pytest
import uvloop
from aiohttp import web
from aiohttp.http_websocket import WebSocketWriter, WSMsgType
from hypothesis import given
from hypothesis import strategies as st

from actors.frames import Frame
from actors.runtime import Ref
from hub.settings import Realtime, Settings
from hub.ws.socket import Socket, Sockets
from hub.ws.upgrade import upgraded
from hub.ws.wire import framed, wire
from tests.hub.api import Client, sign_in
from tests.hub.houses import opened
from tests.hub.sockets import connected

TEXTS = ["", "x", "ü" * 62, "x" * 125, "x" * 126, "x" * 3000, "x" * 65_535, "ab" * 40_000]


class Bench:
    """A server of nothing but sockets, which stay as long as their clients do."""

    def __init__(self) -> None:
        self.sockets = Sockets()
        self.opened: asyncio.Queue[Socket] = asyncio.Queue()
        self.requests: list[weakref.ref[web.Request]] = []

    def tell(self, _message: object) -> bool:
        """Be the session of them all."""
        return True

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Take the connection over and be done."""
        self.requests.append(weakref.ref(request))
        async with upgraded(request, Realtime(), self.sockets) as (response, socket):
            socket.serve(cast("Ref", self))
            await self.opened.put(socket)
            return response


@asynccontextmanager
async def bench(*, cancelling: bool) -> AsyncIterator[tuple[Bench, web.AppRunner, aiohttp.ClientSession]]:
    """Run one as the hub does; *cancelling* has aiohttp cancel the handlers of connections it has lost."""
    held = Bench()
    app = web.Application()
    app.router.add_get("/ws", held.serve)
    runner = web.AppRunner(app, handler_cancellation=cancelling)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
        yield held, runner, client
    async with asyncio.timeout(10):
        await held.sockets.close()
        await runner.cleanup()


LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
CANCELLING = pytest.mark.parametrize("cancelling", [False, True])


@LOOPS
@CANCELLING
@pytest.mark.parametrize("compress", [0, 15, 9])
def test_every_client_reads_what_was_pushed(loop: Callable[[], asyncio.AbstractEventLoop], cancelling: bool, compress: int) -> None:
    """Plain and deflated, in one write and in several, long after the request has ended."""

    async def read() -> list[str]:
        async with bench(cancelling=cancelling) as (held, _, client), client.ws_connect("/ws", compress=compress) as ws:
            socket = await held.opened.get()
            assert socket.deflate is (compress == 15)
            socket.outbox.push(Frame(*(text.encode() for text in TEXTS)))
            for text in TEXTS:
                socket.outbox.push(Frame(text.encode()))
            return [await ws.receive_str(timeout=5) for _ in range(2 * len(TEXTS))]

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(read()) == TEXTS * 2


@LOOPS
@CANCELLING
def test_aiohttp_lets_go_of_what_it_kept_for_the_request(loop: Callable[[], asyncio.AbstractEventLoop], cancelling: bool) -> None:
    """That is what an idle client costs little by; the connection stays, and the server that is shut down does not touch it."""

    async def read() -> str:
        async with bench(cancelling=cancelling) as (held, runner, client), client.ws_connect("/ws") as ws:
            socket = await held.opened.get()
            assert runner.server is not None
            async with asyncio.timeout(5):
                while runner.server.connections or held.requests[0]() is not None:
                    await asyncio.sleep(0)
                    gc.collect()
            await runner.cleanup()
            socket.outbox.push(Frame(b"still here"))
            return await ws.receive_str(timeout=5)

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(read()) == "still here"


async def test_our_frames_are_those_of_aiohttp() -> None:
    """Byte for byte, of every length."""

    class Sink(asyncio.Transport):
        taken = b""

        def is_closing(self) -> bool:
            return False

        def write(self, data: bytes | bytearray | memoryview) -> None:
            self.taken += bytes(data)

    for text in TEXTS:
        sink = Sink()
        await WebSocketWriter(web.BaseRequest.protocol, sink).send_frame(text.encode(), WSMsgType.TEXT)  # type: ignore[arg-type]  # not touched
        assert sink.taken == framed(text.encode())


@given(st.lists(st.text(max_size=400), max_size=5), st.booleans())
def test_a_frame_is_made_once(texts: list[str], deflate: bool) -> None:
    """Whoever it goes to gets the same bytes object."""
    frame = Frame(*(text.encode() for text in texts))
    assert wire(frame, deflate=deflate) is wire(frame, deflate=deflate)
    assert frame.wire is None or frame.wire == b"".join(framed(text.encode()) for text in texts)


async def test_a_browsers_offer_of_deflate_is_taken(settings: Settings) -> None:
    """Large frames come compressed and are read as they were, and so do those of the client, which keeps no window for them."""
    async with opened(settings) as (_, client):
        operator = await sign_in(client, "operator")
        await operator.call("POST", "/topology/nodes", json={"id": "r1", "properties": {"text": "abc" * 5000}})
        async with connected(operator, compress=15) as socket:
            assert socket.ws._response.headers["Sec-WebSocket-Extensions"].split("; ")[1:] == [
                "server_no_context_takeover",
                "client_no_context_takeover",
            ]
            await socket.subscribe("topology")
            (node,) = (await socket.hear("snapshot"))["data"]["nodes"]
    assert node["properties"]["text"] == "abc" * 5000


async def test_what_comes_on_the_heels_of_the_request_is_read(anonymous: Client) -> None:
    """A client that does not wait for the 101 breaks a rule (RFC 6455, 4.1), but loses nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", anonymous.port or 0)
    key = base64.b64encode(os.urandom(16)).decode()
    hello = b'{"type":"hello","token":"none"}'
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        + bytes((0x81, 0x80 | len(hello), 0, 0, 0, 0))
        + hello
    )
    async with asyncio.timeout(5):
        await reader.readuntil(b'"unauthenticated"')
    writer.close()
