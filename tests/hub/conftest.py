"""A whole house in this process behind a real socket, without the demo, with one account of each role."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from hub.app import make_app
from hub.house import House
from hub.settings import Admin, Network, Server, Settings
from tests.hub.staff import PASSWORD, hire

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
    """An open house with the accounts viewer, operator and admin."""
    await hire(settings.server.data_dir)
    async with House(settings, show_first_password=lambda _: None) as opened:
        yield opened


@pytest.fixture
async def anonymous(house: House, aiohttp_client: AiohttpClient) -> Client:
    """A client that has not signed in, and keeps no cookies."""
    return await aiohttp_client(make_app(house), cookie_jar=aiohttp.DummyCookieJar())


@pytest.fixture
async def browser(anonymous: Client) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps cookies as browsers do."""
    async with aiohttp.ClientSession(anonymous.make_url("/"), cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@attrs.frozen
class Api:
    """The API as one user sees it."""

    http: Client
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What says who is asking."""
        return {"Authorization": f"Bearer {self.token}"}

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any, Mapping[str, str]]:
        """Return status, JSON body (None when empty) and headers. *path* is below /api/v1."""
        headers = {**self.headers, **more.pop("headers", {})}
        async with self.http.request(method, f"/api/v1{path}", headers=headers, **more) as response:
            raw = await response.read()
            return response.status, json.loads(raw) if raw else None, response.headers


async def sign_in(client: Client, username: str) -> Api:
    """Return the API as that user."""
    async with client.post("/api/v1/auth/login", json={"username": username, "password": PASSWORD}) as response:
        assert response.status == 200, await response.text()
        return Api(client, (await response.json())["access_token"])


@pytest.fixture
async def admin(anonymous: Client) -> Api:
    """The API as the admin."""
    return await sign_in(anonymous, "admin")


@pytest.fixture
async def operator(anonymous: Client) -> Api:
    """The API as an operator."""
    return await sign_in(anonymous, "operator")


@pytest.fixture
async def viewer(anonymous: Client) -> Api:
    """The API as a viewer."""
    return await sign_in(anonymous, "viewer")
