"""ChunkStore: the telemetry database as the collector sees it: series, sealed chunks, rollups, and the journal of what is not sealed."""

import asyncio
import functools
import itertools
import logging
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np
import orjson
import zstandard

from actors.identities import COLUMNS, Known, known_series, row_of
from actors.storage import Database, for_each, once
from actors.storage.database import Value
from paranet.errors import QueryTooLarge
from paranet.metrics import chunk, decoder, rollup
from paranet.metrics.columns import Columns
from paranet.metrics.hot import MAX_SPAN, SEAL, Run
from paranet.metrics.labels import Labels

log = logging.getLogger(__name__)

Arrays = tuple[Any, Any]
"""times and values of one series"""
_MANY = 2000
"""rows deleted at once, so that the writer is never gone for long"""
_MOST_ROWS = 200_000
"""chunks that one query may read"""
_INSERT_CHUNK = "INSERT OR REPLACE INTO chunk (series, t0, t1, n, codec, crc, blob) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_ROLLUP = "INSERT OR REPLACE INTO rollup (series, tier, t0, t1, n, crc, blob) VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_JOURNAL = "INSERT INTO journal (n, crc, blob) VALUES (?, ?, ?)"
ROLLUPS_LIVE = 8
"""how many times longer than raw samples rollups are kept"""


@attrs.define(kw_only=True)
class Batch:
    """What goes to disk: first new *series* and, to the journal, what is *fresh* and what was sealed before it got there (*hasty*).

    Then, in a second transaction, chunks: *sealed* are whole, *open* ones may still grow.
    """

    series: list[tuple[int, Labels]] = attrs.field(factory=list)
    sealed: list[tuple[int, Arrays]] = attrs.field(factory=list)
    open: list[tuple[int, Arrays]] = attrs.field(factory=list)
    fresh: list[Run] = attrs.field(factory=list)
    hasty: list[Run] = attrs.field(factory=list)
    forget_journal: int = 0
    """journal rows up to this one are in chunks now"""
    forget_hasty: list[int] = attrs.field(factory=list)
    """so are these, once *sealed* is written"""

    def __bool__(self) -> bool:
        return bool(self.series or self.sealed or self.open or self.fresh or self.forget_journal)


