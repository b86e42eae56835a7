"""A hub with the demo network, for the journeys."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from tests.journeys.hub import Hub, running, signed_in

expect.set_options(timeout=10_000)  # what a page shows may have to come from the hub first


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
