"""Frames of clients, however they are cut, compressed and mixed."""

import contextlib
import struct
import zlib
from itertools import pairwise

import pytest
from aiohttp import WSCloseCode
from hypothesis import given
from hypothesis import strategies as st

from hub.ws.reading import BrokenFrame, FrameReader, Opcode, close_code, unmasked
from hub.ws.wire import SYNC_TAIL

MOST = 70_000
MASKS = st.binary(min_size=4, max_size=4)
Found = tuple[Opcode, bytes]


def frame(first: int, payload: bytes, mask: bytes = b"\0\0\0\0") -> bytes:
    """Return a client's frame, masked byte by byte as RFC 6455 says it."""
    size = len(payload)
    if size <= 125:
        head = struct.pack("!BB", first, 0x80 | size)
    else:
        head = struct.pack("!BBH", first, 0xFE, size) if size < 2**16 else struct.pack("!BBQ", first, 0xFF, size)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def squeezed(payload: bytes) -> bytes:
    """Return it deflated on its own (RFC 7692, 7.2.1)."""
    squeeze = zlib.compressobj(wbits=-15)
    return (squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH)).removesuffix(SYNC_TAIL)


def read(data: bytes, cuts: list[int] | None = None, *, most: int = MOST, deflate: bool = False) -> list[Found]:
    """Return what a reader makes of bytes that come cut at these places."""
    reader = FrameReader(most, deflate=deflate)
    found = []
    for begin, end in pairwise([0, *sorted(cuts or ()), len(data)]):
        reader.feed(data[begin:end])
        while (one := reader.next()) is not None:
            found.append(one)
    return found


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[Found], list[int]]:
    """Messages, whole and in pieces, deflated and not, control frames between the pieces; what they are; where to cut them."""
    sent, meant = b"", []
    for _ in range(draw(st.integers(1, 4))):
        payload = draw(st.binary(max_size=300)) * draw(st.sampled_from([1, 1, 1, 200]))
        kind = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
        deflate = draw(st.booleans())
        body = squeezed(payload) if deflate else payload
        places = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
        pieces = [body[begin:end] for begin, end in pairwise([0, *places, len(body)])]
        for i, piece in enumerate(pieces):
            last = i == len(pieces) - 1
            first = (0x80 if last else 0) | (0x40 if deflate and i == 0 else 0) | (int(kind) if i == 0 else 0)
            sent += frame(first, piece, draw(MASKS))
            meant.append((kind, payload) if last else (Opcode.CONTINUATION, b""))
            if draw(st.booleans()):
                sent += frame(0x89, piece[:125], draw(MASKS))
                meant.append((Opcode.PING, piece[:125]))
    return sent, meant, draw(st.lists(st.integers(0, len(sent)), max_size=5))


@given(conversations())
def test_what_was_sent_is_read(conversation: tuple[bytes, list[Found], list[int]]) -> None:
    """In its order, wherever the network cuts it."""
    sent, meant, cuts = conversation
    assert read(sent, cuts, deflate=True) == meant


@given(st.binary(max_size=200), MASKS)
def test_a_mask_is_taken_off(payload: bytes, mask: bytes) -> None:
    """As the RFC's own formula does it: octet i is masked with octet i modulo 4 (5.3)."""
    assert unmasked(bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)), mask) == payload


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=4), st.booleans())
def test_noise_is_frames_or_broken(noise: bytes, cuts: list[int], deflate: bool) -> None:
    """And nothing else happens; what is read is no larger than allowed."""
    with contextlib.suppress(BrokenFrame):
        found = read(noise, [cut for cut in cuts if cut <= len(noise)], most=1000, deflate=deflate)
        assert all(len(payload) <= 1000 for _, payload in found)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02{}", WSCloseCode.PROTOCOL_ERROR),  # no mask
        (frame(0xC1, squeezed(b"x" * 500)), WSCloseCode.PROTOCOL_ERROR),  # deflated, though that was not agreed upon
        (frame(0x81, b"x" * (MOST + 1)), WSCloseCode.MESSAGE_TOO_BIG),
        (frame(0x01, b"x" * MOST) + frame(0x80, b"x"), WSCloseCode.MESSAGE_TOO_BIG),
        (b"\x81\xff" + b"\xff" * 8, WSCloseCode.MESSAGE_TOO_BIG),  # 2^64 - 1 bytes
        (frame(0x01, b"x") + frame(0x01, b"y"), WSCloseCode.PROTOCOL_ERROR),
        (frame(0x80, b"x"), WSCloseCode.PROTOCOL_ERROR),
    ],
)
def test_what_breaks_the_protocol_has_its_code(data: bytes, code: WSCloseCode) -> None:
    """RFC 6455, 7.4.1. A frame that is too large is refused by its head: nobody waits for the rest."""
    for end in (len(data), min(len(data), 2 * MOST)):
        with pytest.raises(BrokenFrame) as broken:
            read(data[:end])
        assert broken.value.code == code


def test_too_large_is_said_with_the_limit() -> None:
    """Before the payload has come, and once a message is inflated: not a byte more is unpacked."""
    with pytest.raises(BrokenFrame, match="at most 70000 bytes"):
        read(struct.pack("!BBQ", 0x81, 0xFF, MOST + 1))
    assert read(frame(0xC1, squeezed(b"\0" * MOST)), deflate=True) == [(Opcode.TEXT, b"\0" * MOST)]
    with pytest.raises(BrokenFrame, match="at most 70000 bytes"):
        read(frame(0xC1, squeezed(b"\0" * 2**26)), deflate=True)


def test_what_cannot_be_inflated_is_invalid() -> None:
    """1007: data that is not of the type it claims to be."""
    with pytest.raises(BrokenFrame) as broken:
        read(frame(0xC1, b"\xff" * 40), deflate=True)
    assert broken.value.code == WSCloseCode.INVALID_TEXT


def test_nothing_is_kept_of_what_was_read() -> None:
    """However much that was."""
    reader = FrameReader(MOST, deflate=False)
    reader.feed(frame(0x01, b"x" * 60_000) + frame(0x80, b"y" * 10_000))
    assert reader.next() == (Opcode.CONTINUATION, b"")
    assert reader.next() == (Opcode.TEXT, b"x" * 60_000 + b"y" * 10_000)
    assert (reader.next(), len(reader)) == (None, 0)


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 3000, 4000, 4999])
def test_a_close_code_is_read(code: int) -> None:
    """With any reason."""
    assert close_code(struct.pack("!H", code) + "fünf".encode()) == code
    assert close_code(b"") is None


@pytest.mark.parametrize("payload", [b"\x03", *(struct.pack("!H", code) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000))])
def test_a_close_code_that_is_none_breaks_the_protocol(payload: bytes) -> None:
    """Those that no endpoint may send (RFC 6455, 7.4)."""
    with pytest.raises(BrokenFrame):
        close_code(payload)
