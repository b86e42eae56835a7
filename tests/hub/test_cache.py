"""hub.cache"""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from hub import settings as s
from hub.cache import Cache
from hub.settings import Settings
from tests.hub.api import Api, sign_in
from tests.hub.houses import opened
from tests.hub.networks import build_square
from tests.hub.redises import RedisServer, redis_server


class Maker:
    """Counts how often it had to make the value."""

    def __init__(self, value: bytes) -> None:
        self.value = value
        self.made = 0

    async def __call__(self) -> bytes:
        self.made += 1
        return self.value


async def test_a_value_is_made_once() -> None:
    """By key."""
    cache, one, two = Cache(None, 100), Maker(b"1"), Maker(b"2")
    assert [await cache.get("one", one), await cache.get("two", two), await cache.get("one", one)] == [b"1", b"2", b"1"]
    assert (one.made, cache.hits, cache.misses) == (1, 1, 2)


async def test_the_room_is_kept() -> None:
    """What was not asked for the longest goes; what would take a quarter is not kept at all."""
    cache = Cache(None, 100)
    large = Maker(b"x" * 26)
    await cache.get("large", large)
    await cache.get("large", large)
    assert large.made == 2
    parts = [Maker(b"x" * 25) for _ in range(5)]
    for i, part in enumerate(parts):
        await cache.get(str(i), part)
    await cache.get("4", parts[4])
    await cache.get("0", parts[0])
    assert [part.made for part in parts] == [2, 1, 1, 1, 1]


async def test_no_room_keeps_nothing() -> None:
    """A cache of zero bytes asks each time."""
    cache, maker = Cache(None, 0), Maker(b"x")
    await cache.get("key", maker)
    await cache.get("key", maker)
    assert maker.made == 2


async def test_an_export_is_written_once_for_a_revision(square: Api) -> None:
    """A change makes another; the figures tell."""
    first = await export(square)
    assert await export(square) == first
    async with square.http.get("/metrics") as response:
        text = await response.text()
    assert 'paranet_hub_cache_reads_total{found="true"} 1.0' in text
    await square.call("POST", "/topology/nodes", json={"id": "r9"})
    assert await export(square) != first


async def export(api: Api) -> bytes:
    async with api.http.get("/api/v1/topology/export?format=graphml", headers=api.headers) as response:
        assert response.status == 200
        return await response.read()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that runs."""
    with redis_server(tmp_path) as running:
        yield running


async def test_hubs_share_what_they_computed(server: RedisServer, settings: Settings) -> None:
    """What another hub has written for the same network is taken from Redis."""
    shared = attrs.evolve(settings, redis=s.Redis(url=server.url))
    other = attrs.evolve(shared, server=attrs.evolve(settings.server, data_dir=settings.server.data_dir / "other"))
    async with opened(shared) as (one, first), opened(other) as (two, second):
        for client in (first, second):
            operator = await sign_in(client, "operator")
            await build_square(operator)
            await export(operator)
        assert (one.cache.misses, two.cache.hits) == (1, 1)
