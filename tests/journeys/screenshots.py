"""`python -m tests.journeys.screenshots [FOLDER [WORD]]`: take pictures of a running demo, without a folder those of the README.

With a folder: each page and scene in light and dark, English and Chinese, 1280 and 390 px wide, or those with WORD in their names
(`zh-dark`); and each page once the hub has gone.
"""

import asyncio
import itertools
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from hub.web.views import SIGNED_IN
from tests.journeys.hub import Hub, measured, running, signed_in
from tests.journeys.scenes import SCENES, Scene
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


@asynccontextmanager
async def demo(*, troubled: bool = False) -> AsyncIterator[tuple[Hub, aiohttp.ClientSession]]:
    """A demo that has had time to measure, with something to see on every page; *troubled* it is in every state that a page can show."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder) / "data", "--demo") as hub, signed_in(hub) as client:
            await measured(client)
            await _deployed(client, "web", "route web { from: Amsterdam; to: Warsaw }")
            await _call(client, "POST", "/lab/links/fra-zur/cut")
            await _call(client, "POST", "/auth/users", username="wang", password="a long password", role="operator")
            await _call(client, "POST", "/auth/tokens", name="grafana", scopes=["monitor:read"])
            if troubled:
                await _trouble(client)
            await asyncio.sleep(SETTLE)
            yield hub, client


async def _call(client: aiohttp.ClientSession, method: str, path: str, **body: object) -> Any:
    async with client.request(method, f"/api/v1{path}", json=body or None) as response:
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {await response.text()}")
        return await response.json() if response.status != 204 else None


async def _deployed(client: aiohttp.ClientSession, name: str, source: str, *, wait: int = 30, **gates: object) -> None:
    """Deploy an intent, and *wait* so many s for its ending."""
    compiled = await _call(client, "POST", "/intent/compile", source=source, name=name)
    order = {"compile_id": compiled["id"], **({"gates": gates} if gates else {})}
    async with client.post("/api/v1/deploy/execute", json=order, headers={"Prefer": f"wait={wait}"}) as response:
        response.raise_for_status()


async def _trouble(client: aiohttp.ClientSession) -> None:
    """A closed gate, gates that look for ten minutes each, drift, and an actor that is missing."""
    load = {"query": "max(paranet_link_utilization_ratio)", "op": "<", "threshold": 0.05, "count": 3, "failure_limit": 2}
    mute = {"query": "paranet_node_up * on() paranet_node_up", "op": ">", "threshold": 0, "count": 1}
    await _deployed(client, "vie", "route vie { from: Vienna; to: Milan }", conditions=[load, mute], keep_throughput=0)
    slow = {"metric": "paranet_node_cpu_ratio", "node": "stockholm", "op": "<", "threshold": 0.9, "count": 10, "interval": 60}
    await _deployed(client, "sto", "route sto { from: Stockholm; to: London }", wait=0, conditions=[slow], keep_throughput=0)
    (row, *_) = (await _call(client, "GET", "/deploy/devices/paris/rows"))["rows"]
    async with client.delete("/api/v1/lab/nodes/paris/rows", params={"family": row["family"], "key": row["key"]}) as response:
        response.raise_for_status()
    await _call(client, "POST", "/system/actors/device%2Fberlin/drain")


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


async def _ready(page: Page, hub: Hub, path: str) -> None:
    await page.goto(f"{hub.url}{path}")
    await ready(page, path)


async def take_all(folder: Path, word: str, hub: Hub, chrome: Browser) -> None:
    """Every page and scene in every dress, if it has the word in its name; at last the pages without a hub."""
    left: list[tuple[Page, Path]] = []
    for language, theme, (width, (w, h)) in itertools.product(("en", "zh"), THEMES, WIDTHS.items()):
        dress = f"{language}-{theme}-{width}"
        names = ["login", *(view.name.lower() for view in SIGNED_IN), *SCENES, "gone"]
        wanted = {name: folder / f"{name}-{dress}.png" for name in names if word in f"{name}-{dress}"}
        if not wanted:
            continue
        context = await chrome.new_context(
            viewport={"width": w, "height": h}, color_scheme=theme, locale={"en": "en-GB", "zh": "zh-CN"}[language]
        )
        page = await context.new_page()
        await page.goto(f"{hub.url}/login")
        if "login" in wanted:
            await page.screenshot(path=wanted["login"])
        await page.close()
        page = await signed(context, hub)
        whole = width == "390"
        for view in SIGNED_IN:
            if view.name.lower() in wanted:
                await _ready(page, hub, view.path)
                await page.screenshot(path=wanted[view.name.lower()], full_page=whole)
        for name, scene in SCENES.items():
            if name in wanted:
                await _take(page, hub, scene, wanted[name], whole=whole)
        if "gone" in wanted:
            await _ready(page, hub, "/")
            left.append((page, wanted["gone"]))
        else:
            await context.close()
    if left:
        await _take_gone(hub, left)


async def _take(page: Page, hub: Hub, scene: Scene, path: Path, *, whole: bool) -> None:
    await _ready(page, hub, scene.path)
    await scene.act(page)
    await page.wait_for_timeout(700)
    if scene.print:
        await on_paper(page)
    await page.screenshot(path=path, full_page=whole or scene.print)
    await page.emulate_media(media="screen")
    await page.goto("about:blank")  # or the next scene would find what this one has left


async def on_paper(page: Page) -> None:
    """Show the page as it would be printed."""
    await page.evaluate("dispatchEvent(new Event('beforeprint'))")
    await page.emulate_media(media="print")


async def _take_gone(hub: Hub, left: list[tuple[Page, Path]]) -> None:
    """The hub ends; what the pages say then."""
    hub.process.terminate()
    await hub.process.wait()
    for page, path in left:
        await expect(page.locator("#banner")).to_be_visible(timeout=LATER)
        await page.screenshot(path=path)


async def take_readme(hub: Hub, chrome: Browser) -> None:
    """One picture a page for the README."""
    context = await chrome.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light", locale="en-GB")
    page = await context.new_page()
    await page.goto(f"{hub.url}/login")
    await page.screenshot(path=IMAGES / "login.png")
    await page.close()
    page = await signed(context, hub)
    shown = {"/intents": SCENES["intents-proven"], "/assistant": SCENES["assistant-proposal"], "/monitor": SCENES["monitor-short"]}
    for view in SIGNED_IN:
        if not view.listed:
            continue
        await _ready(page, hub, view.path)
        if scene := shown.get(view.path):
            await scene.act(page)
            await page.wait_for_timeout(1500)
        await page.screenshot(path=IMAGES / f"{view.name.lower()}.png")


async def main(arguments: list[str]) -> None:
    """Run as a program."""
    folder = Path(arguments[0]) if arguments else None
    async with demo(troubled=folder is not None) as (hub, _), browser() as chrome:
        if folder is None:
            await take_readme(hub, chrome)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            await take_all(folder, arguments[1] if len(arguments) > 1 else "", hub, chrome)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
