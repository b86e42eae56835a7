"""What a page shows once something has been done on it: taken by the screenshots beside the page as it opens.

A scene is found by what does not depend on the language. It changes nothing of the hub but what it leaves in a history.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import attrs
from playwright.async_api import Page, expect

FILE = Path(__file__).parent / "files" / "ten_cities.graphml"
LATER = 30_000
"""ms"""
SOURCE = "route video {\n  from: Stockholm\n  to: Paris\n  bandwidth: 20Mbps\n  avoid: berlin\n}\n"
BLOCKED = "route a { from: london; to: madrid }\nacl b { deny: { from: london; to: madrid }; at: paris }\n"
BROKEN = "route web { from: Amsterdam; to: viena }\n"
DROP = """(stage, [name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], name));
  const dropped = { dataTransfer: data, bubbles: true, cancelable: true };
  for (const type of ["dragover", "drop"]) stage.dispatchEvent(new DragEvent(type, dropped));
}"""
"""puts a file on the map, as a person's hand does: [its name, its bytes in base64]"""


@attrs.frozen
class Scene:
    """The page at *path* once *act* has been done; *print* shows it on paper."""

    path: str
    act: Callable[[Page], Awaitable[None]]
    print: bool = False


async def drop(page: Page, name: str, content: bytes) -> None:
    """Drop a file on the map."""
    await page.locator("#stage").evaluate(DROP, [name, base64.b64encode(content).decode()])


async def _a_node(page: Page) -> None:
    await page.locator('[data-node="frankfurt"]').click()
    folds = page.locator("#panel .more summary")
    await expect(folds).to_have_count(3, timeout=LATER)  # some come once the hub has said what is in them
    for fold in await folds.all():
        await fold.press("Enter")  # a click would look for where it is, and the panel moves
    await expect(page.locator("#panel .rows li").first).to_be_attached(timeout=LATER)


async def _a_cut_link(page: Page) -> None:
    await page.locator('[data-link="fra-zur"]').focus()
    await page.keyboard.press("Enter")


async def _editing(page: Page) -> None:
    await page.locator(".tools-top > button").click()
    await page.locator('[data-node="vienna"]').click()


async def _searching(page: Page) -> None:
    await page.locator("#tools [type=search]").fill("fra")


async def _files(page: Page) -> None:
    await page.locator("#tools summary").click()


async def _importing(page: Page) -> None:
    await drop(page, FILE.name, FILE.read_bytes())
    await expect(page.locator("dialog .difference dt").first).to_be_visible(timeout=LATER)


async def _import_refused(page: Page) -> None:
    await drop(page, "broken.json", b'{"nodes": [{"id": 7}]}')
    await expect(page.locator("dialog .problem")).to_be_visible(timeout=LATER)


async def _check(page: Page, source: str) -> None:
    await page.locator("textarea").fill(source)
    await page.keyboard.press("Control+Enter")


async def _proven(page: Page) -> None:
    await _check(page, SOURCE)
    await page.locator(".paths button").first.click(timeout=LATER)


async def _rows(page: Page) -> None:
    await _check(page, SOURCE)
    await expect(page.locator(".verdict")).to_be_visible(timeout=LATER)
    await page.locator("#result-devices").click()


async def _broken(page: Page) -> None:
    await _check(page, BROKEN)
    await expect(page.locator("#findings button").first).to_be_visible(timeout=LATER)


async def _witness(page: Page) -> None:
    await _check(page, BLOCKED)
    await page.locator(".witness > button").last.click(timeout=LATER)


async def _compared(page: Page) -> None:
    await page.locator("#result-history").click()
    for i in range(2):
        await page.locator(".history button[aria-pressed]").nth(i).click(timeout=LATER)
    await expect(page.locator(".comparison")).to_be_visible(timeout=LATER)


async def _chosen(page: Page, state: str) -> None:
    await page.locator(f'[data-deployment][data-state="{state}"]').first.click()
    await expect(page.locator(".head h1")).to_be_visible(timeout=LATER)


async def _gating(page: Page) -> None:
    await _chosen(page, "gating")


async def _rolled_back(page: Page) -> None:
    await _chosen(page, "rolled_back")


async def _succeeded(page: Page) -> None:
    await _chosen(page, "succeeded")
    await expect(page.locator(".plan summary")).not_to_have_count(0, timeout=LATER)


