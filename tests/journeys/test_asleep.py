"""A page that the browser puts to sleep, as it does with tabs nobody looks at, misses nothing."""

import asyncio
import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page

from hub.client import HubClient
from tests.journeys.hub import Hub, running, signed_in
from tests.journeys.test_browser import page, sign_in

__all__ = ["page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]
WITHIN = 60
WEST = "route west { from: madrid; to: vienna; avoid: paris; protocol: ip; bandwidth: 200Mbps }"
LISTEN = """async (channel) => {
  const { ParaNetClient } = await import("/static/paranet-client.js");
  const client = new ParaNetClient();
  window.log = [];
  window.states = [];
  client.addEventListener("state", ({ detail }) => window.states.push(detail.state));
  client.subscribe(channel, { onEvents: (items) => window.log.push(...items), onReset: () => (window.log = []) });
  client.connect();
}"""


async def deploy(api: aiohttp.ClientSession) -> str:
    """Have a route deployed node by node; return the deployment's id."""
    async with api.post("/api/v1/intent/compile", json={"source": WEST}) as response:
        compile_id = (await response.json())["id"]
    async with api.post("/api/v1/deploy/execute", json={"compile_id": compile_id, "strategy": {"kind": "canary"}}) as response:
        assert response.status == 202, await response.text()
        return str((await response.json())["deploy_id"])


async def ask(api: aiohttp.ClientSession, path: str) -> Any:
    """Return a JSON answer."""
    async with api.get(f"/api/v1{path}") as response:
        return await response.json()


async def ended(hub: Hub, deploy_id: str) -> None:
    """Wait for the deployment's last event."""
    async with HubClient(hub.url, username=hub.username, password=hub.password) as client:
        async for update in client.watch(f"deploy/{deploy_id}"):
            if update.items[-1]["state"] == "succeeded":
                return


async def processes(page: Page) -> list[int]:
    """Return the processes that run the browser's pages."""
    assert page.context.browser is not None
    session = await page.context.browser.new_browser_cdp_session()
    found = await session.send("SystemInfo.getProcessInfo")
    return [process["id"] for process in found["processInfo"] if process["type"] == "renderer"]


async def until(page: Page, expression: str) -> None:
    """Wait until the expression holds in the page; its policy allows no eval, so the page does the waiting."""
    await page.evaluate(f"async () => {{ while (!({expression})) await new Promise((done) => setTimeout(done, 20)); }}")


async def test_a_page_that_slept_has_the_whole_deploy_log(page: Page, tmp_path: Path) -> None:
    """Stopped until the hub has let it go and the deployment is over, it wakes to a log that is complete and in order."""
    async with running(tmp_path / "data", "--demo", PARANET_REALTIME_PING="0.3") as hub, signed_in(hub) as api, asyncio.timeout(WITHIN):
        await sign_in(page, hub, hub.password)
        await page.wait_for_url(f"{hub.url}/")
        await page.goto(f"{hub.url}/docs")  # a page without a socket of its own
        deploy_id = await deploy(api)
        await page.evaluate(LISTEN, f"deploy/{deploy_id}")
        await until(page, "window.log.length > 0")
        renderers = await processes(page)
        for renderer in renderers:
            os.kill(renderer, signal.SIGSTOP)
        await ended(hub, deploy_id)
        while (await ask(api, "/system/info"))["clients"]:
            pass
        for renderer in renderers:
            os.kill(renderer, signal.SIGCONT)
        await until(page, "window.log.at(-1)?.state === 'succeeded' && window.states.at(-1) === 'live'")
        log = await page.evaluate("window.log")
        assert "lost" in await page.evaluate("window.states")
    assert log[0]["seq"] == 1
    assert all(after["seq"] == before["seq"] + 1 for before, after in pairwise(log))
