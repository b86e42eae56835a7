"""Every page, in both languages and themes, wide and narrow: nothing bars anybody, nothing overflows."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from hub.web.views import SIGNED_IN
from tests.journeys.hub import ROOT, Hub, running
from tests.journeys.screenshots import READY, browser, on_paper, signed

pytestmark = [pytest.mark.journey, pytest.mark.browser]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}"
STICKING_OUT = """() => [...document.querySelectorAll("body *")]
  .filter((found) => found.getBoundingClientRect().right > innerWidth + 1)
  .slice(0, 4).map((found) => `${found.tagName}.${found.className}`)"""
SERIOUS = ("serious", "critical")
LATER = 20_000
"""ms; charts wait for two readings"""


@pytest.fixture
async def chrome() -> AsyncIterator[Browser]:
    """A browser without a page."""
    async with browser() as found:
        yield found


async def _objections(page: Page) -> list[str]:
    """What axe-core finds that is serious: the rule, and where."""
    await page.evaluate(f"async () => {{ if (!window.axe) {{ {AXE.read_text(encoding='utf-8')} }} }}")
    found: list[dict[str, Any]] = await page.evaluate(f"async () => (await axe.run(document, {RULES})).violations")
    return [
        f"{page.url} {rule['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else node['failureSummary']}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


async def _overflow(page: Page) -> list[str]:
    """The page's width when it is more than the window's, and what sticks out."""
    wide = await page.evaluate("() => [document.scrollingElement.scrollWidth, innerWidth]")
    if wide[0] <= wide[1]:
        return []
    return [f"{page.url} is {wide[0]} of {wide[1]} px: {await page.evaluate(STICKING_OUT)}"]


async def _looked_at(page: Page, url: str, there: str) -> list[str]:
    """What is wrong with a page, wide and light, then narrow and dark: colours depend on the theme only, places on the width only."""
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.emulate_media(color_scheme="light")
    await page.goto(url)
    await expect(page.locator(there).first).to_be_visible(timeout=LATER)
    found = await _objections(page) + await _overflow(page)
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 390, "height": 844})
    return found + await _objections(page) + await _overflow(page)


@pytest.mark.skipif(not AXE.is_file() and os.environ.get("CI") != "true", reason="axe-core is missing: npm ci --ignore-scripts")
@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
async def test_no_page_bars_anybody_or_overflows(chrome: Browser, tmp_path: Path, language: str) -> None:
    """axe-core finds nothing serious (WCAG 2.2 AA) at 1280 px in light and 390 px in dark, nor is a page wider than its window."""
    async with running(tmp_path / "data", "--demo") as hub:
        context = await chrome.new_context(locale=language, bypass_csp=True)
        page = await context.new_page()
        objections = await _looked_at(page, f"{hub.url}/login", "form")
        await page.close()
        page = await signed(context, hub)
        for view in SIGNED_IN:
            objections += await _looked_at(page, f"{hub.url}{view.path}", READY[view.path])
    assert objections == []


async def test_every_page_tells_when_the_hub_is_away_and_finds_it_again(chrome: Browser, tmp_path: Path) -> None:
    """Each says of when its data is and goes on by itself, none is loaded anew; on paper a deployment is its report only."""
    async with running(tmp_path / "data", "--demo") as hub:
        context = await chrome.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        await (await signed(context, hub)).close()
        pages = {view.path: await context.new_page() for view in SIGNED_IN}
        await asyncio.gather(*(_opened(page, hub, path) for path, page in pages.items()))
        await _on_paper(pages["/deployments"])
        hub.process.terminate()
        await hub.process.wait()
        for page in pages.values():
            await expect(page.locator("#banner")).to_contain_text("Connection lost, data from", timeout=LATER)
        async with running(hub.data_dir, "--demo", "--port", str(urlsplit(hub.url).port)):
            for page in pages.values():
                await expect(page.locator("#banner")).to_be_hidden(timeout=LATER)
                assert await page.evaluate("window.sameAsBefore") is True
        await context.close()


async def _opened(page: Page, hub: Hub, path: str) -> None:
    await page.goto(f"{hub.url}{path}")
    await expect(page.locator(READY[path]).first).to_be_attached(timeout=LATER)
    await expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=LATER)
    await page.evaluate("window.sameAsBefore = true")


async def _on_paper(page: Page) -> None:
    await page.locator('[data-deployment][data-state="succeeded"]').first.click()
    await expect(page.locator(".plan details")).not_to_have_count(0, timeout=LATER)
    await on_paper(page)
    await expect(page.locator(".plan details:not([open])")).to_have_count(0)
    await expect(page.locator(".plan .diff").first).to_contain_text("ip.route")
    for gone in (".bar-top", ".list", ".tabs", ".actions"):
        await expect(page.locator(gone).first).to_be_hidden()
    await expect(page.get_by_role("heading", name="Waves")).to_be_visible()
    await page.emulate_media(media="screen")
    await page.evaluate("dispatchEvent(new Event('afterprint'))")
    await expect(page.locator(".plan details[open]")).to_have_count(0)
