"""actors.mending"""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from actors.chunks import Batch, ChunkStore, decoded
from actors.mending import open_telemetry
from paranet.errors import StorageFailed
from paranet.metrics.labels import labels_of


async def filled(path: Path, series: int) -> None:
    """Make a telemetry file with a chunk a series, of which the oldest are long gone."""
    database = await open_telemetry(path)
    times, dice = np.arange(600) * 1000, np.random.default_rng(1)
    await ChunkStore(database).write(
        Batch(
            series=[(i, labels_of("m", {"i": str(i)})) for i in range(1, series + 1)],
            sealed=[(i, (times, dice.random(600))) for i in range(1, series + 1)],
        )
    )
    async with database.transaction() as tx:
        await tx.execute("UPDATE chunk SET id = id + 1000000")
    await database.close()


async def test_a_file_that_is_well_is_left_alone(tmp_path: Path) -> None:
    """Nothing is put aside."""
    path = tmp_path / "telemetry.sqlite3"
    await filled(path, 3)
    database = await open_telemetry(path)
    assert await database.fetch("SELECT count(*) FROM chunk") == [(3,)]
    await database.close()
    assert not (tmp_path / "telemetry.sqlite3.damaged-1").exists()


async def test_what_can_be_read_of_a_damaged_file_is_saved(tmp_path: Path) -> None:
    """Pages in the middle are overwritten; the rest of the chunks comes into a new file, each with its checksum right."""
    path = tmp_path / "telemetry.sqlite3"
    await filled(path, 200)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3 : len(raw) // 3 + 40_000] = b"\xde\xad" * 20_000
    path.write_bytes(raw)
    path.with_name("telemetry.sqlite3-wal").write_bytes(b"x")  # what an end without goodbye leaves
    database = await open_telemetry(path)
    rows = await ChunkStore(database).chunks(range(1, 201), 0, 10**9)
    found, damaged = decoded(rows)
    await database.close()
    assert damaged == []
    assert 180 < len(found) < 200
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert (tmp_path / "telemetry.sqlite3.damaged-1").is_file()


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """And refused: it may be somebody's."""
    path = tmp_path / "telemetry.sqlite3"
    path.write_bytes(b"this is no database at all, and long enough to be looked at by SQLite" * 100)
    with pytest.raises(StorageFailed):
        await open_telemetry(path)
    assert path.is_file()
