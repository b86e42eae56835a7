"""An actor over a database that is busy, full or hangs: real SQLite files, real faults."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import attrs
import pytest

from actors.runtime import Actor, ActorStopped, ActorSystem, AskTimeout, Ref, Request, handles
from actors.storage import Database
from paranet.errors import StorageFailed
from tests.actors.runtime.cast import balance, cell_of

LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
"""a virtual clock would run ahead of the database thread"""


@attrs.frozen(kw_only=True)
class Write(Request[None]):
    """Write so many bytes."""

    size: int = 1


@attrs.frozen(kw_only=True)
class Count(Request[int]):
    """Count what was written."""


@attrs.frozen(kw_only=True)
class Think(Request[None]):
    """Run a statement that takes as long as the test wants."""


@attrs.frozen(kw_only=True)
class Ping(Request[str]):
    """Needs no database."""


class Clerk(Actor):
    """Writes in its handlers, thinks in a job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @handles
    async def write(self, message: Write) -> None:
        async with self._database.transaction() as tx:
            await tx.execute("INSERT INTO notes VALUES (?)", (b"x" * message.size,))

    @handles
    async def count(self, message: Count) -> int:
        ((count,),) = await self._database.fetch("SELECT count(*) FROM notes")
        assert isinstance(count, int)
        return count

    @handles
    async def think(self, message: Think) -> None:
        return await self.defer(self._think())

    async def _think(self) -> None:
        await self._database.fetch("SELECT hang()")

    @handles
    async def ping(self, message: Ping) -> str:
        return "pong"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "t.sqlite3", "telemetry")
    async with database.transaction() as tx:
        await tx.execute("PRAGMA busy_timeout = 10")
        await tx.execute("CREATE TABLE notes (body BLOB)")
    yield database
    await database.close()


@pytest.fixture
async def clerk(system: ActorSystem, database: Database) -> Ref:
    return await system.spawn("clerk", lambda: Clerk(database))


async def test_busy(system: ActorSystem, clerk: Ref, tmp_path: Path) -> None:
    """While another process holds the file, writes are refused as StorageFailed; when it lets go, they succeed."""
    other = sqlite3.connect(tmp_path / "t.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageFailed, match="locked"):
        await clerk.ask(Write(), timeout=5)
    other.execute("ROLLBACK")
    other.close()
    await clerk.ask(Write(), timeout=5)
    assert await clerk.ask(Count(), timeout=5) == 1
    assert cell_of(system, "clerk").generation == 1


async def test_full(system: ActorSystem, clerk: Ref, database: Database) -> None:
    """A write that does not fit is refused and leaves nothing; reads and smaller writes go on."""
    ((pages,),) = await database.fetch("PRAGMA page_count")
    assert isinstance(pages, int)
    async with database.transaction() as tx:
        await tx.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFailed, match="full"):
        await clerk.ask(Write(size=1_000_000), timeout=5)
    assert await clerk.ask(Count(), timeout=5) == 0
    await clerk.ask(Write(), timeout=5)
    assert await clerk.ask(Count(), timeout=5) == 1
    assert cell_of(system, "clerk").generation == 1


async def test_hung(system: ActorSystem, clerk: Ref, database: Database) -> None:
    """When the threads of the database hang, askers time out, and what needs no database is still answered."""
    release, reading, writing_too = threading.Event(), threading.Event(), threading.Event()

    def hang(which: threading.Event) -> int:
        which.set()
        release.wait(30)
        return 1

    await database._reader.create_function("hang", 0, lambda: hang(reading))
    await database._connection.create_function("hang", 0, lambda: hang(writing_too))
    held_up = asyncio.ensure_future(database._connection.execute("SELECT hang()"))
    thinking = asyncio.ensure_future(clerk.ask(Think(), timeout=0.2))
    assert await asyncio.to_thread(lambda: reading.wait(10) and writing_too.wait(10))
    assert await clerk.ask(Ping(), timeout=5) == "pong"
    writing = asyncio.ensure_future(clerk.ask(Write(), timeout=0.2))
    results = await asyncio.gather(thinking, writing, return_exceptions=True)
    assert [type(result) for result in results] == [AskTimeout, AskTimeout]
    release.set()
    await (await held_up).close()
    assert await clerk.ask(Count(), timeout=5) == 1
    cell = cell_of(system, "clerk")
    assert (cell.generation, cell.late_replies) == (1, 2)
    assert balance(cell)[0] == balance(cell)[1]


async def test_stop_while_hung(system: ActorSystem, clerk: Ref, database: Database) -> None:
    """An actor can be stopped while the database thread hangs; its asker is answered."""
    release, hanging = threading.Event(), threading.Event()

    def hang() -> int:
        hanging.set()
        release.wait(30)
        return 1

    await database._reader.create_function("hang", 0, hang)
    thinking = asyncio.ensure_future(clerk.ask(Think(), timeout=30))
    await asyncio.to_thread(hanging.wait, 10)
    async with asyncio.timeout(5):
        await cell_of(system, "clerk").stop()
    with pytest.raises(ActorStopped):
        await thinking
    release.set()
