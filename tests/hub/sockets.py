"""A WebSocket client that speaks in frames."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs

from tests.hub.api import Api

WITHIN = 10.0
"""seconds to wait for a frame before the test fails"""


@attrs.frozen
class Socket:
    """One end of a socket. Heartbeats are skipped unless a test asks for them."""

    ws: aiohttp.ClientWebSocketResponse

    async def say(self, **frame: Any) -> None:
        """Send a frame; *type* is its kind."""
        await self.ws.send_str(json.dumps(frame))

    async def hear(self, kind: str, *, skip: tuple[str, ...] = ("ping", "expiring")) -> dict[str, Any]:
        """Return the next frame, which must be of that kind."""
        while True:
            message = await self.ws.receive(timeout=WITHIN)
            assert message.type is aiohttp.WSMsgType.TEXT, f"{message}, close code {self.ws.close_code}"
            frame: dict[str, Any] = json.loads(message.data)
            if frame["type"] == kind:
                return frame
            assert frame["type"] in skip, frame

    async def until(self, kind: str) -> dict[str, Any]:
        """Return the first frame of that kind, whatever comes before it."""
        while True:
            message = await self.ws.receive(timeout=WITHIN)
            assert message.type is aiohttp.WSMsgType.TEXT, f"{message}, close code {self.ws.close_code}"
            frame: dict[str, Any] = json.loads(message.data)
            if frame["type"] == kind:
                return frame

    async def closed(self) -> int | None:
        """Read to the end; return the close code."""
        async with asyncio.timeout(WITHIN):
            async for _ in self.ws:
                pass
        return self.ws.close_code

    async def subscribe(self, channel: str, **more: Any) -> dict[str, Any]:
        """Subscribe and return the `ok` frame."""
        await self.say(type="sub", id=1, ch=channel, **more)
        return await self.hear("ok")


@asynccontextmanager
async def connected(api: Api, path: str = "/ws", **more: Any) -> AsyncIterator[Socket]:
    """Connect as the API's user and take the welcome."""
    async with api.http.ws_connect(path, headers=api.headers, **more) as ws:
        socket = Socket(ws)
        await socket.hear("welcome")
        yield socket
