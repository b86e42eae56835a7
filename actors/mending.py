"""Mending: a telemetry file that SQLite cannot read any more is put aside, and what its checksums vouch for goes into a new one."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from actors.storage import Database
from actors.storage.database import Value
from paranet.metrics.chunk import checksum

log = logging.getLogger(__name__)

BLOCK = 256
_TABLES = {
    "series": ("id, metric, labels", None),
    "chunk": ("id, series, t0, t1, n, codec, crc, blob", 6),
    "rollup": ("id, series, tier, t0, t1, n, crc, blob", 6),
    "journal": ("id, n, crc, blob", 2),
}
"""columns of each table, and which of them is the checksum of the one after it"""


async def open_telemetry(path: Path) -> Database:
    """Open the telemetry database, mended if need be. Raise StorageFailed or SchemaTooNew."""
    damaged = await asyncio.to_thread(_put_aside, path)
    database = await Database.open(path, "telemetry")
    if damaged is not None:
        saved = 0
        for table, (columns, crc) in _TABLES.items():
            rows = await asyncio.to_thread(lambda t=table, c=columns, i=crc: list(_readable(damaged, t, c, i)))  # type: ignore[misc]
            marks = ", ".join("?" * len(columns.split(",")))
            async with database.transaction() as tx:
                await tx.execute_many(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608  # from the table above
            saved += len(rows)
        log.error("%s was damaged: %d rows were saved, the old file is %s", path.name, saved, damaged.name)
    return database


def _put_aside(path: Path) -> Path | None:
    """Rename the file if SQLite finds it damaged. The whole of it is looked at only after an end without goodbye."""
    if not path.is_file() or not _is_database(path):
        return None  # what never was a database is refused when it is opened, and left alone
    wal = path.with_name(f"{path.name}-wal")
    thorough = wal.is_file() and wal.stat().st_size > 0
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not thorough or connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                return None
    except sqlite3.OperationalError:
        return None  # not a file of ours to open, or locked: opening it says why
    except sqlite3.DatabaseError as error:
        log.warning("%s: %s", path.name, error)
    aside = next(p for i in range(1, 1000) if not (p := path.with_name(f"{path.name}.damaged-{i}")).exists())
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.is_file():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _readable(path: Path, table: str, columns: str, crc: int | None) -> Iterator[tuple[Value, ...]]:
    """Yield the rows that can be read and whose checksum is right, block by block, around what is lost."""
    with closing(sqlite3.connect(path)) as connection:
        sql = f"SELECT {columns} FROM {table} NOT INDEXED WHERE id BETWEEN ? AND ?"  # noqa: S608  # from the table above
        start, misses = 1, 0
        while misses < 40:
            try:
                rows = connection.execute(sql, (start, start + BLOCK - 1)).fetchall()
            except sqlite3.DatabaseError:
                rows = []
                for one in range(start, start + BLOCK):
                    try:
                        rows += connection.execute(sql, (one, one)).fetchall()
                    except sqlite3.DatabaseError:
                        continue
            misses = 0 if rows else misses + 1
            start += BLOCK
            for row in rows:
                if crc is None or (isinstance(row[crc + 1], bytes) and checksum(row[crc + 1]) == row[crc]):
                    yield row
