"""The pages in a real browser: sign in, see the network live, lose the hub and find it again."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import aiohttp
import attrs
import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, WebSocket, async_playwright, expect

from tests.journeys.hub import Hub, running

pytestmark = [pytest.mark.journey, pytest.mark.browser]

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LATER = 30_000
"""ms; a page waits for longer and longer before it looks for its hub again"""
SOON = 10_000
"""ms; readings come every second"""


@attrs.define(slots=False)  # playwright leaves a mark on the owner of a handler
class Watch:
    """What a page asked for and what its browser had to complain about."""

    requests: list[str] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)

    def over(self, page: Page) -> None:
        """Listen to the page. Breaches of the content security policy are console errors."""
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", self._on_socket)
        page.on("requestfailed", self._on_failure)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    @property
    def hosts(self) -> set[str]:
        """Every host that was asked for anything."""
        return {urlsplit(url).netloc for url in self.requests if not url.startswith(("data:", "blob:"))}

    def _on_socket(self, socket: WebSocket) -> None:
        self.requests.append(socket.url)

    def _on_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that is left before all of it has come
            self.complaints.append(f"{request.url}: {request.failure}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.location['url']}: {message.text}")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start a browser that has never been anywhere."""
    executable = next((path for name in NAMES if (path := shutil.which(name))), None)
    if executable is None:
        _without_browser()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """An empty page of a browser that has never been here."""
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(SOON)
        yield page


def _without_browser() -> NoReturn:
    reason = "no chromium on the PATH: install it (apt install chromium)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


async def sign_in(page: Page, hub: Hub, password: str) -> None:
    await page.goto(hub.url)
    await page.get_by_label("Name").fill(hub.username)
    await page.get_by_label("Password").fill(password)
    await page.keyboard.press("Enter")


async def _see_it_live(page: Page, link: str = "fra-zur") -> None:
    """Wait until a link's load has changed. The page's policy forbids eval, so nothing may be evaluated in it to wait."""
    line = page.locator(f'[data-link="{link}"]')
    await expect(line).not_to_have_attribute("data-utilization", "", timeout=SOON)
    before = await line.get_attribute("data-utilization")
    assert before is not None
    await expect(line).not_to_have_attribute("data-utilization", before, timeout=SOON)


async def test_a_wrong_password_is_told(page: Page, hub: Hub) -> None:
    """A refused sign-in says why, to screen readers too, and puts the cursor where the mistake is; it can be had in another language."""
    await sign_in(page, hub, "wrong")
    await expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.", timeout=SOON)
    await expect(page.get_by_label("Password")).to_be_focused()
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("button", name="登录")).to_be_visible(timeout=SOON)
    assert urlsplit(page.url).path == "/login"


async def test_the_network_is_drawn_and_lives(page: Page, hub: Hub) -> None:
    """After signing in all nodes and links are there, loads change over the socket, and nothing leaves for another host."""
    watch = Watch()
    watch.over(page)
    await sign_in(page, hub, hub.password)
    await expect(page.locator("[data-node]")).to_have_count(12, timeout=SOON)
    await expect(page.locator("[data-link]")).to_have_count(18)
    await _see_it_live(page)
    await page.locator('[data-node="frankfurt"]').click()
    await expect(page.get_by_role("heading", name="Frankfurt")).to_be_visible()
    await page.locator("#panel").get_by_role("button", name="Zurich").click()
    await expect(page.get_by_role("heading", name="Zurich → Frankfurt")).to_be_visible()
    await expect(page.locator("#panel")).to_be_focused()  # the link's button is gone
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("heading", name="Busiest links")).to_be_visible()
    assert watch.complaints == []
    assert watch.hosts == {urlsplit(hub.url).netloc}
    assert [urlsplit(url).path for url in watch.requests if url.startswith("ws")] == ["/ws"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_api_is_shown_without_the_world(page: Page, hub: Hub, path: str) -> None:
    """Everything comes from this hub; ReDoc's wish for its maker's logo is the one thing that the policy has to stop."""
    watch = Watch()
    watch.over(page)
    await page.goto(f"{hub.url}{path}")
    await expect(page.get_by_role("heading", name="ParaNet Hub").first).to_be_visible(timeout=6 * SOON)
    await expect(page.get_by_text("Compile and prove a source").first).to_be_attached(timeout=6 * SOON)
    assert [complaint for complaint in watch.complaints if "logo-mini.svg" not in complaint] == []
    assert watch.hosts - {"cdn.redoc.ly"} == {urlsplit(hub.url).netloc}


async def test_what_others_add_appears(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """A node and a link that somebody adds, and removes again, come and go without a reload; a link that is cut looks so."""
    await sign_in(page, hub, hub.password)
    await expect(page.locator("[data-node]")).to_have_count(12, timeout=SOON)
    async with client.post("/api/v1/topology/nodes", json={"id": "oslo", "location": {"latitude": 59.9, "longitude": 10.8}}) as response:
        assert response.status == 201, await response.text()
    ends = {"source": {"node": "oslo"}, "target": {"node": "stockholm"}}
    async with client.post("/api/v1/topology/links", json={"id": "osl-sto", **ends}) as response:
        assert response.status == 201, await response.text()
    await expect(page.locator('[data-node="oslo"]')).to_be_visible(timeout=SOON)
    await expect(page.locator('[data-link="osl-sto"]')).to_have_count(1)
    async with client.delete("/api/v1/topology/nodes/oslo", params={"cascade": "true"}) as response:
        assert response.status == 204, await response.text()
    await expect(page.locator("[data-node]")).to_have_count(12, timeout=SOON)
    await expect(page.locator("[data-link]")).to_have_count(18)
    async with client.post("/api/v1/lab/links/fra-zur/cut") as response:
        assert response.status == 200, await response.text()
    await expect(page.get_by_role("button", name="Link Frankfurt – Zurich down")).to_be_visible(timeout=SOON)
    await expect(page.get_by_text("down: 1")).to_be_visible()


async def test_a_page_left_open_stays_signed_in(page: Page, tmp_path: Path) -> None:
    """The token is renewed before it expires, on the same socket; signing out leads back to the form and stays there."""
    watch = Watch()
    watch.over(page)
    async with running(tmp_path / "data", "--demo", PARANET_AUTH_ACCESS_TTL="6") as hub:
        await sign_in(page, hub, hub.password)
        for _ in range(2):
            async with page.expect_response("**/api/v1/auth/refresh", timeout=LATER) as renewed:
                pass
            assert (await renewed.value).status == 200
        await _see_it_live(page)
        assert [url for url in watch.requests if url.startswith("ws")] == [f"ws://{urlsplit(hub.url).netloc}/ws"]
        assert watch.complaints == []
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=SOON)
        await page.goto(hub.url)
        await expect(page.get_by_role("button", name="Sign in")).to_be_enabled(timeout=SOON)


async def test_a_hub_that_comes_back_is_found_again(page: Page, hub: Hub) -> None:
    """While the hub is away the page says how old its data is; when it is back the page goes on by itself."""
    await sign_in(page, hub, hub.password)
    await _see_it_live(page)
    hub.process.terminate()
    await hub.process.wait()
    banner = page.get_by_role("status").filter(has_text="Connection lost, data from")
    await expect(banner).to_be_visible(timeout=SOON)
    async with page.expect_event("websocket", timeout=SOON):  # whoever presses while the hub starts may come later than the page itself
        await page.get_by_role("button", name="Try now").click()
    async with running(hub.data_dir, "--demo", "--port", str(urlsplit(hub.url).port)):
        await expect(banner).to_be_hidden(timeout=LATER)
        await _see_it_live(page)
