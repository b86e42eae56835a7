"""A real small model on the wire: what it says is of no use, how it says it is what endpoints really do."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs
import pytest

from paranet.agent.provider import Delta, ModelFailed, OpenAIModel, Usage
from paranet.agent.tools import Tool
from paranet.agent.turn import converse
from tests.paranet.agent.small_model import LONG, SmallModel, serving

STORY = [{"role": "user", "content": LONG}]
FREE_WITHIN = 20.0
"""seconds; the story alone would take the model more than a minute"""


class Size(StrEnum):
    BIG = "big"
    SMALL = "small"


@attrs.frozen(kw_only=True)
class City:
    size: Size
    coast: bool


@attrs.frozen(kw_only=True)
class FindNodes:
    query: str


async def _found(wanted: FindNodes) -> object:
    return [wanted.query]


FIND = Tool(name="find_nodes", purpose="Find nodes by name", arguments=FindNodes, run=_found)


@pytest.fixture(scope="module")
def served() -> Iterator[SmallModel]:
    """The model, for all tests of this file."""
    with serving() as model:
        yield model


def client(served: SmallModel, *, max_tokens: int) -> OpenAIModel:
    return OpenAIModel(base_url=served.url, model="smollm2", key=None, timeout=30.0, max_tokens=max_tokens)


@pytest.fixture
async def brief(served: SmallModel) -> AsyncIterator[OpenAIModel]:
    """A client that lets it say little."""
    model = client(served, max_tokens=40)
    yield model
    await model.close()


@pytest.fixture
async def wordy(served: SmallModel) -> AsyncIterator[OpenAIModel]:
    """A client that lets it talk for minutes."""
    model = client(served, max_tokens=3000)
    yield model
    await model.close()


async def test_an_answer_comes_piece_by_piece_and_tells_its_cost(brief: OpenAIModel) -> None:
    """A delta for every token, then how many there were."""
    parts = [part async for part in brief.stream(STORY)]
    deltas = [p for p in parts if isinstance(p, Delta)]
    (usage,) = [p for p in parts if isinstance(p, Usage)]
    assert usage.completion == 40
    assert 20 < len(deltas) <= 40
    assert usage.prompt > 10


async def test_an_answer_by_schema_is_of_the_class(served: SmallModel) -> None:
    """Whatever it thinks of the city."""
    model = client(served, max_tokens=200)
    city = await model.structured([{"role": "user", "content": "Is Lisbon a big city?"}], City)
    assert isinstance(city, City)
    assert city.size in tuple(Size)
    await model.close()


async def test_a_tool_is_called_as_its_class_declares_it_and_its_result_is_taken(served: SmallModel) -> None:
    """The call streams in pieces; when the model has been told the result it goes on in words."""
    model, told = client(served, max_tokens=60), list[Mapping[str, Any]]()

    async def emit(event: Mapping[str, Any]) -> None:
        told.append(event)

    call = '<tool_call>\n{"name": "find_nodes", "arguments": {"query": "milan"}}\n</tool_call>'
    messages = [
        {"role": "system", "content": "Answer with a tool call and nothing else."},
        {"role": "user", "content": f"Say: {call}"},  # so small a model would not come upon it
    ]
    spoken = await converse(model, messages, {FIND.name: FIND}, _nothing_wrong, emit)
    assert [e["name"] for e in told if e["kind"] == "tool"][:1] == ["find_nodes"]
    assert json.loads(next(e["detail"] for e in told if e["kind"] == "tool")) == {"query": "milan"}
    assert spoken.text
    assert spoken.tokens > 100
    await model.close()


async def _nothing_wrong(_source: str) -> Sequence[str]:
    return ()


async def test_a_stopped_answer_leaves_the_model_free(wordy: OpenAIModel, brief: OpenAIModel) -> None:
    """It has one place: the next one who asks is answered, and not when the story would have been over."""
    stream = wordy.stream(STORY)
    await anext(stream)
    await stream.aclose()
    async with asyncio.timeout(FREE_WITHIN):
        assert [part async for part in brief.stream(STORY)]


async def test_a_cancelled_task_leaves_the_model_free(wordy: OpenAIModel, brief: OpenAIModel) -> None:
    """As when a person presses stop."""
    speaking = asyncio.Event()

    async def listen() -> None:
        async for _ in wordy.stream(STORY):
            speaking.set()

    task = asyncio.create_task(listen())
    await speaking.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(FREE_WITHIN):
        assert [part async for part in brief.stream(STORY)]


async def test_a_model_that_dies_in_mid_stream_has_failed() -> None:
    """And so has one that is not there any more."""
    with serving() as served:
        model = client(served, max_tokens=3000)
        stream = model.stream(STORY)
        await anext(stream)
        served.process.kill()
        with pytest.raises(ModelFailed):
            async for _ in stream:
                pass
        with pytest.raises(ModelFailed):
            await anext(model.stream(STORY))
        await model.close()
