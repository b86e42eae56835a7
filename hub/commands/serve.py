"""`paranet serve`: the hub, until a signal ends it."""

import argparse
import asyncio
import gc
import logging
import signal
import ssl
import sys
from pathlib import Path

import orjson

from hub import log as logs
from hub.house import House
from hub.listening import listening
from hub.settings import Server, Settings, load
from paranet.errors import BadSettings

log = logging.getLogger(__name__)

GC_THRESHOLD = (20_000, 20, 50)
"""a topology is read in a few hundred thousand allocations, none of them garbage: collect less often than Python does by itself"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    serve = commands.add_parser("serve", help="run the hub")
    serve.add_argument("--host", help="address to listen on (server.host)")
    serve.add_argument("--port", type=int, help="port to listen on, 0 for a free one (server.port)")
    serve.add_argument("--data-dir", type=Path, help="where everything is kept (server.data_dir)")
    serve.add_argument("--settings", type=Path, help="settings file instead of ./settings.toml")
    serve.add_argument("--demo", action="store_true", default=None, help="load the demo network if there is none yet (network.demo)")
    serve.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> int:
    server = {"host": options.host, "port": options.port, "data_dir": options.data_dir}
    flags = {"server": {k: v for k, v in server.items() if v is not None}}
    if options.demo:
        flags["network"] = {"demo": True}
    settings = load(options.settings, flags)
    logs.set_up(settings.log.level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_run(settings))


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:  # no wheel for this platform: asyncio's own loop does the same, slower
        return None
    return uvloop.Loop


async def _run(settings: Settings) -> int:
    """Serve until a signal or a failure of the actors; a second signal ends everything at once."""
    stop = asyncio.Event()
    tls = tls_of(settings.server)
    async with House(settings, show_first_password=_show_first_password) as house:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _signalled, stop, house)
        try:
            async with listening(house, tls) as house.url:
                gc.collect()
                gc.freeze()  # what is there now stays: collections need not look at it again
                gc.set_threshold(*GC_THRESHOLD)
                print(orjson.dumps({"ready": True, "url": house.url}).decode(), flush=True)
                failed = await _until(stop, house)
        finally:
            left = await house.system.drain(settings.server.drain)
            if left:
                log.warning("left unhandled: %s", left)
    return 1 if failed else 0


async def _until(stop: asyncio.Event, house: House) -> bool:
    """Wait for the end; True when it is the actors that failed."""
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((stopping, house.system.failure), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if house.system.failure.done():
        log.critical("giving up: %s", house.system.failure.result())
        return True
    return False


def tls_of(server: Server) -> ssl.SSLContext | None:
    """Return what the hub speaks https with, None when no certificate is set. Raise BadSettings."""
    if server.tls_cert is None and server.tls_key is None:
        return None
    if server.tls_cert is None or server.tls_key is None:
        raise BadSettings("settings: server.tls_cert and server.tls_key belong together")
    for name, file in (("tls_cert", server.tls_cert), ("tls_key", server.tls_key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise BadSettings(f"settings: server.{name}: {file}: {error.strerror}") from None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(server.tls_cert, server.tls_key, password=_no_password)
    except ssl.SSLError as error:
        raise BadSettings(f"settings: server.tls_cert and server.tls_key cannot be used together: {error.reason or error}") from None
    return context


def _no_password() -> str:
    """Nobody sits at the terminal of a hub."""
    raise BadSettings("settings: server.tls_key is encrypted: give the hub a key without a password, readable by it alone")


def _signalled(stop: asyncio.Event, house: House) -> None:
    if stop.is_set():
        log.warning("second signal: stopping at once")
        house.system.kill()
        house.cut()
    stop.set()


def _show_first_password(password: str) -> None:
    print(f"First start: sign in as admin with password {password}  (shown only now)", file=sys.stderr, flush=True)
