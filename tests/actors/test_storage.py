"""actors.storage"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import aiosqlite
import pytest

from actors import storage
from actors.storage import Database, for_each, once
from paranet.errors import SchemaTooNew, StorageFailed
from tests.actors.recorder import WITHIN

Put = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
async def database(control: Database) -> Database:
    """A control database with a table `t` and no patience for locks."""
    async with control.transaction() as tx:
        await tx.execute("CREATE TABLE t (x)")
        await tx.execute("PRAGMA busy_timeout = 1")
    return control


@asynccontextmanager
async def opened(path: Path, schema: Literal["control", "telemetry"] = "control") -> AsyncIterator[Database]:
    database = await Database.open(path, schema)
    try:
        yield database
    finally:
        await database.close()


def plain(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Run one statement past the code under test."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


async def put(database: Database, *values: str) -> None:
    async with database.transaction() as tx:
        for value in values:
            await tx.execute("INSERT INTO t VALUES (?)", (value,))


async def put_at_once(database: Database, *values: str) -> None:
    await database.write(for_each("INSERT INTO t VALUES (?)", [(value,) for value in values]))


ways = pytest.mark.parametrize("put", [put, put_at_once])


async def held(database: Database) -> list[object]:
    return [x for (x,) in await database.fetch("SELECT x FROM t ORDER BY rowid")]


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of migrations of our own."""
    folder = tmp_path / "migrations" / "control"
    folder.mkdir(parents=True)
    monkeypatch.setattr("actors.storage.database.resources", SimpleNamespace(files=lambda _: tmp_path))
    return folder


async def test_migrations_run_in_the_order_of_their_numbers(steps: Path, tmp_path: Path) -> None:
    """Whatever the folder lists first; files that are no migrations are left alone."""
    (steps / "0010_c.sql").write_text("INSERT INTO t VALUES (10);\n")
    (steps / "0002_b.sql").write_text("INSERT INTO t VALUES (2);\n")
    (steps / "0001_a.sql").write_text("CREATE TABLE t (\n x);\nINSERT INTO t VALUES (1);\n")
    (steps / "notes.txt").write_text("nothing of SQL")
    async with opened(tmp_path / "x.sqlite3") as database:
        assert await held(database) == [1, 2, 10]
        assert await database.fetch("PRAGMA user_version") == [(10,)]


@pytest.mark.parametrize("schema", ["control", "telemetry"])
def test_no_migration_shares_its_number(schema: str) -> None:
    """They count from 1: a database that had one of two would never have the other."""
    files = sorted((Path(storage.__file__).parent / "migrations" / schema).glob("*.sql"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))


async def test_migrations_run_once(steps: Path, tmp_path: Path) -> None:
    """Opening again runs only what is new."""
    (steps / "0001_a.sql").write_text("CREATE TABLE t (x);\nINSERT INTO t VALUES (1);\n")
    async with opened(tmp_path / "x.sqlite3"):
        (steps / "0002_b.sql").write_text("INSERT INTO t VALUES (2);\n")
    for _ in range(2):
        async with opened(tmp_path / "x.sqlite3") as database:
            assert await held(database) == [1, 2]


async def test_a_migration_happens_whole_or_not_at_all(steps: Path, tmp_path: Path) -> None:
    """One that fails leaves the schema of the one before it."""
    (steps / "0001_a.sql").write_text("CREATE TABLE t (x);\n")
    (steps / "0002_b.sql").write_text("INSERT INTO t VALUES (2);\nINSERT INTO missing VALUES (2);\n")
    with pytest.raises(StorageFailed, match="missing"):
        await Database.open(tmp_path / "x.sqlite3", "control")
    assert plain(tmp_path / "x.sqlite3", "SELECT * FROM t") == []
    assert plain(tmp_path / "x.sqlite3", "PRAGMA user_version") == [(1,)]


async def test_no_statement_of_a_migration_is_left_out(steps: Path, tmp_path: Path) -> None:
    """Also when the last one has lost its semicolon."""
    (steps / "0001_a.sql").write_text("CREATE TABLE t (x);\nINSERT INTO t VALUES (1)")
    async with opened(tmp_path / "x.sqlite3") as database:
        assert await held(database) == [1]


@pytest.mark.parametrize("schema", ["control", "telemetry"])
async def test_a_newer_schema_is_refused(tmp_path: Path, schema: Literal["control", "telemetry"]) -> None:
    """And the file is left as it was."""
    path = tmp_path / "x.sqlite3"
    plain(path, "PRAGMA user_version = 9999")
    with pytest.raises(SchemaTooNew, match="9999"):
        await Database.open(path, schema)
    assert plain(path, "SELECT * FROM sqlite_master") == []


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """With the file's name."""
    path = tmp_path / "x.sqlite3"
    path.write_text("this is not SQLite, and it is long enough to look like a header of something else entirely")
    with pytest.raises(StorageFailed, match=r"x\.sqlite3"):
        await Database.open(path, "control")


