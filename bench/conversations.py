"""Many conversations streaming at once: how late the first word of an answer comes, and what a word costs.

A hub as `paranet serve` starts it has a process of its own; in this one are the model's endpoint, which writes into each token when it
sent it, and one WebSocket for each conversation, which looks at the same clock when a token comes. Every conversation is answered again
as soon as it has been answered, so that all stream all the time.

Run: python -m bench.conversations [--conversations 200] [--seconds 20]
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import orjson
from aiohttp import web

RESULTS = Path(__file__).parent / "results" / "conversations.json"
PASSWORD = "benchmark-password"
PACE = 0.02
"""seconds from one token of an answer to the next"""
TOKENS = 200
STARTS = 0.02
"""seconds from one conversation's beginning to that of the next"""
TICKS = os.sysconf("SC_CLK_TCK")
HEAD = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
TOKEN = HEAD + b'"choices":[{"index":0,"delta":{"content":"%d "},"finish_reason":null}]}\n\n'
END = (
    HEAD
    + b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":9}}\n\ndata: [DONE]\n\n'
)


async def answer(request: web.Request) -> web.StreamResponse:
    """Answer as a model would, until nobody listens."""
    await request.read()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    with suppress(ConnectionError):
        await response.prepare(request)
        await speak(response)
    return response


async def speak(response: web.StreamResponse) -> None:
    """Stream TOKENS tokens, one every PACE, each the time of its sending in ns."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for _ in range(TOKENS):
        await response.write(TOKEN % time.monotonic_ns())
        due += PACE
        await asyncio.sleep(due - loop.time())
    await response.write(END)


@attrs.define
class Heard:
    """What the clients have heard: how late (ms) the first tokens of new conversations came, and of answers later on."""

    opening: list[float] = attrs.field(factory=list)
    later: list[float] = attrs.field(factory=list)
    tokens: int = 0
    frames: int = 0
    answers: int = 0


class Talker:
    """One conversation on a socket of its own."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, heard: Heard) -> None:
        self._socket = socket
        self._heard = heard
        self._chat: str | None = None
        self._first: list[float] | None = None
        """where the next first token counts"""

    async def talk(self, speaking: asyncio.Event) -> None:
        """Say something, and again after every answer, until it is cancelled. *speaking* is set with the first answer under way."""
        await self._say(self._heard.opening)
        while True:
            frame = orjson.loads((await self._socket.receive()).data)
            now = time.monotonic_ns()
            if frame["type"] == "ok" and self._chat is None:
                self._chat = frame["body"]["conversation_id"]
                await self._socket.send_json({"type": "sub", "id": 2, "ch": f"chat/{self._chat}"})
            elif frame["type"] == "snapshot":
                self._take(frame["data"]["so_far"], now)
                speaking.set()
            elif frame["type"] == "events":
                self._heard.frames += 1
                await self._events(frame["items"], now)
            else:
                assert frame["type"] in ("welcome", "ok"), frame

    async def _events(self, items: list[Mapping[str, Any]], now: int) -> None:
        for item in items:
            if item["kind"] == "delta":
                self._take(item["text"], now)
            elif item["kind"] == "done":
                assert item["fallback"] is None, item
                self._heard.answers += 1
                await self._say(self._heard.later)

    def _take(self, text: str, now: int) -> None:
        tokens = text.split()
        self._heard.tokens += len(tokens)
        if tokens and self._first is not None:
            self._first.append((now - int(tokens[0])) / 1e6)
            self._first = None

    async def _say(self, count_in: list[float]) -> None:
        self._first = count_in
        body = {"message": "say it", "conversation_id": self._chat}
        await self._socket.send_json({"type": "ask", "id": 1, "method": "chat.say", "params": {"body": body, "prefer": "respond-async"}})


@asynccontextmanager
async def serving_model() -> AsyncIterator[str]:
    """Serve the endpoint; yield its address."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1000).start()
    host, port = runner.addresses[0]
    yield f"http://{host}:{port}/v1"
    await runner.cleanup()


@asynccontextmanager
async def serving_hub(model: str, folder: str) -> AsyncIterator[tuple[str, int]]:
    """Run a hub with that model; yield its address and its process id."""
    variables = {
        "PARANET_AGENT_BASE_URL": model,
        "PARANET_AGENT_MODEL": "m",
        "PARANET_AGENT_PER_MINUTE": "1000000",
        "PARANET_LIMITS_EXPENSIVE": "1000000/minute",
        "PARANET_ADMIN_PASSWORD": PASSWORD,
        "PARANET_LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "hub", "--port", "0", "--data-dir", folder]
    hub = await asyncio.create_subprocess_exec(*command, env={**os.environ, **variables}, stdout=asyncio.subprocess.PIPE)
    try:
        assert hub.stdout is not None
        yield json.loads(await hub.stdout.readline())["url"], hub.pid
    finally:
        hub.kill()
        await hub.wait()


def cpu(pid: int) -> float:
    """Return the seconds of processor time that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def run(hub: str, pid: int, conversations: int, seconds: float) -> dict[str, float]:
    """Return the figures."""
    heard = Heard()
    async with aiohttp.ClientSession(hub, connector=aiohttp.TCPConnector(limit=0)) as http, asyncio.TaskGroup() as talks:
        async with http.post("/api/v1/auth/login", json={"username": "admin", "password": PASSWORD}) as response:
            http.headers["Authorization"] = f"Bearer {(await response.json())['access_token']}"
        talking = []
        for _ in range(conversations):
            socket, speaking = await http.ws_connect("/ws"), asyncio.Event()
            talking.append((talks.create_task(Talker(socket, heard).talk(speaking)), speaking))
            await asyncio.sleep(STARTS)
        for _, speaking in talking:
            await speaking.wait()
        before, spent, began, own = attrs.evolve(heard, later=[]), cpu(pid), time.perf_counter(), time.process_time()
        heard.later.clear()
        await asyncio.sleep(seconds)
        took, spent, own = time.perf_counter() - began, cpu(pid) - spent, time.process_time() - own
        tokens, frames = heard.tokens - before.tokens, heard.frames - before.frames
        answers, later = heard.answers - before.answers, list(heard.later)
        async with http.get("/api/v1/system/actors") as response:
            lag = (await response.json())["lag"]
        for task, _ in talking:
            task.cancel()
    return {
        "answers": answers,
        "tokens_s": round(tokens / took),
        **percentiles("new_conversation_first_token", heard.opening),
        **percentiles("first_token", later),
        "loop_lag_p50_ms": round(lag["p50"] * 1e3, 2),
        "loop_lag_p99_ms": round(lag["p99"] * 1e3, 2),
        "cpu_share": round(spent / took, 2),
        "cpu_share_of_model_and_clients": round(own / took, 2),
        "cpu_us_a_token": round(spent / tokens * 1e6, 1),
        "frames_a_token": round(frames / tokens, 2),
    }


def percentiles(name: str, found: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile of milliseconds."""
    found = sorted(found)
    return {f"{name}_p{q}_ms": round(found[len(found) * q // 100], 2) for q in (50, 99)}


async def measure(options: argparse.Namespace) -> dict[str, float]:
    """Start the endpoint and the hub, measure, stop them."""
    with tempfile.TemporaryDirectory() as folder:
        async with serving_model() as model, serving_hub(model, folder) as (hub, pid):
            return await run(hub, pid, options.conversations, options.seconds)


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    try:
        import uvloop
    except ImportError:
        runner = asyncio.Runner()
    else:
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        result = runner.run(measure(options))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, value in result.items():
        print(f"{name:36} {value:g}")


if __name__ == "__main__":
    main()
