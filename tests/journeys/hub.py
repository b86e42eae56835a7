"""A hub as a child process, driven from outside as its users do."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import attrs

USERNAME, PASSWORD = "admin", "correct horse battery"
START_WITHIN = 60.0
ROOT = Path(__file__).resolve().parents[2]
"""where the code under test lies, whatever is installed"""


@attrs.define
class Hub:
    """A running hub. *url* has no trailing slash."""

    url: str
    process: asyncio.subprocess.Process
    data_dir: Path
    username: str = USERNAME
    password: str = PASSWORD

    async def stderr(self) -> str:
        """Return the log once the process has ended."""
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()


def command(data_dir: Path, *flags: str) -> list[str]:
    """Return the command line of a hub on a free port."""
    return [sys.executable, "-m", "hub", "serve", "--port", "0", "--data-dir", str(data_dir), *flags]


def environment(**more: str) -> Mapping[str, str]:
    """Return our environment without settings of whoever runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARANET_")}
    return {**clean, "PYTHONPATH": str(ROOT), "PARANET_ADMIN_PASSWORD": PASSWORD, **more}


@asynccontextmanager
async def running(data_dir: Path, *flags: str, **variables: str) -> AsyncIterator[Hub]:
    """Start a hub, wait for its ready line, end it with SIGTERM (or leave it, if it was killed)."""
    process = await asyncio.create_subprocess_exec(
        *command(data_dir, *flags),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**variables),
        cwd=data_dir.parent,
        limit=2**22,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(START_WITHIN):
            line = await process.stdout.readline()
        assert line, (await process.stderr.read()).decode()
        ready = json.loads(line)
        assert ready["ready"] is True
        yield Hub(url=ready["url"], process=process, data_dir=data_dir)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@asynccontextmanager
async def signed_in(hub: Hub) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client session with a bearer token of the hub's admin."""
    async with aiohttp.ClientSession(hub.url) as client:
        response = await client.post("/api/v1/auth/login", json={"username": hub.username, "password": hub.password})
        assert response.status == 200, await response.text()
        token = (await response.json())["access_token"]
    async with aiohttp.ClientSession(hub.url, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client


async def measured(client: aiohttp.ClientSession) -> None:
    """Wait until the devices' first readings are there: a hub that has just started has none, whatever it is asked."""
    path = "/ws/telemetry?metrics=paranet_node_up"  # the hub's own figures come sooner
    async with asyncio.timeout(START_WITHIN), client.ws_connect(path, protocols=("paranet.v1.json",)) as socket:
        async for message in socket:
            frame = message.json()
            if frame["type"] in ("events", "snapshot") and (frame.get("items") or frame.get("data")):
                return
    raise AssertionError("the socket was closed before there was a reading")
