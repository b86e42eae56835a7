"""OpenAI-compatible endpoints on loopback that do what a script says, the worst included."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from paranet.agent.provider import OpenAIModel

Script = Callable[["Exchange"], Awaitable[web.StreamResponse]]


class Exchange:
    """One request of the client, and the means to answer it."""

    def __init__(self, request: web.Request, body: Mapping[str, Any], number: int) -> None:
        self.request = request
        self.body = body
        self.number = number
        self._response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})

    async def send(self, choice: Mapping[str, Any], **more: Any) -> None:
        """Stream one chunk with one choice."""
        if not self._response.prepared:
            await self._response.prepare(self.request)
        body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, **choice}], **more}
        await self._response.write(f"data: {json.dumps(body)}\n\n".encode())

    async def say(self, *pieces: str) -> None:
        """Stream text, piece by piece."""
        for piece in pieces:
            await self.send({"delta": {"content": piece}, "finish_reason": None})

    async def call(self, name: str, arguments: str, *, index: int = 0) -> None:
        """Stream one whole tool call."""
        function = {"name": name, "arguments": arguments}
        await self.send({"delta": {"tool_calls": [{"index": index, "id": f"t{index}", "type": "function", "function": function}]}})

    async def end(self, reason: str = "stop") -> web.StreamResponse:
        """Finish as a model does."""
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        await self.send({"delta": {}, "finish_reason": reason}, usage=usage)
        await self._response.write(b"data: [DONE]\n\n")
        await self._response.write_eof()
        return self._response

    async def die(self) -> web.StreamResponse:
        """Break the connection."""
        assert self.request.transport is not None
        self.request.transport.abort()
        return self._response


class Endpoint:
    """Answers every request by the script; *requests* are the bodies that came."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.requests: list[Mapping[str, Any]] = []
        self.asked = asyncio.Event()
        """set with the first request"""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.asked.set()
        return await self._script(Exchange(request, self.requests[-1], len(self.requests)))


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[tuple[Endpoint, str]]:
    """Serve an endpoint; yield it with its base URL."""
    endpoint = Endpoint(script)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", endpoint.handle)
    async with TestServer(app) as server:
        yield endpoint, str(server.make_url("/v1"))


@asynccontextmanager
async def model(script: Script, *, timeout: float = 5.0) -> AsyncIterator[tuple[OpenAIModel, Endpoint]]:
    """Yield a model behind a scripted endpoint."""
    async with serving(script) as (endpoint, url):
        made = OpenAIModel(base_url=url, model="m", key="k", timeout=timeout, max_tokens=64)
        try:
            yield made, endpoint
        finally:
            await made.close()


async def silent(exchange: Exchange) -> web.StreamResponse:
    """Begin to answer and say no more until the connection is closed."""
    await exchange.say("I")
    await asyncio.Event().wait()
    return await exchange.end()


async def mute(exchange: Exchange) -> web.StreamResponse:
    """Take the question and say nothing at all."""
    await asyncio.Event().wait()
    return await exchange.end()


async def sorry(exchange: Exchange) -> web.StreamResponse:
    """An error where a piece should be, with 200."""
    return web.Response(body=b'data: {"error": {"message": "overloaded"}}\n\n', content_type="text/event-stream")


async def endless(exchange: Exchange) -> web.StreamResponse:
    """Talk for ever."""
    while True:
        await exchange.say("word " * 10_000)


async def endless_line(exchange: Exchange) -> web.StreamResponse:
    """One piece that never comes to its end."""
    return web.Response(body=b"data: " + b"x" * 1_100_000, content_type="text/event-stream")


async def garbage(exchange: Exchange) -> web.StreamResponse:
    """What is no protocol at all."""
    return web.Response(body=b"data: {]]]\n\ndata: \xff\xfe\n\n", content_type="text/event-stream")


async def page(exchange: Exchange) -> web.StreamResponse:
    """A page of a proxy, with 200."""
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


async def busy(exchange: Exchange) -> web.StreamResponse:
    """Always 429."""
    return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"retry-after-ms": "10"})


async def half_a_call(exchange: Exchange) -> web.StreamResponse:
    """A tool call whose arguments break off."""
    await exchange.call("find_nodes", '{"query": "mil')
    return await exchange.end("tool_calls")


async def dying(exchange: Exchange) -> web.StreamResponse:
    """Dies in the middle of its answer."""
    await exchange.say("Route", " from")
    return await exchange.die()


async def tool_happy(exchange: Exchange) -> web.StreamResponse:
    """A thousand tool calls."""
    for index in range(1000):
        await exchange.call("find_nodes", '{"query": "x"}', index=index)
    return await exchange.end("tool_calls")


async def ever_the_same_tool(exchange: Exchange) -> web.StreamResponse:
    """One more tool call, every time."""
    await exchange.call("find_nodes", '{"query": "x"}')
    return await exchange.end("tool_calls")


async def empty(exchange: Exchange) -> web.StreamResponse:
    """Nothing at all."""
    return await exchange.end()


async def stubborn(exchange: Exchange) -> web.StreamResponse:
    """Source that never compiles."""
    await exchange.say("```pn\nroute x { from: nowhere; to: mars }\n```")
    return await exchange.end()
