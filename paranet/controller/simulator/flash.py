"""What simulated devices remember over a power cycle: their startup configurations, outside the hub's own database."""

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import aiosqlite
import orjson

from paranet.codec import structure, unstructure
from paranet.errors import InvalidInput, StorageFailed
from paranet.models.device import Row

_SCHEMA = "CREATE TABLE IF NOT EXISTS device (node TEXT PRIMARY KEY, rows TEXT NOT NULL) STRICT, WITHOUT ROWID"
_SAVE = "INSERT INTO device (node, rows) VALUES (?, ?) ON CONFLICT (node) DO UPDATE SET rows = excluded.rows"


class Flash(Protocol):
    """The store of all devices' startup rows. Every method may raise StorageFailed."""

    async def load(self) -> dict[str, tuple[Row, ...]]:
        """Return the rows of every device that ever saved any, by node id."""

    async def save(self, node_id: str, rows: tuple[Row, ...]) -> None:
        """Replace one device's rows; they are safe when this returns."""

    async def close(self) -> None:
        """Let go of the store."""


class MemoryFlash:
    """For a network that is gone with its process. Rows given at the start are there from the factory."""

    def __init__(self, rows: Mapping[str, tuple[Row, ...]] | None = None) -> None:
        self._rows = dict(rows or {})

    async def load(self) -> dict[str, tuple[Row, ...]]:
        return dict(self._rows)

    async def save(self, node_id: str, rows: tuple[Row, ...]) -> None:
        self._rows[node_id] = rows

    async def close(self) -> None:
        """Keep everything: it is the devices' memory, not the session's."""


class FileFlash:
    """A SQLite file, opened on first use, synced at every save. One process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()
        self._waiting: list[tuple[tuple[str, str], asyncio.Future[None]]] = []
        self._database: aiosqlite.Connection | None = None

    async def load(self) -> dict[str, tuple[Row, ...]]:
        try:
            async with self._lock:
                found = await (await self._open()).execute_fetchall("SELECT node, rows FROM device")
            return {node: structure(orjson.loads(rows), tuple[Row, ...], path=node) for node, rows in found}
        except (sqlite3.Error, OSError, orjson.JSONDecodeError, InvalidInput) as error:
            raise StorageFailed(f"the flash {self._path} cannot be read: {error}") from error

    async def save(self, node_id: str, rows: tuple[Row, ...]) -> None:
        """Those who save at the same time are written together: a sync costs more than a thousand rows."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(((node_id, orjson.dumps(unstructure(rows)).decode()), written))
        async with self._lock:
            if not written.done():
                await self._write()
        written.result()

    async def _write(self) -> None:
        batch, self._waiting = self._waiting, []
        failed: StorageFailed | None = None
        try:
            database = await self._open()
            await database.executemany(_SAVE, [row for row, _ in batch])
            await database.commit()
        except (sqlite3.Error, OSError) as error:
            failed = StorageFailed(f"the flash {self._path} cannot be written: {error}")
        except asyncio.CancelledError:
            self._waiting = [*batch, *self._waiting]  # for whoever comes next
            raise
        for _, written in batch:
            if not written.done() and failed is not None:
                written.set_exception(failed)
            elif not written.done():
                written.set_result(None)

    async def close(self) -> None:
        async with self._lock:
            if self._database is not None:
                await self._database.close()
                self._database = None

    async def _open(self) -> aiosqlite.Connection:
        if self._database is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(lambda: sqlite3.connect(self._path).close())  # aiosqlite leaves a thread behind on failure
            database = await aiosqlite.connect(self._path)
            try:
                for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", _SCHEMA):
                    await database.execute(statement)
            except BaseException:
                await database.close()
                raise
            self._database = database
        return self._database
