"""The one story: a network dropped in, an intent written, deployed and watched, a link cut, the alert taken notice of, all undone."""

from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from hub.web.languages import catalogue
from tests.journeys.hub import Hub, running, signed_in
from tests.journeys.scenes import FILE, drop
from tests.journeys.test_browser import SOON, Watch
from tests.journeys.test_every_page import chrome

__all__ = ["chrome"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]

LATER = 30_000
"""ms; a deployment looks at its gates, a rule waits for its time"""
QUESTIONS = {"en": "what is installed?", "zh": "现在有哪些意图？"}


class Reader:
    """Finds what a page says in its language."""

    def __init__(self, page: Page, language: str) -> None:
        self.page = page
        self.words = catalogue(language)

    def t(self, text: str, **values: str) -> str:
        """Return what the page says for an English text."""
        return self.words.get(text, text).format(**values)

    async def press(self, text: str, *, exact: bool = True) -> None:
        """Press the one button with that text."""
        await self.page.get_by_role("button", name=self.t(text), exact=exact).click()

    async def go(self, text: str) -> None:
        """Follow a link of the navigation."""
        await self.page.get_by_role("navigation").first.get_by_role("link", name=self.t(text), exact=True).click()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_network_from_its_file_to_its_rollback(chrome: Browser, tmp_path: Path, language: str) -> None:
    """Every step is done on the pages; none has a fault in its console, breaks its policy or asks another host."""
    watch = Watch()
    async with running(tmp_path / "data", "--demo") as hub, signed_in(hub) as client:
        context = await chrome.new_context(viewport={"width": 1280, "height": 800}, locale={"en": "en-GB", "zh": "zh-CN"}[language])
        page = await context.new_page()
        page.set_default_timeout(SOON)
        watch.over(page)
        reader = Reader(page, language)
        await _sign_in(reader, hub)
        await _drop(reader)
        await _write(reader)
        deploy_id = await _deploy(reader)
        await _cut(reader, client)
        await _ask(reader, QUESTIONS[language])
        await _roll_back(reader, hub, deploy_id)
        await _look_at_actors(reader)
        await context.close()
    assert watch.complaints == []
    assert watch.hosts == {urlsplit(hub.url).netloc}


async def _sign_in(reader: Reader, hub: Hub) -> None:
    page = reader.page
    await page.goto(hub.url)
    await page.get_by_label(reader.t("User name")).fill(hub.username)
    await page.get_by_label(reader.t("Password")).fill(hub.password)
    await reader.press("Sign in")
    await expect(page.locator("[data-node]")).to_have_count(12, timeout=SOON)


async def _drop(reader: Reader) -> None:
    """A file is dropped on the map; what would come and go is told before anything does."""
    page = reader.page
    await drop(page, FILE.name, FILE.read_bytes())
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("lisbon", timeout=SOON)
    await expect(dialog).to_contain_text("stockholm")
    await expect(page.locator("[data-node]")).to_have_count(12)
    await dialog.get_by_role("button", name=reader.t("Import"), exact=True).click()
    await expect(page.locator("[data-node]")).to_have_count(10, timeout=SOON)
    await expect(page.locator('[data-link="madrid--paris"]')).not_to_have_attribute("data-utilization", "", timeout=LATER)


async def _write(reader: Reader) -> None:
    """An intent with an error is mended where the editor says it is wrong, and proven."""
    page = reader.page
    await reader.go("Intents")
    source = page.get_by_label(reader.t("Source"))
    await source.fill("route web { from: lisbon; to: vien }")
    await reader.press("Check")
    finding = page.get_by_role("button", name="PN209")
    await expect(finding).to_contain_text(reader.words.get("PN209", "there is no node"))
    await finding.click()
    await page.keyboard.insert_text("wien")
    await expect(source).to_have_value("route web { from: lisbon; to: wien }")
    await reader.press("Check")
    await expect(page.get_by_text(reader.t("Proven: every promise holds."))).to_be_visible(timeout=SOON)
    await expect(page.locator("[data-way]")).to_have_count(1)
    await page.get_by_role("tab", name=reader.t("Devices")).click()
    await expect(page.get_by_role("tabpanel")).to_contain_text("ip.route")


async def _deploy(reader: Reader) -> str:
    """It is deployed and watched to its end; returns its id."""
    page = reader.page
    await reader.press("Deploy")
    await reader.press("Confirm deploy")
    await page.get_by_role("link", name=reader.t("Watch it")).click()
    await expect(page.locator('[data-deployment][aria-current="true"]')).to_have_attribute("data-state", "succeeded", timeout=LATER)
    await expect(page.locator("[data-device]").first).to_have_attribute("data-step", "confirmed", timeout=SOON)
    await expect(page.get_by_role("log")).to_contain_text(reader.t("decided: every device keeps the change"))
    return urlsplit(page.url).fragment


async def _cut(reader: Reader, client: aiohttp.ClientSession) -> None:
    """A link is cut in the laboratory; the alert comes without a reload and is taken notice of."""
    page = reader.page
    await reader.go("Monitor")
    await page.get_by_role("tab", name=reader.t("Alerts")).click()
    async with client.post("/api/v1/lab/links/madrid--paris/cut") as response:
        assert response.status == 200, await response.text()
    alert = page.locator("[data-alert]").filter(has_text="madrid--paris").filter(has_text="LinkDown")
    await expect(alert).to_have_attribute("data-state", "firing", timeout=LATER)
    await alert.click()
    await page.get_by_label(reader.t("Comment")).fill("seen")
    await reader.press("Acknowledge")
    await expect(alert).to_contain_text(reader.t("acknowledged"), timeout=SOON)


async def _ask(reader: Reader, question: str) -> None:
    page = reader.page
    await reader.go("Assistant")
    await page.get_by_label(reader.t("Message")).fill(question)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log")).to_contain_text("web", timeout=SOON)


async def _roll_back(reader: Reader, hub: Hub, deploy_id: str) -> None:
    page = reader.page
    await page.goto(f"{hub.url}/deployments#{deploy_id}")
    await reader.press("Roll back")
    await reader.press("Confirm roll back")
    current = page.locator('[data-deployment][aria-current="true"]')
    await expect(current).not_to_have_attribute("data-deployment", deploy_id, timeout=SOON)
    await expect(current).to_have_attribute("data-state", "succeeded", timeout=LATER)


async def _look_at_actors(reader: Reader) -> None:
    page = reader.page
    await reader.go("Operators")
    await expect(page.locator('[data-path="deployer"]')).to_have_attribute("data-status", "running", timeout=SOON)
    await page.locator('[data-path="topology"]').click()
    await expect(page.get_by_role("heading", name=reader.t("Times per message"))).to_be_visible(timeout=SOON)
    await page.get_by_role("tab", name=reader.t("Clients")).click()
    await expect(page.get_by_role("tabpanel", name=reader.t("Clients"))).to_contain_text("admin", timeout=SOON)
