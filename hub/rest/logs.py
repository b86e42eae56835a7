"""The system log: search it, or follow it as NDJSON."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from typing import Any

import orjson

from actors.channels import Subscribe
from actors.frames import Frame
from actors.syslog import LEVELS, ReadLog, Wanted
from hub.operations import Access, Call, Operation, Reply, page
from hub.times import unix

API = "/api/v1/monitor"
ASK = 10.0
BACKLOG = 1000
"""entries that wait for a follower who is slow; then the oldest are lost to it"""
QUIET = 15.0
"""seconds after which a follower gets an empty line, to see whether it is still there"""
_followers = itertools.count(1)


async def logs(call: Call) -> Reply:
    """Return entries, newest first; with follow=true the newest ones oldest first and then each as it comes."""
    wanted = Wanted(
        level=call.choice("level", ("debug", *sorted(LEVELS.keys() - {"debug"}))),
        actor=call.query.get("actor"),
        node=call.query.get("node"),
        deployment=call.query.get("deployment"),
        text=call.query.get("text"),
        start=unix("start", call.query["start"]) if "start" in call.query else 0.0,
        end=unix("end", call.query["end"]) if "end" in call.query else 1e12,
    )
    limit = call.integer("limit", 100, 1, 1000)
    request = ReadLog(wanted=wanted, limit=limit + 1, before=call.integer("cursor", 1 << 62, 0, 1 << 62))
    syslog = call.house.system.ref("syslog")
    if call.flag("follow"):
        return Reply(stream=_follow(call, wanted, limit), content_type="application/x-ndjson")
    found = await syslog.ask(request, timeout=ASK)
    return Reply(body=page(list(found), limit, lambda entry: str(entry["id"])))


class _Queue:
    """An outlet that keeps frames for one follower."""

    def __init__(self) -> None:
        self.payloads: asyncio.Queue[bytes] = asyncio.Queue(BACKLOG)

    def push(self, frame: Frame) -> bool:
        """Keep a frame; the oldest makes room."""
        for payload in frame.payloads:
            if self.payloads.full():
                self.payloads.get_nowait()
            self.payloads.put_nowait(payload)
        return True

    def end(self) -> None:
        """Nothing comes after what is there."""
        self.push(Frame(b""))


async def _follow(call: Call, wanted: Wanted, limit: int) -> AsyncGenerator[bytes, None]:
    outlets, syslog = call.house.outlets, call.house.system.ref("syslog")
    path, queue = f"log-follower/{next(_followers)}", _Queue()
    outlets.add(path, queue)
    call.house.lasting.add(queue.end)
    try:
        taken = await syslog.ask(Subscribe(channel="log", subscriber=path, reply_to=0), timeout=ASK)
        while True:
            try:
                async with asyncio.timeout(QUIET):
                    payload = await queue.payloads.get()
            except TimeoutError:
                yield b"\n"
                continue
            if not payload:
                return
            frame: Any = orjson.loads(payload)
            items = [item for item in frame.get("items", ()) if wanted.takes(item)]
            if frame.get("to", 0) <= taken.offset:
                items = items[-limit:]
            for item in items:
                yield orjson.dumps(item) + b"\n"
    finally:
        call.house.lasting.discard(queue.end)
        outlets.remove(path)


OPERATIONS = (
    Operation(
        name="monitor.logs",
        method="GET",
        path=f"{API}/logs",
        access=Access.OPERATOR,
        handler=logs,
        summary="Search or follow the system log",
        query=frozenset({"level", "actor", "node", "deployment", "text", "start", "end", "limit", "cursor", "follow"}),
    ),
)
