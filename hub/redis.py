"""The hub's side of a Redis server: what hubs share and can do without. Everything that must not be lost is in SQLite first."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hub.settings import Redis as Settings

log = logging.getLogger(__name__)

LOST = (RedisError, OSError, TimeoutError)
"""what goes wrong when the server is not there, hangs, or is just starting"""
WITHIN = 0.5
"""seconds that the server has to answer; after that it counts as away"""
PREFIX = "paranet:"
NEWS = 10_000
"""announcements that may wait for the server"""
LATEST_TTL = 3600
"""seconds that the newest readings outlive the last hub"""
PRESENT = 3
"""beats that a hub may miss before it counts as gone"""


class Redis:
    """Use it as `async with Redis(settings, about) as redis`. While the server is away `up` is false and nothing here waits for it.

    *about* returns what this hub says of itself to others, its `id` at least. *changed* is called with the id of a user whose sessions
    another hub has ended, and with "" when something may have been missed.
    """

    def __init__(self, settings: Settings, about: Callable[[], Mapping[str, Any]], changed: Callable[[str], None] = lambda _: None) -> None:
        assert settings.url
        self.id = str(about()["id"])
        self._about = about
        self._beat = settings.beat
        self._changed = changed
        self.client: Any = redis.Redis.from_url(
            settings.url, socket_timeout=WITHIN, socket_connect_timeout=WITHIN, retry=Retry(NoBackoff(), 0)
        )
        self.up = False
        self.openings = 0
        """how often the server was found; it may have forgotten everything each time"""
        self.why = "not reached yet"
        self._met = False
        self._news: deque[str] = deque()
        self._spoken = asyncio.Event()
        self._unsaid = False
        self._closing = False
        """tells the tasks to end: what the client is doing may answer a cancellation with an error of its own"""

    async def __aenter__(self) -> "Redis":
        await self._try()
        self._tasks = [
            asyncio.create_task(self._keep_trying(), name="redis:beat"),
            asyncio.create_task(self._listen(), name="redis:listen"),
            asyncio.create_task(self._speak(), name="redis:speak"),
        ]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.up:
            with contextlib.suppress(*LOST):
                await self.client.srem(f"{PREFIX}hubs", self.id)
                await self.client.delete(f"{PREFIX}hub:{self.id}")
        await self.client.connection_pool.disconnect(inuse_connections=True)  # also those that a cancelled task left in use
        await self.client.aclose()

    def lost(self, error: BaseException) -> None:
        """Go on without the server until it answers again."""
        self.why = str(error) or type(error).__name__
        if self.up or not self._met:
            log.warning("redis is away: %s; going on without it", self.why)
        self.up, self._met = False, True

    # -- what hubs share

    async def get(self, key: str) -> bytes | None:
        """Return a value, None also when the server is away."""
        found: bytes | None = await self._ask(self.client.get, PREFIX + key)
        return found

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for *ttl* s, if the server is there."""
        await self._ask(self.client.set, PREFIX + key, value, px=max(1, int(ttl * 1000)))

    def announce(self, user_id: str) -> None:
        """Tell other hubs that a user's sessions changed; what cannot be said now is made good by "" once the server is back."""
        if self.up and len(self._news) < NEWS:
            self._news.append(user_id)
            self._spoken.set()
        else:
            self._unsaid = True

    async def keep_latest(self, readings: Mapping[str, bytes]) -> bool:
        """Keep the newest readings for those who come later; False when the server is away."""
        kept = await self._ask(self.client.hset, f"{PREFIX}latest", mapping=dict(readings)) if readings else 0
        return kept is not None and await self._ask(self.client.expire, f"{PREFIX}latest", LATEST_TTL) is not None

    async def drop_latest(self, keys: list[str]) -> bool:
        """Forget readings by key; False when the server is away."""
        return await self._ask(self.client.hdel, f"{PREFIX}latest", *keys) is not None

    async def latest(self) -> dict[bytes, bytes]:
        """Return the newest readings by key."""
        return await self._ask(self.client.hgetall, f"{PREFIX}latest") or {}

    async def hubs(self) -> list[dict[str, Any]]:
        """Return the hubs that are there, this one too; none while the server is away."""
        known = sorted(await self._ask(self.client.smembers, f"{PREFIX}hubs") or ())
        found = await self._ask(self.client.mget, [f"{PREFIX}hub:{name.decode()}" for name in known]) if known else None
        gone = [name for name, raw in zip(known, found or (), strict=found is not None) if raw is None]
        if gone:
            await self._ask(self.client.srem, f"{PREFIX}hubs", *gone)  # one that was only late says so again at its next beat
        return [orjson.loads(raw) for raw in found or () if raw is not None]

    async def _ask(self, command: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        if not self.up:
            return None
        try:
            return await command(*arguments, **more)
        except LOST as error:
            self.lost(error)
            return None

    # -- there, or away

    async def _keep_trying(self) -> None:
        while not self._closing:
            await asyncio.sleep(self._beat)
            await self._try()

    async def _try(self) -> None:
        """Say that this hub is there; by that the server is known to be, too."""
        try:
            async with self.client.pipeline(transaction=False) as both:
                both.set(f"{PREFIX}hub:{self.id}", orjson.dumps(self._about()), px=int(PRESENT * self._beat * 1000))
                both.sadd(f"{PREFIX}hubs", self.id)
                await both.execute()
        except LOST as error:
            self.lost(error)
            return
        if not self.up:
            if self._met:
                log.warning("redis is back")
            self.up, self._met, self.why = True, True, ""
            self.openings += 1
            if self._unsaid:
                self._unsaid = False
                self.announce("")

    async def _speak(self) -> None:
        """Say what was announced, in order."""
        while not self._closing:
            await self._spoken.wait()
            self._spoken.clear()
            while self._news:
                user_id = self._news.popleft()
                if await self._ask(self.client.publish, f"{PREFIX}sessions", f"{self.id} {user_id}") is None:
                    self._unsaid = True

    async def _listen(self) -> None:
        """Hear of sessions that other hubs end."""
        while not self._closing:
            if self.up:
                with contextlib.suppress(*LOST):
                    await self._hear()
            await asyncio.sleep(self._beat)

    async def _hear(self) -> None:
        async with self.client.pubsub() as channel:
            await channel.subscribe(f"{PREFIX}sessions")
            self._changed("")  # whatever was said before, nobody here has heard it
            while not self._closing:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=WITHIN / 2)
                if message is not None:
                    sender, _, user_id = message["data"].decode().partition(" ")
                    if sender != self.id:
                        self._changed(user_id)
