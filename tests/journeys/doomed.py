"""Hubs that kill themselves: the whole hub in a process of its own, with a real SIGKILL at one write of its deploy journal or a device.

Nothing of the hub knows of this. The process is forked from one that has imported the hub already, which saves its second of imports
and nothing else: it reads its settings, opens its files and its port as `paranet serve` does.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import orjson

import actors.deployment
from actors.journal import Journal
from hub import cli
from paranet.controller.linux import shaping
from paranet.controller.simulator.network import SimulatedNetwork

START_WITHIN = 30.0
QUIET = {"PARANET_NETWORK_INTERVAL": "3600", "PARANET_LOG_LEVEL": "ERROR"}


@attrs.frozen(kw_only=True)
class Moment:
    """Just *side* (`before` or `after`) write number *call*, counted from 0: of the journal; or of a device, when half of it is done.

    A simulated device has its new rows live, but not in its flash then; a real router has its new routes, but the old rules.
    """

    side: str
    call: int
    where: str = "journal"

    def __str__(self) -> str:
        return f"{self.side}-{self.call:02}" if self.where == "journal" else f"half-{self.call}"

    def of(self, write: Callable[..., Awaitable[None]], where: str, calls: "itertools.count[int]") -> Callable[..., Awaitable[None]]:
        """Return *write* as it is in a process that is to die at this moment."""

        async def written(*arguments: Any, **options: Any) -> None:
            call = next(calls)
            if self == Moment(side="before", call=call, where=where):
                os.kill(os.getpid(), signal.SIGKILL)
            await write(*arguments, **options)
            if self == Moment(side="after", call=call, where=where):
                os.kill(os.getpid(), signal.SIGKILL)

        return written


def serve(data_dir: Path, says: Connection, log: Path, environment: dict[str, str], death: Moment | None) -> None:
    """Be a hub, until its *death* or a signal. What it prints goes to *says*, its log to *log*."""
    os.environ.update(environment)
    os.dup2(says.fileno(), sys.stdout.fileno())
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    actors.deployment.RETRY_AFTER = 0.01
    actors.deployment.TELL_EVERY = 60.0  # so that a slow machine writes no more than a fast one
    if death is not None:
        _meet(death)
    sys.exit(cli.main(["serve", "--port", "0", "--data-dir", str(data_dir)]))


def _meet(death: Moment) -> None:
    """Patch, in this process only, what writes."""
    journal, device = itertools.count(), itertools.count()
    for holder, name, where, calls in (
        (Journal, "begin", "journal", journal),
        (Journal, "note", "journal", journal),
        (SimulatedNetwork, "save", "device", device),
        (shaping, "shape", "device", device),
    ):
        setattr(holder, name, death.of(getattr(holder, name), where, calls))


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


@attrs.define
class Running:
    """A hub that runs, or has been killed. *client* speaks to it as whoever the token is of."""

    process: multiprocessing.process.BaseProcess
    client: aiohttp.ClientSession

    async def call(self, method: str, path: str, **more: Any) -> Any:
        """Return what the hub answers. Raise ClientError when it is gone."""
        async with self.client.request(method, f"/api/v1{path}", **more) as response:
            assert response.status < 400, await response.text()
            return await response.json()

    async def killed(self) -> None:
        """Wait for the SIGKILL."""
        await asyncio.to_thread(self.process.join, START_WITHIN)
        assert self.process.exitcode == -signal.SIGKILL, "it was not killed"

    async def log_of(self, deploy_id: str, endings: frozenset[str]) -> list[dict[str, Any]]:
        """Follow a deployment to its ending; return all its events."""
        items: list[dict[str, Any]] = []
        async with asyncio.timeout(START_WITHIN), self.client.ws_connect(f"/ws/deploy/{deploy_id}") as socket:
            async for message in socket:
                frame = message.json()
                items += frame["items"] if frame["type"] == "events" else []
                if items and items[-1]["state"] in endings:
                    break
        return items


@asynccontextmanager
async def running(data_dir: Path, token: str | None, death: Moment | None = None, **environment: str) -> AsyncIterator[Running]:
    """Start a hub, wait for its ready line, and end it with SIGTERM unless it is dead by then."""
    hears, says = _FORKS.Pipe(duplex=False)
    log = data_dir.with_suffix(".log")
    process = _FORKS.Process(target=serve, args=(data_dir, says, log, {**QUIET, **environment}, death))
    process.start()
    says.close()
    try:
        async with asyncio.timeout(START_WITHIN):
            line = await asyncio.to_thread(os.read, hears.fileno(), 4096)
        assert line, log.read_text()
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        async with aiohttp.ClientSession(orjson.loads(line)["url"], headers=bearer) as client:
            yield Running(process, client)
    finally:
        hears.close()
        if process.is_alive():
            process.terminate()
        await asyncio.to_thread(process.join, START_WITHIN)
        with contextlib.suppress(ValueError):
            process.close()
