"""The monitor in a real browser: charts and PromQL, an alert from its beginning to its silence, a rule tried and kept, the log."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.journeys.hub import Hub, measured, running
from tests.journeys.test_browser import SOON, Watch, page, sign_in

__all__ = ["page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]

LATER = 25_000
"""ms; rules are looked at every few seconds"""


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A hub that hardly waits for alerts of one group."""
    async with running(tmp_path / "data", "--demo", PARANET_ALERTS_GROUP_WAIT="0.2") as started:
        yield started


async def _open(page: Page, hub: Hub, tab: str) -> None:
    await sign_in(page, hub, hub.password)
    await page.get_by_role("link", name="Monitor").click()
    await page.get_by_role("tab", name=tab).click()


async def test_charts_follow_zoom_together_and_take_promql(page: Page, hub: Hub) -> None:
    """The ready panels have series; dragging across one shows all the same time; a broken expression shows where it breaks."""
    watch = Watch()
    watch.over(page)
    await _open(page, hub, "Charts")
    load, cpu = page.locator('[data-panel="load"]'), page.locator('[data-panel="cpu"]')
    await expect(load).to_have_attribute("data-series", "10", timeout=SOON)
    before = await cpu.get_attribute("data-range")
    assert before is not None
    await expect(cpu).not_to_have_attribute("data-range", before, timeout=SOON)
    await page.get_by_label("Follow").uncheck()
    box = await load.locator(".u-over").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=4)
    await page.mouse.up()
    await expect(page.get_by_role("button", name="Back to now")).to_be_visible(timeout=SOON)
    await expect(load).to_have_attribute("data-step", "1000", timeout=SOON)
    zoomed = await load.get_attribute("data-range")
    assert zoomed is not None
    for panel in ("cpu", "drops", "flows"):
        await expect(page.locator(f'[data-panel="{panel}"]')).to_have_attribute("data-range", zoomed, timeout=SOON)
    low, high = map(int, zoomed.split())
    assert high - low < 0.3 * 900_000
    await page.get_by_label("PromQL").fill("sum(rate(")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("line 1, column 10", timeout=SOON)
    await page.get_by_role("button", name="Back to now").click()
    await page.get_by_label("PromQL").fill("sum by (type) (paranet_node_up)")
    await page.keyboard.press("Enter")
    await expect(page.locator('[data-panel="own"]')).to_have_attribute("data-series", "1", timeout=SOON)
    assert watch.complaints == []
    assert watch.hosts == {urlsplit(hub.url).netloc}


