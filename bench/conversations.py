"""Many conversations streaming at once: a model's endpoint in a process of its own, a whole hub here, and how late the words come.

python -m bench.conversations

The endpoint writes into each token when it sent it; the outlet of a client (where the socket begins) looks at the clock again.
"""

import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from aiohttp import web

from actors.accounts import Role
from actors.channels import Subscribe
from actors.chat import Say
from actors.frames import Frame
from hub.house import House
from hub.settings import Settings

RESULTS = Path(__file__).parent / "results" / "conversations.json"
CONVERSATIONS = 200
TOKENS = 100
PACE = 0.02
TICK = 0.01
SERVE = "serve"


async def stream(request: web.Request) -> web.StreamResponse:
    """Answer as a model would: TOKENS tokens, one every PACE, each the time of its sending."""
    await request.read()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    for _ in range(TOKENS):
        delta = {"index": 0, "delta": {"content": f"{time.monotonic_ns()} "}, "finish_reason": None}
        await response.write(f"data: {json.dumps({**head, 'choices': [delta]})}\n\n".encode())
        await asyncio.sleep(PACE)
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": TOKENS, "total_tokens": TOKENS + 7}
    await response.write(f"data: {json.dumps({**head, 'choices': [end], 'usage': usage})}\n\ndata: [DONE]\n\n".encode())
    return response


async def serve() -> None:
    """Serve the endpoint and print its address."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", stream)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2 * CONVERSATIONS).start()
    host, port = runner.addresses[0]
    print(f"http://{host}:{port}/v1", flush=True)
    await asyncio.Event().wait()


class Listener:
    """Notes how late the first token of each conversation comes, and how many frames there are."""

    def __init__(self) -> None:
        self.late: dict[str, float] = {}
        self.frames = 0
        self.done = asyncio.Semaphore(0)

    def push(self, frame: Frame) -> bool:
        now = time.monotonic_ns()
        for payload in frame.payloads:
            body: Mapping[str, Any] = json.loads(payload)
            self.frames += 1
            for item in body.get("items", ()):
                if item["kind"] == "delta" and body["ch"] not in self.late:
                    self.late[body["ch"]] = (now - int(item["text"].split()[0])) / 1e6
                if item["kind"] == "done":
                    assert item["fallback"] is None, item
                    self.done.release()
        return True


async def lags(found: list[float]) -> None:
    """Append, in ms, how much later than asked the loop came back, until it is cancelled."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK)
        found.append((time.perf_counter() - began - TICK) * 1e3)


async def run(url: str, folder: Path) -> dict[str, float]:
    """Return the figures."""
    settings = Settings()
    settings = attrs.evolve(
        settings,
        server=attrs.evolve(settings.server, data_dir=folder),
        network=attrs.evolve(settings.network, demo=False),
        agent=attrs.evolve(settings.agent, base_url=url, model="m", per_minute=10 * CONVERSATIONS),
    )
    listener, late = Listener(), list[float]()
    async with House(settings, show_first_password=lambda _: None) as house:
        house.outlets.add("bench", listener)
        chats = house.system.ref("chat")

        async def begin(number: int) -> None:
            said = Say(conversation_id=None, text=f"say {number}", owner="u", author="u", role=Role.VIEWER)
            begun = await chats.ask(said, timeout=30)
            channel = f"chat/{begun.conversation_id}"
            await chats.ask(Subscribe(channel=channel, subscriber="bench", reply_to=number, reader="u"), timeout=30)

        watch = asyncio.create_task(lags(late), name="lags")
        cpu, wall = time.process_time(), time.perf_counter()
        for number in range(CONVERSATIONS):
            await begin(number)
        for _ in range(CONVERSATIONS):
            await listener.done.acquire()
        spent, took = time.process_time() - cpu, time.perf_counter() - wall
        watch.cancel()
    first = sorted(listener.late.values())
    late.sort()
    return {
        "first_token_p50_ms": round(first[len(first) // 2], 2),
        "first_token_p99_ms": round(first[int(len(first) * 0.99)], 2),
        "loop_lag_p50_ms": round(late[len(late) // 2], 2),
        "loop_lag_p99_ms": round(late[int(len(late) * 0.99)], 2),
        "cpu_share": round(spent / took, 2),
        "cpu_us_a_token": round(spent / CONVERSATIONS / TOKENS * 1e6, 1),
        "frames_a_token": round(listener.frames / CONVERSATIONS / TOKENS, 2),
    }


async def measure() -> dict[str, float]:
    """Start the endpoint, measure, stop it."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.conversations", SERVE, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        url = (await child.stdout.readline()).decode().strip()
        with tempfile.TemporaryDirectory() as folder:
            return await run(url, Path(folder))
    finally:
        child.kill()
        await child.wait()


def main() -> None:
    """Measure, print and write the result."""
    logging.disable(logging.INFO)
    try:
        import uvloop
    except ImportError:
        runner = asyncio.Runner()
    else:
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        if SERVE in sys.argv[1:]:
            return runner.run(serve())
        result = runner.run(measure())
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, value in result.items():
        print(f"{name:24} {value:g}")
    return None


if __name__ == "__main__":
    main()
