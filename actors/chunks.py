"""ChunkStore: the telemetry database as the collector sees it: series, sealed chunks, rollups, and the journal of what is not sealed."""

import asyncio
import logging
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import numpy as np
import orjson
import zstandard

from actors.storage import Database, Transaction
from actors.storage.database import Value
from paranet.metrics import chunk, rollup
from paranet.metrics.hot import MAX_SPAN, SEAL
from paranet.metrics.labels import NAME, Labels, labels_of

log = logging.getLogger(__name__)

Arrays = tuple[Any, Any]
"""times and values of one series"""
_MANY = 2000
"""rows deleted at once, so that the writer is never gone for long"""
_INSERT_CHUNK = "INSERT OR REPLACE INTO chunk (series, t0, t1, n, codec, crc, blob) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_ROLLUP = "INSERT OR REPLACE INTO rollup (series, tier, t0, t1, n, crc, blob) VALUES (?, ?, ?, ?, ?, ?, ?)"
ROLLUPS_LIVE = 8
"""how many times longer than raw samples rollups are kept"""


@attrs.define(kw_only=True)
class Batch:
    """What goes to disk in one transaction. *sealed* are whole chunks, *open* those that may still grow, *fresh* goes to the journal."""

    series: list[tuple[int, Labels]] = attrs.field(factory=list)
    sealed: list[tuple[int, Arrays]] = attrs.field(factory=list)
    open: list[tuple[int, Arrays]] = attrs.field(factory=list)
    fresh: list[tuple[int, Arrays]] = attrs.field(factory=list)
    forget_journal: int = 0
    """journal rows up to this one are in chunks now"""

    def __bool__(self) -> bool:
        return bool(self.series or self.sealed or self.open or self.fresh or self.forget_journal)


@attrs.frozen(kw_only=True)
class Known:
    """A series as the database has it; *last* is the time of its newest sample in a chunk, or 0."""

    id: int
    labels: Labels
    last: int