async def test_an_alert_is_acknowledged_and_silenced(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """A link that is cut burns on the page without a reload; acknowledging and silencing show, and so does why nobody was told."""
    await _open(page, hub, "Alerts")
    await page.goto(f"{hub.url}/monitor#tab=constructor")
    await expect(page.get_by_role("tab", name="Charts")).to_have_attribute("aria-selected", "true", timeout=SOON)
    await page.get_by_role("tab", name="Alerts").click()
    async with client.post("/api/v1/lab/links/ams-fra/cut") as response:
        assert response.status == 200, await response.text()
    alert = page.locator("[data-alert]").filter(has_text="LinkDown")
    await expect(alert).to_have_attribute("data-state", "firing", timeout=LATER)
    await alert.click()
    await page.get_by_label("Comment").fill("seen")
    await page.get_by_role("button", name="Acknowledge").click()
    await expect(alert).to_contain_text("acknowledged", timeout=SOON)
    await page.get_by_role("button", name="Silence").click()
    await page.get_by_role("button", name="Begin silence").click()
    await expect(alert).to_contain_text("silenced", timeout=SOON)
    await expect(page.get_by_role("region", name="Silences")).to_contain_text('link="ams-fra"', timeout=SOON)
    await expect(page.get_by_role("region", name="History")).to_contain_text("firing")
    await expect(page.get_by_role("region", name="Decisions")).to_contain_text("not sent", timeout=LATER)


async def test_a_rule_is_tried_and_saved(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """A broken expression shows its position; a good one is tried on what was measured, saved, and switched off."""
    await measured(client)
    await _open(page, hub, "Rules")
    await page.get_by_role("button", name="New rule").click()
    await page.get_by_label("Name").fill("AnyUp")
    await page.get_by_label("Expression").fill("paranet_node_up ==")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("line 1, column", timeout=SOON)
    await page.get_by_label("Expression").fill("paranet_node_up == 1")
    await page.get_by_label("Looked at every").fill("1s")
    await page.get_by_role("button", name="Test on").click()
    await expect(page.get_by_role("region", name="What it would have done")).to_contain_text("firing", timeout=SOON)
    await page.get_by_role("button", name="Save").click()
    rule = page.locator("[data-rule]").filter(has_text="AnyUp")
    await expect(rule.locator("button")).to_have_attribute("aria-current", "true", timeout=SOON)
    await expect(page.get_by_text("Saved.")).to_be_visible()
    await expect(page.get_by_role("button", name="Save")).to_be_focused()
    await expect(rule).to_contain_text("burning", timeout=LATER)
    await rule.get_by_role("switch").click()
    await expect(rule).to_contain_text("off", timeout=SOON)


async def test_the_log_is_followed_and_searched(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """What the hub says appears; a filter leaves only what fits, followed or searched."""
    await _open(page, hub, "Log")
    log = page.get_by_role("log")
    await _complain(client)
    said = log.locator("li").filter(has_text="no answer to the query of a gate")
    await expect(said).to_have_count(1, timeout=LATER)
    await page.get_by_label("Text").fill("no such words")
    await expect(log).to_contain_text("No entry is like that.")
    await page.get_by_label("Text").fill("QUERY of a gate")
    await expect(said).to_have_count(1)
    await page.get_by_label("Text").fill("no such words")
    await page.get_by_label("Follow").uncheck()
    await expect(log).to_contain_text("No entry is like that.")
    await page.get_by_label("Text").fill("QUERY of a gate")
    await expect(said).to_have_count(1)


async def test_the_log_tells_what_is_on_disk_and_in_the_ring_once(page: Page, hub: Hub, client: aiohttp.ClientSession) -> None:
    """When the answer of the search overtakes the channel's ring no entry is there twice, and what comes then is the last one."""
    await _reuse(client, "ann")
    told = asyncio.Event()

    def between(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()
        held: list[str | bytes] = []
        asked: list[object] = []

        def from_browser(frame: str | bytes) -> None:
            order = json.loads(frame)
            if order["type"] == "sub" and order["ch"] == "log":
                held.append(frame)
                return
            if order.get("method") == "monitor.logs":
                asked.append(order["id"])
            server.send(frame)

        def from_hub(frame: str | bytes) -> None:
            browser.send(frame)
            news = json.loads(frame)
            if news.get("id") in asked:
                server.send(held.pop())
            elif news["type"] == "events" and news["ch"] == "log":
                told.set()

        browser.on_message(from_browser)
        server.on_message(from_hub)

    await page.route_web_socket("**/ws", between)
    await _open(page, hub, "Log")
    async with asyncio.timeout(SOON / 1000):
        await told.wait()
    await _reuse(client, "bob")
    entries = page.get_by_role("log").locator("li")
    await expect(entries.filter(has_text="refresh token of bob")).to_have_count(1)
    assert await entries.filter(has_text="refresh token of ann").count() == 1


async def test_a_page_that_cannot_begin_says_why(page: Page, hub: Hub) -> None:
    """The channel that it begins with is refused: it tells so instead of loading for ever."""

    def between(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()

        def from_browser(frame: str | bytes) -> None:
            order = json.loads(frame)
            if order["type"] != "sub" or order["ch"] != "alerts":
                server.send(frame)
                return
            error = {"code": "actor-stopped", "detail": "alerts is halted", "retryable": True, "retry_ms": 60_000}
            browser.send(json.dumps({"type": "error", "id": order["id"], "error": error}))

        browser.on_message(from_browser)

    await page.route_web_socket("**/ws", between)
    await sign_in(page, hub, hub.password)
    await page.get_by_role("link", name="Monitor").click()
    await expect(page.locator("#starting")).to_have_text("alerts is halted")


async def _reuse(client: aiohttp.ClientSession, name: str) -> None:
    """Make the hub log a warning: somebody shows a refresh token that is spent."""
    person = {"username": name, "password": "correct horse battery"}
    async with client.post("/api/v1/auth/users", json={**person, "role": "viewer"}) as response:
        assert response.status == 201, await response.text()
    async with client.post("/api/v1/auth/login", json=person) as response:
        token = {"refresh_token": (await response.json())["refresh_token"]}
    for status in (200, 401):
        async with client.post("/api/v1/auth/refresh", json=token) as response:
            assert response.status == status, await response.text()


async def _complain(client: aiohttp.ClientSession) -> None:
    """Make the hub log a warning: a gate whose query has no answer."""
    await measured(client)
    body = {"source": "route web { from: Amsterdam; to: Warsaw }", "name": "page"}
    async with client.post("/api/v1/intent/compile", json=body) as response:
        compile_id = (await response.json())["id"]
    condition = {"query": "paranet_node_up * on() paranet_node_up", "op": ">", "threshold": 0, "count": 1}
    order = {"compile_id": compile_id, "gates": {"conditions": [condition], "keep_throughput": 0}}
    async with client.post("/api/v1/deploy/execute", json=order) as response:
        assert response.status == 202, await response.text()
