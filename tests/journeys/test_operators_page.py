"""The operators' page in a real browser: the tree of actors, one of them restarted, what the records show and what is done about it."""

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.journeys.hub import Hub
from tests.journeys.scenes import waits
from tests.journeys.test_browser import SOON, Watch, page, sign_in

__all__ = ["page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]


async def _open(page: Page, hub: Hub) -> None:
    await sign_in(page, hub, hub.password)
    await page.get_by_role("link", name="Operators").click()
    for path in ("topology", "telemetry", "deployer"):
        await expect(page.locator(f'[data-path="{path}"]')).to_have_attribute("data-status", "running", timeout=SOON)


async def test_an_actor_is_restarted(page: Page, hub: Hub) -> None:
    """A restart takes two presses, shows in the tree and in the audit log; no script or style breaks the page's policy."""
    watch = Watch()
    watch.over(page)
    await _open(page, hub)
    row = page.locator('[data-path="telemetry"]')
    await expect(row).to_have_attribute("data-restarts", "0")
    await row.click()
    await page.get_by_role("button", name="Restart", exact=True).click()
    await page.get_by_role("button", name="Confirm restart").click()
    await expect(row).to_have_attribute("data-restarts", "1", timeout=SOON)
    entry = page.get_by_role("tabpanel", name="Audit log").get_by_role("row").filter(has_text="restart")
    await expect(entry).to_contain_text("telemetry", timeout=SOON)
    await expect(entry).to_contain_text("ok")
    assert watch.complaints == []


async def test_the_tree_is_used_by_keyboard(page: Page, hub: Hub) -> None:
    """Devices are folded until somebody opens them; arrows move, Enter selects, Escape and the x go back."""
    await _open(page, hub)
    device, child = page.locator('[data-path="device"]'), page.locator('[data-path="device/amsterdam"]')
    await expect(device.get_by_title("children")).to_have_text("12", timeout=SOON)
    await expect(child).to_have_count(0)
    await device.focus()
    await page.keyboard.press("ArrowRight")
    await expect(child).to_be_visible()
    await page.keyboard.press("ArrowRight")
    await expect(child).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="device/amsterdam")).to_be_visible()
    await page.get_by_role("button", name="Close").press("Enter")
    await expect(page.get_by_role("heading", name="Event loop")).to_be_visible()
    await expect(child).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("heading", name="Event loop")).to_be_visible()
    await page.keyboard.press("ArrowLeft")
    await expect(device).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(child).to_have_count(0)


async def test_records_are_acted_upon(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """A dead letter is replayed, in vain while nobody is there; a client is cut off; a ring of waits is drawn as one."""
    await _open(page, hub)
    async with client.post("/api/v1/system/actors/device%2Fberlin/drain") as response:
        assert response.status == 200, await response.text()
    records = page.get_by_role("region", name="Records")
    await page.get_by_role("tab", name="Dead letters").click()
    await _replay(page)
    await expect(records.get_by_role("alert")).to_have_text("It was refused again.", timeout=SOON)
    async with client.post("/api/v1/system/actors/device/restart") as response:
        assert response.status == 200, await response.text()
    await expect(page.locator('[data-path="device"]').get_by_title("children")).to_have_text("12", timeout=SOON)
    await _replay(page)
    await expect(records.get_by_role("status")).to_have_text("Replayed.", timeout=SOON)
    async with client.ws_connect("/ws/alerts", protocols=("paranet.v1.json",)) as other:
        await page.get_by_role("tab", name="Clients").click()
        row = records.get_by_role("row").filter(has_text="alerts")
        await row.get_by_role("button", name="Disconnect").click(timeout=SOON)
        await row.get_by_role("button", name="Confirm disconnect").click()
        await expect(row).to_have_count(0, timeout=SOON)
        while not other.closed:
            await other.receive(timeout=SOON / 1000)
    await waits(page)
    graph = page.get_by_role("img", name="Wait-for graph, with a ring: assistant, intents")
    await expect(graph.locator("path.ring")).to_have_count(2, timeout=SOON)
    await expect(graph.locator('[data-wait="chat assistant"].ring')).to_have_count(0)


async def _replay(page: Page) -> None:
    letter = page.get_by_role("tabpanel").get_by_role("row").filter(has_text="device/berlin").first
    await letter.get_by_role("button", name="Replay").click(timeout=SOON)
    await page.get_by_role("button", name="Confirm replay").click()
