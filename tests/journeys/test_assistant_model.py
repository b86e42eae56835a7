"""The assistant's page with a real small language model: it speaks word by word, can be stopped, and when it dies the assistant goes on."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.journeys.hub import Hub, running
from tests.journeys.test_browser import SOON, page, sign_in
from tests.paranet.agent.small_model import LONG, SmallModel, serving

__all__ = ["page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]
READS_FIRST = 40_000
"""ms; the model reads what it is told about itself before its first word"""


class Served:
    """The model, for all tests of this file: what it has read once it need not read again. One of them kills it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._model: SmallModel | None = None

    def alive(self) -> SmallModel:
        """Return a model that serves."""
        if self._model is None or self._model.process.poll() is not None:
            self._model = self._stack.enter_context(serving())
        return self._model


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Nobody yet."""
    with ExitStack() as stack:
        yield Served(stack)


@pytest.fixture
def model(served: Served) -> SmallModel:
    """The model."""
    return served.alive()


@pytest.fixture
async def talkative(tmp_path: Path, model: SmallModel) -> AsyncIterator[Hub]:
    """A hub with the demo whose assistant has the model, and lets it talk for a minute."""
    variables = {"PARANET_AGENT_BASE_URL": model.url, "PARANET_AGENT_MODEL": "smollm2", "PARANET_AGENT_MAX_TOKENS": "2000"}
    async with running(tmp_path / "data", "--demo", **variables) as started:
        yield started


async def _begun(page: Page, hub: Hub) -> Locator:
    """Ask for a story; return the answer under way once it has some words, and once it has more."""
    await sign_in(page, hub, hub.password)
    await page.get_by_role("link", name="Assistant").click()
    message = page.get_by_label("Message")
    await message.fill(LONG)
    await message.press("Enter")
    answer = page.locator(".answer.under-way p")
    await expect(answer).not_to_have_text("Thinking…", timeout=READS_FIRST)
    first = await answer.inner_text()
    await expect(answer).not_to_have_text(first, timeout=SOON)
    assert (await answer.inner_text()).startswith(first)
    return answer


async def test_it_speaks_word_by_word_in_every_tab_and_can_be_stopped(page: Page, talkative: Hub) -> None:
    """A second tab reads along; what had been said stays when it is stopped, and the next message is taken."""
    answer = await _begun(page, talkative)
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Assistant").click(modifiers=["Control"])
    second = await opened.value
    await second.get_by_role("button", name=LONG).click()
    along = second.locator(".answer.under-way p")
    await expect(along).to_contain_text((await answer.inner_text())[:60], timeout=SOON)
    await page.get_by_role("button", name="Cancel").click()
    for tab in (page, second):
        await expect(tab.locator(".answer.done p")).to_contain_text("Stopped.", timeout=SOON)
    kept = await page.locator(".answer.done p").inner_text()
    assert await second.locator(".answer.done p").inner_text() == kept
    await expect(page.get_by_role("button", name="Send")).to_be_visible()


async def test_when_it_dies_in_mid_answer_the_assistant_answers_without_it(page: Page, talkative: Hub, model: SmallModel) -> None:
    """It says so, and the next wish becomes a proposal all the same."""
    await _begun(page, talkative)
    model.process.kill()
    await expect(page.locator(".answer.done")).to_contain_text("Answered without the language model", timeout=SOON)
    message = page.get_by_label("Message")
    await message.fill("connect madrid to vienna")
    await message.press("Enter")
    await expect(page.get_by_role("article", name="Proposal")).to_contain_text("Proven", timeout=3 * SOON)
    await expect(page.locator(".answer.done").last).to_contain_text("Answered without the language model")
