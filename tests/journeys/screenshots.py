"""`python -m tests.journeys.screenshots [FOLDER]`: take pictures of every page of a running demo; without a folder those of the README.

With a folder: each page in light and dark, English and Chinese, 1280 and 390 px wide.
"""

import asyncio
import itertools
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import aiohttp
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from hub.web.views import SIGNED_IN
from tests.journeys.hub import Hub, running, signed_in
from tests.journeys.test_browser import ARGUMENTS, NAMES

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDTHS = {"1280": (1280, 860), "390": (390, 844)}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LATER = 30_000
"""ms"""
SETTLE = 70.0
"""s in which the demo's figures and charts fill"""
READY = {
    "/": "[data-link]:not([data-utilization=''])",
    "/intents": "textarea",
    "/deployments": "[data-device]",
    "/monitor": ".u-over",
    "/assistant": "textarea",
    "/operators": '[data-path="topology"]',
    "/profile": "[data-ready]",
    "/users": "[data-user]",
}
"""what has to be there before a page is taken"""
SOURCE = "route web {\n  from: Amsterdam\n  to: Warsaw\n  bandwidth: 20 Mbit/s\n  avoid: frankfurt\n}\n"


@asynccontextmanager
async def demo() -> AsyncIterator[tuple[Hub, aiohttp.ClientSession]]:
    """A demo that has had time to measure, with something to see on every page."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder) / "data", "--demo") as hub, signed_in(hub) as client:
            body = {"source": "route web { from: Amsterdam; to: Warsaw }", "name": "web"}
            async with client.post("/api/v1/intent/compile", json=body) as response:
                compiled = (await response.json())["id"]
            await client.post("/api/v1/deploy/execute", json={"compile_id": compiled})
            await client.post("/api/v1/lab/links/fra-zur/cut")
            await client.post("/api/v1/auth/users", json={"username": "wang", "password": "a long password", "role": "operator"})
            await client.post("/api/v1/auth/tokens", json={"name": "grafana", "scopes": ["monitor:read"]})
            await asyncio.sleep(SETTLE)
            yield hub, client


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a screen."""
    executable = next((path for name in NAMES if (path := shutil.which(name))), None)
    if executable is None:
        raise SystemExit("no chromium on the PATH: install it (apt install chromium)")
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)


async def signed(context: BrowserContext, hub: Hub) -> Page:
    """Return a page that is signed in, whatever its language."""
    page = await context.new_page()
    await page.goto(f"{hub.url}/login")
    await page.locator("#username").fill(hub.username)
    await page.locator("#password").fill(hub.password)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{hub.url}/")
    return page


async def ready(page: Page, path: str) -> None:
    """Wait until there is something on the page, and whatever else is asked has come."""
    await expect(page.locator(READY[path]).first).to_be_visible(timeout=LATER)
    await page.wait_for_timeout(1500)


async def take_all(folder: Path, hub: Hub, chrome: Browser) -> None:
    """Every page in every dress."""
    for language, theme, (width, (w, h)) in itertools.product(("en", "zh"), THEMES, WIDTHS.items()):
        context = await chrome.new_context(
            viewport={"width": w, "height": h}, color_scheme=theme, locale={"en": "en-GB", "zh": "zh-CN"}[language]
        )
        page = await context.new_page()
        await page.goto(f"{hub.url}/login")
        await page.screenshot(path=folder / f"login-{language}-{theme}-{width}.png")
        await page.close()
        page = await signed(context, hub)
        for view in SIGNED_IN:
            await page.goto(f"{hub.url}{view.path}")
            await ready(page, view.path)
            if view.path == "/intents":
                await page.locator("textarea").fill(SOURCE)
                await page.keyboard.press("Control+Enter")
                await page.wait_for_timeout(2500)
            await page.screenshot(path=folder / f"{view.name.lower()}-{language}-{theme}-{width}.png", full_page=width == "390")
        await context.close()


async def take_readme(hub: Hub, chrome: Browser) -> None:
    """One picture a page for the README."""
    context = await chrome.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light", locale="en-GB")
    page = await context.new_page()
    await page.goto(f"{hub.url}/login")
    await page.screenshot(path=IMAGES / "login.png")
    await page.close()
    page = await signed(context, hub)
    for view in SIGNED_IN:
        await page.goto(f"{hub.url}{view.path}")
        await ready(page, view.path)
        if view.path == "/intents":
            await page.locator("textarea").fill(SOURCE)
            await page.keyboard.press("Control+Enter")
            await page.wait_for_timeout(2500)
        await page.screenshot(path=IMAGES / f"{view.name.lower()}.png")


async def main(arguments: list[str]) -> None:
    """Run as a program."""
    folder = Path(arguments[0]) if arguments else None
    async with demo() as (hub, _), browser() as chrome:
        if folder is None:
            await take_readme(hub, chrome)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            await take_all(folder, hub, chrome)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
