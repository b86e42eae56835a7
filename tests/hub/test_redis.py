"""hub.redis with a real redis-server, which comes and goes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import attrs
import pytest

from hub import settings as s
from hub.house import House
from hub.redis import Redis
from hub.settings import Settings
from tests.hub.api import Api, Client, sign_in
from tests.hub.houses import opened
from tests.hub.redises import RedisServer, redis_server

BEAT = 0.05
WITHIN = 10.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that runs."""
    with redis_server(tmp_path) as running:
        yield running


def options(server: RedisServer) -> s.Redis:
    return s.Redis(url=server.url, beat=BEAT)


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    """The side of one hub."""
    async with Redis(options(server), url="http://one") as opened_redis:
        yield opened_redis


@pytest.fixture
async def both(server: RedisServer, settings: Settings) -> AsyncIterator[tuple[House, Client]]:
    """A hub with the server."""
    async with opened(attrs.evolve(settings, redis=options(server), limits=s.Limits(user="50/hour"))) as pair:
        yield pair


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the hub's own tasks bring about."""
    async with asyncio.timeout(WITHIN):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for: the server is another process
            await asyncio.sleep(BEAT / 5)


async def test_values_are_kept_for_their_time(redis: Redis) -> None:
    """And no longer."""
    await redis.put("key", b"value", 60)
    assert await redis.get("key") == b"value"
    await redis.put("key", b"value", 0.001)
    await until_gone(redis, "key")


async def until_gone(redis: Redis, key: str) -> None:
    async with asyncio.timeout(WITHIN):
        while await redis.get(key) is not None:  # noqa: ASYNC110 - the server is another process
            await asyncio.sleep(0.001)


async def test_hubs_see_each_other(server: RedisServer, redis: Redis) -> None:
    """Who leaves is gone at once, who dies after a few beats."""
    async with Redis(options(server), url="http://two"):
        assert {hub["url"] for hub in await redis.hubs()} == {"http://one", "http://two"}
    assert {hub["url"] for hub in await redis.hubs()} == {"http://one"}


async def test_a_hub_hears_of_sessions_that_another_ends(server: RedisServer) -> None:
    """And not of its own."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    own: list[str] = []
    async with Redis(options(server), heard.put_nowait), Redis(options(server), own.append) as other:
        async with asyncio.timeout(WITHIN):
            while heard.empty():
                other.announce("somebody")
                await asyncio.sleep(BEAT)
        assert heard.get_nowait() == "somebody"
    assert own == []


async def test_the_latest_samples_are_there_for_late_joiners(redis: Redis) -> None:
    """By series; a newer one takes the place of the older."""
    await redis.keep_latest({"up": b"[1,0]", "down": b"[1,1]"})
    await redis.keep_latest({"up": b"[2,1]"})
    assert await redis.latest() == {b"up": b"[2,1]", b"down": b"[1,1]"}


async def test_without_the_server_nothing_waits(redis: Redis, server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Killed: said once, everything answers empty at once; started again: found again, and said."""
    caplog.set_level(logging.WARNING)
    again: list[bool] = []

    async def note() -> None:
        again.append(True)

    redis.on_return(note)
    server.kill()
    await until(lambda: not redis.up)
    assert await redis.get("key") is None
    assert await redis.hubs() == []
    await redis.put("key", b"value", 60)
    server.start()
    await until(lambda: redis.up)
    await until(lambda: again == [True])
    await redis.put("key", b"value", 60)
    assert await redis.get("key") == b"value"
    assert [record.getMessage().partition(":")[0] for record in caplog.records if record.name == "hub.redis"] == [
        "redis is away",
        "redis is back",
    ]


async def test_a_server_that_hangs_counts_as_away(redis: Redis, server: RedisServer) -> None:
    """SIGSTOP: the first question runs into its time, the others do not ask."""
    server.pause()
    await redis.get("key")
    assert not redis.up
    server.go_on()
    await until(lambda: redis.up)


async def test_a_hub_starts_without_the_server(server: RedisServer, settings: Settings) -> None:
    """It says that it is degraded, and finds the server when it comes."""
    server.kill()
    async with opened(attrs.evolve(settings, redis=options(server))) as (house, client):
        async with client.get("/readyz") as response:
            body = await response.json()
            assert (response.status, body["status"]) == (200, "degraded")
            assert "redis" in body["faults"]
        assert await me(await sign_in(client, "viewer")) == 200
        server.start()
        assert house.redis is not None
        redis = house.redis
        await until(lambda: redis.up)
        async with client.get("/readyz") as response:
            assert (await response.json())["status"] == "ok"


async def me(api: Api) -> int:
    status, _, _ = await api.call("GET", "/auth/me")
    return status


async def test_limits_are_counted_for_all_hubs(server: RedisServer, settings: Settings, tmp_path: Path) -> None:
    """Two hubs with the same user: what one counts, the other knows."""
    limited = attrs.evolve(settings, redis=options(server), limits=s.Limits(user="50/hour"))
    other = attrs.evolve(limited, server=attrs.evolve(settings.server, data_dir=tmp_path / "other"))
    async with opened(limited) as (_, one), opened(other) as (_, two):
        first, second = await sign_in(one, "viewer"), await sign_in(two, "viewer")
        for _ in range(10):
            await me(first)
        _, _, headers = await second.call("GET", "/auth/me")
        assert int(headers["RateLimit-Remaining"]) == 39


async def test_no_session_revocation_or_write_is_lost(both: tuple[House, Client], server: RedisServer) -> None:
    """Under load the server is killed, started, paused and continued: no request fails, what was ended stays ended."""
    house, client = both
    house.limits._user = house.limits._address
    assert house.redis is not None
    redis, statuses, done = house.redis, [], asyncio.Event()
    operator, leaver = await sign_in(client, "operator"), await sign_in(client, "viewer")

    async def load(worker: int) -> int:
        written = 0
        while not done.is_set():
            status, _, _ = await operator.call("POST", "/topology/nodes", json={"id": f"n{worker}-{written}"})
            statuses.append(status)
            statuses.append(await me(operator))
            written += 1
        return written

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(load(i)) for i in range(4)]
        server.kill()
        await until(lambda: not redis.up)
        assert (await leaver.call("POST", "/auth/logout"))[0] == 204
        server.start()
        await until(lambda: redis.up)
        server.pause()
        await until(lambda: not redis.up)
        server.go_on()
        await until(lambda: redis.up)
        server.kill()
        server.start()
        await until(lambda: redis.up)
        done.set()
    assert set(statuses) == {201, 200}
    assert await me(leaver) == 401
    _, topology, _ = await operator.call("GET", "/topology")
    assert len(topology["nodes"]) == sum(worker.result() for worker in workers)
