"""Answering with a language model: the tools it gets, what it is shown of the conversation, and the way back when it fails."""

import logging
from collections.abc import Sequence

import attrs

from actors.answering import Answer, Asked, Emit, answer_offline, conclude
from actors.conversations import ASSISTANT, Said
from actors.intents import Diagnose
from actors.runtime import ActorSystem
from actors.toolbox import Toolbox
from paranet.agent.prompts import SUMMARY, SYSTEM
from paranet.agent.provider import Model, ModelFailed
from paranet.agent.telling import language_of, say
from paranet.agent.tools import as_data
from paranet.agent.turn import converse
from paranet.codec import unstructure

log = logging.getLogger(__name__)

ASK = 15.0
MOST = 20
"""nodes and series that a tool shows"""


@attrs.frozen(kw_only=True)
class Summary:
    summary: str


class Helper:
    """Answers with *model*; without one, or when it fails, offline. *context* is how many characters of history it is shown."""

    def __init__(self, system: ActorSystem, model: Model | None, context: int) -> None:
        self._system = system
        self._model = model
        self._context = context

    async def __call__(self, asked: Asked, before: tuple[Said, ...], emit: Emit) -> Answer:
        """Answer one message of a conversation."""
        if self._model is None:
            return await answer_offline(self._system, asked, emit)
        try:
            return await self._with_model(self._model, asked, before, emit)
        except ModelFailed as failed:
            log.warning("the language model did not help: %s", failed)
            note = say(asked.language or language_of(asked.text))["chat"]["fallback"].format(about=failed)
            await emit({"kind": "delta", "text": f"\n{note}\n"})
            found = await answer_offline(self._system, asked, emit)
            return attrs.evolve(found, reply=f"{note}\n{found.reply}", fallback=str(failed), tokens=failed.tokens)

    async def _with_model(self, model: Model, asked: Asked, before: tuple[Said, ...], emit: Emit) -> Answer:
        messages = [{"role": "system", "content": SYSTEM}, *await self._history(model, before), {"role": "user", "content": asked.text}]
        proposals: list[Answer] = []
        tools = {tool.name: tool for tool in Toolbox(self._system, asked, proposals).tools()}
        spoken = await converse(model, messages, tools, self._check, emit)
        language = asked.language or language_of(asked.text)
        if spoken.source is None or (proposals and proposals[-1].source == spoken.source):
            concluded = proposals[-1] if proposals else Answer(reply="")
        else:
            concluded = await conclude(self._system, asked, spoken.source, None, language)
        if concluded.reply:
            await emit({"kind": "delta", "text": f"\n{concluded.reply}"})
        if concluded.proposal is not None:
            await emit({"kind": "proposal", **unstructure(concluded.proposal)})
        reply = f"{spoken.text}\n{concluded.reply}".strip()
        return attrs.evolve(concluded, reply=reply, source=spoken.source or concluded.source, tokens=spoken.tokens)

    async def _history(self, model: Model, before: Sequence[Said]) -> list[dict[str, str]]:
        """Return the conversation so far; what is older than fits is summarised, by the model if it can."""
        room, kept = self._context, list[Said]()
        for said in reversed(before):
            room -= len(said.text)
            if room < 0:
                break
            kept.insert(0, said)
        older = before[: len(before) - len(kept)]
        shown = [{"role": "assistant" if s.author == ASSISTANT else "user", "content": s.text} for s in kept]
        if not older:
            return shown
        text = "\n".join(f"{s.author}: {s.text[:400]}" for s in older)[-self._context :]
        try:
            told = await model.structured([{"role": "system", "content": SUMMARY}, {"role": "user", "content": as_data(text)}], Summary)
            summary = told.summary
        except ModelFailed:
            summary = "; ".join(s.text[:120] for s in older if s.author != ASSISTANT)[-2000:]
        return [{"role": "user", "content": f"Earlier in this conversation: {as_data(summary)}"}, *shown]

    async def _check(self, source: str) -> Sequence[str]:
        found = await self._system.ref("intents").ask(Diagnose(source=source, name=None), timeout=ASK)
        faults = [d for d in found if d.severity == "error"]
        return [f"line {d.span.line}: {d.message}" + (f" ({d.hint})" if d.hint else "") for d in faults]
