"""An event loop that goes with the clock, and leaps ahead when a test says so: what is to happen in half an hour happens now."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class LeapingLoop(asyncio.SelectorEventLoop):
    """Sockets, threads and files work as ever."""

    def __init__(self) -> None:
        self._leapt = 0.0
        super().__init__()

    def time(self) -> float:
        return super().time() + self._leapt

    def leap(self, seconds: float) -> None:
        """Let time pass."""
        self._leapt += seconds


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run a test's story on a loop that leaps."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(story)


def leap(seconds: float) -> None:
    """Let time pass on the loop that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    loop.leap(seconds)
