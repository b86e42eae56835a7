"""A batch of frames where the kernel can send it from, so that it is copied once and not for every client."""

import os

WORTH = 8 * 2**10
"""bytes below which a plain write is as fast"""
MOST = 2**20
"""bytes that a sheet may hold"""


class Sheet:
    """Memory with a file descriptor (Linux): `sendfile` hands its pages to as many sockets as there are.

    It holds the batch that was sent last. Pages that are still under way to somebody stay with the kernel when it is emptied:
    what comes next gets pages of its own.
    """

    __slots__ = ("_descriptor", "_holds")

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("paranet-frames", os.MFD_CLOEXEC)
        self._holds: bytes | None = None

    def send(self, descriptor: int, batch: bytes) -> int:
        """Send it into a socket that does not block; return how many bytes that took. What keeps it from more, its transport will find."""
        try:
            if batch is not self._holds:
                self._holds = None
                os.ftruncate(self._descriptor, 0)
                if os.pwrite(self._descriptor, batch, 0) < len(batch):
                    return 0
                self._holds = batch
            return os.sendfile(descriptor, self._descriptor, 0, len(batch))
        except OSError:
            return 0

    def close(self) -> None:
        """Let the memory go."""
        os.close(self._descriptor)
