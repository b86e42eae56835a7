"""The pages' WebSocket client (hub/web/static/paranet-client.js) in a browser, against a hub whose every frame is the test's."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Page, Route, WebSocketRoute

from hub.web.views import STATIC
from tests.journeys.test_browser import page

__all__ = ["page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]
WITHIN = 10
CONNECT = """async () => {
  const { ParaNetClient } = await import("/static/paranet-client.js");
  Object.assign(window, { client: new ParaNetClient(), told: [], problems: [] });
  client.addEventListener("problem", ({ detail }) => problems.push(detail.channel));
  window.follow = (name) =>
    client.subscribe("log", {
      onEvents: (items) => told.push(...items.map((item) => `${name} ${item}`)),
      onReset: () => told.push(`${name} reset`),
    });
  window.pose = (method) => client.ask(method).then(({ body }) => body, (error) => error.message);
  window.when = (state) =>
    new Promise((done) => {
      client.addEventListener("state", ({ detail }) => {
        if (detail.state === state && (state !== "lost" || detail.retryAt)) done({ ...detail });
      });
    });
  client.connect();
}"""


class Played:
    """The hub's end of the page's sockets."""

    def __init__(self) -> None:
        self.sockets: list[WebSocketRoute] = []
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def admit(self, socket: WebSocketRoute) -> None:
        """Take a new socket in and welcome it."""
        self.sockets.append(socket)
        socket.on_message(lambda frame: self._said.put_nowait(json.loads(frame)))
        self.send(type="welcome", ping=20, expires=4e9)

    def send(self, **frame: object) -> None:
        """Send a frame over the newest socket."""
        self.sockets[-1].send(json.dumps(frame))

    def tell(self, *items: str, to: int) -> None:
        """Send events of the log."""
        self.send(type="events", ch="log", epoch="e", to=to, items=items)

    async def heard(self, kind: str) -> dict[str, Any]:
        """Return the page's next frame, which is of that kind."""
        async with asyncio.timeout(WITHIN):
            frame = await self._said.get()
        assert frame["type"] == kind
        return frame


@pytest.fixture
async def played(page: Page) -> Played:
    """A page with a client that is connected."""
    played = Played()
    await page.route_web_socket("**/ws", played.admit)
    await page.route("http://hub.test/", lambda route: route.fulfill(content_type="text/html", body="<!doctype html>"))
    await page.route("**/paranet-client.js", lambda route: route.fulfill(path=STATIC / "paranet-client.js"))
    await page.goto("http://hub.test/")
    await page.evaluate(CONNECT)
    await page.evaluate("client.state === 'live' || when('live')")
    return played


async def _value(page: Page, expression: str) -> Any:
    """Return what a script comes to, if it does in time."""
    async with asyncio.timeout(WITHIN):
        return await page.evaluate(expression)


async def test_a_subscription_that_the_hub_ends_is_asked_for_again(page: Page, played: Played) -> None:
    """It goes on where it was, and the page is told which channel was ended."""
    await _value(page, "follow('a') && null")
    played.send(type="ok", id=(await played.heard("sub"))["id"], ch="log", epoch="e", offset=0, recovered=False)
    played.tell("first", to=7)
    error = {"code": "actor-stopped", "detail": "it restarts", "retryable": True, "retry_ms": 1}
    played.send(type="error", id=None, ch="log", error=error)
    assert (await played.heard("sub"))["since"] == "e:7"
    assert await _value(page, "problems") == ["log"]


async def test_what_was_meant_for_a_subscription_before_is_not_told(page: Page, played: Played) -> None:
    """Two subscriptions to a channel in a row: the second hears nothing until the hub has taken it, and then all of its own."""
    await _value(page, "follow('a')(), follow('b') && null")
    first, _, second = [await played.heard(kind) for kind in ("sub", "unsub", "sub")]
    played.send(type="ok", id=first["id"], ch="log", epoch="e", offset=2, recovered=False)
    played.tell("one", "two", to=2)
    played.send(type="resync", ch="log", reason="overrun")
    played.send(type="ok", id=second["id"], ch="log", epoch="e", offset=2, recovered=False)
    played.tell("one", "two", to=2)
    await page.wait_for_function("told.length >= 2")
    assert await _value(page, "told") == ["b one", "b two"]


async def test_the_end_of_an_earlier_subscriber_leaves_the_later_one_alone(page: Page, played: Played) -> None:
    """Who has been replaced has nothing to end."""
    await _value(page, "{ const end = follow('a'); follow('b'); end(); client.ask('x').catch(() => {}); null }")
    assert [(await played.heard(kind))["type"] for kind in ("sub", "sub", "ask")] == ["sub", "sub", "ask"]


async def test_what_is_asked_over_a_socket_ends_with_it(page: Page, played: Played) -> None:
    """A token that has run out takes the question with it instead of leaving it open; the next one goes over the next socket."""
    renewed = asyncio.Event()

    async def renew(route: Route) -> None:
        await renewed.wait()
        await route.fulfill(json={"access_token": "new"})

    await page.route("**/api/v1/auth/refresh", renew)
    await _value(page, "window.first = pose('monitor.logs'), null")
    await played.heard("ask")
    await played.sockets[-1].close(code=4001, reason="token_expired")
    assert await _value(page, "first") == "the connection was lost"
    assert await _value(page, "pose('monitor.logs')") == "not connected"
    renewed.set()
    await _value(page, "client.state === 'live' || when('live')")
    await _value(page, "window.second = pose('monitor.logs'), null")
    played.send(type="ok", id=(await played.heard("ask"))["id"], status=200, body="answer")
    assert await _value(page, "second") == "answer"


async def test_an_answer_s_pause_does_not_put_off_the_next_connection(page: Page, played: Played) -> None:
    """What a refused question is to wait is its own matter; after a loss the client is back within its first pause."""
    await _value(page, "window.first = pose('monitor.logs'), null")
    error = {"code": "mailbox-full", "detail": "too much", "retryable": True, "retry_ms": 60_000}
    played.send(type="error", id=(await played.heard("ask"))["id"], error=error)
    assert await _value(page, "first") == "too much"
    await _value(page, "window.lost = when('lost').then(({ retryAt }) => retryAt - Date.now()), null")
    await page.route("**/api/v1/auth/me", lambda route: route.fulfill(json={}))
    await played.sockets[-1].close(code=1001, reason="going away")
    assert await _value(page, "lost") < 1000
