"""actors.identities"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from actors.chunks import Batch, ChunkStore, decoded
from actors.storage import Database
from paranet.metrics.labels import Labels, labels_of

PAGE = 32_768
TABLE, INDEX = 0x0D, 0x0A
"""first bytes of a leaf page of each"""
SERIES = {i: labels_of("heat", {"node": f"place-{i}", "of": "devices"}) for i in (1, 2, 3)}


async def filled(folder: Path) -> Path:
    """Return a telemetry file of three series with two chunks each."""
    path = folder / "telemetry.sqlite3"
    database = await Database.open(path, "telemetry")
    store = ChunkStore(database)
    for part in range(2):
        times = np.arange(600 * part, 600 * (part + 1)) * 1000
        await store.write(Batch(series=[] if part else [*SERIES.items()], sealed=[(i, (times, times * 0.5)) for i in SERIES]))
    await database.close()
    return path


def flip(path: Path, text: bytes, *kinds: int) -> None:
    """Change a byte of a text where pages of these kinds have it."""
    raw = bytearray(path.read_bytes())
    found, at = set(), raw.find(text)
    while at >= 0:
        kind = raw[at // PAGE * PAGE]
        if kind in kinds:
            raw[at] ^= 0x80  # no text in UTF-8 any more
            found.add(kind)
        at = raw.find(text, at + 1)
    assert found == set(kinds)
    path.write_bytes(raw)


async def looked_at(path: Path) -> tuple[dict[int, Labels], dict[int, int], int]:
    """Open the file; return labels and number of samples by series, and how many rows were damaged."""
    database = await Database.open(path, "telemetry")
    store = ChunkStore(database)
    known = await store.series()
    found, damaged = decoded(await store.chunks([*SERIES], 0, 1 << 50))
    assert damaged == []
    await database.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert all(one.last == 1_199_000 for one in known)
    return {one.id: one.labels for one in known}, {i: len(times) for i, (times, _) in found.items()}, store.damaged["series"]


async def test_labels_that_are_damaged_come_back_from_their_index(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a word in the log, once; nothing is lost."""
    path = await filled(tmp_path)
    flip(path, b"place-2", TABLE)
    with caplog.at_level(logging.ERROR):
        assert await looked_at(path) == (SERIES, dict.fromkeys(SERIES, 1200), 1)
    assert "series 2 were damaged" in caplog.text
    assert await looked_at(path) == (SERIES, dict.fromkeys(SERIES, 1200), 0)


async def test_a_series_without_labels_is_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the index has not got them either: with its samples, a word in the log, and nothing else."""
    path = await filled(tmp_path)
    flip(path, b"place-2", TABLE, INDEX)
    rest = {i: labels for i, labels in SERIES.items() if i != 2}
    with caplog.at_level(logging.ERROR):
        assert await looked_at(path) == (rest, dict.fromkeys(rest, 1200), 1)
    assert "series 2 are damaged" in caplog.text
    assert await looked_at(path) == (rest, dict.fromkeys(rest, 1200), 0)


async def test_labels_of_an_older_version_get_their_checksum(tmp_path: Path) -> None:
    """At the first start, from when on they can be mended."""
    path = await filled(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        sums = connection.execute("SELECT id, crc FROM series").fetchall()
        connection.execute("UPDATE series SET crc = NULL")
    assert await looked_at(path) == (SERIES, dict.fromkeys(SERIES, 1200), 0)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id, crc FROM series").fetchall() == sums


async def test_labels_under_another_id_are_damaged(tmp_path: Path) -> None:
    """A checksum is of both."""
    path = await filled(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE series SET id = 4 WHERE id = 3")
    assert await looked_at(path) == ({1: SERIES[1], 2: SERIES[2]}, {1: 1200, 2: 1200, 3: 1200}, 1)
