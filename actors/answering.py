"""How one message of a conversation is answered: understood, compiled and proven, or looked up. Nothing is ever deployed from here."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import orjson

from actors.accounts import Role
from actors.assistant import Parse
from actors.facts import read_facts
from actors.intents import Compilation, Compile, GetPreview
from actors.runtime import ActorSystem
from paranet.agent.answers import answer
from paranet.agent.phrases import Understanding
from paranet.agent.telling import say
from paranet.codec import unstructure
from paranet.errors import CompileFailed, ParaNetError

ASK = 30.0
Emit = Callable[[Mapping[str, Any]], Awaitable[None]]
"""takes one event of the answer: `{"kind": "delta" | "tool" | "proposal", ...}`"""


@attrs.frozen(kw_only=True)
class Asked:
    """A message to answer: who says it, with which role, and the questions that the last answer asked back."""

    text: str
    author: str
    role: Role
    language: str | None = None
    open_sentences: tuple[str, ...] = ()
    """sentences with `{answer}` in them that the message may complete"""


@attrs.frozen(kw_only=True)
class Proposal:
    """A plan for a person to confirm with POST /deploy/execute: *compile_id* is what is deployed, *plan_hash* what was looked at."""

    plan_id: str
    compile_id: str
    plan_hash: str
    name: str | None
    source: str
    devices: int
    rows: int
    verified: bool


@attrs.frozen(kw_only=True)
class Answer:
    """What is said, and what comes with it. *fallback* says why the model did not answer, when there is one."""

    reply: str
    source: str | None = None
    proposal: Proposal | None = None
    needs: tuple[object, ...] = ()
    unknown: tuple[object, ...] = ()
    confidence: float | None = None
    diagnostics: tuple[object, ...] = ()
    fallback: str | None = None
    tokens: int = 0


async def understand(system: ActorSystem, asked: Asked) -> Understanding:
    """Return what a message means, as the completion of an open question where it is one."""
    assistant = system.ref("assistant")
    found = await assistant.ask(Parse(text=asked.text, language=asked.language), timeout=ASK)
    if found.source or found.removes or (found.question and len(asked.text) > 12) or not asked.open_sentences:
        return found
    for sentence in asked.open_sentences:
        whole = sentence.replace("{answer}", asked.text.strip(" .。"), 1)
        completed = await assistant.ask(Parse(text=whole, language=asked.language or found.language), timeout=ASK)
        if completed.source or len(completed.needs) < len(found.needs) or not completed.unknown:
            return completed
    return found


async def answer_offline(system: ActorSystem, asked: Asked, emit: Emit) -> Answer:
    """Answer without a model."""
    found = await understand(system, asked)
    if found.question is not None:
        facts = await read_facts(system, found.question)
        reply = answer(found.question, facts, found.language)
        await emit({"kind": "delta", "text": reply})
        return Answer(reply=reply, confidence=found.confidence)
    if not found.source and not found.removes:
        reply = " ".join([found.explanation, *(n.question for n in found.needs)])
        await emit({"kind": "delta", "text": reply})
        return Answer(
            reply=reply, needs=unstructure(found.needs), unknown=unstructure(found.unknown), confidence=found.confidence, source=None
        )
    await emit({"kind": "delta", "text": found.explanation})
    concluded = await conclude(system, asked, found.source, found.name, found.language, removes=found.removes)
    rest = concluded.reply
    await emit({"kind": "delta", "text": f" {rest}"})
    if concluded.proposal is not None:
        await emit({"kind": "proposal", **unstructure(concluded.proposal)})
    return attrs.evolve(
        concluded,
        reply=f"{found.explanation} {rest}",
        needs=unstructure(found.needs),
        unknown=unstructure(found.unknown),
        confidence=found.confidence,
    )


async def conclude(system: ActorSystem, asked: Asked, source: str, name: str | None, language: str, *, removes: bool = False) -> Answer:
    """Compile and prove *source*, and propose it when it holds; the reply says how it went."""
    words = say(language)["chat"]
    if asked.role < Role.OPERATOR:
        return Answer(reply=words["viewer"], source=source)
    try:
        compilation = await system.ref("intents").ask(Compile(source=source, name=name, author=asked.author), timeout=ASK)
    except CompileFailed as failed:
        about = "; ".join(_told(d) for d in failed.errors[:3])
        return Answer(reply=words["failed"].format(about=about), source=source, diagnostics=unstructure(failed.errors))
    if not compilation.verification.ok:
        about = "; ".join(v.message for v in compilation.verification.violations[:3])
        return Answer(reply=words["unproven"].format(about=about), source=source)
    proposal, conflict = await propose(system, compilation)
    if conflict is not None:
        return Answer(reply=words["unproposed"].format(about=conflict), source=source)
    if proposal.rows == 0:
        return Answer(reply=words["nothing"], source=source)
    template = words["remove" if removes else "ready"]
    return Answer(reply=template.format(rows=proposal.rows, devices=proposal.devices, about=name), source=source, proposal=proposal)


async def propose(system: ActorSystem, compilation: Compilation) -> tuple[Proposal, str | None]:
    """Return what deploying a compilation would do now, and what stands against it."""
    preview = await system.ref("intents").ask(GetPreview(id=compilation.id), timeout=ASK)
    deltas = {node: unstructure(delta) for node, delta in sorted(preview.deltas.items())}
    digest = hashlib.sha256(orjson.dumps({"compile_id": compilation.id, "deltas": deltas}, option=orjson.OPT_SORT_KEYS)).hexdigest()
    proposal = Proposal(
        plan_id=compilation.id,
        compile_id=compilation.id,
        plan_hash=digest,
        name=compilation.name,
        source=compilation.source,
        devices=len(deltas),
        rows=sum(len(delta.changes) for delta in preview.deltas.values()),
        verified=compilation.verification.ok,
    )
    return proposal, preview.conflict


def _told(diagnostic: object) -> str:
    message, hint = getattr(diagnostic, "message", str(diagnostic)), getattr(diagnostic, "hint", None)
    return f"{message} ({hint})" if hint else str(message)


def refusal(error: ParaNetError) -> dict[str, Any]:
    """Return an error as an event."""
    return {"kind": "error", "code": error.code, "detail": error.detail}