class ChunkStore:
    """Reads and writes; one writer. What is damaged is left out, said once, and deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.damaged: Counter[str] = Counter()
        """rows by table"""

    async def series(self) -> list[Known]:
        """Return the series known, also if there may be fewer by now: samples of what is left out would be taken for those of others."""
        found, damaged = await known_series(self._database)
        self.damaged["series"] += damaged
        return found

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
                self.damaged["journal"] += 1
                continue
            found += _read_journal(blob)
        return found, last

    async def open_chunks(self) -> list[tuple[Value, ...]]:
        """Return the newest chunk of each series if it may still grow; rows as of `chunks`."""
        return await self._database.fetch(
            "SELECT id, series, n, crc, blob FROM chunk WHERE n < ? AND t1 - t0 <= ? AND id IN"
            " (SELECT (SELECT c.id FROM chunk c WHERE c.series = series.id ORDER BY t0 DESC LIMIT 1) FROM series) LIMIT 1000000",
            (SEAL, MAX_SPAN),
        )

    async def write(self, batch: Batch) -> int:
        """Put a batch on disk; return the last journal row it made for what is fresh, or 0. Raise StorageFailed.

        What the journal has is taken out of the batch: it can be written again when its chunks could not be.
        """
        row = await self.save(batch)
        if batch.sealed or batch.open or batch.forget_journal:
            chunks, rollups = await asyncio.to_thread(_encoded, batch)
            forgotten = [(i,) for i in batch.forget_hasty]
            await self._database.write(
                for_each(_INSERT_CHUNK, chunks),
                for_each(_INSERT_ROLLUP, rollups),
                for_each("DELETE FROM journal WHERE id = ?", forgotten),
                once("DELETE FROM journal WHERE id <= ?", (batch.forget_journal,)),
            )
        return row

    async def save(self, batch: Batch) -> int:
        """Put a batch's series and its journal on disk, which is quick; return as `write` does. Raise StorageFailed."""
        if not (batch.series or batch.fresh or batch.hasty):
            return 0
        hasty, fresh = await asyncio.to_thread(lambda: ([*map(_journal_row, batch.hasty)], [*map(_journal_row, batch.fresh)]))
        async with self._database.transaction() as tx:
            await tx.execute_many(
                f"INSERT OR REPLACE INTO series ({COLUMNS}) VALUES (?, ?, ?, ?)",  # noqa: S608  # a constant
                [row_of(i, labels) for i, labels in batch.series],
            )
            forget = [await tx.insert(_INSERT_JOURNAL, row) for row in hasty]
            rows = [await tx.insert(_INSERT_JOURNAL, row) for row in fresh]
        batch.forget_hasty += forget
        batch.series, batch.hasty, batch.fresh = [], [], []
        return max(rows, default=0)

    async def chunks(self, series: Sequence[int], start: int, end: int) -> list[tuple[Value, ...]]:
        """Return (id, series, n, crc, blob) of chunks that touch the time, by series and time. Raise QueryTooLarge."""
        rows = await self._database.fetch(
            "SELECT id, series, n, crc, blob FROM chunk WHERE series IN (SELECT value FROM json_each(?))"
            " AND t0 BETWEEN ? AND ? AND t1 >= ? ORDER BY series, t0 LIMIT ?",
            (orjson.dumps(list(series)).decode(), start - 4 * MAX_SPAN, end, start, _MOST_ROWS + 1),
        )
        return _bounded(rows)

    async def rollups(self, series: Sequence[int], tier: int, start: int, end: int) -> list[tuple[Value, ...]]:
        """Return (id, series, n, crc, blob, t0) of rollups that touch the time, by series and time. Raise QueryTooLarge."""
        rows = await self._database.fetch(
            "SELECT id, series, n, crc, blob, t0 FROM rollup WHERE series IN (SELECT value FROM json_each(?)) AND tier = ?"
            " AND t0 BETWEEN ? AND ? AND t1 >= ? ORDER BY series, t0 LIMIT ?",
            (orjson.dumps(list(series)).decode(), tier, start - 4 * MAX_SPAN - tier, end, start, _MOST_ROWS + 1),
        )
        return _bounded(rows)

    async def discard(self, table: str, ids: Iterable[int]) -> None:
        """Delete damaged rows, so that they are met once."""
        rows = [(i,) for i in ids]
        if rows and table in ("chunk", "rollup"):
            self.damaged[table] += len(rows)
            log.error("%d damaged rows of %s are deleted", len(rows), table)
            await self._database.write(for_each(f"DELETE FROM {table} WHERE id = ?", rows))  # noqa: S608  # one of two words

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

    async def without_samples(self, series: Sequence[int]) -> list[int]:
        """Return those of some series that have no chunk and no rollup left."""
        rows = await self._database.fetch(
            "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM chunk WHERE series = value)"
            " AND NOT EXISTS (SELECT 1 FROM rollup WHERE series = value) LIMIT 1000000",
            (orjson.dumps(series).decode(),),
        )
        return [int(str(found)) for (found,) in rows]

    async def forget(self, series: Iterable[int]) -> None:
        """Delete series with all there is of them."""
        rows = [(i,) for i in series]
        columns = {"chunk": "series", "rollup": "series", "series": "id"}
        await self._database.write(*(for_each(f"DELETE FROM {t} WHERE {c} = ?", rows) for t, c in columns.items()))  # noqa: S608  # words above