class ChunkStore:
    """Reads and writes; one writer. What is damaged is left out, said once, and deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.damaged = 0

    async def series(self, limit: int) -> list[Known]:
        """Return the series known."""
        rows = await self._database.fetch(
            "SELECT id, metric, labels, (SELECT t1 FROM chunk c WHERE c.series = series.id ORDER BY t0 DESC LIMIT 1)"
            " FROM series ORDER BY id LIMIT ?",
            (limit,),
        )
        return [Known(id=int(str(i)), labels=labels_of(str(m), orjson.loads(str(text))), last=int(str(t or 0))) for i, m, text, t in rows]

    async def journal(self) -> tuple[list[tuple[int, Arrays]], int]:
        """Return what was in memory only when the hub ended without a word, in order, and the journal's last row."""
        found: list[tuple[int, Arrays]] = []
        last = 0
        for row, crc, blob in await self._database.fetch("SELECT id, crc, blob FROM journal ORDER BY id LIMIT 1000000"):
            assert isinstance(row, int)
            assert isinstance(blob, bytes)
            last = row
            if chunk.checksum(blob) != crc:
                log.error("journal row %d is damaged and left out", row)
                continue
            found += _read_journal(blob)
        return found, last

    async def open_chunks(self) -> list[tuple[Value, ...]]:
        """Return the newest chunk of each series if it may still grow; rows as of `chunks`."""
        return await self._database.fetch(
            "SELECT id, series, n, codec, crc, blob FROM chunk WHERE n < ? AND codec = ? AND t1 - t0 <= ? AND id IN"
            " (SELECT (SELECT c.id FROM chunk c WHERE c.series = series.id ORDER BY t0 DESC LIMIT 1) FROM series) LIMIT 1000000",
            (SEAL, chunk.ZSTD, MAX_SPAN),
        )

    async def write(self, batch: Batch) -> int:
        """Put a batch on disk; return the journal row it made, or 0. Raise StorageFailed."""
        chunks, rollups, journal = await asyncio.to_thread(_encoded, batch)
        async with self._database.transaction() as tx:
            await tx.execute_many(
                "INSERT OR IGNORE INTO series (id, metric, labels) VALUES (?, ?, ?)",
                [(i, dict(labels).get(NAME, ""), _labels_text(labels)) for i, labels in batch.series],
            )
            await tx.execute_many(_INSERT_CHUNK, chunks)
            await tx.execute_many(
                "INSERT OR REPLACE INTO rollup (series, tier, t0, t1, n, crc, blob) VALUES (?, ?, ?, ?, ?, ?, ?)", rollups
            )
            if batch.forget_journal:
                await tx.execute("DELETE FROM journal WHERE id <= ?", (batch.forget_journal,))
            return await _add_journal(tx, journal, len(batch.fresh))

    async def chunks(self, series: Sequence[int], start: int, end: int) -> list[tuple[Value, ...]]:
        """Return (id, series, n, codec, crc, blob) of chunks that touch the time, by series and time."""
        return await self._database.fetch(
            "SELECT id, series, n, codec, crc, blob FROM chunk WHERE series IN (SELECT value FROM json_each(?))"
            " AND t0 BETWEEN ? AND ? AND t1 >= ? ORDER BY series, t0 LIMIT 1000000",
            (orjson.dumps(list(series)).decode(), start - 4 * MAX_SPAN, end, start),
        )

    async def rollups(self, series: Sequence[int], tier: int, start: int, end: int) -> list[tuple[Value, ...]]:
        """Return (id, series, t0, n, crc, blob) of rollups that touch the time, by series and time."""
        return await self._database.fetch(
            "SELECT id, series, t0, n, crc, blob FROM rollup WHERE series IN (SELECT value FROM json_each(?)) AND tier = ?"
            " AND t0 BETWEEN ? AND ? AND t1 >= ? ORDER BY series, t0 LIMIT 1000000",
            (orjson.dumps(list(series)).decode(), tier, start - 4 * MAX_SPAN - tier, end, start),
        )

    async def discard(self, table: str, ids: Iterable[int]) -> None:
        """Delete damaged rows, so that they are met once."""
        rows = [(i,) for i in ids]
        if rows and table in ("chunk", "rollup"):
            self.damaged += len(rows)
            log.error("%d damaged rows of %s are deleted", len(rows), table)
            async with self._database.transaction() as tx:
                await tx.execute_many(f"DELETE FROM {table} WHERE id = ?", rows)  # noqa: S608  # one of two words

    async def retain(self, now: int, retention: int, max_bytes: int) -> int:
        """Delete what is too old, then the oldest until the file's content is below *max_bytes*; return how many rows went."""
        gone = await self._delete("DELETE FROM chunk WHERE id IN (SELECT id FROM chunk WHERE t1 < ? ORDER BY t1 LIMIT ?)", now - retention)
        rollups = "DELETE FROM rollup WHERE id IN (SELECT id FROM rollup WHERE t1 < ? ORDER BY t1 LIMIT ?)"
        gone += await self._delete(rollups, now - retention * ROLLUPS_LIVE)
        while await self.size() > max_bytes:
            async with self._database.transaction() as tx:
                deleted = await tx.execute("DELETE FROM chunk WHERE id IN (SELECT id FROM chunk ORDER BY t1 LIMIT ?)", (_MANY,))
                if not deleted:
                    deleted = await tx.execute("DELETE FROM rollup WHERE id IN (SELECT id FROM rollup ORDER BY t1 LIMIT ?)", (_MANY,))
            if not deleted:
                break
            gone += deleted
        return gone

    async def _delete(self, sql: str, horizon: int) -> int:
        total = 0
        while True:
            async with self._database.transaction() as tx:
                deleted = await tx.execute(sql, (horizon, _MANY))
            total += deleted
            if deleted < _MANY:
                return total

    async def size(self) -> int:
        """Return the bytes that the file's content takes."""
        ((pages, free, size),) = await self._database.fetch(
            "SELECT (SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count),"
            " (SELECT page_size FROM pragma_page_size)"
        )
        assert isinstance(pages, int)
        assert isinstance(free, int)
        assert isinstance(size, int)
        return (pages - free) * size

    async def forget(self, series: Iterable[int]) -> None:
        """Delete series without any chunk left."""
        async with self._database.transaction() as tx:
            await tx.execute_many(
                "DELETE FROM series WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM chunk WHERE series = ?1)"
                " AND NOT EXISTS (SELECT 1 FROM rollup WHERE series = ?1)",
                [(i,) for i in series],
            )


def _labels_text(labels: Labels) -> str:
    return orjson.dumps({name: value for name, value in labels if name != NAME}).decode()


def _encoded(batch: Batch) -> tuple[list[tuple[Value, ...]], list[tuple[Value, ...]], bytes]:
    """Return the rows of chunks and rollups, and the journal's blob. Runs in a thread."""
    codec = chunk.Codec()
    chunks = [_chunk_row(codec, series, arrays) for series, arrays in (*batch.open, *batch.sealed)]
    made = [_rollup_row(series, times, values, rollup.MINUTE) for series, (times, values) in batch.sealed]
    rollups = [row for row in made if row is not None]
    return chunks, rollups, _journal_blob(batch.fresh)


