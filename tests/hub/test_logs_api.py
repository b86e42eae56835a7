"""The system log over REST and on its channel."""

import asyncio
import json
import logging

from tests.hub.api import Api
from tests.hub.sockets import connected

log = logging.getLogger("tests.said")


def say(text: str, level: int = logging.WARNING, **about: str) -> None:
    log.log(level, text, extra=about)


async def test_what_was_said_is_found_again(operator: Api) -> None:
    """By level, text, node, deployment and actor, newest first."""
    say("one is slow", node="r1")
    say("two is broken", logging.ERROR, node="r2", deployment="d1", color="red")
    await asyncio.sleep(0)
    _, body, _ = await operator.call("GET", "/monitor/logs?text=is&level=warning")
    ours = [e for e in body["items"] if e["logger"] == "tests.said"]
    assert [(e["message"], e["level"], e["node"]) for e in ours] == [("two is broken", "error", "r2"), ("one is slow", "warning", "r1")]
    assert ours[0]["fields"] == {"color": "red"}
    for query, wanted in (("level=error&text=two", 1), ("node=r1&text=slow", 1), ("deployment=d1", 1), ("text=TWO", 1), ("node=r9", 0)):
        _, body, _ = await operator.call("GET", f"/monitor/logs?{query}")
        assert len([e for e in body["items"] if e["logger"] == "tests.said"]) == wanted, query
    _, body, _ = await operator.call("GET", "/monitor/logs?text=is&limit=1")
    assert len(body["items"]) == 1
    assert body["next"]


async def test_the_head_of_what_can_be_followed_ends(operator: Api) -> None:
    """It says what would come, and the connection is free for the next request (RFC 9110, 9.3.2)."""
    token = operator.headers["Authorization"]
    ask = f"HEAD /api/v1/monitor/logs?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode()
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", operator.http.port)
        writer.write(ask * 2)
        heads = [await reader.readuntil(b"\r\n\r\n") for _ in range(2)]
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert all(head.startswith(b"HTTP/1.1 200") and b"application/x-ndjson" in head for head in heads)


async def test_the_log_can_be_followed(operator: Api) -> None:
    """NDJSON: what was said before, then each line as it comes."""
    say("before", node="r7")
    async with operator.http.get("/api/v1/monitor/logs?follow=true&node=r7", headers=operator.headers) as response:
        assert response.content_type == "application/x-ndjson"
        async with asyncio.timeout(10):
            first = json.loads(await response.content.readline())
            say("other", node="r8")
            say("after", node="r7")
            second = json.loads(await response.content.readline())
    assert (first["message"], second["message"]) == ("before", "after")


async def test_the_log_is_a_channel(operator: Api) -> None:
    """For operators, as any log: all the ring has, then what comes."""
    async with connected(operator) as socket:
        await socket.subscribe("log")
        say("live")
        while True:
            frame = await socket.until("events")
            if "live" in [item["message"] for item in frame["items"]]:
                break


async def test_a_bad_question_is_refused(operator: Api) -> None:
    """400 with the parameter."""
    for query in ("level=loud", "start=yesterday", "limit=0", "what=ever"):
        assert (await operator.call("GET", f"/monitor/logs?{query}"))[0] == 400
