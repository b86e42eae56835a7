"""A running hub as the commands of the command line see it: options that say where it is and who asks, and one question at a time."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping

import attrs

from hub.client import Answer, HubClient

__all__ = ["Answer", "Progress", "Remote", "add_options", "client_of"]

URL = "http://127.0.0.1:8000"
CHUNK = 2**16

Progress = Callable[[int, int], None]
"""told how many bytes of how many were sent"""


@attrs.frozen(kw_only=True)
class Remote:
    """Asks a hub one thing at a time, blocking."""

    options: argparse.Namespace

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Remote":
        """Return the hub that the options of `add_options` name."""
        return cls(options=options)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes = b"",
        progress: Progress | None = None,
    ) -> Answer:
        """Ask once. Raise ParaNetError with the hub's own words when it refuses or cannot be reached."""
        return asyncio.run(self._ask(method, path, query, headers or {}, data, progress))

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None, headers: Mapping[str, str], data: bytes, progress: Progress | None
    ) -> Answer:
        length = {"Content-Length": str(len(data))} if data else {}
        async with client_of(self.options) as hub:
            body = _chunks(data, progress) if data else None
            return await hub.call(method, path, query=query, headers={**headers, **length}, data=body)


async def _chunks(data: bytes, progress: Progress | None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]
        if progress:
            progress(min(start + CHUNK, len(data)), len(data))


def client_of(options: argparse.Namespace) -> HubClient:
    """Return a client of the hub that the options of `add_options` name."""
    return HubClient(options.url, token=options.token, username=options.username, password=options.password)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which hub is meant and who asks."""
    env = os.environ.get
    parser.add_argument("--url", default=env("PARANET_URL", URL), help="the hub (PARANET_URL; %(default)s)")
    parser.add_argument("--token", default=env("PARANET_TOKEN"), help="an access token (PARANET_TOKEN)")
    parser.add_argument("--username", default=env("PARANET_USERNAME"), help="sign in as (PARANET_USERNAME)")
    parser.add_argument("--password", default=env("PARANET_PASSWORD"), help="with the password (PARANET_PASSWORD)")
