"""Ids that the hub makes: UUIDv7 (RFC 9562), sortable by time."""

import os
import uuid


def uuid7(now: float) -> str:
    """Return a new UUIDv7 for the UNIX time *now* in s."""
    value = (int(now * 1000) & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def epoch() -> str:
    """Return a random name for one incarnation of a channel."""
    return os.urandom(6).hex()
