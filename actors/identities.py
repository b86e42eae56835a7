"""Series as the telemetry database has them: labels with a checksum, and an index that has them a second time, to mend damage from."""

import logging

import attrs
import orjson

from actors.storage import Database, for_each
from actors.storage.database import Value
from paranet.metrics.chunk import checksum
from paranet.metrics.labels import NAME, Labels, labels_of

log = logging.getLogger(__name__)

_MOST = 1_000_000
"""rows that are read: far more than any limit on series lets be written"""
COLUMNS = "id, metric, labels, crc"
_TEXTS = "SELECT id, CAST(metric AS BLOB), CAST(labels AS BLOB)"  # what is no text any more is still bytes
_ROWS = f"{_TEXTS}, crc, (SELECT t1 FROM chunk c WHERE c.series = series.id ORDER BY t0 DESC LIMIT 1) FROM series ORDER BY id LIMIT ?"  # noqa: S608  # constants
_COPIES = f"{_TEXTS} FROM series INDEXED BY sqlite_autoindex_series_1 WHERE +id IN (SELECT value FROM json_each(?)) LIMIT ?"  # noqa: S608


@attrs.frozen(kw_only=True)
class Known:
    """A series as the database has it; *last* is the time of its newest sample in a chunk, or 0."""

    id: int
    labels: Labels
    last: int


def row_of(series: int, labels: Labels) -> tuple[Value, ...]:
    """Return a series as a row of COLUMNS."""
    metric, text = dict(labels).get(NAME, ""), orjson.dumps({name: value for name, value in labels if name != NAME}).decode()
    return series, metric, text, sum_of(series, metric.encode(), text.encode())


def sum_of(series: int, metric: bytes, labels: bytes) -> int:
    """Return the checksum of a row: labels under another id would be as wrong as other labels."""
    return checksum(b"%d\n%b\n%b" % (series, metric, labels))


async def known_series(database: Database) -> tuple[list[Known], int]:
    """Return the series known, and how many of them were damaged: mended, or, where that cannot be, deleted with their samples."""
    found: list[Known] = []
    unsigned: list[tuple[Value, ...]] = []
    damaged: dict[int, tuple[object, int]] = {}
    for i, metric, labels, crc, t1 in await database.fetch(_ROWS, (_MOST,)):
        series, last = int(str(i)), int(str(t1 or 0))
        one = _read(series, metric, labels, crc, last)
        if one is None:
            damaged[series] = crc, last
            continue
        found.append(one)
        if crc is None:
            unsigned.append((row_of(series, one.labels)[-1], series))
    if unsigned:
        await database.write(for_each("UPDATE series SET crc = ? WHERE id = ?", unsigned))
    if damaged:
        found += await _mended(database, damaged)
    return found, len(damaged)


def _read(series: int, metric: object, labels: object, crc: object, last: int) -> Known | None:
    """Return a row's series; None where the row is damaged."""
    if not isinstance(metric, bytes) or not isinstance(labels, bytes) or crc not in (None, sum_of(series, metric, labels)):
        return None
    try:
        return Known(id=series, labels=labels_of(metric.decode(), orjson.loads(labels)), last=last)
    except (ValueError, AttributeError):
        return None


async def _mended(database: Database, damaged: dict[int, tuple[object, int]]) -> list[Known]:
    """Return the damaged series (checksum and last time by id) that the index knows better; those and the others are put right on disk."""
    mended: list[Known] = []
    for i, metric, labels in await database.fetch(_COPIES, (orjson.dumps([*damaged]).decode(), _MOST)):
        crc, last = damaged[int(str(i))]
        one = _read(int(str(i)), metric, labels, crc, last)
        if one is not None and crc is not None:
            log.error("the labels of series %d were damaged: they are mended from their index", one.id)
            mended.append(one)
    lost = damaged.keys() - {one.id for one in mended}
    for series in sorted(lost):
        log.error("the labels of series %d are damaged: it is deleted with its samples", series)
    async with database.transaction() as tx:
        await tx.execute("REINDEX series")  # it must agree with the rows before they can be changed
        rows = [(*row_of(one.id, one.labels)[1:], one.id) for one in mended]
        await tx.execute_many("UPDATE series SET metric = ?, labels = ?, crc = ? WHERE id = ?", rows)
        for table, column in (("chunk", "series"), ("rollup", "series"), ("series", "id")):
            await tx.execute_many(f"DELETE FROM {table} WHERE {column} = ?", [(series,) for series in lost])  # noqa: S608  # words above
    return mended
