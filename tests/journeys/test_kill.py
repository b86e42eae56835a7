"""`kill -9` at any moment loses no topology write that was acknowledged."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.journeys.hub import Hub, running, signed_in

pytestmark = pytest.mark.journey

ROUNDS = 4
WRITERS = 4
NODES = "/api/v1/topology/nodes"


async def write(
    client: aiohttp.ClientSession, numbers: Iterator[int], acknowledged: dict[str, int], enough: asyncio.Event, limit: int
) -> None:
    """Add nodes one after another until the hub is gone; note each that was answered, with its revision."""
    for number in numbers:
        try:
            async with client.post(NODES, json={"id": f"n{number}", "region": f"region {number}"}) as response:
                assert response.status == 201, await response.text()
                acknowledged[f"n{number}"] = int(response.headers["ETag"].strip('"'))
        except (aiohttp.ClientError, ConnectionError):
            return
        if len(acknowledged) >= limit:
            enough.set()


async def killed_while_writing(hub: Hub, dice: random.Random, numbers: Iterator[int], acknowledged: dict[str, int]) -> None:
    """Write from several clients at once, and kill the hub at some point of it."""
    limit, enough = len(acknowledged) + dice.randint(1, 60), asyncio.Event()
    async with signed_in(hub) as client, asyncio.TaskGroup() as writers:
        for _ in range(WRITERS):
            writers.create_task(write(client, numbers, acknowledged, enough, limit))
        await enough.wait()
        hub.process.kill()
        await hub.process.wait()


async def whole_history(client: aiohttp.ClientSession) -> list[dict[str, Any]]:
    """Return the change log, oldest first."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        async with client.get("/api/v1/topology/history", params={"limit": "500", **cursor}) as response:
            page = await response.json()
        found += page["items"]
        if page["next"] is None:
            return found[::-1]
        cursor = {"cursor": page["next"]}


async def check(hub: Hub, acknowledged: dict[str, int]) -> None:
    """Every write that was answered is there, and the history has no gap."""
    async with signed_in(hub) as client:
        async with client.get("/api/v1/topology") as response:
            topology = await response.json()
        there = {node["id"]: node for node in topology["nodes"]}
        assert acknowledged.keys() <= there.keys()
        assert all(node["region"] == f"region {name[1:]}" for name, node in there.items())
        changes = await whole_history(client)
        assert [change["revision"] for change in changes] == list(range(1, topology["revision"] + 1))
        written = {change["summary"].removeprefix("added "): change["revision"] for change in changes}
        assert written.keys() == there.keys()
        assert acknowledged.items() <= written.items()
        for name, revision in random.Random(1).sample(sorted(acknowledged.items()), 5):
            async with client.get(f"{NODES}/{name}") as response:
                assert response.headers["ETag"] == f'"{revision}"'


async def test_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    """Whenever the hub is killed, the next one has every node that was answered with 201, at its revision."""
    dice, numbers, acknowledged = random.Random(20), itertools.count(), dict[str, int]()
    for round_number in range(ROUNDS + 1):
        async with running(tmp_path / "data") as hub:
            if round_number:
                await check(hub, acknowledged)
            if round_number < ROUNDS:
                await killed_while_writing(hub, dice, numbers, acknowledged)
    assert len(acknowledged) > ROUNDS