async def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    """With the file's name, and without a thread that goes on and speaks to a loop which may be gone by then."""
    path, threads = tmp_path / "x.sqlite3", {*threading.enumerate()}
    path.mkdir()
    with pytest.raises(StorageFailed, match=r"x\.sqlite3"):
        await Database.open(path, "control")
    assert not [t.name for t in threading.enumerate() if t not in threads and "connection_worker" in t.name]


async def test_the_control_database_syncs_every_commit(control: Database) -> None:
    """WAL with synchronous=FULL, foreign keys enforced."""
    for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        assert list(await control._connection.execute_fetchall(f"PRAGMA {pragma}")) == [(wanted,)]


async def test_a_failed_statement_takes_all_back(database: Database) -> None:
    """What came before it in the transaction too."""

    async def write() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES ('a')")
            await tx.execute("INSERT INTO missing VALUES (1)")

    with pytest.raises(StorageFailed, match="no such table"):
        await write()
    assert await held(database) == []
    await put(database, "b")
    assert await held(database) == ["b"]


async def test_what_is_written_at_once_is_all_there_or_not_at_all(database: Database) -> None:
    """In the order given; a statement that fails takes those before it back, whether it ran for some of its rows or for none."""
    await database.write(once("INSERT INTO t VALUES ('a')"), for_each("DELETE FROM t WHERE x = ?", []), once("UPDATE t SET x = ?", ("b",)))
    assert await held(database) == ["b"]
    await database.write(once("CREATE UNIQUE INDEX u ON t (x)"))
    for failing in (once("INSERT INTO missing VALUES (1)"), for_each("INSERT INTO t VALUES (?)", [("d",), ("d",)])):
        with pytest.raises(StorageFailed, match=r"missing|UNIQUE"):
            await database.write(once("INSERT INTO t VALUES ('c')"), failing)
        assert await held(database) == ["b"]
    await put(database, "d")
    assert await held(database) == ["b", "d"]


async def test_a_write_whose_caller_is_gone_is_there_whole(database: Database) -> None:
    """Cancelled while its statements run: what comes next, of either kind, waits for them."""
    at_work, may_go_on = threading.Event(), threading.Event()

    def dawdle() -> str:
        at_work.set()
        return "slow" if may_go_on.wait(WITHIN) else "too slow"

    await database._connection.create_function("dawdle", 0, dawdle)
    writing = asyncio.create_task(database.write(once("INSERT INTO t VALUES (dawdle())"), once("INSERT INTO t VALUES ('and')")))
    assert await asyncio.to_thread(at_work.wait, WITHIN)
    writing.cancel()
    await asyncio.wait((writing,))
    assert writing.cancelled()
    others = [asyncio.create_task(way(database, "after")) for way in (put, put_at_once)]
    may_go_on.set()
    await asyncio.gather(*others)
    assert await held(database) == ["slow", "and", "after", "after"]


async def test_an_exception_in_the_block_takes_all_back(database: Database) -> None:
    """It comes out as it is."""

    async def write() -> None:
        async with database.transaction() as tx:
            await tx.execute_many("INSERT INTO t VALUES (?)", [("a",), ("b",)])
            raise LookupError

    with pytest.raises(LookupError):
        await write()
    assert await held(database) == []


@ways
async def test_a_busy_file_is_a_refusal(database: Database, put: Put) -> None:
    """SQLITE_BUSY comes out as StorageFailed; when the other writer is done, writing works."""
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageFailed, match="locked"):
        await put(database, "a")
    other.execute("ROLLBACK")
    other.close()
    await put(database, "b")
    assert await held(database) == ["b"]


@ways
async def test_a_full_disk_is_a_refusal(database: Database, put: Put) -> None:
    """SQLITE_FULL comes out as StorageFailed and takes its transaction back; smaller writes go on working."""
    await put(database, "before")
    ((pages,),) = await database.fetch("PRAGMA page_count")
    async with database.transaction() as tx:
        await tx.execute(f"PRAGMA max_page_count = {pages!r}")
    with pytest.raises(StorageFailed, match="full"):
        await put(database, "small", "x" * 2**20)
    assert await held(database) == ["before"]
    await put(database, "after")
    assert await held(database) == ["before", "after"]


