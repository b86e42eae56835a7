"""paranet.controller.simulator.flash"""

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.controller.simulator.flash import FileFlash, Flash, MemoryFlash
from paranet.errors import StorageFailed
from paranet.models.device import Row, Span
from tests.strategies import rows

ROW = Row(family="ip.route", key="10.0.0.0/8", value={"a": [1, None]}, owners=("x",), span=Span(line=1, column=2, end_line=3, end_column=4))

Open = Callable[[], Flash]


@pytest.fixture(params=["memory", "file"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Return how to open the same flash again and again."""
    memory, found = MemoryFlash(), []

    def reopen() -> Flash:
        found.append(memory if request.param == "memory" else FileFlash(tmp_path / "lab" / "flash.sqlite"))
        return found[-1]

    yield reopen
    for flash in found:
        await flash.close()


async def test_rows_survive(opened: Open) -> None:
    """Closed and opened again, everything is there."""
    flash = opened()
    assert await flash.load() == {}
    await flash.save("a", (ROW,))
    await flash.save("b", ())
    await flash.close()
    assert await opened().load() == {"a": (ROW,), "b": ()}


async def test_saving_replaces(opened: Open) -> None:
    """A device has one startup configuration."""
    flash = opened()
    await flash.save("a", (ROW,))
    await flash.save("a", ())
    assert await flash.load() == {"a": ()}


async def test_closing_twice_is_fine(opened: Open) -> None:
    """Also without ever having used it."""
    flash = opened()
    await flash.close()
    await flash.close()


@settings(deadline=None)  # every example syncs a file to disk
@given(found=st.dictionaries(st.text(max_size=5), st.lists(rows, max_size=2).map(tuple), max_size=2))
async def test_all_rows_come_back_as_they_were(found: dict[str, tuple[Row, ...]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Values, owners and spans."""
    flash = FileFlash(tmp_path_factory.mktemp("flash") / "flash.sqlite")
    for node, kept in found.items():
        await flash.save(node, kept)
    assert await flash.load() == found
    await flash.close()


async def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    """Neither garbage instead of a database nor garbage inside it is taken for rows."""
    path = tmp_path / "flash.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageFailed, match="cannot be read"):
        await FileFlash(path).load()
    path.unlink()
    flash = FileFlash(path)
    await flash.save("a", (ROW,))
    await flash.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE device SET rows = '[{}]'")
    database.close()
    with pytest.raises(StorageFailed, match="a\\[0\\]"):
        await flash.load()
    await flash.close()


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="cannot be written"):
        await FileFlash(tmp_path / "file" / "flash.sqlite").save("a", ())
