"""A hub with the demo network, for the journeys."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.journeys.hub import Hub, running, signed_in


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub that runs the demo."""
    async with running(tmp_path / "data", "--demo") as started:
        yield started


@pytest.fixture
async def client(hub: Hub) -> AsyncIterator[aiohttp.ClientSession]:
    """A client signed in as admin."""
    async with signed_in(hub) as session:
        yield session
