"""hub.cache"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.devices import Devices, ReadInstalled
from hub import settings as s
from hub.cache import Cache
from hub.house import House
from hub.settings import Settings
from tests.hub.api import Api, sign_in
from tests.hub.deployments import executed
from tests.hub.houses import opened
from tests.hub.networks import OTHER_WAY, ROUTE, build_square
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


async def test_reads_of_the_topology_count(house: House, square: Api) -> None:
    """It is put together once for a revision; who has it already asks for nothing."""
    _, _, headers = await square.call("GET", "/topology")
    await square.call("GET", "/topology")
    await square.call("GET", "/topology", headers={"If-None-Match": headers["ETag"]})
    assert (house.cache.hits, house.cache.misses) == (1, 1)
    await square.call("POST", "/topology/nodes", json={"id": "r9"})
    await square.call("GET", "/topology")
    assert (house.cache.hits, house.cache.misses) == (1, 2)


async def compiled(api: Api, source: str) -> dict[str, Any]:
    status, body, headers = await api.call("POST", "/intent/compile", json={"source": source, "name": "work"})
    assert (status, headers["Location"]) == (201, f"/api/v1/intent/preview/{body['id']}")
    return dict(body)


async def test_what_was_compiled_last_is_not_compiled_again(house: House, square: Api, admin: Api) -> None:
    """The same answer as long as nobody has changed anything; another author, source, topology or device makes another."""
    first = await compiled(square, ROUTE)
    assert await compiled(square, ROUTE) == first
    assert (house.cache.hits, house.cache.misses) == (1, 1)
    ids = {first["id"], (await compiled(admin, ROUTE))["id"], (await compiled(square, OTHER_WAY))["id"]}
    ids.add((await compiled(square, ROUTE))["id"])
    assert len(ids) == 4
    await square.call("POST", "/topology/nodes", json={"id": "r9"})
    moved = await compiled(square, ROUTE)
    assert moved["topology_revision"] == first["topology_revision"] + 1
    assert (await executed(square, moved["id"]))["state"] == "succeeded"
    assert (await compiled(square, ROUTE))["id"] != moved["id"]


async def test_the_devices_need_not_be_asked_for_what_they_hold(
    house: House, square: Api, admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the simulated network tells that nothing has changed; what somebody changes on a device, or breaks, is seen all the same."""
    asked = []
    read = Devices.read_installed

    async def counted(self: Devices, message: ReadInstalled) -> Any:
        asked.append(message)
        return await read(self, message)

    monkeypatch.setattr(Devices, "read_installed", counted)
    await house.system.ref("device").ask(ReadInstalled(), timeout=5)  # the sessions are open
    first = await compiled(square, ROUTE)
    preview = f"/intent/preview/{first['id']}"
    await square.call("GET", preview)
    asked.clear()
    assert await compiled(square, ROUTE) == first
    await square.call("GET", preview)
    assert asked == []
    row = {"family": "ip.route", "key": "10.9.9.0/24", "value": {"next_hops": []}}
    assert (await admin.call("PUT", "/lab/nodes/r1/rows", json=row))[0] == 200
    assert (await compiled(square, ROUTE))["id"] != first["id"]
    assert asked
    for path in ("/lab/nodes/r2/kill", "/lab/nodes/r2/revive"):
        asked.clear()
        assert (await admin.call("POST", path))[0] == 200
        await compiled(square, ROUTE)
        assert asked, path


async def test_a_preview_is_made_once_for_what_it_shows(house: House, square: Api) -> None:
    """What is deployed changes it; so does the topology."""
    made = await compiled(square, ROUTE)
    before = (house.cache.hits, house.cache.misses)
    shown = [(await square.call("GET", f"/intent/preview/{made['id']}"))[1] for _ in range(2)]
    assert shown[0] == shown[1]
    assert shown[0]["devices"][0]["diff"]["add"]
    assert (house.cache.hits, house.cache.misses) == (before[0] + 1, before[1] + 1)
    await executed(square, made["id"])
    _, after, _ = await square.call("GET", f"/intent/preview/{made['id']}")
    assert after["devices"][0]["diff"]["add"] == []
    await square.call("POST", "/topology/nodes", json={"id": "r9"})
    _, moved, _ = await square.call("GET", f"/intent/preview/{made['id']}")
    assert moved["topology_moved"]
    assert (await square.call("GET", "/intent/preview/nothing"))[0] == 404


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
