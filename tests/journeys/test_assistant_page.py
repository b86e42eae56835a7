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
    await page.reload()
    await expect(page.get_by_role("log")).to_contain_text("block ssh for guests", timeout=SOON)
    await page.get_by_role("button", name="Forget").click()
    await page.get_by_role("button", name="Confirm forget").click()
    await expect(page.get_by_role("heading", name="What do you want the network to do?")).to_be_visible()
    assert watch.complaints == []