def _bounded(rows: list[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    if len(rows) > _MOST_ROWS:
        raise QueryTooLarge(f"the query reads more than {_MOST_ROWS} chunks: ask for fewer series or a shorter time")
    return rows


def _encoded(batch: Batch) -> tuple[list[tuple[Value, ...]], list[tuple[Value, ...]]]:
    """Return the rows of chunks and rollups. Runs in a thread."""
    encoder = chunk.Encoder()
    chunks = [_chunk_row(encoder, series, arrays) for series, arrays in (*batch.open, *batch.sealed)]
    made = [_rollup_row(encoder, series, times, values, rollup.MINUTE) for series, (times, values) in batch.sealed]
    return chunks, [row for row in made if row is not None]


def _chunk_row(encoder: chunk.Encoder, series: int, arrays: Arrays) -> tuple[Value, ...]:
    times, values = arrays
    blob = encoder.encode(times, values)
    return series, int(times[0]), int(times[-1]), len(times), chunk.CODEC, chunk.checksum(blob), blob


def _rollup_row(encoder: chunk.Encoder, series: int, times: Any, values: Any, tier: int) -> tuple[Value, ...] | None:
    buckets = rollup.rolled(times, values, tier)
    if not len(buckets):
        return None
    blob = rollup.encode(encoder, buckets, tier)
    return series, tier, int(times[0]), int(buckets.starts[-1]) + tier - 1, len(buckets), chunk.checksum(blob), blob


def _journal_row(run: Run) -> tuple[Value, ...]:
    """Return how many series there are, the checksum, and the blob: how many, their ids and counts, all times, all values; compressed.

    It is fed piece by piece: put together beforehand, a second of many samples would leave the process larger for good.
    """
    pieces = [len(run.ids).to_bytes(8, "little"), run.ids, run.counts, run.times, run.values]
    packer = zstandard.ZstdCompressor(level=1).compressobj(size=8 + 16 * len(run.ids) + 16 * len(run.times))
    blob = b"".join([*(packer.compress(piece) for piece in pieces), packer.flush()])
    return len(run.ids), chunk.checksum(blob), blob


def _read_journal(blob: bytes) -> list[tuple[int, Arrays]]:
    plain = zstandard.ZstdDecompressor().decompress(blob)
    many = int.from_bytes(plain[:8], "little")
    ids, counts = np.frombuffer(plain, "<i8", many, 8), np.frombuffer(plain, "<i8", many, 8 + 8 * many)
    total, at = int(counts.sum()), 8 + 16 * many
    times, values = np.frombuffer(plain, "<i8", total, at), np.frombuffer(plain, "<f8", total, at + 8 * total)
    cuts = np.cumsum(counts)[:-1]
    return list(zip(ids.tolist(), zip(np.split(times, cuts), np.split(values, cuts), strict=True), strict=True))


def decoded(rows: Sequence[tuple[Value, ...]]) -> tuple[dict[int, Arrays], list[int]]:
    """Return the samples of chunk rows (as of `ChunkStore.chunks`: by series and time) by series, and the ids of damaged rows.

    Series of the same times share one array of them.
    """
    good, unpacked, damaged = _sound(rows, decoder.decode_many)
    found: dict[int, Arrays] = {}
    if good:
        columns, values = unpacked
        together, disordered = Columns(), {}
        for series, chunks, span in _spans(good):
            times = together.joined(columns[chunks])
            if id(times) not in disordered:  # a time moved to the grid may meet its neighbour of the next chunk
                disordered[id(times)] = bool((np.diff(times) <= 0).any())
            found[series] = _in_order(times, values[span]) if disordered[id(times)] else (times, values[span])
    return found, damaged


def _in_order(times: Any, values: Any) -> Arrays:
    times, index = np.unique(times, return_index=True)
    return times, values[index]


def decoded_rollups(rows: Sequence[tuple[Value, ...]], tier: int) -> tuple[dict[int, rollup.Buckets], list[int]]:
    """Return the buckets of rollup rows (as of `ChunkStore.rollups`) by series, and the ids of damaged rows."""
    good, unpacked, damaged = _sound(rows, functools.partial(rollup.decode_many, width=tier))
    return {series: unpacked.part(span) for series, _, span in _spans(good)}, damaged


def _spans(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, slice, slice]]:
    """Yield of each series which rows are its own, and where in all samples its samples are."""
    begin = at = 0
    for series, of_series in itertools.groupby(rows, key=operator.itemgetter(1)):
        counts = [row[2] for row in of_series]
        end, to = begin + len(counts), at + sum(counts)
        yield series, slice(begin, end), slice(at, to)
        begin, at = end, to


def _sound(
    rows: Sequence[tuple[Value, ...]], unpack: Callable[[list[Any], list[Any]], Any]
) -> tuple[list[tuple[Any, ...]], Any, list[Any]]:
    """Return the rows (id, series, n, crc, blob) that are sound, what *unpack* makes of them, and the ids of the others."""
    good = [row for row in rows if chunk.checksum(row[4]) == row[3]]  # type: ignore[arg-type]  # the columns' types, see the schema
    try:
        found = unpack([row[4] for row in good], [row[2] for row in good]) if good else None
    except ValueError:  # one is none, whatever its checksum says: find out which
        good = [row for row in good if _is_sound(row, unpack)]
        found = unpack([row[4] for row in good], [row[2] for row in good]) if good else None
    kept = {row[0] for row in good}
    damaged = [row for row in rows if row[0] not in kept]
    for row, series, *_ in damaged:
        log.error("chunk %s of series %s is damaged and left out", row, series)
    return good, found, [row[0] for row in damaged]


def _is_sound(row: tuple[Any, ...], unpack: Callable[[list[Any], list[Any]], Any]) -> bool:
    try:
        unpack([row[4]], [row[2]])
    except ValueError:
        return False
    return True
