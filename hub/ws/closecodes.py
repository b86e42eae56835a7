"""Why a socket was closed. 4000-4499: come back; 4500-4999: do not."""

from enum import IntEnum


class CloseCode(IntEnum):
    """Close codes of this protocol (RFC 6455 leaves 4000-4999 to applications)."""

    DRAIN = 4000
    TOKEN_EXPIRED = 4001
    SLOW = 4008
    NO_PONG = 4012
    RATE = 4013
    CROWD = 4014
    BAD_TOKEN = 4500
    PROTOCOL = 4501
    KICKED = 4503
    FORBIDDEN = 4507
    INTERNAL = 1011

    @property
    def come_back(self) -> bool:
        """Whether the client is meant to connect again."""
        return self < self.BAD_TOKEN
