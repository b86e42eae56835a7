"""Answering with a language model: the tools it gets, what it is shown of the conversation, and the way back when it fails."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import attrs

from actors.accounts import Role
from actors.answering import Answer, Asked, Emit, answer_offline, conclude
from actors.assistant import GetKnown, Parse
from actors.conversations import ASSISTANT, Said
from actors.facts import read_facts
from actors.runtime import ActorSystem
from actors.samples import ReadMetrics
from actors.topology import GetTopology
from paranet.agent.answers import answer
from paranet.agent.prompts import SUMMARY, SYSTEM
from paranet.agent.provider import Model, ModelFailed
from paranet.agent.telling import language_of, say
from paranet.agent.tools import Tool, as_data
from paranet.agent.turn import converse
from paranet.codec import unstructure
from paranet.compiler import compile_source
from paranet.errors import Forbidden, InvalidInput

log = logging.getLogger(__name__)

ASK = 15.0
MOST = 20
"""nodes and series that a tool shows"""


def _about(text: str, **more: Any) -> Any:
    return attrs.field(metadata={"about": text}, **more)


@attrs.frozen(kw_only=True)
class FindNodes:
    query: str = _about("a name, part of a name, or a word for what it is")


@attrs.frozen(kw_only=True)
class Sentence:
    text: str = _about("one request or question, in English or Chinese")


@attrs.frozen(kw_only=True)
class Source:
    source: str = _about("statements of the intent language")


@attrs.frozen(kw_only=True)
class Metrics:
    names: tuple[str, ...] = _about("metric names, such as paranet_link_utilization_ratio")
    nodes: tuple[str, ...] = _about("node ids; all when empty", default=())


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
            return attrs.evolve(found, reply=f"{note}\n{found.reply}", fallback=str(failed))

    async def _with_model(self, model: Model, asked: Asked, before: tuple[Said, ...], emit: Emit) -> Answer:
        messages = [{"role": "system", "content": SYSTEM}, *await self._history(model, before), {"role": "user", "content": asked.text}]
        proposals: list[Answer] = []
        tools = {tool.name: tool for tool in self._tools(asked, proposals)}
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
        state = await self._system.ref("topology").ask(GetTopology(), timeout=ASK)
        compiled = await asyncio.to_thread(compile_source, source, state.topology)
        faults = [d for d in compiled.diagnostics if d.severity == "error"]
        return [f"line {d.span.line}: {d.message}" + (f" ({d.hint})" if d.hint else "") for d in faults]

    # -- tools: read-only but for the proposal; who may do what is decided by the caller's role, whatever the model says

    def _tools(self, asked: Asked, proposals: list[Answer]) -> tuple[Tool, ...]:
        async def propose(wanted: Source) -> object:
            if asked.role < Role.OPERATOR:
                raise Forbidden("only an operator may have intents proposed")
            found = await conclude(self._system, asked, wanted.source, None, asked.language or language_of(asked.text))
            if found.proposal is None:
                raise InvalidInput(found.reply)
            proposals.append(found)
            return {"proposal": unstructure(found.proposal), "note": "a person must confirm it"}

        return (
            Tool(name="find_nodes", purpose="Find nodes by what they are called", arguments=FindNodes, run=self._find),
            Tool(name="parse", purpose="Turn a sentence into the intent language by rules", arguments=Sentence, run=self._parse),
            Tool(name="compile", purpose="Compile a source: diagnostics, paths, rows by device", arguments=Source, run=self._compile),
            Tool(name="ask_network", purpose="Answer a question from measurements, alerts and history", arguments=Sentence, run=self._ask),
            Tool(name="read_metrics", purpose="Return the newest value of series", arguments=Metrics, run=self._metrics),
            Tool(name="propose_deployment", purpose="Propose a source for a person to confirm", arguments=Source, run=propose),
        )

    async def _find(self, wanted: FindNodes) -> object:
        known = await self._system.ref("assistant").ask(GetKnown(), timeout=ASK)
        exact = known.find(wanted.query)
        found = exact or [referent for referent, _ in known.guess(wanted.query)]
        nodes = known.topology.nodes
        ids = list(dict.fromkeys(n for referent in found for n in referent.nodes)) or list(nodes)
        return [{"id": n, "name": nodes[n].name, "type": nodes[n].type, "region": nodes[n].region} for n in ids[:MOST]]

    async def _parse(self, wanted: Sentence) -> object:
        found = await self._system.ref("assistant").ask(Parse(text=wanted.text), timeout=ASK)
        return {"source": found.source, "explanation": found.explanation, "questions": [n.question for n in found.needs]}

    async def _compile(self, wanted: Source) -> object:
        state = await self._system.ref("topology").ask(GetTopology(), timeout=ASK)
        compiled = await asyncio.to_thread(compile_source, wanted.source, state.topology)
        return {
            "ok": compiled.ok,
            "diagnostics": [{"line": d.span.line, "message": d.message, "hint": d.hint} for d in compiled.diagnostics[:10]],
            "paths": [{"intent": p.intent, "hops": list(p.hops)} for p in compiled.paths[:MOST]],
            "rows": {node: len(rows) for node, rows in compiled.rows.items()},
        }

    async def _ask(self, wanted: Sentence) -> object:
        found = await self._system.ref("assistant").ask(Parse(text=wanted.text), timeout=ASK)
        if found.question is None:
            raise InvalidInput("this is no question that the network can answer")
        facts = await read_facts(self._system, found.question)
        return answer(found.question, facts, found.language)

    async def _metrics(self, wanted: Metrics) -> object:
        now = int(self._system.now() * 1000)
        request = ReadMetrics(names=frozenset(wanted.names), nodes=frozenset(wanted.nodes), start=now - 60_000, end=now)
        series = await self._system.ref("telemetry").ask(request, timeout=ASK)
        return [{**s.metric, "value": s.points[-1][1]} for s in series[:MOST]]
