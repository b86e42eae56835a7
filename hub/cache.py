"""What was computed once for a revision and is asked for again: in this process, and in Redis for other hubs when there is one."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from hub.redis import Redis

TTL = 600.0
"""seconds that Redis keeps a value"""


class Cache:
    """Bytes by key; a key holds everything the value depends on, so nothing is ever out of date. The newest *room* bytes are kept."""

    def __init__(self, redis: Redis | None, room: int) -> None:
        self._redis = redis
        self._room = room
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._made: dict[str, int] = {}
        self.hits = 0
        self.misses = 0

    async def get(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return the value of the key; *make* makes it when nobody has it."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            self.hits += 1
            return found
        found = await self._redis.get(f"cache:{key}") if self._redis is not None else None
        if found is not None:
            self.hits += 1
        else:
            self.misses += 1
            found = await make()
            if self._redis is not None:
                await self._redis.put(f"cache:{key}", found, TTL)
        self._keep(key, found)
        return found

    def count(self, what: str, revision: int) -> None:
        """Note that something was asked for that its owner keeps by revision, put together once for each."""
        if self._made.get(what) == revision:
            self.hits += 1
        else:
            self.misses += 1
            self._made[what] = revision

    def _keep(self, key: str, value: bytes) -> None:
        if key in self._kept or len(value) > self._room // 4:
            return
        self._kept[key] = value
        self._size += len(value)
        while self._size > self._room:
            _, old = self._kept.popitem(last=False)
            self._size -= len(old)
