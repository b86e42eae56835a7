"""The deployments page in a real browser: one is followed to its end, rolled back, cancelled; a closed gate says why; drift is restored."""

from typing import Any

import aiohttp
import pytest
from playwright.async_api import Locator, Page, expect

from tests.journeys.hub import Hub, measured
from tests.journeys.test_browser import SOON, Watch, page, sign_in

__all__ = ["page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]

LATER = 25_000
"""ms; the guard over throughput waits for two readings after each wave"""
SOURCE = "route web { from: Amsterdam; to: Warsaw }"


async def _call(client: aiohttp.ClientSession, method: str, path: str, body: object = None) -> Any:
    async with client.request(method, f"/api/v1{path}", json=body) as response:
        assert response.status < 300, await response.text()
        return await response.json()


async def _deployed(client: aiohttp.ClientSession, **more: object) -> str:
    compiled = await _call(client, "POST", "/intent/compile", {"source": SOURCE, "name": "page"})
    return str((await _call(client, "POST", "/deploy/execute", {"compile_id": compiled["id"], **more}))["deploy_id"])


async def _open(page: Page, hub: Hub) -> None:
    await sign_in(page, hub, hub.password)
    await page.get_by_role("link", name="Deployments").click()
    await expect(page.get_by_role("heading", name="Waves")).to_be_visible(timeout=SOON)


def _item(page: Page, deploy_id: str) -> Locator:
    return page.locator(f'[data-deployment="{deploy_id}"]')


async def test_a_deployment_is_followed_and_rolled_back(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """It appears by itself, its devices and log move to the end, its rows are told; the way back takes two presses."""
    watch = Watch()
    watch.over(page)
    await _open(page, hub)
    deploy_id = await _deployed(client, gates={"probes": True, "keep_throughput": 0}, strategy={"kind": "canary"})
    await _item(page, deploy_id).click()
    await expect(_item(page, deploy_id)).to_have_attribute("data-state", "succeeded", timeout=LATER)
    await expect(page.locator('[data-device][data-step="confirmed"]')).not_to_have_count(0, timeout=SOON)
    await expect(page.locator('[data-device]:not([data-step="confirmed"])')).to_have_count(0)
    log = page.get_by_role("log")
    await expect(log).to_contain_text("succeeded", timeout=SOON)
    assert await log.get_attribute("data-entries") == await log.get_attribute("data-last")
    await expect(page.get_by_text("passed").first).to_be_visible()
    await page.locator(".plan summary").first.click()
    await expect(page.locator(".plan pre").first).to_contain_text("ip.route")
    await page.get_by_role("button", name="Roll back").click()
    await page.get_by_role("button", name="Confirm roll back").click()
    await expect(page.get_by_text("Rollback", exact=True).last).to_be_visible(timeout=SOON)
    await expect(page.locator('[data-deployment][aria-current="true"]')).to_have_attribute("data-state", "succeeded", timeout=LATER)
    assert watch.complaints == []


async def test_a_closed_gate_says_why(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """The finding of the gate is on the page, and it is the reason of the ending; what it looked at is drawn with its threshold."""
    await _open(page, hub)
    await measured(client)
    condition = {"metric": "paranet_node_up", "op": "<", "threshold": 0, "count": 1}
    deploy_id = await _deployed(client, gates={"conditions": [condition], "keep_throughput": 0})
    await _item(page, deploy_id).click()
    await expect(_item(page, deploy_id)).to_have_attribute("data-state", "rolled_back", timeout=LATER)
    await expect(page.locator(".reason")).to_contain_text("paranet_node_up < 0 does not hold")
    await expect(page.locator(".finding")).to_contain_text("it was 1")
    chart = page.locator(".gate-chart").filter(has_text="paranet_node_up < 0")
    await expect(chart.locator("rect.closed")).to_have_count(1, timeout=SOON)
    await expect(chart).to_have_attribute("data-value", "1")
    threshold, value = chart.locator(".threshold"), await chart.locator("path").get_attribute("d")
    assert value is not None
    heights = {float(point.split()[1]) for point in value.removeprefix("M").split("L")}
    assert float(await threshold.get_attribute("y1") or "nan") - 60 > max(heights) > 0  # 1 above 0, over the whole time
    await expect(page.locator(".gate-chart").filter(has_text="Traffic delivered").locator("path")).to_have_count(1, timeout=SOON)


async def test_a_deployment_is_cancelled_and_holds_its_devices_until_then(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """While a gate looks, leases name the deployment; cancelling takes two presses, and no wait for the gate."""
    await _open(page, hub)
    await measured(client)
    condition = {"metric": "paranet_node_up", "op": ">", "threshold": 0, "count": 10, "interval": 60}
    deploy_id = await _deployed(client, gates={"conditions": [condition], "keep_throughput": 0})
    await expect(_item(page, deploy_id)).to_have_attribute("data-state", "gating", timeout=LATER)
    await page.get_by_role("tab", name="Leases").click()
    held = page.get_by_role("row").filter(has_text=deploy_id[-12:])
    await expect(held.filter(has_text="berlin")).to_be_visible(timeout=SOON)
    await held.first.get_by_role("button", name=deploy_id[-12:]).click()
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Confirm cancel").click()
    await expect(_item(page, deploy_id)).to_have_attribute("data-state", "cancelled", timeout=LATER)


async def test_drift_is_restored(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """A row that somebody took from a device is shown as missing, and a deployment brings it back."""
    await _open(page, hub)
    (demo,) = (await _call(client, "GET", "/deploy/history"))["items"]
    changes = (await _call(client, "GET", f"/deploy/plan/{demo['deploy_id']}"))["changes"]
    row = next(change for change in changes if change["node"] == "paris")["diff"]["add"][0]
    async with client.delete("/api/v1/lab/nodes/paris/rows", params={"family": row["family"], "key": row["key"]}) as response:
        assert response.status < 300, await response.text()
    await page.get_by_role("tab", name="Drift").click()
    await page.goto(f"{hub.url}/deployments#{demo['deploy_id']}")
    await expect(page.get_by_role("heading", name="Waves")).to_be_visible(timeout=SOON)
    await page.get_by_role("tab", name="Drift").click()
    await expect(page.get_by_role("region", name="paris")).to_contain_text("missing", timeout=SOON)
    await page.get_by_role("checkbox", name="paris").check()
    await page.get_by_role("button", name="Restore").click()
    await page.get_by_role("button", name="Confirm restore").click()
    await expect(page.locator(".head .kicker")).to_have_text("Restoring drift", timeout=SOON)
    await expect(page.locator('[data-deployment][aria-current="true"]')).to_have_attribute("data-state", "succeeded", timeout=LATER)
