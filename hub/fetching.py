"""The hub's own HTTP client: for scrape targets and for those who are told of alerts. Answers are bounded."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType

import aiohttp

from paranet.errors import InvalidInput

MOST = 32 * 2**20
"""bytes of an answer"""
WITHIN = 10.0


class Client:
    """Use it as `async with Client(calling) as client`. Failures are OSError or TimeoutError (aiohttp's own are made OSErrors).

    *calling* is entered around every request, with method and URL, and yields headers for it.
    """

    def __init__(self, calling: Callable[[str, str], AbstractContextManager[Mapping[str, str]]]) -> None:
        self._calling = calling

    async def __aenter__(self) -> "Client":
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._session.close()

    async def get(self, url: str, within: float) -> bytes:
        """Return a body. Raise OSError, TimeoutError or InvalidInput (too large, or not 200)."""
        try:
            with self._calling("GET", url) as headers:
                async with asyncio.timeout(within), self._session.get(url, headers=headers) as response:
                    if response.status != 200:
                        raise InvalidInput(f"HTTP {response.status}")
                    return await _bounded(response)
        except aiohttp.ClientError as error:
            raise OSError(str(error) or type(error).__name__) from None

    async def post(self, url: str, body: bytes) -> int:
        """Send JSON; return the status. Raise OSError or TimeoutError."""
        try:
            with self._calling("POST", url) as carried:
                headers = {**carried, "Content-Type": "application/json"}
                async with asyncio.timeout(WITHIN), self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                    return response.status
        except aiohttp.ClientError as error:
            raise OSError(str(error) or type(error).__name__) from None


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for part in response.content.iter_chunked(2**16):
        raw += part
        if len(raw) > MOST:
            raise InvalidInput(f"more than {MOST} bytes")
    return bytes(raw)
