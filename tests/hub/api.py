"""The API as one user sees it."""

import json
from collections.abc import Mapping
from typing import Any

import attrs
from aiohttp import web
from aiohttp.test_utils import TestClient

from tests.hub.staff import PASSWORD

Client = TestClient[web.Request, web.Application]


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
