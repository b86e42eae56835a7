"""A whole house in this process behind a real socket, without the demo."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from hub.app import make_app
from hub.house import House
from hub.settings import Admin, Network, Server, Settings

PASSWORD = "correct horse battery"
Client = TestClient[web.Request, web.Application]
AiohttpClient = Callable[..., Awaitable[Client]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a hub that keeps everything below the test's folder and ticks slowly."""
    return Settings(
        server=Server(data_dir=tmp_path / "data", max_body=2**20),
        admin=Admin(password=PASSWORD),
        network=Network(interval=3600.0),
    )


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    """An open house."""
    async with House(settings, show_first_password=lambda _: None) as opened:
        yield opened


@pytest.fixture
async def anonymous(house: House, aiohttp_client: AiohttpClient) -> Client:
    """A client that has not signed in."""
    return await aiohttp_client(make_app(house))


@attrs.frozen
class Api:
    """The API as one user sees it."""

    http: Client
    token: str

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any, Mapping[str, str]]:
        """Return status, JSON body (None when empty) and headers. *path* is below /api/v1."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        async with self.http.request(method, f"/api/v1{path}", headers=headers, **more) as response:
            raw = await response.read()
            return response.status, json.loads(raw) if raw else None, response.headers


@pytest.fixture
async def admin(anonymous: Client) -> Api:
    """The API as the admin."""
    async with anonymous.post("/api/v1/auth/login", json={"username": "admin", "password": PASSWORD}) as response:
        assert response.status == 200
        return Api(anonymous, (await response.json())["access_token"])
