"""Mending: a telemetry file that SQLite cannot read any more is put aside, and what its checksums vouch for goes into a new one."""

import asyncio
import itertools
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from actors.identities import COLUMNS, sum_of
from actors.storage import Database, for_each
from actors.storage.database import Value
from paranet.metrics.chunk import checksum

log = logging.getLogger(__name__)

BLOCK = 1000
"""rows that are carried over at once"""
LOST = 2_000_000
"""ids in a row that cannot be read before the rest of a table is given up"""
_TABLES = {
    "series": COLUMNS,
    "chunk": "id, series, t0, t1, n, codec, crc, blob",
    "rollup": "id, series, tier, t0, t1, n, crc, blob",
    "journal": "id, n, crc, blob",
}
"""columns of each table"""


async def open_telemetry(path: Path) -> Database:
    """Open the telemetry database, mended if need be. Raise StorageFailed or SchemaTooNew."""
    damaged = await asyncio.to_thread(_put_aside, path)
    database = await Database.open(path, "telemetry")
    if damaged is not None:
        saved = 0
        for table in _TABLES:
            rows = _readable(damaged, table)
            while some := await asyncio.to_thread(lambda r=rows: list(itertools.islice(r, BLOCK))):  # type: ignore[misc]  # bound at once
                saved += await _put(database, table, some)
        log.error("%s was damaged: %d rows were saved, the old file is %s", path.name, saved, damaged.name)
    return database


async def _put(database: Database, table: str, rows: list[tuple[Value, ...]]) -> int:
    columns = _TABLES[table]
    marks = ", ".join("?" * len(columns.split(",")))
    orphans = "" if table not in ("chunk", "rollup") else " WHERE EXISTS (SELECT 1 FROM series WHERE id = ?2)"
    await database.write(for_each(f"INSERT OR IGNORE INTO {table} ({columns}) SELECT {marks}{orphans}", rows))
    return len(rows)


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


def _readable(path: Path, table: str) -> Iterator[tuple[Value, ...]]:
    """Yield the rows that can be read and whose checksum is right, one by one: a scan ends without a word where a page is lost."""
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        columns = _TABLES[table]
        if table == "series" and not _has_sums(connection):
            columns = columns.replace("crc", "NULL")
        sql = f"SELECT {columns} FROM {table} NOT INDEXED WHERE id >= ? ORDER BY id LIMIT 1"  # noqa: S608  # from the table above
        start, lost = 1, 0
        while lost < LOST:
            try:
                row = connection.execute(sql, (start,)).fetchone()
            except sqlite3.DatabaseError:
                start, lost = start + 1, lost + 1
                continue
            if row is None:
                return
            start, lost = row[0] + 1, 0
            if _is_right(table, row):
                yield row


def _has_sums(connection: sqlite3.Connection) -> bool:
    """Tell whether series have checksums; those of older versions have none."""
    try:
        return any(column[1] == "crc" for column in connection.execute("PRAGMA table_info(series)"))
    except sqlite3.DatabaseError:
        return True


def _is_right(table: str, row: tuple[Any, ...]) -> bool:
    """Tell whether a row is what its checksum vouches for."""
    if table == "series":
        series, metric, labels, crc = row
        texts = isinstance(metric, str) and isinstance(labels, str)
        return texts and crc in (None, sum_of(series, metric.encode(), labels.encode()))
    crc, blob = row[-2:]
    return isinstance(blob, bytes) and checksum(blob) == crc
