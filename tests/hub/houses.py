"""Houses with settings of the test's own, behind a real socket."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
from aiohttp.test_utils import TestClient, TestServer

from hub.app import make_app
from hub.house import House
from hub.settings import Realtime, Settings
from tests.hub.api import Client
from tests.hub.staff import hire


@asynccontextmanager
async def opened(settings: Settings, now: Callable[[], float] = time.time) -> AsyncIterator[tuple[House, Client]]:
    """Open a house with the three accounts and a client that has not signed in."""
    await hire(settings.server.data_dir)
    async with (
        House(settings, show_first_password=lambda _: None, now=now) as house,
        TestClient(TestServer(make_app(house)), cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        yield house, client


def realtime(settings: Settings, **limits: Any) -> Settings:
    """Return the settings with other limits for sockets."""
    return attrs.evolve(settings, realtime=attrs.evolve(Realtime(), **limits))
