"""The hub is killed and comes back: everybody who listened goes on without a hole."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from hub.client import HubClient
from paranet.errors import ParaNetError
from tests.journeys.hub import PASSWORD, USERNAME, Hub, running, signed_in

pytestmark = pytest.mark.journey
CROWD = 1000


@attrs.define
class Listener:
    """One client on `topology`: what it has seen, and how far it is."""

    position: str | None = None
    seen: list[int] = attrs.field(factory=list)
    recovered: list[bool] = attrs.field(factory=list)

    async def listen(self, session: aiohttp.ClientSession, url: str, until: int) -> None:
        """Connect from where it was and read until revision *until*."""
        async with session.ws_connect(f"{url}/ws", max_msg_size=2**24) as ws:
            sub = {"type": "sub", "id": 1, "ch": "topology"} | ({"since": self.position} if self.position else {})
            await ws.send_str(json.dumps(sub))
            while not self.position or int(self.position.partition(":")[2]) < until:
                self.take(await ws.receive_json(timeout=30))

    def take(self, frame: dict[str, Any]) -> None:
        """Take one frame."""
        match frame["type"]:
            case "ok":
                self.recovered.append(frame["recovered"])
            case "snapshot":
                self.position = f"{frame['epoch']}:{frame['offset']}"
            case "events":
                self.seen += range(frame["from"], frame["to"] + 1)
                self.position = f"{frame['epoch']}:{frame['to']}"


async def change(hub: Hub, name: str) -> int:
    """Add a node; return the revision."""
    async with signed_in(hub) as client, client.post("/api/v1/topology/nodes", json={"id": name}) as response:
        assert response.status == 201
        return int(response.headers["ETag"].strip('"'))


async def all_listen(crowd: list[Listener], hub: Hub, until: int) -> None:
    """Have all of them connect at once."""
    async with (
        signed_in(hub) as session,
        aiohttp.ClientSession(headers=session.headers, connector=aiohttp.TCPConnector(limit=0)) as unbounded,
        asyncio.TaskGroup() as group,
    ):
        for listener in crowd:
            group.create_task(listener.listen(unbounded, hub.url, until))


async def test_a_thousand_clients_come_back_at_once(tmp_path: Path) -> None:
    """After a kill: each is replayed what it missed, once, and nobody is sent the whole state again."""
    crowd = [Listener() for _ in range(CROWD)]
    async with running(tmp_path / "data") as hub:
        await all_listen(crowd, hub, await change(hub, "r1"))
        await change(hub, "r2")
        hub.process.kill()
        await hub.process.wait()
    async with running(tmp_path / "data") as hub:
        await all_listen(crowd, hub, await change(hub, "r3"))
    assert {tuple(listener.recovered) for listener in crowd} == {(False, True)}
    assert {tuple(listener.seen) for listener in crowd} == {(2, 3)}


async def test_the_python_client_goes_on_by_itself(tmp_path: Path) -> None:
    """A watch survives the kill of its hub, and yields every revision once."""
    seen: list[tuple[str, int]] = []
    first, third = asyncio.Event(), asyncio.Event()

    async def watch(url: str) -> None:
        async with HubClient(url, username=USERNAME, password=PASSWORD) as client:
            async for update in client.watch("topology"):
                revisions = [item["revision"] for item in update.items] if update.kind == "events" else [update.items["revision"]]
                seen.extend((update.kind, revision) for revision in revisions)
                first.set()
                if seen[-1] == ("events", 3):
                    third.set()

    async with AsyncExitStack() as stack, asyncio.timeout(60):
        async with running(tmp_path / "data") as hub:
            await change(hub, "r1")
            watching = asyncio.create_task(watch(hub.url))
            stack.callback(watching.cancel)
            await first.wait()
            await change(hub, "r2")
            hub.process.kill()
            await hub.process.wait()
        port = hub.url.rpartition(":")[2]
        async with running(tmp_path / "data", "--port", port) as hub:
            await change(hub, "r3")
            await third.wait()
    assert seen == [("snapshot", 1), ("events", 2), ("events", 3)]


async def test_a_watch_that_nobody_answers_says_so(tmp_path: Path) -> None:
    """A wrong address and a token that is not good end it at once, instead of being tried for ever."""
    async with running(tmp_path / "data") as hub:
        async with HubClient(hub.url, token="made up") as client, asyncio.timeout(20):
            with pytest.raises(ParaNetError, match="lets nobody in"):
                await anext(client.watch("topology"))
        url = hub.url
    async with HubClient(url, token="made up") as client, asyncio.timeout(20):
        with pytest.raises(ParaNetError, match="does not answer"):
            await anext(client.watch("topology"))
