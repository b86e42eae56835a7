"""Frames of a client, read from what its connection brings (RFC 6455; RFC 7692 for those that are compressed)."""

import zlib
from enum import IntEnum
from struct import Struct

from aiohttp import WSCloseCode

from hub.ws.wire import COMPRESSED, SYNC_TAIL, WINDOW_BITS

_SHORT = Struct("!H").unpack_from
_LONG = Struct("!Q").unpack_from
FIN = 0x80
CONTROL_MOST = 125


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


_OPCODES = {int(code): code for code in Opcode}
_CLOSE_CODES = frozenset(WSCloseCode) - {WSCloseCode.ABNORMAL_CLOSURE} | frozenset(range(3000, 5000))


class BrokenFrame(Exception):
    """The client does not speak the protocol: the connection is to be closed with *code* (RFC 6455, 7.4.1)."""

    def __init__(self, code: WSCloseCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class FrameReader:
    """Puts frames together. A message, as sent and as inflated, has at most *most* bytes.

    Clients are told to compress every message on its own, so nothing is kept from one to the next.
    """

    __slots__ = ("_compressed", "_data", "_deflate", "_kind", "_most", "_parts")

    def __init__(self, most: int, *, deflate: bool) -> None:
        self._most = most
        self._deflate = deflate
        self._data = bytearray()
        self._kind: Opcode | None = None
        """of the message whose first pieces have come"""
        self._compressed = False
        self._parts: bytearray | None = None

    def __len__(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._data += data

    def next(self) -> tuple[Opcode, bytes] | None:
        """Return the next whole message or control frame, None before it has come; a piece of a message is an empty CONTINUATION.

        Raise BrokenFrame.
        """
        data = self._data
        if len(data) < 2:
            return None
        opcode = self._checked(data[0], data[1])
        size, at = data[1] & 127, 2
        if size > CONTROL_MOST:
            unpack, at = (_SHORT, 4) if size == 126 else (_LONG, 10)
            if len(data) < at:
                return None
            (size,) = unpack(data, 2)
        if size > self._most:
            raise self._too_large()
        end = at + 4 + size
        if len(data) < end:
            return None
        first, payload = data[0], unmasked(bytes(data[at + 4 : end]), bytes(data[at : at + 4]))
        del data[:end]  # moves no byte: a bytearray only remembers where it begins
        return (opcode, payload) if opcode >= Opcode.CLOSE else self._piece(opcode, first, payload)

    def _checked(self, first: int, second: int) -> Opcode:
        """Return what a frame with these first bytes is."""
        opcode = _OPCODES.get(first & 0x0F)
        if opcode is None:
            raise _protocol("unknown opcode")
        control, starts = opcode >= Opcode.CLOSE, opcode in (Opcode.TEXT, Opcode.BINARY)
        if first & 0x70 and not (first & 0x70 == COMPRESSED and self._deflate and starts):
            raise _protocol("reserved bits")
        if not second & 0x80:
            raise _protocol("a client's frames are masked")
        if control and (second & 127 > CONTROL_MOST or not first & FIN):
            raise _protocol("a control frame is short and whole")
        if not control and starts is not (self._kind is None):
            raise _protocol("pieces of two messages are mixed" if starts else "a piece of nothing")
        return opcode

    def _piece(self, opcode: Opcode, first: int, payload: bytes) -> tuple[Opcode, bytes]:
        """Return the message that ends with this piece."""
        if opcode is not Opcode.CONTINUATION:
            self._kind, self._compressed = opcode, bool(first & COMPRESSED)
        if self._parts is not None or not first & FIN:
            self._parts = self._parts if self._parts is not None else bytearray()
            self._parts += payload
            if len(self._parts) > self._most:
                raise self._too_large()
            if not first & FIN:
                return Opcode.CONTINUATION, b""
            payload = bytes(self._parts)
        kind, self._kind, self._parts = self._kind, None, None
        assert kind is not None
        return kind, self._inflated(payload) if self._compressed else payload

    def _inflated(self, payload: bytes) -> bytes:
        """Return it as it was before compression; a bomb is not unpacked further than it may go."""
        inflate = zlib.decompressobj(wbits=-WINDOW_BITS)
        try:
            whole = inflate.decompress(payload + SYNC_TAIL, self._most + 1)
        except zlib.error:
            raise BrokenFrame(WSCloseCode.INVALID_TEXT, "a message cannot be inflated") from None
        if len(whole) > self._most:
            raise self._too_large()
        return whole

    def _too_large(self) -> BrokenFrame:
        return BrokenFrame(WSCloseCode.MESSAGE_TOO_BIG, f"a message has at most {self._most} bytes")


def close_code(payload: bytes) -> int | None:
    """Return the code of a CLOSE frame, None when it has none. Raise BrokenFrame."""
    if not payload:
        return None
    code = _SHORT(payload)[0] if len(payload) >= 2 else 0
    if code not in _CLOSE_CODES:
        raise _protocol("a close code that is none")
    text_of(payload[2:])
    return int(code)


def text_of(payload: bytes) -> str:
    """Return the text. Raise BrokenFrame when it is not UTF-8."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise BrokenFrame(WSCloseCode.INVALID_TEXT, "text is not UTF-8") from None


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """Return it without its mask (RFC 6455, 5.3), as one operation on one large number."""
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little") if key else payload


def _protocol(detail: str) -> BrokenFrame:
    return BrokenFrame(WSCloseCode.PROTOCOL_ERROR, detail)
