"""Somebody between a page and its hub: reads along, keeps answers back for a while, changes them."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import attrs
from playwright.async_api import Page, WebSocketRoute

WITHIN = 10.0
"""seconds"""
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
"""what is drawn in the first has its effects done after the second"""

Frame = dict[str, Any]


@attrs.define(slots=False)  # playwright leaves a mark on the owner of a handler
class Courier:
    """*sent* are the page's frames so far. Events of channels whose names begin with *muted* do not reach it."""

    sent: list[Frame] = attrs.field(factory=list)
    muted: str | None = None
    _page: Page | None = None
    _browser: WebSocketRoute | None = None
    _kept: dict[str, asyncio.Queue[Frame]] = attrs.field(factory=dict)
    _news: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def between(self, page: Page) -> None:
        """Carry what the page's sockets carry from now on."""
        self._page = page
        await page.route_web_socket("**/ws", self._carry)

    def keep(self, method: str) -> None:
        """Keep answers to asks of *method*: each has to be taken."""
        self._kept[method] = asyncio.Queue()

    def let(self, method: str) -> None:
        """Keep such answers no longer."""
        del self._kept[method]

    async def take(self, method: str) -> Frame:
        """Return the oldest answer that was kept, once there is one."""
        async with asyncio.timeout(WITHIN):
            return await self._kept[method].get()

    def give(self, frame: Mapping[str, Any]) -> None:
        """Let the page have a frame."""
        assert self._browser is not None
        self._browser.send(json.dumps(frame))

    async def heard(self, count: int = 1, **members: object) -> None:
        """Wait until the page has sent so many frames with these members."""
        async with asyncio.timeout(WITHIN):
            while sum(members.items() <= frame.items() for frame in self.sent) < count:
                self._news.clear()
                await self._news.wait()

    async def settled(self) -> None:
        """Wait until the page has taken all that it was given, and drawn it."""
        assert self._page is not None
        pongs = sum(frame["type"] == "pong" for frame in self.sent)
        self.give({"type": "ping"})
        await self.heard(pongs + 1, type="pong")
        await self._page.evaluate(TWO_FRAMES)

    def _carry(self, browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        asked: defaultdict[object, str] = defaultdict(str)
        self._browser = browser

        def from_page(text: str | bytes) -> None:
            frame = json.loads(text)
            asked[frame.get("id")] = frame.get("method", "")
            self.sent.append(frame)
            self._news.set()
            server.send(text)

        def from_hub(text: str | bytes) -> None:
            frame = json.loads(text)
            if (kept := self._kept.get(asked[frame.get("id")])) is not None:
                kept.put_nowait(frame)
            elif self.muted is None or frame["type"] != "events" or not frame["ch"].startswith(self.muted):
                browser.send(text)

        browser.on_message(from_page)
        server.on_message(from_hub)
