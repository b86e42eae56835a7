"""Databases and actor systems for the actors' tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.channels import Outlets
from actors.runtime import ActorSystem
from actors.storage import Database


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Go on."""
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    """UNIX time, standing still."""
    return Clock(1_750_000_000.0)


@pytest.fixture
def outlets() -> Outlets:
    """Nobody yet."""
    return Outlets()


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty control database in a file."""
    database = await Database.open(tmp_path / "control.sqlite3", "control")
    yield database
    await database.close()


@pytest.fixture
async def house(control: Database) -> AsyncIterator[ActorSystem]:
    """A system without actors, stopped before its database is closed."""
    async with ActorSystem() as running:
        yield running
