"""A system on a virtual clock; after every test nothing of it may be left."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from actors.runtime import ActorSystem
from tests.actors.runtime.cast import Stage
from tests.actors.runtime.virtual import VirtualLoop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """A module that needs another loop names it in LOOPS."""
    factories: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = getattr(
        getattr(item, "module", None), "LOOPS", {"virtual": VirtualLoop}
    )
    return factories


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    before = asyncio.all_tasks()
    async with ActorSystem(now=lambda: 1_700_000_000.0 + asyncio.get_running_loop().time(), seed=1) as system:
        yield system
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"tasks left behind: {left}"
