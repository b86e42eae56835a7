"""ChatSession: one conversation. Its history is in the store; it sleeps when idle and wakes when somebody speaks or listens."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import attrs

from actors.answering import Answer, Asked, Emit, refusal
from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.conversations import ASSISTANT, MOST, Conversation, Conversations, Said
from actors.ids import epoch
from actors.runtime import Actor, ActorStopped, Mailbox, Message, Overflow, Request, handles
from actors.talk import Begun, Say, Stop
from paranet.agent.telling import language_of, say
from paranet.codec import unstructure
from paranet.errors import NotFound, ParaNetError, WrongState

log = logging.getLogger(__name__)

ASK = 30.0
RING = 1000
"""events that a tab which comes back can be told; for more it gets the conversation"""

Answering = Callable[[Asked, tuple[Said, ...], Emit], Coroutine[Any, Any, Answer]]
"""answers a message, given what was said before"""


@attrs.frozen(kw_only=True)
class Emitted(Request[None]):
    """A piece of the answer to turn *turn*. A session sends it to itself."""

    turn: int
    event: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Answered(Message):
    """The answer to turn *turn* is whole, or failed with *error*; neither when it was stopped."""

    turn: int
    answer: Answer | None = None
    error: ParaNetError | None = None


@attrs.frozen(kw_only=True)
class Idle(Message):
    """Nobody has spoken for a while."""


@attrs.frozen(kw_only=True)
class Asleep(Message):
    """A session has had nothing to do for a while, and takes no more messages."""

    conversation_id: str


class ChatSession(Actor):
    """Answers one message at a time, beside its mailbox. *opening* is a conversation that need not be in the store yet."""

    mailbox = Mailbox(capacity=256, overflow=Overflow.BLOCK)

    def __init__(
        self, opening: Conversation, store: Conversations, outlets: Outlets, now: Callable[[], float], answering: Answering, idle: float
    ) -> None:
        self._id = opening.id
        self._opening = opening
        self._store = store
        self._outlets = outlets
        self._now = now
        self._answering = answering
        self._idle = idle

    async def on_start(self) -> None:
        self._kept = await self._store.find(self._id) or self._opening
        self._said = list(self._kept.messages)
        self._turn = 0  # of the answer under way
        self._stopping: asyncio.Future[None] | None = None
        self._text = ""
        self._asleep = False
        self._channel = Channel(f"chat/{self._id}", self._outlets, epoch=epoch(), ring_items=RING)
        if self._said and self._said[-1].author != ASSISTANT:  # the hub ended in the middle of an answer
            words = say(language_of(self._said[-1].text))["chat"]
            await self._keep(ASSISTANT, words["interrupted"], {})
        self._channel.reopen(self._snapshot)
        self.timers.once("idle", Idle(), after=self._idle)

    def inspect(self) -> Mapping[str, object]:
        return {"messages": len(self._said), "answering": bool(self._turn), "subscribers": self._channel.subscribers}

    def _snapshot(self) -> dict[str, Any]:
        return {"id": self._id, "title": self._kept.title, "messages": unstructure(tuple(self._said)), "answering": self._turn or None,
                "so_far": self._text}  # fmt: skip

    def _check(self, user: str, what: str = "conversation") -> None:
        """Raise NotFound for anybody but the owner, ActorStopped when it is about to be put to sleep."""
        if self._asleep:
            raise ActorStopped(f"chat/{self._id} has fallen asleep", actor=self.ref.path)
        if user != self._kept.owner:
            raise NotFound(f"there is no {what} {self._channel.name if what == 'channel' else self._id!r}")

    @handles
    async def say(self, message: Say) -> Begun:
        self._check(message.owner)
        if self._turn:
            raise WrongState("the last message is still being answered: wait, or stop it")
        if len(self._said) + 2 > MOST:
            raise WrongState(f"this conversation has {len(self._said)} messages: begin a new one")
        before = tuple(self._said)
        said = await self._keep(message.author, message.text, {})
        self._turn, self._text = said.seq, ""
        self._stopping = asyncio.get_running_loop().create_future()
        self._channel.publish([{"kind": "user", "turn": said.seq, "author": message.author, "text": message.text}])
        asked = Asked(
            text=message.text,
            author=message.author,
            role=message.role,
            language=message.language,
            open_sentences=_open_sentences(before),
        )
        await self.pipe_to_self(self._answer(said.seq, asked, before, self._stopping), name="answer")
        return Begun(conversation_id=self._id, turn=said.seq)

    async def _answer(self, turn: int, asked: Asked, before: tuple[Said, ...], stopping: "asyncio.Future[None]") -> Message:
        """Answer, unless it is stopped first. Runs beside the mailbox."""

        session = self.ref

        async def emit(event: Mapping[str, Any]) -> None:
            emitted = Emitted(turn=turn, event=event)
            if not session.tell(emitted):  # its mailbox is full: wait in line
                await session.ask(emitted, timeout=ASK)

        work = asyncio.create_task(self._answering(asked, before, emit), name=f"answer:{session.path}")
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
            return Answered(turn=turn, answer=work.result() if work.done() else None)
        except ParaNetError as error:
            return Answered(turn=turn, error=error)
        except Exception:
            log.exception("chat %s: no answer to message %d", self._id, turn)
            return Answered(turn=turn, error=ParaNetError("the assistant failed on this message; the hub's log has the trace"))
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    @handles
    async def emitted(self, message: Emitted) -> None:
        if message.turn != self._turn:
            return
        if message.event["kind"] == "delta":
            self._text += message.event["text"]
        self._channel.publish([{**message.event, "turn": self._turn}])

    @handles
    async def answered(self, message: Answered) -> None:
        if message.turn != self._turn:
            return
        answer = message.answer
        body: dict[str, Any] = {}
        if answer is not None:
            text = answer.reply
            body = {k: v for k, v in unstructure(answer).items() if k != "reply"}
            event = {"kind": "done", "turn": self._turn, "reply": text, **body}
        elif message.error is not None:
            text = message.error.detail
            event = {**refusal(message.error), "turn": self._turn}
        else:
            text = f"{self._text} {say(language_of(self._said[-1].text))['chat']['cancelled']}".strip()
            event = {"kind": "done", "turn": self._turn, "reply": text, "stopped": True, "needs": [], "source": None, "proposal": None}
        await self._keep(ASSISTANT, text, body)
        self._channel.publish([event])
        self._turn, self._text = 0, ""
        self.timers.once("idle", Idle(), after=self._idle)

    async def _keep(self, author: str, text: str, body: Mapping[str, object]) -> Said:
        said = Said(seq=len(self._said) + 1, at=self._now(), author=author, text=text, body=body)
        await self._store.add(self._kept, said)
        self._said.append(said)
        return said

    @handles
    async def stop_answer(self, message: Stop) -> bool:
        self._check(message.owner)
        if self._stopping is not None and not self._stopping.done():
            self._stopping.set_result(None)
        return bool(self._turn)

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        self._check(message.reader, "channel")
        return self._channel.attach(message, self._snapshot)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)

    @handles
    async def idle(self, message: Idle) -> None:
        """Fall asleep when nothing is under way and nobody listens. Who speaks before the parent has noticed speaks to it again."""
        busy = self._turn or self._channel.subscribers
        self._asleep = not busy and self.system.ref("chat").tell(Asleep(conversation_id=self._id))
        if not self._asleep:
            self.timers.once("idle", Idle(), after=self._idle)


def _open_sentences(said: tuple[Said, ...]) -> tuple[str, ...]:
    """Return the sentences that the last answer asked to have completed."""
    needs = said[-1].body.get("needs") if said and said[-1].author == ASSISTANT else None
    found = [n.get("completes") for n in needs if isinstance(n, dict)] if isinstance(needs, list) else []
    return tuple(f for f in found if isinstance(f, str))
