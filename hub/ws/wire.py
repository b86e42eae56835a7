"""Frames on the wire (RFC 6455): a server's frames carry no mask, so their bytes are the same for every client and are made once."""

import struct
import zlib

from actors.frames import Frame

TEXT = 0x81
"""FIN and opcode 1"""
CLOSE, PONG = 0x88, 0x8A
"""FIN and their opcodes"""
COMPRESSED = 0x40
"""RSV1: the payload is deflated (RFC 7692)"""
WINDOW_BITS = 15
"""the window our blocks are made for; a client that asked for a smaller one gets them plain"""
WORTH_DEFLATING = 256
"""bytes below which deflating saves nothing"""
SYNC_TAIL = b"\x00\x00\xff\xff"


def framed(payload: bytes, flags: int = 0) -> bytes:
    """Return a text message in one unmasked frame."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", TEXT | flags, size)
    elif size < 2**16:
        head = struct.pack("!BBH", TEXT | flags, 126, size)
    else:
        head = struct.pack("!BBQ", TEXT | flags, 127, size)
    return head + payload


def control(first: int, payload: bytes) -> bytes:
    """Return a control frame, cut to the 125 bytes it may have."""
    payload = payload[:125]
    return bytes((first, len(payload))) + payload


def deflated(payload: bytes) -> bytes:
    """Return it compressed on its own: it refers to no message before it, so it fits into any client's stream."""
    if len(payload) < WORTH_DEFLATING:
        return framed(payload)
    squeeze = zlib.compressobj(level=1, wbits=-WINDOW_BITS)
    body = squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    return framed(body.removesuffix(SYNC_TAIL), COMPRESSED)


def wire(frame: Frame, *, deflate: bool) -> bytes:
    """Return the bytes of all its messages, made at the first call."""
    if deflate:
        if frame.deflated is None:
            frame.deflated = b"".join(map(deflated, frame.payloads))
        return frame.deflated
    if frame.wire is None:
        frame.wire = b"".join(map(framed, frame.payloads))
    return frame.wire
