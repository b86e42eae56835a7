"""The latest readings for whoever comes late: in memory, and on a shelf that several hub processes and the next start share."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from itertools import islice
from typing import Any, Protocol

import attrs
import orjson

log = logging.getLogger(__name__)

Item = dict[str, Any]
"""readings of one node at one time: ts (UNIX ms), node, values by series"""
Key = tuple[str, ...]
"""the node and its series"""
MOST = 100_000
"""items that are kept; of more the oldest go"""
PART = 500
"""items that go to the shelf at once"""


class Shelf(Protocol):
    """Where the latest readings lie for other processes. It may be away: then it keeps nothing, and waits for nobody."""

    @property
    def openings(self) -> int:
        """How often it was found (again), 0 when it never was; it may have forgotten everything each time."""

    async def keep_latest(self, readings: Mapping[str, bytes]) -> bool:
        """Lay readings down by key, in place of those that were there; False when it could not."""

    async def drop_latest(self, keys: list[str]) -> bool:
        """Take readings away; False when it could not."""

    async def latest(self) -> Mapping[bytes, bytes]:
        """Return all that lie there."""


@attrs.frozen
class Parcel:
    """What the shelf has to be told: *fresh* items by key, names that are *gone*, and at which *opening* it was made up."""

    fresh: Mapping[Key, Item]
    gone: list[str]
    opening: int


class Latest:
    """One item for each node and set of series that are read together, in the order in which they came."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        self.shelf = shelf
        self._items: dict[Key, Item] = {}
        self._fresh: set[Key] = set()
        self._gone: list[str] = []
        self._opening = 0

    async def load(self) -> None:
        """Take what lies on the shelf; what is unreadable there was written by another version."""
        for raw in (await self.shelf.latest()).values() if self.shelf is not None else ():
            try:
                item = orjson.loads(raw)
                item = {"ts": int(item["ts"]), "node": str(item["node"]), "values": dict(item["values"])}
            except (ValueError, KeyError, TypeError):
                log.warning("readings that another version left are not understood: %s", raw[:200])
            else:
                self._items[_key(item)] = item
        self._items = dict(sorted(self._items.items(), key=lambda pair: pair[1]["ts"]))

    def take(self, item: Item) -> None:
        """Put an item in the place of the one before."""
        key = _key(item)
        self._items.pop(key, None)
        self._items[key] = item
        if self.shelf is not None:
            self._fresh.add(key)
        if len(self._items) > MOST:
            self._forget(next(iter(self._items)))

    def items(self) -> list[Item]:
        """Return all, oldest first."""
        return list(self._items.values())

    def forget_before(self, moment: int) -> None:
        """Forget what was read before *moment* (UNIX ms)."""
        for key in [key for key, item in self._items.items() if item["ts"] < moment]:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        del self._items[key]
        self._fresh.discard(key)
        if self.shelf is not None and len(self._gone) < MOST:
            self._gone.append(_name(key))

    def parcel(self) -> Parcel | None:
        """Return what the shelf does not know yet, None when there is nothing or nobody to tell."""
        shelf = self.shelf
        if shelf is None or not shelf.openings:
            return None
        chosen = self._fresh if shelf.openings == self._opening else self._items.keys()
        if not chosen and not self._gone:
            return None
        parcel = Parcel({key: self._items[key] for key in chosen}, self._gone, shelf.openings)
        self._fresh, self._gone, self._opening = set(), [], shelf.openings
        return parcel

    def returned(self, parcel: Parcel) -> None:
        """Take back what the shelf did not keep, to offer it again."""
        self._fresh |= parcel.fresh.keys() & self._items.keys()
        self._gone = (parcel.gone + self._gone)[:MOST]


async def deliver(parcel: Parcel, shelf: Shelf) -> bool:
    """Bring a parcel to the shelf; False when that could not be done."""
    if parcel.gone and not await shelf.drop_latest(parcel.gone):
        return False
    items = iter(parcel.fresh.items())
    while part := dict(islice(items, PART)):
        if not await shelf.keep_latest(await asyncio.to_thread(_encoded, part)):
            return False
    return True


def _key(item: Item) -> Key:
    return item["node"], *item["values"]


def _name(key: Key) -> str:
    """Return how the item is called on the shelf."""
    series = "\n".join(key[1:])
    return f"{key[0]} {hashlib.blake2b(series.encode(), digest_size=8).hexdigest()}"


def _encoded(items: Mapping[Key, Item]) -> dict[str, bytes]:
    return {_name(key): orjson.dumps(item) for key, item in items.items()}
