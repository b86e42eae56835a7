"""A running hub as the command line sees it: sign in, ask, read the answer or the refusal."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import attrs
import orjson

from paranet.errors import ParaNetError

URL = "http://127.0.0.1:8000"
CHUNK = 2**16
WITHIN = 300.0
"""seconds for one question and its answer"""

Progress = Callable[[int, int], None]
"""told how many bytes of how many were sent"""


@attrs.frozen(kw_only=True)
class Answer:
    """What the hub said."""

    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Return the body as JSON."""
        return orjson.loads(self.body)


@attrs.frozen(kw_only=True)
class Remote:
    """Where the hub is and who asks: a token, else a name and a password."""

    url: str
    token: str | None = attrs.field(default=None, repr=False)
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Remote":
        """Return the hub that the options of `add_options` name."""
        return cls(url=options.url.rstrip("/"), token=options.token, username=options.username, password=options.password)

    def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Ask once, blocking. Raise ParaNetError with the hub's own words when it refuses or cannot be reached."""
        return asyncio.run(self._ask(method, path, **more))

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes = b"",
        progress: Progress | None = None,
    ) -> Answer:
        timeout = aiohttp.ClientTimeout(total=WITHIN)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                sent = {"Authorization": f"Bearer {await self._signed_in(session)}", **(headers or {})}
                if data:
                    sent["Content-Length"] = str(len(data))
                body = _chunks(data, progress) if data else None
                async with session.request(method, f"{self.url}/api/v1{path}", params=query, headers=sent, data=body) as response:
                    return await _answer(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ParaNetError(f"{self.url} does not answer: {str(error) or type(error).__name__}") from None

    async def _signed_in(self, session: aiohttp.ClientSession) -> str:
        if self.token:
            return self.token
        if self.username is None or self.password is None:
            raise ParaNetError(
                "who are you? Give --token (PARANET_TOKEN), or --username and --password (PARANET_USERNAME, PARANET_PASSWORD)"
            )
        body = {"username": self.username, "password": self.password}
        async with session.post(f"{self.url}/api/v1/auth/login", json=body) as response:
            return str((await _answer(response)).json()["access_token"])


async def _chunks(data: bytes, progress: Progress | None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]
        if progress:
            progress(min(start + CHUNK, len(data)), len(data))


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    body = await response.read()
    if response.status < 400:
        return Answer(body=body, headers=response.headers)
    if response.content_type != "application/problem+json":
        raise ParaNetError(f"{response.url} answers {response.status} and is no hub")
    problem = orjson.loads(body)
    faults = [f"{fault.get('path', '')}: {fault.get('message', '')}" for fault in problem.get("errors", ()) if isinstance(fault, dict)]
    raise ParaNetError("\n  ".join([f"{problem['detail']} ({problem['code']})", *(f for f in faults if f != problem["detail"])]))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which hub is meant and who asks."""
    env = os.environ.get
    parser.add_argument("--url", default=env("PARANET_URL", URL), help="the hub (PARANET_URL; %(default)s)")
    parser.add_argument("--token", default=env("PARANET_TOKEN"), help="an access token (PARANET_TOKEN)")
    parser.add_argument("--username", default=env("PARANET_USERNAME"), help="sign in as (PARANET_USERNAME)")
    parser.add_argument("--password", default=env("PARANET_PASSWORD"), help="with the password (PARANET_PASSWORD)")
