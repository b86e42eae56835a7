"""The intents page in a real browser: an error is mended, a proof fails and is looked at, what is proven is deployed by a person."""

import pytest
from playwright.async_api import Page, expect

from tests.journeys.courier import Courier
from tests.journeys.hub import Hub
from tests.journeys.test_browser import SOON, Watch, page, sign_in

__all__ = ["page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]


async def _open(page: Page, hub: Hub, courier: Courier) -> Watch:
    watch = Watch()
    watch.over(page)
    await courier.between(page)
    await sign_in(page, hub, hub.password)
    await page.get_by_role("link", name="Intents").click()
    await expect(page.locator("[data-node]")).to_have_count(12, timeout=SOON)
    return watch


async def test_an_intent_is_mended_proven_and_deployed(page: Page, hub: Hub) -> None:
    """Findings lead to their place; nothing but what is proven can be deployed, in two presses; it shows in the history, page by page."""
    courier = Courier()
    watch = await _open(page, hub, courier)
    source, deploy = page.get_by_label("Source"), page.get_by_role("button", name="Deploy", exact=True)
    await source.press_sequentially("route mine { from: mad")
    await page.get_by_role("option", name="madrid").click()
    await expect(page.get_by_text("PN107")).to_be_visible()
    await source.press_sequentially("; to: viena }")
    await expect(page.get_by_text("PN209")).to_be_visible()
    await expect(page.get_by_text("PN107")).to_have_count(0)
    await expect(source).to_have_value("route mine { from: madrid; to: viena }")
    await page.keyboard.press("Control+Enter")
    await page.get_by_role("button", name="PN209").click()
    await expect(deploy).to_be_disabled()
    await page.keyboard.insert_text("vienna")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_text("Proven")).to_be_visible()
    await expect(page.locator("[data-way]")).to_have_count(1)
    await deploy.click()
    await page.get_by_role("button", name="Confirm deploy").click()
    await expect(page.get_by_text("Deployment: succeeded.")).to_be_visible(timeout=SOON)
    await courier.heard(type="unsub", ch=await _followed(page))
    await page.get_by_role("tab", name="History").click()
    compare, comparison = page.get_by_role("button", name="Compare"), page.get_by_role("region", name="Comparison")
    await compare.nth(0).click()
    await compare.nth(1).click()
    await expect(comparison).to_contain_text("+route mine { from: madrid; to: vienna }")
    await _pick_others_meanwhile(page, courier)
    await _press_older_twice(page, courier)
    await _deploy_one_after_another(page, courier)
    assert watch.complaints == []


async def _followed(page: Page) -> str:
    """Return the channel of the deployment that the page tells of."""
    link = await page.get_by_role("link", name="Watch it").get_attribute("href")
    assert link is not None
    return f"deploy/{link.partition('#')[2]}"


async def _pick_others_meanwhile(page: Page, courier: Courier) -> None:
    """A comparison that comes when others are picked is not shown."""
    compare = page.get_by_role("button", name="Compare")
    await compare.nth(1).click()
    courier.keep("intent.compare")
    await compare.nth(1).click()
    answer = await courier.take("intent.compare")
    courier.let("intent.compare")
    await compare.nth(1).click()
    courier.give(answer)
    await courier.settled()
    assert await page.get_by_role("region", name="Comparison").count() == 0


async def _press_older_twice(page: Page, courier: Courier) -> None:
    """What the history goes on with is there once."""
    opens = page.get_by_role("button", name="Open", exact=True)
    courier.keep("intent.history")
    await page.get_by_role("button", name="Check").click()
    newest = await courier.take("intent.history")
    first, second, *_ = newest["body"]["items"]
    courier.give(newest | {"body": {"items": [first], "next": "second"}})
    await page.get_by_role("tab", name="History").click()
    await page.get_by_role("button", name="Older ones").dblclick()
    for _ in range(2):
        answer = await courier.take("intent.history")
        courier.give({"type": "ok", "id": answer["id"], "status": 200, "body": {"items": [second], "next": None}})
    await courier.settled()
    assert await opens.count() == 2
    courier.let("intent.history")


