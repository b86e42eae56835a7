"""What the surface costs: sign-in, role and limit of a request; a topology read; the same with Redis beside the hub.

Prints a table and writes bench/results/surface.json. Run: python bench/surface.py
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import attrs
import uvloop
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hub import settings as s
from hub.app import make_app
from hub.auth import Tokens
from hub.house import House
from hub.rest import OPERATIONS
from hub.signin import caller_of
from paranet import examples

RESULTS = Path(__file__).parent / "results"
PASSWORD = "benchmark only"


async def timed(work: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Return the seconds of each run, sorted, after a tenth as many to warm up."""
    for _ in range(times // 10):
        await work()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        found.append(time.perf_counter() - began)
    return sorted(found)


async def overhead(house: House, token: str, times: int) -> list[float]:
    """Time what every signed-in request goes through before its handler."""
    operation = next(o for o in OPERATIONS if o.name == "auth.me")
    request = make_mocked_request("GET", operation.path, headers={"Authorization": f"Bearer {token}"})

    async def door() -> None:
        caller = await caller_of(request, house.tokens)
        await house.limits.check(operation, caller, "127.0.0.1")
        operation.check(caller, request.query)

    return await timed(door, times)


async def without_memory(house: House, token: str, times: int) -> list[float]:
    """Time the check of a token that nobody has seen: signature and a question to the accounts."""
    fresh: Tokens = house.tokens
    believed, fresh._believed = fresh._believed, type(fresh._believed)(0)
    try:
        return await timed(lambda: fresh.check(token), times)
    finally:
        fresh._believed = believed


async def measure(redis: str | None, times: int) -> dict[str, list[float]]:
    """Return the times of a hub with the demo network, by what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        settings = s.Settings(
            server=s.Server(data_dir=Path(folder)),
            admin=s.Admin(password=PASSWORD),
            network=s.Network(interval=3600.0),
            limits=s.Limits(user="100000000/minute", expensive="100000000/minute"),
            redis=s.Redis(url=redis),
        )
        async with House(settings, show_first_password=lambda _: None) as house:
            runner = web.AppRunner(make_app(house), access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            base = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1"
            async with aiohttp.ClientSession() as client:
                login = await client.post(f"{base}/auth/login", json={"username": "admin", "password": PASSWORD})
                token = (await login.json())["access_token"]
                headers = {"Authorization": f"Bearer {token}"}
                await (await client.post(f"{base}/topology/import", data=examples.demo(), headers=headers)).read()

                async def get(path: str) -> None:
                    async with client.get(f"{base}{path}", headers=headers) as response:
                        await response.read()

                body = {"source": examples.demo_intents(), "name": "demo"}

                async def compile_again() -> str:
                    async with client.post(f"{base}/intent/compile", json=body, headers=headers) as response:
                        assert response.status == 201, await response.text()
                        return str((await response.json())["id"])

                preview = f"/intent/preview/{await compile_again()}"
                found = {
                    "token, role and limit": await overhead(house, token, times * 10),
                    "token not seen before": await without_memory(house, token, times),
                    "GET /auth/me": await timed(lambda: get("/auth/me"), times),
                    "GET /topology": await timed(lambda: get("/topology"), times),
                    "POST /intent/compile": await timed(compile_again, times),
                    "GET /intent/preview": await timed(lambda: get(preview), times),
                }
            await runner.cleanup()
        return found


@attrs.frozen
class Row:
    """One line of the table; times in s."""

    what: str
    p50: float
    p99: float
    goal: float | None


def row(what: str, times: list[float], goal: float | None = None) -> Row:
    return Row(what, statistics.median(times), times[int(len(times) * 0.99)], goal)


async def run(times: int) -> list[Row]:
    alone = await measure(None, times)
    rows = [
        row("token, role and limit of a signed-in request", alone["token, role and limit"], 60e-6),
        row("a token that was not seen before", alone["token not seen before"]),
        row("GET /auth/me over loopback", alone["GET /auth/me"]),
        row("GET /topology (demo) over loopback", alone["GET /topology"], 1e-3),
        row("POST /intent/compile (demo) of what was compiled last", alone["POST /intent/compile"], 1e-3),
        row("GET /intent/preview (demo) of what was shown before", alone["GET /intent/preview"]),
    ]
    executable = shutil.which("redis-server")
    if executable is None:
        return rows
    server = await asyncio.create_subprocess_exec(
        executable, "--port", "16399", "--bind", "127.0.0.1", "--save", "", stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.sleep(0.5)
        shared = await measure("redis://127.0.0.1:16399/0", times)
    finally:
        server.terminate()
        await server.wait()
    dearer = statistics.median(shared["GET /auth/me"]) - statistics.median(alone["GET /auth/me"])
    return [
        *rows,
        row("GET /auth/me with Redis", shared["GET /auth/me"]),
        Row("what Redis adds to GET /auth/me", dearer, dearer, 0.5e-3),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2000)
    rows = uvloop.run(run(parser.parse_args().times))
    print(f"{'what':52} {'p50 us':>9} {'p99 us':>9} {'goal us':>9}")
    for line in rows:
        goal = f"{line.goal * 1e6:9.0f}" if line.goal else ""
        print(f"{line.what:52} {line.p50 * 1e6:9.1f} {line.p99 * 1e6:9.1f} {goal:>9}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "surface.json").write_text(json.dumps([attrs.asdict(line) for line in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
