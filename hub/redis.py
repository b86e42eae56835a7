"""The hub's side of a Redis server: what hubs share and can do without. Everything that must not be lost is in SQLite first."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from actors.ids import uuid7
from hub.settings import Redis as Settings
from paranet import __version__

log = logging.getLogger(__name__)

LOST = (RedisError, OSError, TimeoutError)
"""what goes wrong when the server is not there, hangs, or is just starting"""
WITHIN = 0.5
"""seconds that the server has to answer; after that it counts as away"""
PREFIX = "paranet:"
NEWS = 10_000
"""announcements that may wait for the server"""
PRESENT = 3
"""beats that a hub may miss before it counts as gone"""


class Redis:
    """Use it as `async with Redis(settings, changed) as redis`. While the server is away `up` is false and nothing here waits for it.

    *changed* is called with the id of a user whose sessions another hub has ended.
    """

    def __init__(self, settings: Settings, changed: Callable[[str], None] = lambda _: None, *, url: str = "") -> None:
        assert settings.url
        self.id = uuid7(time.time())
        self._beat = settings.beat
        self._changed = changed
        self._url = url
        self.client: Any = redis.Redis.from_url(
            settings.url, socket_timeout=WITHIN, socket_connect_timeout=WITHIN, retry=Retry(NoBackoff(), 0)
        )
        self.up = False
        self.why = "not reached yet"
        self._met = False
        self._news: deque[str] = deque()
        self._spoken = asyncio.Event()
        self._again: list[Callable[[], Awaitable[None]]] = []

    async def __aenter__(self) -> "Redis":
        await self._try()
        self._tasks = [
            asyncio.create_task(self._keep_trying(), name="redis:beat"),
            asyncio.create_task(self._listen(), name="redis:listen"),
            asyncio.create_task(self._speak(), name="redis:speak"),
        ]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.up:
            with contextlib.suppress(*LOST):
                await self.client.delete(f"{PREFIX}hub:{self.id}")
        await self.client.connection_pool.disconnect(inuse_connections=True)  # also those that a cancelled task left in use
        await self.client.aclose()

    def on_return(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have *work* done each time the server has come (back): it may have forgotten everything."""
        self._again.append(work)

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
        """Tell other hubs that a user's sessions changed; those that miss it look for themselves when they find the server again."""
        if self.up and len(self._news) < NEWS:
            self._news.append(user_id)
            self._spoken.set()

    async def keep_latest(self, series: Mapping[str, bytes]) -> None:
        """Keep the newest sample of each series for those who come later."""
        if series:
            await self._ask(self.client.hset, f"{PREFIX}latest", mapping=dict(series))

    async def latest(self) -> dict[bytes, bytes]:
        """Return the newest sample of every series."""
        return await self._ask(self.client.hgetall, f"{PREFIX}latest") or {}

    async def hubs(self) -> list[dict[str, Any]]:
        """Return the hubs that are there, this one too."""
        found: list[dict[str, Any]] = []
        for key in await self._ask(self._keys, f"{PREFIX}hub:*") or ():
            raw = await self._ask(self.client.get, key)
            if raw:
                found.append(orjson.loads(raw))
        return sorted(found, key=lambda hub: str(hub["id"]))

    async def _keys(self, pattern: str) -> list[bytes]:
        return [key async for key in self.client.scan_iter(match=pattern, count=100)]

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
        while True:
            await asyncio.sleep(self._beat)
            await self._try()

    async def _try(self) -> None:
        """Say that this hub is there; by that the server is known to be, too."""
        about = {"id": self.id, "version": __version__, "url": self._url}
        try:
            await self.client.set(f"{PREFIX}hub:{self.id}", orjson.dumps(about), px=int(PRESENT * self._beat * 1000))
        except LOST as error:
            self.lost(error)
            return
        if not self.up:
            if self._met:
                log.warning("redis is back")
            self.up, self._met, self.why = True, True, ""
            for work in self._again:
                await work()

    async def _speak(self) -> None:
        """Say what was announced, in order."""
        while True:
            await self._spoken.wait()
            self._spoken.clear()
            while self._news:
                await self._ask(self.client.publish, f"{PREFIX}sessions", f"{self.id} {self._news.popleft()}")

    async def _listen(self) -> None:
        """Hear of sessions that other hubs end."""
        while True:
            if self.up:
                with contextlib.suppress(*LOST):
                    await self._hear()
            await asyncio.sleep(self._beat)

    async def _hear(self) -> None:
        async with self.client.pubsub() as channel:
            await channel.subscribe(f"{PREFIX}sessions")
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=WITHIN / 2)
                if message is not None:
                    sender, _, user_id = message["data"].decode().partition(" ")
                    if sender != self.id:
                        self._changed(user_id)
