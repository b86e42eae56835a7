"""The operators' page in a real browser: the tree of actors, one of them restarted, the audit log."""

import pytest
from playwright.async_api import Page, expect

from tests.journeys.hub import Hub
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
    await expect(row).to_have_attribute("data-restarts", "0")
    await page.get_by_role("button", name="Confirm restart").click()
    await expect(row).to_have_attribute("data-restarts", "1", timeout=SOON)
    entry = page.get_by_role("tabpanel", name="Audit log").get_by_role("row").filter(has_text="restart")
    await expect(entry).to_contain_text("telemetry", timeout=SOON)
    await expect(entry).to_contain_text("ok")
    assert watch.complaints == []


async def test_the_tree_is_used_by_keyboard(page: Page, hub: Hub) -> None:
    """Devices are folded until somebody opens them; arrows move, Enter selects, Escape goes back."""
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
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("heading", name="Event loop")).to_be_visible()
    await page.keyboard.press("ArrowLeft")
    await expect(device).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(child).to_have_count(0)
