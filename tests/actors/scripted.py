"""A deploying hub in whose deployments things happen at given moments."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from actors.progress import Progress
from paranet.controller.simulator.flash import MemoryFlash
from paranet.controller.simulator.network import SimulatedNetwork
from tests.actors.deploying import (
    Hub,
    flash,
    hub,
    powered,
    starting,
)

When = Callable[[Progress], object]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once."""
    monkeypatch.setattr("actors.deployment.RETRY_AFTER", 0.001)


class Script:
    """Things to do the first time a deployment's progress is at some point: after the journal knows, before any device does."""

    def __init__(self) -> None:
        self._acts: list[tuple[When, Callable[[], object]]] = []

    def at(self, moment: When, act: Callable[[], object]) -> None:
        self._acts.append((moment, act))

    async def hook(self, _call: int, when: str, progress: Progress) -> None:
        for moment, act in [a for a in self._acts if when == "after" and a[0](progress)]:
            self._acts.remove((moment, act))
            done = act()
            if isinstance(done, Awaitable):
                await done


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def memory() -> MemoryFlash:
    return flash()


@pytest.fixture
async def network(memory: MemoryFlash) -> SimulatedNetwork:
    return await powered(memory)


@pytest.fixture
async def house(tmp_path: Path, network: SimulatedNetwork, script: Script) -> AsyncIterator[Hub]:
    """A hub whose journal runs the script."""
    async with hub(tmp_path, network, script.hook) as opened:
        yield opened


def commits(wave: int) -> When:
    return lambda progress: starting(progress, wave)


def enters(state: str) -> When:
    return lambda progress: progress.state == state
