"""A deployment that makes the demo network worse: it takes itself back, says why, and somebody is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from actors.gates import BASELINE
from actors.progress import ENDINGS
from tests.journeys.hub import START_WITHIN, running, signed_in

pytestmark = pytest.mark.journey

SQUEEZE = "qos squeeze { match: { from: london; to: frankfurt }; rate: 1.2Gbps }"
"""of 3 Gbit/s that are offered"""
FLOW = "lon-fra"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody signed in at a hub with the demo, in which five readings come a second."""
    async with running(tmp_path / "data", "--demo", PARANET_NETWORK_INTERVAL="0.2") as hub, signed_in(hub) as session:
        yield session


async def call(client: aiohttp.ClientSession, method: str, path: str, **more: Any) -> Any:
    async with client.request(method, f"/api/v1{path}", **more) as response:
        assert response.status < 300, await response.text()
        return await response.json()


async def until(client: aiohttp.ClientSession, path: str, enough: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
    """Follow a channel until there is *enough*; return what it said, item by item."""
    items: list[dict[str, Any]] = []
    async with asyncio.timeout(START_WITHIN), client.ws_connect(path) as socket:
        while not enough(items):
            frame = await socket.receive_json()
            items += frame.get("items") or frame.get("data") or ()
    return items


async def ended(client: aiohttp.ClientSession, deploy_id: str) -> list[dict[str, Any]]:
    """Return the whole log of a deployment."""
    return await until(client, f"/ws/deploy/{deploy_id}", lambda items: items and items[-1]["state"] in ENDINGS)


async def readings(client: aiohttp.ClientSession, count: int) -> list[float]:
    """Return the next readings of what has arrived of the flow in all."""
    path = "/ws/telemetry?nodes=london&metrics=paranet_flow_delivered_bytes_total"
    items = await until(client, path, lambda items: len(items) > count)
    return [value for item in items[1:] for name, value in item["values"].items() if FLOW in name]


async def test_halved_throughput_is_undone_with_its_reason_and_an_alert(client: aiohttp.ClientSession) -> None:
    """A class takes more than half of a flow: the deployment's log names the flow, an alert fires, and the flow is as before."""
    (demo,) = (await call(client, "GET", "/deploy/history"))["items"]
    assert (await ended(client, demo["deploy_id"]))[-1]["state"] == "succeeded"
    before = await readings(client, BASELINE + 2)
    compiled = await call(client, "POST", "/intent/compile", json={"source": SQUEEZE, "name": "squeeze"})
    begun = await call(client, "POST", "/deploy/execute", json={"compile_id": compiled["id"]})
    log = await ended(client, begun["deploy_id"])
    assert log[-1]["state"] == "rolled_back"
    (reason,) = {event["message"] for event in log if event["state"] == "rolling_back" and event["message"]}
    assert reason.startswith(f"throughput fell: flow {FLOW} delivers ")
    assert (await call(client, "GET", f"/deploy/status/{begun['deploy_id']}"))["reason"] == reason
    alerts = await until(client, "/ws/alerts", lambda items: any(i["name"] == "DeploymentRolledBack" for i in items))
    assert next(a for a in alerts if a["name"] == "DeploymentRolledBack")["state"] == "firing"
    after = await readings(client, BASELINE + 2)
    assert (after[-1] - after[0]) / (len(after) - 1) == pytest.approx((before[-1] - before[0]) / (len(before) - 1), rel=0.2)
