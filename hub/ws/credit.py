"""How much of a log a client is ready to take."""

from collections import deque

from actors.frames import Frame

MOST = 16 * 2**20
"""bytes that may be granted at once"""
FLYING = 10_000
"""frames whose acknowledgement is waited for"""


class Credit:
    """Bytes that may still be sent; what is acknowledged may be sent again. Not *metered*, it only keeps the acknowledgements."""

    __slots__ = ("_flying", "acked", "left", "metered")

    def __init__(self, *, metered: bool = True) -> None:
        self.left = 0 if metered else MOST
        self.metered = metered
        self.acked = 0
        self._flying: deque[tuple[int, int]] = deque(maxlen=FLYING)  # last offset, bytes

    def grant(self, allowed: int) -> None:
        """Allow so many bytes more."""
        if not self.metered:
            self.metered, self.left = True, 0
        self.left = min(self.left + allowed, MOST)

    def spend(self, frame: Frame) -> bool:
        """Take the frame's bytes off what is left; False when nothing is left. One frame may go below zero."""
        if not self.metered:
            return True
        if self.left <= 0:
            return False
        self.left -= frame.size
        self._flying.append((frame.last, frame.size))
        return True

    def acknowledge(self, offset: int) -> None:
        """Give back the bytes of the frames up to *offset*."""
        self.acked = max(self.acked, offset)
        while self._flying and self._flying[0][0] <= offset:
            self.left = min(self.left + self._flying.popleft()[1], MOST)