async def _deploy_one_after_another(page: Page, courier: Courier) -> None:
    """The page tells of the later one, though the first is under way: what comes of that would hide whether the later one was refused."""
    courier.muted = "deploy/"
    deploy, confirm = page.get_by_role("button", name="Deploy", exact=True), page.get_by_role("button", name="Confirm deploy")
    await deploy.click()
    await confirm.click()
    earlier = await _followed(page)
    await courier.heard(type="sub", ch=earlier)
    courier.keep("deploy.execute")
    await deploy.click()
    await confirm.click()
    await courier.heard(type="unsub", ch=earlier)
    courier.give(await courier.take("deploy.execute"))
    await expect(page.get_by_role("link", name="Watch it")).not_to_have_attribute("href", f"/deployments#{earlier.removeprefix('deploy/')}")


async def test_a_sentence_fills_the_editor_and_a_witness_is_played(page: Page, hub: Hub) -> None:
    """A question back is answered by a button; what the proof objects to is shown hop by hop; a conflict is told in Chinese."""
    courier = Courier()
    watch = await _open(page, hub, courier)
    source = page.get_by_label("Source")
    await page.get_by_label("Say what you want").fill("connect london to paris via madridd")
    await page.keyboard.press("Enter")
    await expect(source).to_have_value("route london-paris { from: london; to: paris; via: madrid }\n")
    await source.fill("route a { from: london; to: madrid }\nacl b { deny: { from: london; to: madrid }; at: paris }\n")
    await page.get_by_role("button", name="Check").click()
    await expect(page.get_by_text("Not proven.")).to_be_visible()
    await expect(page.get_by_role("button", name="Deploy", exact=True)).to_be_disabled()
    await page.get_by_role("button", name="Play").click()
    await expect(page.get_by_role("group", name="Witness").locator("[aria-current]")).to_have_text("paris")
    await _write_on_while_it_is_checked(page, courier)
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_role("button", name="检查")).to_be_visible()
    courier.keep("intent.preview")
    await page.get_by_role("tab", name="历史").click()
    await page.get_by_role("button", name="打开").first.click()
    preview = await courier.take("intent.preview")
    courier.give(preview | {"body": preview["body"] | {"conflict": "london: ip.route belongs to another set"}})
    await expect(page.get_by_text("表项属于其他部署：london")).to_be_visible()
    assert watch.complaints == []


async def _write_on_while_it_is_checked(page: Page, courier: Courier) -> None:
    """What comes back is taken for what it was made of: no other set is deployed, and no other text marked. One thing is done at a time."""
    source, name = page.get_by_label("Source"), page.get_by_label("Set", exact=True)
    check, deploy = page.get_by_role("button", name="Check"), page.get_by_role("button", name="Deploy", exact=True)
    findings = page.get_by_role("list", name="Findings")
    courier.keep("intent.compile")
    await source.fill("route a { from: london; to: madrid }\n")
    await name.fill("before")
    await check.click()
    await name.fill("after")
    courier.give(await courier.take("intent.compile"))
    await expect(page.get_by_text("Proven: every promise holds.")).to_be_visible()
    await expect(check).to_be_enabled()
    await expect(deploy).to_be_disabled()
    await name.fill("before")
    await expect(deploy).to_be_enabled()

    await source.fill("route a { from: london; to: viena }\n")
    await check.click()
    await source.fill("route a { from: london; to: madridd }\n")
    await expect(findings).to_contain_text("madridd")
    courier.give(await courier.take("intent.compile"))
    await expect(check).to_be_enabled()
    await expect(findings).not_to_contain_text("viena")
    await expect(findings).to_contain_text("madridd")
    courier.let("intent.compile")
    await source.fill("route a { from: london; to: parris }\n")
    await page.get_by_role("button", name="Format").click()
    await expect(findings).to_contain_text("parris")

    courier.keep("intent.preview")
    await page.get_by_role("tab", name="History").click()
    opens = page.get_by_role("button", name="Open", exact=True)
    await opens.first.click()
    await expect(opens.last).to_be_disabled()
    courier.give(await courier.take("intent.preview"))
    await expect(check).to_be_enabled()
    courier.let("intent.preview")
