"""Pieces of the pages in a real browser without a hub: the test answers their questions and turns the clock, so that slow is slow."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from hub.web.views import STATIC
from tests.journeys.test_browser import SOON, chromium

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NOW = 1_795_878_000_000
"""UNIX ms, 2026-11-28 at 15:00 UTC"""
IMPORTS = re.search(r"\{\"imports\".*\}\}", (STATIC.parent / "templates" / "page.html").read_text())
FAKE = """async () => {
  Object.assign(window, await import("htm/preact"), { asked: [], heard: {} });
  const ask = (method, params) =>
    new Promise((resolve, reject) => asked.push({ method, params, resolve: (body) => resolve({ body }), reject }));
  const subscribe = (channel, listener) => ((heard[channel] = listener), () => {});
  window.shell = { live: true, operates: true, client: Object.assign(new EventTarget(), { ask, subscribe }) };
  window.show = (tree) => render(tree, document.querySelector("main"));
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all of them: starting it takes longer than a test."""
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def parts(browser: Browser) -> AsyncIterator[Page]:
    """An empty page with the scripts: `show(tree)` draws, `asked` has the questions that its `shell` was asked. Its clock stands."""
    page = await browser.new_page()
    page.set_default_timeout(SOON)
    await page.route("**/*", _serve)
    await page.clock.install(time=NOW / 1000)
    await page.goto("http://parts.test/")
    await page.evaluate(FAKE)
    await page.clock.pause_at(NOW / 1000 + 1)
    yield page
    await page.close()


async def _serve(route: Route) -> None:
    path = urlsplit(route.request.url).path
    if path.startswith("/static/"):
        await route.fulfill(path=STATIC / path.removeprefix("/static/"))
    elif path.startswith("/api/"):
        await route.fulfill(status=502, content_type="text/html", body="<html><h1>Bad Gateway</h1></html>")
    else:
        assert IMPORTS is not None
        body = f'<!doctype html><html lang="en"><script type="importmap">{IMPORTS[0]}</script><main></main>'
        await route.fulfill(content_type="text/html", body=body)


async def _later(page: Page, ms: int = 300) -> None:
    """Turn the clock on, so that what is due in between is done; 300 ms draw, and are enough for whoever types."""
    await page.clock.run_for(ms)


async def _asked(page: Page, name: str = "") -> list[dict[str, Any]]:
    """Return the questions so far, of one operation or all."""
    asked = json.loads(await page.evaluate("JSON.stringify(asked)"))
    return [question for question in asked if name in question["method"]]


async def _answer(page: Page, at: int, body: object) -> None:
    """Answer the question at an index, and draw."""
    await page.evaluate("([at, body]) => asked.at(at).resolve(body)", [at, body])
    await _later(page)


async def test_a_slow_answer_is_shown_and_asked_for_again_after_it(parts: Page) -> None:
    """An answer that takes longer than the period is not outdated by the next question, which waits; nor where the params move on."""
    await parts.evaluate("""async () => {
      const { useAsked } = await import("/static/watch-parts.js");
      const Probe = ({ at }) => {
        const every = useAsked(shell, "every", {}, { every: 3000 });
        const moving = useAsked(shell, "moving", { at }, { moving: true });
        const chosen = useAsked(shell, "chosen", { at });
        return html`<p>${every.body} ${moving.body} ${chosen.body ?? "nothing"}</p>`;
      };
      window.at = (at) => show(html`<${Probe} at=${at} />`);
      at(1);
    }""")
    for at in (2, 3):
        await _later(parts, 5_000)
        await parts.evaluate(f"at({at})")
    await _later(parts)
    asked = [(question["method"], question["params"].get("at")) for question in await _asked(parts)]
    assert asked == [("every", None), ("moving", 1), ("chosen", 1), ("chosen", 2), ("chosen", 3)]
    for at, body in enumerate(("old", "older", "outdated")):
        await _answer(parts, at, body)
    await expect(parts.locator("p")).to_have_text("old older nothing")
    asked = [(question["method"], question["params"].get("at")) for question in await _asked(parts)]
    assert asked[5:] == [("every", None), ("moving", 3)]
    await _answer(parts, 4, "chosen")
    await _answer(parts, 6, "new")
    await expect(parts.locator("p")).to_have_text("old new chosen")


async def test_charts_wait_for_slow_answers_but_not_for_another_range(parts: Page) -> None:
    """While a panel waits the clock asks for nothing more; whoever chooses a range does, and never sees the answer of the one before."""
    await parts.evaluate("""async () => {
      const { Charts } = await import("/static/monitor-charts.js");
      show(html`<${Charts} shell=${shell} query="up" onQuery=${() => {}} live=${true} />`);
    }""")
    await _later(parts, 10_000)
    first = await _asked(parts, "monitor.metrics")
    assert len(first) == 7  # of five panels
    start, end = first[0]["params"]["start"], first[0]["params"]["end"]
    await parts.get_by_role("button", name="7d").click()
    await _later(parts)
    assert len(await _asked(parts, "monitor.metrics")) == 14
    own = parts.locator('[data-panel="own"]')
    body = {"series": [{"metric": {"node": "r1"}, "points": [[end, 1]]}], "warnings": []}
    answer = "([query, start, body]) => asked.find(({ params }) => params.query === query && (params.start < start)).resolve(body)"
    await parts.evaluate(answer, ["up", start + 1, body])
    await _later(parts)
    await expect(own).to_have_attribute("aria-busy", "true")
    await parts.evaluate(answer, ["up", start, body])
    await _later(parts)
    await expect(own).to_have_attribute("data-series", "1")


async def test_what_is_under_way_is_not_done_twice(parts: Page) -> None:
    """Two presses within a round trip are one order; when it fails it can be given again. Whoever has left is not led anywhere."""
    await parts.evaluate("""async () => {
      const { useAct } = await import("/static/watch-parts.js");
      const Form = () => {
        const [note, act] = useAct(shell, "form");
        const make = () => act("make", {}, "done", () => (window.led = true));
        return html`<button onClick=${make}>Make</button><p>${note?.text ?? note?.error.message}</p>`;
      };
      show(html`<${Form} />`);
    }""")
    button = parts.get_by_role("button", name="Make")
    await button.dblclick()
    assert len(await _asked(parts)) == 1
    await parts.evaluate("asked[0].reject(new Error('refused'))")
    await expect(parts.locator("p")).to_have_text("refused", timeout=SOON)
    await button.dblclick()
    assert len(await _asked(parts)) == 2
    await parts.evaluate("show(null)")
    await _answer(parts, 1, {})
    assert await parts.evaluate("window.led === undefined")


async def test_the_list_of_deployments_has_no_holes(parts: Page) -> None:
    """What a filter found far back goes with it, also what comes too late; and what was found does not outlast a new snapshot."""
    await parts.evaluate("""async () => {
      const { Deployments, List } = await import("/static/deployments-list.js");
      const item = (i) => ({ deploy_id: String(i).padStart(4, "0"), state: "succeeded", author: i % 100 ? "bob" : "alice", devices: 1 });
      window.items = (from, to) => Array.from({ length: from - to + 1 }, (_, i) => item(from - i));
      window.deployments = new Deployments();
      window.draw = () => show(html`<${List} ...${{ shell, deployments, onSelect() {} }} moved=${deployments.moved} live=${true} />`);
      deployments.replace(items(500, 401));
      draw();
    }""")
    rows = parts.locator("[data-deployment]")
    last, older, by = rows.last, parts.get_by_role("button", name="Older"), parts.get_by_label("By")
    await by.fill("alice")
    await _later(parts)
    await _answer(
        parts, -1, {"items": [{"deploy_id": f"0{i}00", "state": "failed", "author": "alice", "waves": []} for i in (3, 2)], "next": None}
    )
    await expect(rows).to_have_count(3)
    await by.fill("")
    await expect(rows).to_have_count(100)
    await by.fill("alice")
    await _later(parts)
    await by.fill("")
    await parts.evaluate("asked.at(-1).resolve({ items: items(200, 200), next: null })")
    await _later(parts)
    await expect(rows).to_have_count(100)
    await older.click()
    assert (await _asked(parts))[-1]["params"] == {"limit": 50, "cursor": "0401"}
    await parts.evaluate("asked.at(-1).resolve({ items: items(400, 351), next: '0351' })")
    await expect(last).to_have_attribute("data-deployment", "0351", timeout=SOON)
    await parts.evaluate("deployments.replace([...items(600, 501), { ...items(100, 100)[0], state: 'gating' }]); draw()")
    await _later(parts)
    await expect(rows).to_have_count(101)
    await parts.evaluate("deployments.change(items(100, 100)); draw()")
    await older.click()
    assert (await _asked(parts))[-1]["params"] == {"limit": 50, "cursor": "0501"}


async def test_a_deployment_of_very_many_entries_is_shown_whole(parts: Page) -> None:
    """What the cut log no longer has is still known of devices and gates; and the time that is left runs while nothing is told."""
    await parts.evaluate("""async () => {
      const { DeploymentView } = await import("/static/deployments-view.js");
      const now = Date.now();
      const summary = { deploy_id: "d", state: "gating", author: "ann", percent: 50, started_at: now, ended_at: null, eta: now + 90_000 };
      show(html`<${DeploymentView} id="d" ...${{ shell, summary, onSelect() {} }} />`);
    }""")
    await _later(parts)
    devices = [{"node": node, "state": "planned", "message": ""} for node in ("r1", "r2")]
    await parts.evaluate(
        "(waves) => asked.find(({ method }) => method === 'deploy.status').resolve({ waves })", [{"index": 0, "devices": devices}]
    )
    await parts.evaluate("""() => {
      const event = (seq, more) => ({ seq, at: 1, state: "gating", wave: 0, device: null, step: null, percent: 1, message: "", ...more });
      const first = [event(1, { device: "r1", step: "committed" }), event(2), event(3, { state: "committing", at: 8 })];
      const many = Array.from({ length: 20_000 }, (_, i) => event(4 + i, { state: "committing", device: "r2", step: "staged" }));
      heard["deploy/d"].onEvents([...first, ...many]);
    }""")
    await _later(parts)
    await expect(parts.locator('[data-device="r1"]')).to_have_attribute("data-step", "committed")
    await expect(parts.locator('[data-device="r2"]')).to_have_attribute("data-step", "staged")
    await expect(parts.locator(".gates li")).to_have_count(1)
    await expect(parts.locator(".gates")).to_contain_text("passed")
    left = parts.get_by_text("about")
    before = await left.text_content()
    await _later(parts, 3_000)
    await expect(left).not_to_have_text(before or "")


async def test_a_chart_says_which_day_begins(parts: Page) -> None:
    """Ticks are times of day, but a day where one begins."""
    week, night, close = await parts.evaluate("""async () => {
      const { stamps } = await import("/static/monitor-chart.js");
      const day = new Date(2026, 10, 28) / 1000;
      return [[day, day + 86_400], [day - 3600, day, day + 3600], [day + 1, day + 6]].map(stamps);
    }""")
    assert week == ["28 Nov", "29 Nov"]
    assert night == ["23:00", "28 Nov", "01:00"]
    assert close == ["00:00:01", "00:00:06"]


async def test_the_error_page_of_a_proxy_is_told_by_its_status(parts: Page) -> None:
    """What stands before the hub answers in HTML; nobody is helped by the place where that is no JSON."""
    told = await parts.evaluate("""async () => {
      const { Rest } = await import("/static/rest.js");
      return new Rest({}).get("/x").catch((error) => [error.message, error.status]);
    }""")
    assert told == ["HTTP 502", 502]
