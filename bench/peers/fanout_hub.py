"""The hub with one more actor that publishes events when asked, for bench/fanout.py."""

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[2])

import attrs  # noqa: E402
import uvloop  # noqa: E402
from aiohttp import web  # noqa: E402

from actors.audience import Group  # noqa: E402
from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe  # noqa: E402
from actors.runtime import Actor, Request, handles  # noqa: E402
from hub.app import make_app  # noqa: E402
from hub.house import House  # noqa: E402
from hub.operations import Access  # noqa: E402
from hub.settings import Admin, Network, Realtime, Server, Settings  # noqa: E402
from hub.ws import protocol  # noqa: E402

STATM = Path("/proc/self/statm")
PASSWORD = "benchmark-password"


@attrs.frozen(kw_only=True)
class Publish(Request[None]):
    """Publish *count* events."""

    count: int
    body: str


class Speaker(Actor):
    """Writes channel `bench`."""

    def __init__(self, outlets: Outlets) -> None:
        self._outlets = outlets

    async def on_start(self) -> None:
        self._channel = Channel("bench", self._outlets, epoch="bench")

    @handles
    async def publish(self, message: Publish) -> None:
        event = json.loads(message.body)
        for _ in range(message.count):
            self._channel.publish([event])

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, list)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)


def controls(house: House) -> web.Application:
    """Return what the benchmark steers the hub by, beside its own application."""

    async def go(request: web.Request) -> web.Response:
        """Publish the events, *batch* in a turn of the loop; wait for the clients as their transports ask."""
        events, batch = int(request.query["events"]), int(request.query["batch"])
        speaker, pause = house.system.ref("bench"), float(request.query.get("pause", 0))
        for n in range(events // batch):
            await speaker.ask(Publish(count=batch, body=request.query["body"]), timeout=60)
            await asyncio.sleep(pause)
            while n % 8 == 0 and pause == 0 and any(outlet.backlog > 65536 for outlet in outlets(house)):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.001)
        return web.json_response({})

    async def cpu(_request: web.Request) -> web.Response:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        lag = house.system.pulse.lag
        return web.json_response(
            {
                "cpu": usage.ru_utime + usage.ru_stime,
                "clients": len(house.outlets),
                "rss": resident(),
                "lag_p99": lag.p99,
                "largest_backlog": max((outlet.backlog for outlet in outlets(house)), default=0),
            }
        )

    async def published(_request: web.Request) -> web.Response:
        """Return when each frame of telemetry was published (UNIX s), by its last offset."""
        return web.json_response(dict(stamps))

    stamps: deque[tuple[int, float]] = deque(maxlen=10_000)
    send = house.outlets.send

    def stamped(group: Group, payload: bytes, first: int, last: int) -> None:
        if group.audience.name == "telemetry":
            stamps.append((last, time.time()))
        send(group, payload, first, last)

    house.outlets.send = stamped  # type: ignore[method-assign]  # to look at the clock there and nowhere else
    app = web.Application()
    app.add_routes([web.get("/go", go), web.get("/cpu", cpu), web.get("/published", published)])
    return app


def resident() -> int:
    """Return the bytes of memory this process takes."""
    return int(STATM.read_text().split()[1]) * 4096


def outlets(house: House) -> list[Any]:
    """Return the outboxes of all clients."""
    return list(house.outlets._by_path.values())


async def main() -> None:
    """Serve until killed."""
    protocol.CHANNELS["bench"] = protocol.ChannelRoute(owner="bench", access=Access.VIEWER, area="bench")  # type: ignore[index]
    settings = Settings(
        server=Server(data_dir=Path(tempfile.mkdtemp())),
        admin=Admin(password=PASSWORD),
        network=Network(demo=len(sys.argv) > 2),
        realtime=Realtime(max_clients=20_000, max_per_user=20_000, ping=600.0),
    )
    async with House(settings, show_first_password=print) as house:
        await house.system.spawn("bench", lambda: Speaker(house.outlets))
        runners = [web.AppRunner(make_app(house), access_log=None), web.AppRunner(controls(house), access_log=None)]
        for offset, runner in enumerate(runners):
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1]) + offset, backlog=2048).start()
        await asyncio.Event().wait()


asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
