"""How the hub's stores are: whether each answers, in what time, how large it is."""

import asyncio
import time
from typing import TYPE_CHECKING

import attrs

from actors.storage import Database
from paranet.errors import StorageFailed

if TYPE_CHECKING:
    from hub.house import House

PATIENCE = 2.0
"""s until a database counts as one that does not answer"""


@attrs.frozen(kw_only=True)
class DatabaseHealth:
    """*answers_in* is in s, null when it did not; *bytes* are those of file and log; *why* says what is wrong."""

    name: str
    ok: bool
    answers_in: float | None
    bytes: int
    why: str = ""


@attrs.frozen(kw_only=True)
class RedisHealth:
    """Whether it is set at all, and there."""

    configured: bool
    ok: bool
    why: str = ""


@attrs.frozen(kw_only=True)
class Health:
    """All stores."""

    databases: tuple[DatabaseHealth, ...]
    redis: RedisHealth


async def health(house: "House") -> Health:
    """Ask them."""
    databases = await asyncio.gather(*(_asked(name, database) for name, database in house.databases().items()))
    redis = house.redis
    told = RedisHealth(configured=False, ok=True) if redis is None else RedisHealth(configured=True, ok=redis.up, why=redis.why)
    return Health(databases=tuple(databases), redis=told)


async def _asked(name: str, database: Database) -> DatabaseHealth:
    files = (database.path, database.path.with_name(f"{database.path.name}-wal"))
    size = sum(file.stat().st_size for file in files if file.exists())
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE):
            await database.fetch("SELECT count(*) FROM sqlite_schema")
    except (StorageFailed, TimeoutError) as error:
        return DatabaseHealth(name=name, ok=False, answers_in=None, bytes=size, why=str(error) or "does not answer")
    return DatabaseHealth(name=name, ok=True, answers_in=time.perf_counter() - began, bytes=size)
