"""One line through the whole house: from a file of the Topology Zoo to live counters and back, over HTTP and WebSocket only."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from tests.journeys.hub import Hub, running, signed_in

pytestmark = pytest.mark.journey

FILE = Path(__file__).parent / "files" / "ten_cities.graphml"
FAST = {"PARANET_NETWORK_INTERVAL": "0.1"}
"""ten ticks a second"""
WITHIN = 20.0
TRANSMITTED = "paranet_link_transmit_bytes_total"
SOURCE = """// From one end to the other, not through Milano.
route across {
    from: Lisbon
    to: Wien
    avoid: Milano
}
"""
ENDINGS = ("succeeded", "rolled_back", "cancelled", "failed")
Counters = dict[tuple[str, str], list[float]]
"""readings of bytes sent, by node and link"""


@attrs.frozen
class Api:
    """The hub as an operator uses it."""

    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, expect: int = 200, **more: Any) -> Any:
        async with self.http.request(method, f"/api/v1{path}", **more) as response:
            assert response.status == expect, await response.text()
            return await response.json()

    async def import_cities(self) -> Any:
        data, kind = FILE.read_bytes(), {"Content-Type": "application/graphml+xml"}
        return await self.call("POST", "/topology/import", data=data, headers=kind)

    async def compile(self, source: str = SOURCE) -> Any:
        return await self.call("POST", "/intent/compile", 201, json={"source": source, "name": "thin"})

    async def deploy(self, compile_id: str) -> list[dict[str, Any]]:
        """Deploy a compilation; return its events."""
        return await self.to_the_end(await self.call("POST", "/deploy/execute", 202, json={"compile_id": compile_id}))

    async def roll_back(self, deploy_id: str) -> list[dict[str, Any]]:
        return await self.to_the_end(await self.call("POST", f"/deploy/rollback/{deploy_id}", 202))

    async def to_the_end(self, started: Mapping[str, Any]) -> list[dict[str, Any]]:
        return await self.log_of(started["deploy_id"])

    async def log_of(self, deploy_id: str) -> list[dict[str, Any]]:
        """Follow a deployment on its socket until it has ended; return all its events."""
        items: list[dict[str, Any]] = []
        async for frame in self.frames(f"/ws/deploy/{deploy_id}", "events"):
            items += frame["items"]
            if items[-1]["state"] in ENDINGS:
                break
        return items

    async def counters(self, ticks: int) -> Counters:
        """Return the next readings of every link's counter, *ticks* of each node at least."""
        found: Counters = {}
        async for frame in self.frames(f"/ws/telemetry?metrics={TRANSMITTED}", "events"):
            for item in frame["items"]:
                for name, value in item["values"].items():
                    link = name.partition('link="')[2].partition('"')[0]
                    found.setdefault((item["node"], link), []).append(value)
            if found and min(map(len, found.values())) >= ticks:
                break
        return found

    async def busy(self) -> set[tuple[str, str]]:
        """Return the ports whose counters rise all the time."""
        readings = {port: values[-4:] for port, values in (await self.counters(6)).items()}
        return {port for port, values in readings.items() if all(a < b for a, b in pairwise(values))}

    async def quiet(self) -> bool:
        """Tell whether no counter moves any more."""
        readings = (await self.counters(6)).values()
        return all(len(set(values[-4:])) == 1 for values in readings)

    async def frames(self, path: str, *kinds: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what a socket says after its `welcome` and `ok`; an error frame is one."""
        async with self.http.ws_connect(path) as socket:
            while True:
                frame = await socket.receive_json(timeout=WITHIN)
                assert frame["type"] != "error", frame
                if frame["type"] in kinds:
                    yield frame


@asynccontextmanager
async def operator(data_dir: Path) -> AsyncIterator[tuple[Api, Hub]]:
    """A fast hub on the data directory, and a client of it."""
    async with running(data_dir, **FAST) as hub, signed_in(hub) as http:
        yield Api(http), hub


async def route(api: Api) -> Mapping[str, Any]:
    """Compile the route across the ten cities and return its preview."""
    compiled = await api.compile()
    assert compiled["ok"] is True
    assert compiled["verification"]["ok"] is True
    preview: Mapping[str, Any] = await api.call("GET", f"/intent/preview/{compiled['id']}")
    return preview


def ports(path: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return the ports that send along the path."""
    return set(zip(path["hops"][:-1], path["links"], strict=True))


async def test_from_a_file_to_live_counters_and_back(tmp_path: Path) -> None:
    """Import, compile, preview, deploy, watch the counters rise along the path and nowhere else, roll back, watch them stand still."""
    async with operator(tmp_path / "data") as (api, _):
        imported = await api.import_cities()
        assert (imported["format"], len(imported["added"]["nodes"]), len(imported["added"]["links"])) == ("graphml", 10, 13)
        zurich = await api.call("GET", "/topology/nodes/zurich")
        assert (zurich["name"], zurich["region"], zurich["location"]["latitude"]) == ("Zürich", "Switzerland", 47.3769)
        assert await api.quiet()

        preview = await route(api)
        (path,) = preview["paths"]
        assert (path["hops"][0], path["hops"][-1]) == ("lisbon", "wien")
        assert "milano" not in path["hops"]
        rows = {device["node"]: device["rows"] for device in preview["devices"]}
        assert set(rows) == set(path["hops"][:-1])
        lines = SOURCE.splitlines()
        for device in preview["devices"]:
            (row,) = device["rows"]
            assert lines[row["span"]["line"] - 1].lstrip().startswith("route across")
            assert row["owners"] == ["thin/across"]
            assert device["diff"]["add"] == device["rows"]

        events = await api.deploy(preview["id"])
        assert events[-1]["state"] == "succeeded"
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        percents = [event["percent"] for event in events]
        assert percents == sorted(percents)
        assert percents[-1] == 100
        assert {event["device"] for event in events} - {None} == set(rows)
        assert ports(path) <= await api.busy()

        back = await api.roll_back(events[0]["deploy_id"])
        assert back[-1]["state"] == "succeeded"
        assert await api.quiet()


async def test_avoiding_changes_the_path(tmp_path: Path) -> None:
    """Without the wish the packets would go through the city that is avoided; a wish that cuts the way off is refused with its place."""
    async with operator(tmp_path / "data") as (api, _):
        await api.import_cities()
        free = await api.compile("route r { from: Lisbon; to: Wien }")
        (path,) = (await api.call("GET", f"/intent/preview/{free['id']}"))["paths"]
        assert "milano" in path["hops"]
        refused = await api.call(
            "POST", "/intent/compile", 422, json={"source": "route r {\n  from: Lisbon\n  to: Wien\n  avoid: [Praha, Milano]\n}"}
        )
        (diagnostic,) = refused["errors"]
        assert diagnostic["code"] == "PN302"
        assert diagnostic["span"]["line"] == 4


async def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    """Topology, intents, histories and logs, and the rows of a deployment made before: its counters go on rising."""
    async with operator(tmp_path / "data") as (api, hub):
        await api.import_cities()
        preview = await route(api)
        events = await api.deploy(preview["id"])
        assert await api.log_of(events[0]["deploy_id"]) == events
        kept = ("/topology", "/topology/history", "/intent/history", "/deploy/history", f"/deploy/status/{events[0]['deploy_id']}")
        before = {path: await api.call("GET", path) for path in kept}
        hub.process.terminate()
        assert await hub.process.wait() == 0
    async with operator(tmp_path / "data") as (api, _):
        assert {path: await api.call("GET", path) for path in kept} == before
        assert await api.log_of(events[0]["deploy_id"]) == events
        again = await api.call("GET", f"/intent/preview/{preview['id']}")
        assert again["paths"] == preview["paths"]
        assert not any(any(device["diff"].values()) for device in again["devices"])
        assert ports(preview["paths"][0]) <= await api.busy()
        back = await api.roll_back(events[0]["deploy_id"])
        assert back[-1]["state"] == "succeeded"
        assert await api.quiet()