async def test_a_bad_query_is_a_refusal(database: Database) -> None:
    """Reading fails the same way as writing."""
    with pytest.raises(StorageFailed, match="syntax"):
        await database.fetch("SELEKT")


async def test_nobody_reads_what_may_still_be_taken_back(database: Database) -> None:
    """A read beside a transaction neither shows its rows nor waits for it; afterwards they are there."""
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES ('a')")
        assert await held(database) == []
    assert await held(database) == ["a"]


async def test_a_read_does_not_write(database: Database) -> None:
    """Whatever its statement says."""
    with pytest.raises(StorageFailed, match="readonly"):
        await database.fetch("INSERT INTO t VALUES ('a') RETURNING x")
    assert await held(database) == []


async def test_transactions_are_serialised(database: Database) -> None:
    """One that begins while another is open waits for its end."""
    first_is_in, may_end = asyncio.Event(), asyncio.Event()
    seen: list[list[object]] = []

    async def first() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES ('first')")
            first_is_in.set()
            await may_end.wait()
            await tx.execute("INSERT INTO t VALUES ('first again')")

    async def second() -> None:
        await first_is_in.wait()
        await put_at_once(database, "between")
        async with database.transaction() as tx:
            seen.append(await held(database))
            await tx.execute("INSERT INTO t VALUES ('second')")

    async with asyncio.TaskGroup() as group:
        group.create_task(first())
        group.create_task(second())
        await first_is_in.wait()
        may_end.set()
    assert seen == [["first", "first again", "between"]]
    assert await held(database) == ["first", "first again", "between", "second"]


@ways
async def test_many_writers_lose_nothing(database: Database, put: Put) -> None:
    """Each of a hundred concurrent transactions is there, whole."""
    await asyncio.gather(*(put(database, f"{n} a", f"{n} b") for n in range(100)))
    found = [str(x).split() for x in await held(database)]
    assert sorted(int(n) for n, _ in found[::2]) == list(range(100))
    assert all(a == [n, "a"] and b == [n, "b"] for n, a, b in zip((n for n, _ in found[::2]), found[::2], found[1::2], strict=True))


async def cancelled_after(writing: Coroutine[Any, Any, None], turns: int) -> bool:
    """Write in a task that is cancelled after that many turns of the loop; tell whether it ended as cancelled."""
    task = asyncio.create_task(writing, name="to be cancelled")
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(WITHIN):
        await asyncio.wait((task,))
    return task.cancelled()


async def test_a_transaction_cancelled_in_its_block_is_taken_back(database: Database) -> None:
    """The database is usable at once."""
    inside = asyncio.Event()

    async def stay() -> None:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES ('a')")
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stay(), name="to be cancelled")
    await inside.wait()
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert await held(database) == []
    await put(database, "b")
    assert await held(database) == ["b"]


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "INSERT INTO t VALUES (?)", "COMMIT"])
async def test_a_transaction_cancelled_at_a_statement_leaves_the_database_usable(
    database: Database, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while BEGIN or COMMIT is under way in the database's thread; what is there is both rows or none."""
    execute, under_way = aiosqlite.Connection.execute, asyncio.Event()

    def watched(self: aiosqlite.Connection, sql: str, parameters: Any = None) -> Coroutine[Any, Any, aiosqlite.Cursor]:
        if sql == statement:
            under_way.set()  # its waiter runs when the statement is in the thread's queue
        return execute(self, sql, parameters)

    monkeypatch.setattr(aiosqlite.Connection, "execute", watched)
    task = asyncio.create_task(put(database, "one", "two"), name="to be cancelled")
    await under_way.wait()
    task.cancel()
    await asyncio.wait((task,))
    monkeypatch.undo()
    assert task.cancelled()
    assert await held(database) in ([], ["one", "two"])
    await put(database, "three")
    assert (await held(database))[-1] == "three"


@ways
@pytest.mark.parametrize("turns", range(12))
async def test_a_transaction_cancelled_at_any_moment_leaves_the_database_usable(database: Database, put: Put, turns: int) -> None:
    """Both rows or none, and the next writer gets in."""
    await cancelled_after(put(database, "one", "two"), turns)
    assert await held(database) in ([], ["one", "two"])
    await put(database, "three")
    assert (await held(database))[-1] == "three"


async def test_closing_waits_for_a_transaction(database: Database) -> None:
    """What has begun is on disk when close returns."""
    inside, may_end = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with database.transaction() as tx:
            inside.set()
            await may_end.wait()
            await tx.execute("INSERT INTO t VALUES ('a')")

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        await inside.wait()
        group.create_task(database.close())
        may_end.set()
    assert plain(database.path, "SELECT x FROM t") == [("a",)]
