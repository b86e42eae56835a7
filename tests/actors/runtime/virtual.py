"""An event loop whose clock jumps to the next timer when there is nothing to do: minutes pass in microseconds, in order."""

import asyncio
import selectors


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits for time to pass; with no timer at all it waits for I/O or another thread as usual."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        events: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not events:
            self.now += max(0.0, timeout)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0 s."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now
