"""One turn with a language model: it speaks, uses tools, writes source, and repairs what does not compile."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import attrs

from paranet.agent.prompts import REPAIR
from paranet.agent.provider import Delta, Model, ModelFailed, ToolCall, Usage
from paranet.agent.tools import Tool, as_data, declared, use

ROUNDS = 12
"""times that the model may be asked in one turn"""
CALLS = 16
"""tools that it may use in one turn"""
REPAIRS = 3
GATHER = 0.03
"""seconds that pieces of an answer are gathered for, once one has been heard; the first never waits"""
_BLOCK = re.compile(r"```(?:pn|paranet|intent)?[ \t]*\n(.*?)```", re.DOTALL)

Emit = Callable[[Mapping[str, Any]], Awaitable[None]]
Check = Callable[[str], Awaitable[Sequence[str]]]
"""returns what is wrong with a source; nothing when it compiles"""


@attrs.frozen(kw_only=True)
class Spoken:
    """What the model came to: its words, the source in them (which compiles) and what it cost in tokens."""

    text: str
    source: str | None
    tokens: int


async def converse(model: Model, messages: Sequence[Mapping[str, Any]], tools: Mapping[str, Tool], check: Check, emit: Emit) -> Spoken:
    """Return the model's answer to *messages*. Raise ModelFailed when it comes to nothing that can be used."""
    talk, cost = list(messages), list[int]()
    try:
        text, source = await _led(model, talk, tools, check, emit, cost)
    except ModelFailed as failed:
        failed.tokens = sum(cost)
        raise
    return Spoken(text=text, source=source, tokens=sum(cost))


async def _led(
    model: Model, talk: list[Mapping[str, Any]], tools: Mapping[str, Tool], check: Check, emit: Emit, cost: list[int]
) -> tuple[str, str | None]:
    """Return words and source, after as many rounds as it takes; what each costs is appended to *cost*."""
    offered = [declared(tool) for tool in tools.values()]
    used = repairs = 0
    for _ in range(ROUNDS):
        text, calls = await _listen(model, talk, offered, emit, cost)
        if calls:
            used += len(calls)
            if used > CALLS:
                raise ModelFailed(f"more than {CALLS} tool calls")
            talk += await _tools_used(text, calls, tools, emit)
            continue
        if not text.strip():
            raise ModelFailed("an empty answer")
        blocks = _BLOCK.findall(text)
        source = blocks[-1].strip() + "\n" if blocks else None
        faults = await check(source) if source else ()
        if not faults:
            return text, source
        if repairs == REPAIRS:
            raise ModelFailed(f"its source does not compile after {REPAIRS} repairs: {faults[0]}")
        repairs += 1
        await emit({"kind": "tool", "name": "repair", "detail": list(faults[:3])})
        talk += [{"role": "assistant", "content": text}, {"role": "user", "content": REPAIR.format(diagnostics=as_data(list(faults[:8])))}]
    raise ModelFailed(f"no answer after {ROUNDS} rounds")


async def _listen(
    model: Model, talk: list[Mapping[str, Any]], offered: list[dict[str, Any]], emit: Emit, cost: list[int]
) -> tuple[str, list[ToolCall]]:
    """Return what the model says in one answer. It is listened to now and then only: the socket gathers what comes meanwhile."""
    text, calls = "", list[ToolCall]()
    async with aclosing(model.stream(talk, offered)) as stream:
        async for part in stream:
            if isinstance(part, Delta):
                text += part.text
                await emit({"kind": "delta", "text": part.text})
                await asyncio.sleep(GATHER)
            elif isinstance(part, Usage):
                cost.append(part.prompt + part.completion)
            else:
                calls.append(part)
    return text, calls


async def _tools_used(text: str, calls: Sequence[ToolCall], tools: Mapping[str, Tool], emit: Emit) -> list[dict[str, Any]]:
    """Use the tools; return what the model is to be shown."""
    wanted = [{"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in calls]
    shown: list[dict[str, Any]] = [{"role": "assistant", "content": text or None, "tool_calls": wanted}]
    for call in calls:
        await emit({"kind": "tool", "name": call.name, "detail": call.arguments[:500]})
        shown.append({"role": "tool", "tool_call_id": call.id, "content": await use(tools, call.name, call.arguments)})
    return shown
