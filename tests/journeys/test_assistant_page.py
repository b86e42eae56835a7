"""The assistant's page in a real browser: a sentence becomes a proposal, and a person deploys it."""

import pytest
from playwright.async_api import Page, expect

from tests.journeys.courier import Courier
from tests.journeys.hub import Hub
from tests.journeys.test_browser import SOON, Watch, page, sign_in

__all__ = ["page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]


async def test_a_proposal_is_looked_at_and_deployed(page: Page, hub: Hub) -> None:
    """A question back is answered by a button, the proposal previewed and deployed in two presses; a reload shows the conversation."""
    watch = Watch()
    watch.over(page)
    courier = Courier()
    await courier.between(page)
    await sign_in(page, hub, hub.password)
    await page.get_by_role("link", name="Assistant").click()
    message, proposal = page.get_by_label("Message"), page.get_by_role("article", name="Proposal")
    await message.fill("block ssh for guests")
    await message.press("Enter")
    await page.get_by_role("group", name="guests").get_by_role("button", name="london").click(timeout=SOON)
    await expect(proposal).to_contain_text("Proven", timeout=SOON)
    await proposal.get_by_role("button", name="Preview").click()
    await expect(proposal.get_by_text("ip.acl").first).to_be_attached()
    await proposal.get_by_role("button", name="Deploy", exact=True).click()
    await proposal.get_by_role("button", name="Confirm deploy").click()
    await expect(proposal).to_contain_text("Deployment: succeeded.", timeout=SOON)
    link = await proposal.get_by_role("link", name="Watch it").get_attribute("href")
    assert link is not None
    await courier.heard(type="unsub", ch=f"deploy/{link.partition('#')[2]}")
    await _read_above(page, courier)
    await page.reload()
    await expect(page.get_by_role("log")).to_contain_text("block ssh for guests", timeout=SOON)
    await _go_elsewhere_meanwhile(page, courier)
    await page.get_by_role("button", name="Forget").click()
    await page.get_by_role("button", name="Confirm forget").click()
    await expect(page.get_by_role("heading", name="What do you want the network to do?")).to_be_visible()
    assert watch.complaints == []
    await page.evaluate("location.hash = 'gone'")
    await expect(page.get_by_role("alert")).to_contain_text("there is no channel")


async def _read_above(page: Page, courier: Courier) -> None:
    """Whoever reads above is left there while an answer grows; whoever is at its end sees more of it."""
    log, channel = page.get_by_role("log"), f"chat/{page.url.partition('#')[2]}"

    async def grow(*items: object) -> None:
        courier.give({"type": "events", "ch": channel, "epoch": "e", "to": 0, "items": items})
        await courier.settled()

    async def scroll(top: int) -> None:
        await log.evaluate("(box, top) => void (box.scrollTop = top)", top)
        await courier.settled()

    below = "box => box.scrollHeight - box.clientHeight - box.scrollTop"
    delta = {"kind": "delta", "text": "more and " * 400}
    await grow({"kind": "user", "author": "admin", "text": "on"}, delta)
    assert await log.evaluate(below) < 1
    await scroll(0)
    await grow(delta)
    assert await log.evaluate("box => box.scrollTop") == 0
    await scroll(1_000_000)
    await grow(delta)
    assert await log.evaluate(below) < 1


async def _go_elsewhere_meanwhile(page: Page, courier: Courier) -> None:
    """What comes of a conversation that one has left changes nothing in the other; older ones are listed once."""
    message, talks = page.get_by_label("Message"), page.get_by_role("navigation", name="Conversations").get_by_role("listitem")
    courier.keep("chat.list")
    await page.get_by_role("button", name="New conversation").click()
    await message.fill("which nodes are down?")
    await message.press("Enter")
    newest = await courier.take("chat.list")
    second, first = newest["body"]["items"]
    courier.give(newest | {"body": {"items": [second], "next": "first"}})
    await page.get_by_role("button", name="Older ones").dblclick()
    for _ in range(2):
        answer = await courier.take("chat.list")
        courier.give({"type": "ok", "id": answer["id"], "status": 200, "body": {"items": [first], "next": None}})
    await courier.settled()
    assert await talks.count() == 2
    courier.let("chat.list")

    courier.keep("chat.say")
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await message.fill("which links lose packets?")
    await message.press("Enter")
    answer = await courier.take("chat.say")
    await talks.last.get_by_role("button").click()
    await message.fill("typed here")
    refusal = {"code": "too-many-requests", "detail": "at most 30 messages a minute", "errors": [], "retryable": True, "retry_ms": None}
    courier.give({"type": "error", "id": answer["id"], "error": refusal})
    await expect(page.get_by_role("alert")).to_contain_text("at most 30")
    await expect(message).to_have_value("typed here")

    courier.keep("chat.forget")
    await page.get_by_role("button", name="Forget").click()
    await page.get_by_role("button", name="Confirm forget").click()
    answer = await courier.take("chat.forget")
    await talks.first.get_by_role("button").click()
    courier.give(answer)
    await expect(talks).to_have_count(1)
    await expect(talks.get_by_role("button")).to_have_attribute("aria-current", "true")
    courier.let("chat.say")
    courier.let("chat.forget")
