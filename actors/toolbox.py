"""Toolbox: what a language model may look at, and the one thing it may propose. Who may do what is decided by the role of who speaks."""

from typing import Any

import attrs

from actors.accounts import Role
from actors.answering import Answer, Asked, conclude
from actors.assistant import GetKnown, Parse
from actors.facts import read_alarms, read_facts
from actors.intents import Tried, Try
from actors.runtime import ActorSystem
from actors.samples import ReadMetrics
from paranet.agent.answers import answer
from paranet.agent.telling import language_of
from paranet.agent.tools import Tool
from paranet.codec import unstructure
from paranet.errors import Forbidden, InvalidInput
from paranet.models.device import Change

ASK = 15.0
MOST = 20
"""things of a kind that a tool shows"""


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
class Nothing:
    pass


class Toolbox:
    """The tools for one message; what they propose is appended to *proposals*."""

    def __init__(self, system: ActorSystem, asked: Asked, proposals: list[Answer]) -> None:
        self._system = system
        self._asked = asked
        self._proposals = proposals

    def tools(self) -> tuple[Tool, ...]:
        """Return them."""
        return (
            Tool(name="find_nodes", purpose="Find nodes by what they are called", arguments=FindNodes, run=self._find),
            Tool(name="parse", purpose="Turn a sentence into the intent language by rules", arguments=Sentence, run=self._parse),
            Tool(name="compile", purpose="Compile a source: diagnostics, paths, rows by device", arguments=Source, run=self._compile),
            Tool(name="verify", purpose="Prove a source on the network as it is: violations", arguments=Source, run=self._verify),
            Tool(name="preview", purpose="What a source would change on each device", arguments=Source, run=self._preview),
            Tool(name="ask_network", purpose="Answer a question from measurements, alerts and history", arguments=Sentence, run=self._ask),
            Tool(name="read_metrics", purpose="Return the newest value of series", arguments=Metrics, run=self._metrics),
            Tool(name="list_alerts", purpose="Return the alerts that burn", arguments=Nothing, run=self._alerts),
            Tool(name="propose_deployment", purpose="Propose a source for a person to confirm", arguments=Source, run=self._propose),
        )

    def _check(self, what: str) -> None:
        """Raise Forbidden for who is no operator, whatever the model says."""
        if self._asked.role < Role.OPERATOR:
            raise Forbidden(f"only an operator may have intents {what}")

    async def _propose(self, wanted: Source) -> object:
        self._check("proposed")
        asked = self._asked
        found = await conclude(self._system, asked, wanted.source, None, asked.language or language_of(asked.text))
        if found.proposal is None:
            raise InvalidInput(found.reply)
        self._proposals.append(found)
        return {"proposal": unstructure(found.proposal), "note": "a person must confirm it"}

    async def _tried(self, wanted: Source) -> Tried:
        tried = await self._system.ref("intents").ask(Try(source=wanted.source), timeout=ASK)
        if not tried.compiled.ok:
            raise InvalidInput("the source does not compile", errors=tried.compiled.diagnostics)
        return tried

    async def _verify(self, wanted: Source) -> object:
        self._check("proven")
        report = (await self._tried(wanted)).verification
        shown = [{"check": v.check, "message": v.message, "hops": list(v.witness.hops)} for v in report.violations[:MOST]]
        return {"ok": report.ok, "checked": dict(report.checked), "violations": shown}

    async def _preview(self, wanted: Source) -> object:
        self._check("previewed")
        tried = await self._tried(wanted)
        changes = {node: [_told(change) for change in delta.changes[:MOST]] for node, delta in tried.deltas.items()}
        return {"conflict": tried.conflict, "changes": changes}

    async def _alerts(self, _wanted: Nothing) -> object:
        return unstructure((await read_alarms(self._system))[:MOST])

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
        compiled = (await self._system.ref("intents").ask(Try(source=wanted.source), timeout=ASK)).compiled
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


def _told(change: Change) -> str:
    sign = "+" if change.before is None else "-" if change.after is None else "~"
    return f"{sign} {' '.join(change.id)}"
