"""Where the hub is reached: the listening socket, and the way out that cuts nobody off."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from actors.runtime.errors import ActorStopped
from hub.app import make_app
from hub.connections import Connection
from hub.house import House
from hub.ws.messages import SendAway
from paranet.errors import ParaNetError


@asynccontextmanager
async def listening(house: House, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve the house at its address; yield the URL. Raise ParaNetError when it cannot be had.

    On the way out nobody new is let in, sockets are sent away, and requests under way have `server.drain` to be answered.
    """
    server = house.settings.server
    within = server.drain / 2  # aiohttp takes it twice: for answers, and for what it then cancels
    runner = web.AppRunner(make_app(house), access_log=None, shutdown_timeout=within, handle_signals=False)
    await runner.setup()
    try:
        assert runner.server is not None
        house.cut = partial(_cut, runner.server)
        make = partial(Connection, runner.server, house.connections)
        try:
            door = await asyncio.get_running_loop().create_server(make, server.host, server.port, ssl=tls, backlog=1024)
        except OSError as error:
            raise ParaNetError(f"cannot listen on {server.host}:{server.port}: {error.strerror or error}") from error
        try:
            yield _url(server.host, door.sockets[0].getsockname()[1], tls)
        finally:
            door.close()
            await _say_goodbye(house)
    finally:
        await runner.cleanup()
        house.refusals.flush()


async def _say_goodbye(house: House) -> None:
    """End what would last, and let bodies come that are on their way: aiohttp, once told to stop, takes no more of them."""
    for end in tuple(house.lasting):
        end()
    try:
        async with asyncio.timeout(house.settings.server.drain / 2):
            await house.system.ref("ws").ask(SendAway(), timeout=house.settings.server.drain)
            await house.uploads.over()
    except (TimeoutError, ActorStopped):
        return  # to those who are left the connection just ends


def _cut(server: web.Server) -> None:
    for connection in server.connections:
        connection.force_close()


def _url(host: str, port: int, tls: ssl.SSLContext | None) -> str:
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
