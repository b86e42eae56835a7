"""One SQLite file with one writer. Commits are on disk before `write` or `transaction` returns (control database)."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple

import aiosqlite

from paranet.errors import SchemaTooNew, StorageFailed

Value = str | int | float | bytes | None
_NUMBERED = re.compile(r"(\d{4})_\w+\.sql")


class Statement(NamedTuple):
    """An INSERT, UPDATE or DELETE; it runs once for each row of parameters."""

    sql: str
    rows: Sequence[Sequence[Value]]


def once(sql: str, row: Sequence[Value] = ()) -> Statement:
    """Return a statement that runs once."""
    return Statement(sql, (row,))


def for_each(sql: str, rows: Sequence[Sequence[Value]]) -> Statement:
    """Return a statement that runs for each row of parameters, in order; for none it does not run."""
    return Statement(sql, rows)


class Transaction:
    """Statements that take effect together."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Run one statement and return the number of rows it changed."""
        cursor = await self._connection.execute(sql, parameters)
        return cursor.rowcount

    async def insert(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Run one INSERT and return the id of the row it made."""
        cursor = await self._connection.execute(sql, parameters)
        return cursor.lastrowid or 0

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """Run one statement for each row of parameters, in a single hop to the database thread."""
        await self._connection.executemany(sql, rows)


class _Connection(aiosqlite.Connection):
    """Can also run a transaction whose statements are all known in one visit to its thread, where others make one for each."""

    async def run(self, statements: Sequence[Statement]) -> None:
        await self._execute(self._run, statements)  # type: ignore[no-untyped-call]  # as all of its own methods do

    def _run(self, statements: Sequence[Statement]) -> None:
        try:
            self._conn.execute("BEGIN IMMEDIATE")
            for sql, rows in statements:
                self._conn.executemany(sql, rows)
            self._conn.execute("COMMIT")
        except BaseException:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
            raise


class Database:
    """Open with `Database.open`. sqlite3's errors come out as StorageFailed.

    What is read comes over a connection of its own: it never shows what a transaction under way may still take back, nor waits for one.
    """

    def __init__(self, writer: _Connection, reader: _Connection, path: Path) -> None:
        self._connection = writer
        self._reader = reader
        self._lock = asyncio.Lock()
        self.path = path

    @classmethod
    async def open(cls, path: Path, schema: Literal["control", "telemetry"]) -> "Database":
        """Open or make the file and bring it to the newest schema. Raise StorageFailed or SchemaTooNew."""
        durable, page = ("FULL", 4096) if schema == "control" else ("NORMAL", 32768)  # of pages of 4 KiB chunks fill three quarters
        keeps = f"page_size={page}", "journal_mode=WAL", f"synchronous={durable}", "foreign_keys=ON"
        async with AsyncExitStack() as stack:
            try:
                await asyncio.to_thread(_try, path)  # aiosqlite leaves its thread behind when the file cannot be opened
                writer = await _connected(path, stack, *keeps)
                reader = await _connected(path, stack, "query_only=ON")
                database = cls(writer, reader, path)
                await database._migrate(schema)
            except sqlite3.Error as error:
                raise StorageFailed(f"{path}: {error}") from error
            stack.pop_all()
        return database

    async def close(self) -> None:
        """Close the file. Waits for a transaction under way."""
        async with self._lock:
            await self._reader.close()
            await self._connection.close()

    async def fetch(self, sql: str, parameters: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Return all rows, of what has been committed; callers bound them with LIMIT."""
        try:
            return [tuple(row) for row in await self._reader.execute_fetchall(sql, parameters)]
        except sqlite3.Error as error:
            raise StorageFailed(f"{self.path.name}: {error}") from error

    async def write(self, *statements: Statement) -> None:
        """Run statements that are all known beforehand as one, in order: on disk when this returns, and none of them after StorageFailed.

        When the caller is cancelled they may still take effect, whole.
        """
        async with self._lock:
            try:
                await self._connection.run(statements)
            except sqlite3.Error as error:
                raise StorageFailed(f"{self.path.name}: {error}") from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Run the block's statements as one; any exception takes all of them back. For those that depend on each other's results."""
        async with self._lock:
            try:
                await self._connection.execute("BEGIN IMMEDIATE")
                yield Transaction(self._connection)
                await self._connection.execute("COMMIT")
            except BaseException as error:
                await self._undo()
                if isinstance(error, sqlite3.Error):
                    raise StorageFailed(f"{self.path.name}: {error}") from error
                raise

    async def _undo(self) -> None:
        """Leave no transaction open, also when the caller was cancelled while the database thread was at work on a statement."""
        rollback = asyncio.create_task(self._roll_back(), name=f"rollback:{self.path.name}")
        try:
            await asyncio.shield(rollback)
        except asyncio.CancelledError:
            await rollback
            raise

    async def _roll_back(self) -> None:
        await self._connection.execute("SELECT 1")  # the thread works in order: after this nothing is under way any more
        if self._connection.in_transaction:
            await self._connection.execute("ROLLBACK")

    async def _migrate(self, schema: str) -> None:
        folder = resources.files("actors.storage") / "migrations" / schema
        steps = sorted((int(m[1]), f) for f in folder.iterdir() if (m := _NUMBERED.fullmatch(f.name)))
        ((version,),) = await self.fetch("PRAGMA user_version")
        assert isinstance(version, int)
        if version > steps[-1][0]:
            raise SchemaTooNew(f"{self.path} has schema {version}; this version knows {steps[-1][0]} at most")
        for number, file in steps:
            if number > version:
                async with self.transaction() as tx:
                    for statement in _statements(file.read_text(encoding="utf-8")):
                        await tx.execute(statement)
                    await tx.execute(f"PRAGMA user_version = {number}")


async def _connected(path: Path, stack: AsyncExitStack, *pragmas: str) -> _Connection:
    """Return a connection that the stack closes. Raise sqlite3.Error."""
    connection = _Connection(partial(sqlite3.connect, path, isolation_level=None), iter_chunk_size=64)
    await connection
    stack.push_async_callback(connection.close)
    for pragma in ("busy_timeout=5000", *pragmas):
        await connection.execute(f"PRAGMA {pragma}")
    return connection


def _try(path: Path) -> None:
    sqlite3.connect(path).close()


def _statements(script: str) -> list[str]:
    """Cut a script where SQLite says a statement is complete (executescript would commit on its own)."""
    found: list[str] = []
    rest = ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return [*found, rest] if rest.strip() else found
