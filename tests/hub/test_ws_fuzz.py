"""What no client of good faith sends. The others never notice."""

import asyncio
import base64
import contextlib
import json
import os
import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.ws.protocol import parse
from paranet.errors import InvalidInput
from tests.hub.api import Api, Client
from tests.hub.sockets import connected

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def upgraded(client: Client, api: Api, more: str = "") -> Streams:
    """Return a socket after the upgrade."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port or 0)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\nAuthorization: Bearer {api.token}\r\n{more}\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


async def last_words(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the end, which may be a reset: not all that was sent has been read."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(15):
            while chunk := await reader.read(2**16):
                said += chunk
    return said


def raw(head: int, payload: bytes, *, mask: bool = True, length: int | None = None) -> bytes:
    """Return a frame with any first byte and any length claimed."""
    size = len(payload) if length is None else length
    bit = 0x80 if mask else 0
    short = struct.pack("!BB", head, bit | size) if size < 126 else None
    middle = struct.pack("!BBH", head, bit | 126, size) if size < 2**16 else struct.pack("!BBQ", head, bit | 127, size)
    return (short or middle) + (b"\0\0\0\0" if mask else b"") + payload


def bomb() -> bytes:
    """Return 64 MiB of nothing in a few kilobytes."""
    squeeze = zlib.compressobj(wbits=-15)
    body = squeeze.compress(b"\0" * 2**26) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    return raw(0xC1, body.removesuffix(b"\x00\x00\xff\xff"))


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
HOSTILE = {
    "bad UTF-8": (raw(0x81, b"\xff\xfe{}"), 1007),
    "reserved bits": (raw(0xF1, b"{}"), 1002),
    "unknown opcode": (raw(0x83, b"{}"), 1002),
    "unknown control opcode": (raw(0x8B, b""), 1002),
    "large ping": (raw(0x89, b"x" * 126), 1002),
    "fragmented ping": (raw(0x09, b"x"), 1002),
    "continuation of nothing": (raw(0x80, b"x"), 1002),
    "text within text": (raw(0x01, b"{") + raw(0x81, b"}"), 1002),
    "huge length": (raw(0x81, b"", length=2**40), 1009),
    "too large in pieces": (raw(0x01, b"x" * 60_000) + raw(0x80, b"x" * 6_000), 1009),
    "a bomb": (bomb(), 1009),
    "close with a bad code": (raw(0x88, struct.pack("!H", 5)), 1002),
}


@pytest.mark.parametrize("what", list(HOSTILE))
async def test_broken_frames_close_only_their_own_socket(anonymous: Client, viewer: Api, what: str) -> None:
    """With the code RFC 6455 has for it; another client goes on."""
    sent, code = HOSTILE[what]
    async with connected(viewer) as other:
        reader, writer = await upgraded(anonymous, viewer, DEFLATE if what == "a bomb" else "")
        writer.write(sent)
        everything = await last_words(reader)
        writer.close()
        assert struct.pack("!H", code) in everything[-200:]
        assert (b"at most 65536 bytes" in everything) is (code == 1009)
        await other.subscribe("topology")


async def test_frames_are_handled_one_after_the_other(anonymous: Client, viewer: Api) -> None:
    """However many come at once: what has not been handled waits in the network, and keeps its order."""
    reader, writer = await upgraded(anonymous, viewer)
    writer.write(b"".join(raw(0x81, b'{"type":"unsub","id":%d,"ch":"c"}' % n) for n in range(300)))
    async with asyncio.timeout(10):
        said = await reader.readuntil(b'"id":299,"ch":"c"}')
    assert [int(part.partition(b",")[0]) for part in said.split(b'"type":"ok","id":')[1:]] == list(range(300))
    writer.close()


async def test_the_clients_own_goodbye_is_answered(anonymous: Client, viewer: Api) -> None:
    """With its code; then the connection ends, and what comes after it is not looked at."""
    reader, writer = await upgraded(anonymous, viewer)
    writer.write(raw(0x88, struct.pack("!H", 4999) + b"bye") + raw(0x83, b"noise"))
    assert (await last_words(reader)).endswith(raw(0x88, struct.pack("!H", 4999), mask=False))
    writer.close()


async def test_half_a_frame_and_gone(anonymous: Client, viewer: Api) -> None:
    """Nothing remains of a client that is cut off in the middle of a frame."""
    async with connected(viewer) as other:
        _, writer = await upgraded(anonymous, viewer)
        writer.write(raw(0x81, b'{"type":"pong"}')[:-3])
        writer.transport.abort()
        await other.subscribe("topology")


async def test_a_message_in_pieces_is_one_message(anonymous: Client, viewer: Api) -> None:
    """As RFC 6455 has it, with a ping between the pieces."""
    reader, writer = await upgraded(anonymous, viewer)
    writer.write(raw(0x01, b'{"type":"sub",') + raw(0x89, b"p") + raw(0x00, b'"id":1,') + raw(0x80, b'"ch":"topology"}'))
    async with asyncio.timeout(10):
        await reader.readuntil(b'"type":"ok"')
    writer.close()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(),
        st.recursive(
            SCALARS,
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "id", "ch", "filter", "params", "x"]), inner)
            ),
            max_leaves=12,
        ).map(json.dumps),
        st.sampled_from(["[" * 5000, '{"type":"sub","id":1e999,"ch":"x"}', '{"type":"ask","id":1,"method":"x","params":[]}', "\x00"]),
    )
)
def test_no_text_is_more_than_invalid(text: str) -> None:
    """Reading a frame gives a frame, or says why not."""
    with contextlib.suppress(InvalidInput):
        parse(text)