def _tab(name: str) -> Callable[[Page], Awaitable[None]]:
    async def act(page: Page) -> None:
        await page.locator(f"#tab-{name}").click()

    return act


async def _an_alert(page: Page) -> None:
    await page.locator("#tab-alerts").click()
    await page.locator('[data-alert][data-state="firing"]').first.click(timeout=LATER)
    await page.locator("button[aria-expanded]").click()


async def _a_rule(page: Page) -> None:
    await page.locator("#tab-rules").click()
    await page.locator("[data-rule] .item").first.click(timeout=LATER)
    await page.locator(".editor .actions button[type=button]").first.click()
    await expect(page.locator("article h2")).to_be_visible(timeout=LATER)


async def _five_minutes(page: Page) -> None:
    await page.locator(".toolbar button").first.click()


async def _own_query(page: Page) -> None:
    await page.locator("[name=promql]").fill("sum by (type) (rate(")
    await page.keyboard.press("Enter")
    await expect(page.locator('[data-panel="own"] .problem')).to_be_visible(timeout=LATER)


async def _a_proposal(page: Page) -> None:
    await page.locator("textarea").fill("connect london to vienna via frankfurt")
    await page.keyboard.press("Enter")
    await page.locator(".proposal .actions button").first.click(timeout=LATER)
    await page.locator(".proposal details summary").first.click(timeout=LATER)


async def _an_actor(page: Page) -> None:
    await page.locator('[data-path="telemetry"]').click()
    await expect(page.locator("#panel .numbers")).to_be_visible(timeout=LATER)


WAITS = [
    {"asker": asker, "job": "", "target": target, "answering": "", "message": message, "age": 1.5, "left": 3.5}
    for asker, target, message in (
        ("chat", "assistant", "Answer"),
        ("assistant", "intents", "Compile"),
        ("intents", "assistant", "Explain"),
    )
]
"""a ring, which the hub itself never lets come about"""


async def waits(page: Page) -> None:
    """Tell the page of actors that wait for each other."""
    body = json.dumps({"items": WAITS, "next": None})
    await page.route("**/api/v1/system/waits", lambda route: route.fulfill(content_type="application/json", body=body))
    await page.locator("#tab-waits").click()
    await expect(page.locator(".wait-graph")).to_be_visible(timeout=LATER)


async def _a_password(page: Page) -> None:
    await page.locator("[data-user] button").first.click()


async def _a_token(page: Page) -> None:
    await page.locator("[name=name]").fill("nightly")
    await page.locator("#tokens ~ form .primary").click()
    await expect(page.locator(".secret")).to_be_visible(timeout=LATER)


SCENES: Mapping[str, Scene] = {
    "network-node": Scene("/", _a_node),
    "network-cut": Scene("/", _a_cut_link),
    "network-edit": Scene("/", _editing),
    "network-search": Scene("/", _searching),
    "network-files": Scene("/", _files),
    "network-import": Scene("/", _importing),
    "network-refused": Scene("/", _import_refused),
    "intents-proven": Scene("/intents", _proven),
    "intents-rows": Scene("/intents", _rows),
    "intents-broken": Scene("/intents", _broken),
    "intents-witness": Scene("/intents", _witness),
    "intents-history": Scene("/intents", _compared),
    "deployments-gating": Scene("/deployments", _gating),
    "deployments-rolled-back": Scene("/deployments", _rolled_back),
    "deployments-leases": Scene("/deployments", _tab("leases")),
    "deployments-drift": Scene("/deployments", _tab("drift")),
    "deployments-print": Scene("/deployments", _succeeded, print=True),
    "monitor-alert": Scene("/monitor", _an_alert),
    "monitor-rule": Scene("/monitor", _a_rule),
    "monitor-log": Scene("/monitor", _tab("log")),
    "monitor-short": Scene("/monitor", _five_minutes),
    "monitor-query": Scene("/monitor", _own_query),
    "assistant-proposal": Scene("/assistant", _a_proposal),
    "operators-actor": Scene("/operators", _an_actor),
    "operators-letters": Scene("/operators", _tab("letters")),
    "operators-waits": Scene("/operators", waits),
    "operators-clients": Scene("/operators", _tab("clients")),
    "profile-token": Scene("/profile", _a_token),
    "users-password": Scene("/users", _a_password),
}
