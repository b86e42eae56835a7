"""actors.latest"""

from collections.abc import Mapping

import attrs
import pytest

from actors.latest import Item, Latest, deliver


@attrs.define
class Memory:
    """A shelf that can be away, and can forget."""

    openings: int = 1
    there: bool = True
    lies: dict[bytes, bytes] = attrs.field(factory=dict)

    async def keep_latest(self, readings: Mapping[str, bytes]) -> bool:
        self.lies |= {key.encode(): value for key, value in readings.items()} if self.there else {}
        return self.there

    async def drop_latest(self, keys: list[str]) -> bool:
        self.lies = {key: value for key, value in self.lies.items() if key.decode() not in keys or not self.there}
        return self.there

    async def latest(self) -> dict[bytes, bytes]:
        return self.lies


def reading(ts: int, node: str, **values: float) -> Item:
    return {"ts": ts, "node": node, "values": values}


async def brought(latest: Latest, shelf: Memory) -> bool:
    """Bring the shelf up to date as the collector does; False when there was nothing to bring, or it was not taken."""
    parcel = latest.parcel()
    if parcel is None or await deliver(parcel, shelf):
        return parcel is not None
    latest.returned(parcel)
    return False


async def loaded(shelf: Memory) -> list[Item]:
    """Return what a hub that starts finds."""
    fresh = Latest(shelf)
    await fresh.load()
    return fresh.items()


def test_series_that_are_read_together_replace_each_other() -> None:
    """What is pushed for one metric of a node takes nothing away of its others."""
    latest = Latest()
    for item in (reading(1, "a", cpu=0.1, load=1), reading(2, "a", probe=5), reading(3, "a", cpu=0.2, load=2), reading(3, "b", cpu=0.3)):
        latest.take(item)
    assert latest.items() == [reading(2, "a", probe=5), reading(3, "a", cpu=0.2, load=2), reading(3, "b", cpu=0.3)]
    latest.forget_before(3)
    assert [item["node"] for item in latest.items()] == ["a", "b"]
    assert latest.parcel() is None


def test_there_is_an_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go."""
    monkeypatch.setattr("actors.latest.MOST", 2)
    latest = Latest()
    for ts, node in enumerate("abc"):
        latest.take(reading(ts, node, cpu=0))
    assert [item["node"] for item in latest.items()] == ["b", "c"]


async def test_the_next_hub_finds_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of their times, in as many parts as it takes; what was forgotten is not there any more."""
    monkeypatch.setattr("actors.latest.PART", 2)
    shelf = Memory()
    latest = Latest(shelf)
    for i, node in enumerate("edcba"):
        latest.take(reading(i, node, cpu=i))
    assert await brought(latest, shelf)
    assert not await brought(latest, shelf)
    latest.take(reading(9, "e", cpu=9))
    latest.forget_before(2)
    assert await brought(latest, shelf)
    assert await loaded(shelf) == [reading(2, "c", cpu=2), reading(3, "b", cpu=3), reading(4, "a", cpu=4), reading(9, "e", cpu=9)]


async def test_what_a_shelf_did_not_take_is_offered_again() -> None:
    """Also when it was found again and has forgotten all."""
    shelf = Memory()
    latest = Latest(shelf)
    latest.take(reading(1, "a", cpu=1))
    assert await brought(latest, shelf)
    latest.take(reading(2, "b", cpu=2))
    shelf.there = False
    assert not await brought(latest, shelf)
    shelf = latest.shelf = Memory(openings=2)
    assert await brought(latest, shelf)
    assert await loaded(shelf) == [reading(1, "a", cpu=1), reading(2, "b", cpu=2)]


async def test_nothing_is_made_up_for_a_shelf_that_was_never_found() -> None:
    """It gets everything when it is."""
    shelf = Memory(openings=0)
    latest = Latest(shelf)
    latest.take(reading(1, "a", cpu=1))
    assert latest.parcel() is None
    shelf.openings = 1
    assert await brought(latest, shelf)
    assert await loaded(shelf) == [reading(1, "a", cpu=1)]


async def test_what_another_version_left_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """And said."""
    shelf = Memory(lies={b"1": b"[1, 2]", b"2": b"{", b"3": b'{"ts": 1, "node": "a", "values": {"cpu": 1.0}}', b"4": b'{"ts": 1}'})
    assert await loaded(shelf) == [reading(1, "a", cpu=1)]
    assert len(caplog.records) == 3