def _chunk_row(codec: chunk.Codec, series: int, arrays: Arrays) -> tuple[Value, ...]:
    times, values = arrays
    blob = codec.encode(times, values)
    return series, int(times[0]), int(times[-1]), len(times), chunk.ZSTD, chunk.checksum(blob), blob


def _rollup_row(series: int, times: Any, values: Any, tier: int) -> tuple[Value, ...] | None:
    buckets = rollup.rolled(times, values, tier)
    if not len(buckets):
        return None
    blob = rollup.encode(buckets, tier)
    return series, tier, int(times[0]), int(buckets.starts[-1]) + tier - 1, len(buckets), chunk.checksum(blob), blob


def _journal_blob(fresh: Sequence[tuple[int, Arrays]]) -> bytes:
    """Return fresh samples as one compressed run: how many series, their ids and counts, all times, all values."""
    if not fresh:
        return b""
    ids = np.array([series for series, _ in fresh], dtype="<i8")
    counts = np.array([len(times) for _, (times, _) in fresh], dtype="<i8")
    times, values = np.concatenate([t for _, (t, _) in fresh]), np.concatenate([v for _, (_, v) in fresh])
    plain = b"".join((len(fresh).to_bytes(8, "little"), ids.tobytes(), counts.tobytes(), times.tobytes(), values.tobytes()))
    packed: bytes = zstandard.ZstdCompressor(level=1).compress(plain)
    return packed


def _read_journal(blob: bytes) -> list[tuple[int, Arrays]]:
    plain = zstandard.ZstdDecompressor().decompress(blob)
    many = int.from_bytes(plain[:8], "little")
    ids, counts = np.frombuffer(plain, "<i8", many, 8), np.frombuffer(plain, "<i8", many, 8 + 8 * many)
    total, at = int(counts.sum()), 8 + 16 * many
    times, values = np.frombuffer(plain, "<i8", total, at), np.frombuffer(plain, "<f8", total, at + 8 * total)
    cuts = np.cumsum(counts)[:-1]
    return list(zip(ids.tolist(), zip(np.split(times, cuts), np.split(values, cuts), strict=True), strict=True))


async def _add_journal(tx: Transaction, blob: bytes, n: int) -> int:
    if not blob:
        return 0
    return await tx.insert("INSERT INTO journal (n, crc, blob) VALUES (?, ?, ?)", (n, chunk.checksum(blob), blob))


def decoded(rows: Iterable[tuple[Value, ...]]) -> tuple[dict[int, list[Arrays]], list[int]]:
    """Return the samples of chunk rows by series, and the ids of damaged rows."""
    found: dict[int, list[Arrays]] = {}
    damaged: list[int] = []
    reader = chunk.Codec()
    for row, series, n, codec, crc, blob in rows:
        assert isinstance(row, int)
        assert isinstance(series, int)
        assert isinstance(n, int)
        assert isinstance(blob, bytes)
        try:
            if chunk.checksum(blob) != crc:
                raise ValueError("checksum does not match")
            found.setdefault(series, []).append(reader.decode(blob, n) if codec == chunk.ZSTD else _first_codec(blob, n))
        except ValueError as error:
            log.error("chunk %d of series %d is damaged and left out: %s", row, series, error)
            damaged.append(row)
    return found, damaged


def _first_codec(blob: bytes, n: int) -> Arrays:
    """Read what the first version wrote: the arrays as they are, zlib."""
    try:
        plain = zlib.decompress(blob)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    return np.frombuffer(plain, "<i8", n), np.frombuffer(plain, "<f8", n, 8 * n)


def decoded_rollups(rows: Iterable[tuple[Value, ...]], tier: int) -> tuple[dict[int, list[rollup.Buckets]], list[int]]:
    """Return the buckets of rollup rows by series, and the ids of damaged rows."""
    found: dict[int, list[rollup.Buckets]] = {}
    damaged: list[int] = []
    for row, series, _t0, n, crc, blob in rows:
        assert isinstance(row, int)
        assert isinstance(series, int)
        assert isinstance(n, int)
        assert isinstance(blob, bytes)
        try:
            if chunk.checksum(blob) != crc:
                raise ValueError("checksum does not match")
            found.setdefault(series, []).append(rollup.decode(blob, n, tier))
        except ValueError:
            damaged.append(row)
    return found, damaged
