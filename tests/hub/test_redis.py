"""hub.redis with a real redis-server, which comes and goes."""

import asyncio
import logging
import time
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
from tests.hub.sockets import connected

BEAT = 0.3
WITHIN = 10.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that runs."""
    with redis_server(tmp_path) as running:
        yield running


def options(server: RedisServer) -> s.Redis:
    return s.Redis(url=server.url, beat=BEAT)


def about(name: str = "one") -> Callable[[], dict[str, str]]:
    return lambda: {"id": name}


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    """The side of one hub."""
    async with Redis(options(server), about()) as opened_redis:
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


async def test_leaving_ends_what_answers_a_cancellation_with_an_error(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the client does when it is cancelled while it lets go of a connection."""
    hears = asyncio.Event()

    async def hear(_redis: Redis) -> None:
        hears.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionResetError("in the middle of it") from None

    monkeypatch.setattr(Redis, "_hear", hear)
    async with asyncio.timeout(WITHIN), Redis(options(server), about()):
        await hears.wait()


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
    """Who leaves is gone at once."""
    async with Redis(options(server), about("two")):
        assert await redis.hubs() == [{"id": "one"}, {"id": "two"}]
    assert await redis.hubs() == [{"id": "one"}]


async def test_a_hub_that_died_is_gone_after_a_few_beats(server: RedisServer, redis: Redis) -> None:
    """Its name goes too."""
    async with Redis(options(server), about("two")) as other:
        for task in other._tasks:
            task.cancel()
        async with asyncio.timeout(WITHIN):
            while len(await redis.hubs()) > 1:  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(BEAT)
        assert await redis.client.smembers("paranet:hubs") == {b"one"}


async def test_a_hub_hears_of_sessions_that_another_ends(server: RedisServer) -> None:
    """And not of its own."""
    heard: list[str] = []
    own: list[str] = []
    async with Redis(options(server), about(), heard.append), Redis(options(server), about("two"), own.append) as other:
        await until(lambda: heard == own == [""])  # who begins to listen may have missed something
        other.announce("somebody")
        await until(lambda: heard == ["", "somebody"])
    assert own == [""]


async def test_what_could_not_be_said_is_made_good(server: RedisServer) -> None:
    """A session ended while the server was away: when it is back, other hubs are told to look at everything."""
    heard: list[str] = []
    async with Redis(options(server), about(), heard.append) as one, Redis(options(server), about("two")) as two:
        server.kill()
        await until(lambda: not one.up and not two.up)
        two.announce("somebody")
        server.start()
        await until(lambda: one.up and two.up)
        await until(lambda: "" in heard)


async def test_a_hub_told_to_look_at_everything_looks(both: tuple[House, Client]) -> None:
    """A session that another process ended on this database is over here too, for tokens that were believed and for sockets."""
    house, client = both
    viewer = await sign_in(client, "viewer")
    async with connected(viewer) as socket:
        assert await me(viewer) == 200
        async with house.control.transaction() as tx:
            await tx.execute("DELETE FROM session")
        house._elsewhere("")
        assert (await socket.until("bye"))["code"] == 4500
    assert await me(viewer) == 401


async def test_the_latest_readings_are_kept(redis: Redis) -> None:
    """By key; a newer one takes the place of the older, and what is dropped is gone. They do not stay for ever."""
    assert await redis.keep_latest({"up": b"[1,0]", "down": b"[1,1]", "gone": b"[1,2]"})
    assert await redis.keep_latest({"up": b"[2,1]"})
    assert await redis.drop_latest(["gone"])
    assert await redis.latest() == {b"up": b"[2,1]", b"down": b"[1,1]"}
    assert 0 < await redis.client.ttl("paranet:latest") <= 3600


async def test_who_joins_a_fresh_hub_has_the_last_readings(server: RedisServer, settings: Settings, tmp_path: Path) -> None:
    """From Redis, with the time at which they were read, though the hub that read them is gone and the new one has read nothing."""
    shared = attrs.evolve(settings, redis=options(server), telemetry=s.Telemetry(flush_every=BEAT))
    ts = int(time.time() * 1000) - 5000
    samples = [
        {"metric": "probe_value", "labels": {"node": "r1"}, "ts": ts, "value": 0.5},
        {"metric": "probe_other", "labels": {"node": "r1"}, "ts": ts + 1, "value": 7},
    ]
    async with opened(shared) as (house, client):
        operator = await sign_in(client, "operator")
        for sample in samples:
            assert (await operator.call("POST", "/monitor/metrics", json=[sample]))[0] == 200
        redis = house.redis
        assert redis is not None
        async with asyncio.timeout(WITHIN):
            while sum(b"probe" in raw for raw in (await redis.latest()).values()) < 2:  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(BEAT / 5)
    fresh = attrs.evolve(shared, server=attrs.evolve(settings.server, data_dir=tmp_path / "fresh"))
    async with opened(fresh) as (_, client), connected(await sign_in(client, "viewer")) as socket:
        await socket.subscribe("telemetry")
        data = (await socket.hear("snapshot"))["data"]
        assert [item for item in data if item["node"] == "r1"] == [
            {"ts": ts, "node": "r1", "values": {"probe_value": 0.5}},
            {"ts": ts + 1, "node": "r1", "values": {"probe_other": 7.0}},
        ]


async def test_who_is_there_is_told(server: RedisServer, settings: Settings, tmp_path: Path) -> None:
    """By /system/hubs, /system/info and /readyz; alone while the server is away."""
    shared = attrs.evolve(settings, redis=options(server))
    other = attrs.evolve(shared, server=attrs.evolve(settings.server, data_dir=tmp_path / "other"))
    async with opened(shared) as (house, client), opened(other) as (second, _):
        admin = await sign_in(client, "admin")
        _, body, _ = await admin.call("GET", "/system/hubs")
        assert [(hub["id"], hub["here"]) for hub in body["items"]] == sorted([(house.id, True), (second.id, False)])
        assert body["items"][0].keys() == {"id", "version", "url", "since", "here"}
        assert (await admin.call("GET", "/system/info"))[1]["hubs"] == 2
        async with client.get("/readyz") as response:
            assert (await response.json())["hubs"] == 2
        server.kill()
        _, body, _ = await admin.call("GET", "/system/hubs")
        assert [hub["id"] for hub in body["items"]] == [house.id]


async def test_without_the_server_nothing_waits(redis: Redis, server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Killed: said once, everything answers empty at once; started again: found again, and said."""
    caplog.set_level(logging.WARNING)
    assert redis.openings == 1
    server.kill()
    await until(lambda: not redis.up)
    assert await redis.get("key") is None
    assert await redis.hubs() == []
    await redis.put("key", b"value", 60)
    server.start()
    await until(lambda: redis.up)
    assert redis.openings == 2
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
    async with opened(limited, now=lambda: 1_800_001_800.0) as (_, one), opened(other, now=lambda: 1_800_001_800.0) as (_, two):
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
