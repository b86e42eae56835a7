"""How quick the pages are in a real browser: first paint, transfer, the price of a live page, an event's way to the screen, frames.

Prints a table and writes bench/results/pages.json. Run: python bench/pages.py (needs chromium on the PATH)
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, ViewportSize, expect

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hub.web.views import SIGNED_IN
from tests.journeys.hub import Hub, running, signed_in
from tests.journeys.screenshots import READY, browser, signed

RESULTS = Path(__file__).parent / "results"
WINDOW: ViewportSize = {"width": 1280, "height": 800}
LIVE = 20.0
"""s over which the price of a live page is taken"""
EVENTS = 20
WATCH = """selector => {
  const look = () => (document.querySelector(selector) ? (window.paintedAt = performance.now()) : requestAnimationFrame(look));
  requestAnimationFrame(look);
}"""
SEEN = """() => {
  window.seenAt = {};
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const { dataset } of addedNodes) if (dataset?.node) requestAnimationFrame(() => (window.seenAt[dataset.node] = Date.now()));
    }
  }).observe(document.getElementById("stage"), { childList: true, subtree: true });
}"""
SWEEP = """seconds => new Promise((resolve) => {
  const stage = document.getElementById("stage");
  const began = performance.now();
  let [frames, last, longest] = [0, began, 0];
  const turn = (now) => {
    longest = Math.max(longest, now - last);
    last = now;
    if (now - began > seconds * 1000) return resolve({ rate: (1000 * frames) / (now - began), longest });
    frames += 1;
    const deltaY = frames % 120 < 60 ? -40 : 40;
    stage.dispatchEvent(new WheelEvent("wheel", { deltaY, clientX: 500, clientY: 400, bubbles: true, cancelable: true }));
    requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
})"""
"""zoom in and out by one step of the wheel in each frame"""


def grid(width: int, height: int) -> dict[str, Any]:
    """Return a network of that many nodes, each linked to its right and lower neighbour, with traffic across."""
    nodes = [{"id": f"n{x}-{y}", "display": {"x": x, "y": y}} for x in range(width) for y in range(height)]
    right = [(f"n{x}-{y}", f"n{x + 1}-{y}") for x in range(width - 1) for y in range(height)]
    down = [(f"n{x}-{y}", f"n{x}-{y + 1}") for x in range(width) for y in range(height - 1)]
    links = [{"id": f"{a}--{b}", "source": {"node": a}, "target": {"node": b}} for a, b in right + down]
    demands = [{"id": f"d{i}", "source": a, "target": b, "rate": 3e8} for i, (a, b) in enumerate(flows(width, height))]
    return {"nodes": nodes, "links": links, "demands": demands}


def flows(width: int, height: int) -> list[tuple[str, str]]:
    """Return the ends of the traffic: along each row and each column, so that every link carries some."""
    rows = [(f"n0-{y}", f"n{width - 1}-{y}") for y in range(height)]
    return rows + [(f"n{x}-0", f"n{x}-{height - 1}") for x in range(width)]


async def first_visit(chrome: Browser, hub: Hub, path: str) -> tuple[float, int]:
    """Return the ms until a page shows what it is about, and the bytes it took; the cache is empty."""
    context = await chrome.new_context(viewport=WINDOW)
    page = await signed(context, hub)
    await page.goto("about:blank")
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.clearBrowserCache")
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    await page.add_init_script(f"({WATCH})({json.dumps(READY[path])})")
    await page.goto(f"{hub.url}{path}")
    await expect(page.locator(READY[path]).first).to_be_visible(timeout=20_000)
    painted = float(await (await page.wait_for_function("window.paintedAt")).json_value())
    await context.close()
    return painted, sum(sizes)


async def processor(chrome: Browser) -> float:
    """Return the s of processor time that all of the browser's processes have used."""
    session = await chrome.new_browser_cdp_session()
    found = await session.send("SystemInfo.getProcessInfo")
    await session.detach()
    return float(sum(process["cpuTime"] for process in found["processInfo"]))


async def live_price(chrome: Browser, page: Page) -> tuple[float, int]:
    """Return the share of a core that the browser takes for a live page, and how many links changed within it."""
    loads = "() => Object.fromEntries([...document.querySelectorAll('[data-link]')].map(({dataset: d}) => [d.link, d.utilization]))"
    before = await page.evaluate(loads)
    used, began = await processor(chrome), time.perf_counter()
    await asyncio.sleep(LIVE)
    share = (await processor(chrome) - used) / (time.perf_counter() - began)
    after = await page.evaluate(loads)
    return share, sum(after[link] != load for link, load in before.items())


async def ways_to_the_screen(page: Page, client: Any) -> list[float]:
    """Return the ms from before a node is asked for until it is painted: request, transaction, event, drawing."""
    await page.evaluate(SEEN)
    sent: dict[str, float] = {}
    for i in range(EVENTS):
        sent[f"event-{i}"] = time.time() * 1000
        async with client.post("/api/v1/topology/nodes", json={"id": f"event-{i}", "display": {"x": i, "y": -2}}) as response:
            assert response.status == 201, await response.text()
        await expect(page.locator(f'[data-node="event-{i}"]')).to_have_count(1)
        await asyncio.sleep(0.2)
    seen = await page.evaluate("window.seenAt")
    return sorted(seen[name] - at for name, at in sent.items())


async def on_a_grid(chrome: Browser, folder: Path, width: int, height: int) -> dict[str, Any]:
    """Measure a live page of such a network."""
    async with running(folder) as hub, signed_in(hub) as client:
        async with client.post("/api/v1/topology/import?format=json", json=grid(width, height)) as response:
            assert response.status == 200, await response.text()
        statements = [f"route r{i} {{ from: {a}; to: {b} }}" for i, (a, b) in enumerate(flows(width, height))]
        async with client.post("/api/v1/intent/compile", json={"source": "\n".join(statements), "name": "grid"}) as response:
            compiled = await response.json()
        async with client.post("/api/v1/deploy/execute", json={"compile_id": compiled["id"]}, headers={"Prefer": "wait=60"}) as response:
            assert response.status in (200, 202), await response.text()
        context = await chrome.new_context(viewport=WINDOW)
        page = await signed(context, hub)
        many = width * height > 400
        await expect(page.locator("canvas" if many else "[data-link]:not([data-utilization=''])").first).to_be_attached(timeout=60_000)
        await page.wait_for_timeout(3000)
        if many:
            found = await page.evaluate(SWEEP, 5)
        else:
            share, changed = await live_price(chrome, page)
            found = {"share": share, "changed": changed, "events": await ways_to_the_screen(page, client)}
        await context.close()
        return dict(found)


async def main() -> None:
    """Measure, print, write."""
    results: dict[str, Any] = {"pages": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with browser() as chrome:
            async with running(folder / "demo", "--demo") as hub:
                await asyncio.sleep(5)
                for view in SIGNED_IN:
                    visits = [await first_visit(chrome, hub, view.path) for _ in range(3)]
                    results["pages"][view.name] = {"painted": statistics.median(ms for ms, _ in visits), "bytes": visits[0][1]}
            results["live"] = await on_a_grid(chrome, folder / "live", 15, 11)
            results["crowd"] = await on_a_grid(chrome, folder / "crowd", 40, 25)
    show(results)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "pages.json").write_text(json.dumps(results, indent=1))


def show(results: dict[str, Any]) -> None:
    """Print the table."""
    print("| | measured | aim |\n|---|---|---|")
    for name, found in results["pages"].items():
        print(f"| {name}: shown after, bytes | {found['painted']:.0f} ms, {found['bytes'] / 1000:.0f} kB | 1,000 ms, 400 kB |")
    live, crowd = results["live"], results["crowd"]
    events = live["events"]
    print(f"| live, {live['changed']} links changing | {100 * live['share']:.0f} % of a core | 25 % |")
    print(f"| asked for to painted, median / worst of {len(events)} | {statistics.median(events):.0f} / {events[-1]:.0f} ms | 150 ms |")
    print(f"| 1,000 nodes zoomed: frames, longest | {crowd['rate']:.0f} /s, {crowd['longest']:.0f} ms | 30 /s |")


if __name__ == "__main__":
    asyncio.run(main())
