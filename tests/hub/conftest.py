"""A whole house in this process behind a real socket, without the demo, with one account of each role."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from hub.app import make_app
from hub.house import House
from hub.settings import Admin, Network, Server, Settings
from tests.hub.api import Api, Client, sign_in
from tests.hub.networks import build_square
from tests.hub.staff import HASHER, PASSWORD, hire

AiohttpClient = Callable[..., Awaitable[Client]]


@pytest.fixture(autouse=True)
def weak_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have hashes made here cost little; what strong ones cost is seen in the journeys."""
    monkeypatch.setattr("actors.accounts.argon2.PasswordHasher", lambda **_: HASHER)


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


@pytest.fixture
async def square(operator: Api) -> Api:
    """The API as an operator, over a square of four routers at revision 1."""
    assert await build_square(operator) == 1
    return operator


@pytest.fixture
async def untouched(square: Api) -> AsyncIterator[Api]:
    """The same; whatever the test sent, at its end the topology is as it was."""
    _, before, _ = await square.call("GET", "/topology")
    yield square
    _, after, _ = await square.call("GET", "/topology")
    assert after == before
