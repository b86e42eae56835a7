"""ChatSession: one conversation. Its history is in the store; it sleeps when idle and wakes when somebody speaks or listens."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import attrs

from actors.accounts import Role
from actors.answering import Answer, Asked, Emit, refusal
from actors.channels import Channel, Outlets, Subscribe, Subscribed, Unsubscribe
from actors.conversations import ASSISTANT, Conversation, Conversations, Said
from actors.ids import epoch, uuid7
from actors.runtime import Actor, ActorStopped, Mailbox, Message, Overflow, Ref, Request, Restart, handles
from paranet.agent.telling import language_of, say
from paranet.codec import unstructure
from paranet.errors import NotFound, ParaNetError, TooManyRequests, WrongState

log = logging.getLogger(__name__)

ASK = 30.0
COALESCE = 0.03
"""seconds that pieces of an answer are gathered before they are published; the first piece never waits"""
MINUTE = 60.0

Answering = Callable[[Asked, tuple[Said, ...], Emit], Awaitable[Answer]]
"""answers a message, given what was said before"""


@attrs.frozen(kw_only=True)
class Begun:
    """A message was taken; its answer is turn *turn* on the channel `chat/<conversation_id>`."""

    conversation_id: str
    turn: int


@attrs.frozen(kw_only=True)
class Say(Request[Begun]):
    """Say something, in a new conversation when none is named. Raise WrongState while an answer is under way."""

    conversation_id: str | None
    text: str
    owner: str
    author: str
    role: Role
    language: str | None = None


@attrs.frozen(kw_only=True)
class Stop(Request[bool]):
    """Stop the answer under way. False when there is none."""

    conversation_id: str
    owner: str


@attrs.frozen(kw_only=True)
class GetConversation(Request[Conversation]):
    """Return a conversation with its messages."""

    conversation_id: str
    owner: str


@attrs.frozen(kw_only=True)
class ListConversations(Request[tuple[Conversation, ...]]):
    """Return a user's conversations older than *before* (an id), newest first."""

    owner: str
    limit: int
    before: str | None = None


@attrs.frozen(kw_only=True)
class Forget(Request[None]):
    """Delete a conversation."""

    conversation_id: str
    owner: str


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
class MaySleep(Request[bool]):
    """Tell whether nothing is under way and nobody listens."""


@attrs.frozen(kw_only=True)
class Sleepy(Message):
    """A session has had nothing to do for a while."""

    conversation_id: str


class Gatherer:
    """Gathers the pieces of an answer for COALESCE; the first one never waits, and other events come after what was said before them."""

    def __init__(self, publish: Emit) -> None:
        self._publish = publish
        self._pieces: list[str] = []
        self._quiet = True
        self._spoken = asyncio.Event()

    async def emit(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        if event["kind"] == "delta":
            self._pieces.append(event["text"])
            if self._quiet:
                self._quiet = False
                self._spoken.set()
                await self.flush()
        else:
            await self.flush()
            await self._publish(event)

    async def flush(self) -> None:
        """Publish what is gathered."""
        if self._pieces:
            text = "".join(self._pieces)
            self._pieces.clear()
            await self._publish({"kind": "delta", "text": text})

    async def run(self) -> None:
        """Publish what is gathered as it is due, until it is cancelled."""
        while True:
            await self._spoken.wait()
            await asyncio.sleep(COALESCE)
            if self._pieces:
                await self.flush()
            else:
                self._quiet = True
                self._spoken.clear()


class ChatSession(Actor):
    """Answers one message at a time, beside its mailbox."""

    mailbox = Mailbox(capacity=256, overflow=Overflow.BLOCK)

    def __init__(
        self, chat_id: str, store: Conversations, outlets: Outlets, now: Callable[[], float], answering: Answering, idle: float
    ) -> None:
        self._id = chat_id
        self._store = store
        self._outlets = outlets
        self._now = now
        self._answering = answering
        self._idle = idle

    async def on_start(self) -> None:
        self._kept = await self._store.load(self._id)
        self._said = list(self._kept.messages)
        self._turn = 0  # of the answer under way
        self._stopping = asyncio.Event()
        self._text = ""
        self._channel = Channel(f"chat/{self._id}", self._outlets, epoch=epoch())
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

    @handles
    async def say(self, message: Say) -> Begun:
        if self._turn:
            raise WrongState("the last message is still being answered: wait, or stop it")
        before = tuple(self._said)
        said = await self._keep(message.author, message.text, {})
        self._turn, self._text = said.seq, ""
        self._stopping = asyncio.Event()
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

    async def _answer(self, turn: int, asked: Asked, before: tuple[Said, ...], stopping: asyncio.Event) -> Message:
        """Answer, unless it is stopped first. Runs beside the mailbox."""

        async def publish(event: Mapping[str, Any]) -> None:
            await self.ref.ask(Emitted(turn=turn, event=event), timeout=ASK)

        gatherer = Gatherer(publish)
        work = asyncio.ensure_future(self._answering(asked, before, gatherer.emit))
        stop = asyncio.ensure_future(stopping.wait())
        pump = asyncio.ensure_future(gatherer.run())
        try:
            await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return Answered(turn=turn)
            answer = work.result()
            await gatherer.flush()
            return Answered(turn=turn, answer=answer)
        except ParaNetError as error:
            return Answered(turn=turn, error=error)
        except Exception:
            log.exception("chat %s: no answer to message %d", self._id, turn)
            return Answered(turn=turn, error=ParaNetError("the assistant failed on this message; the hub's log has the trace"))
        finally:
            for task in (work, stop, pump):
                task.cancel()
            await asyncio.gather(work, stop, pump, return_exceptions=True)

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
        await self._store.add(self._id, said)
        self._said.append(said)
        return said

    @handles
    async def stop_answer(self, message: Stop) -> bool:
        self._stopping.set()
        return bool(self._turn)

    @handles
    async def get(self, message: GetConversation) -> Conversation:
        return attrs.evolve(self._kept, messages=tuple(self._said))

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        return self._channel.attach(message, self._snapshot)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        self._channel.detach(message.subscriber)

    @handles
    async def idle(self, message: Idle) -> None:
        """Offer to sleep; whether the parent has something on the way, only the parent can tell."""
        self.timers.once("idle", Idle(), after=self._idle)
        self.system.ref("chat").tell(Sleepy(conversation_id=self._id))

    @handles
    async def may_sleep(self, message: MaySleep) -> bool:
        return not self._turn and not self._channel.subscribers


def _open_sentences(said: tuple[Said, ...]) -> tuple[str, ...]:
    """Return the sentences that the last answer asked to have completed."""
    needs = said[-1].body.get("needs") if said and said[-1].author == ASSISTANT else None
    found = [n.get("completes") for n in needs if isinstance(n, dict)] if isinstance(needs, list) else []
    return tuple(f for f in found if isinstance(f, str))


class Chats(Actor):
    """Parent of the conversations: makes them, wakes them, lists them, and keeps users to their share."""

    jobs_limit = 64

    def __init__(
        self, store: Conversations, outlets: Outlets, now: Callable[[], float], answering: Answering, *, per_minute: int, idle: float
    ) -> None:
        self._store = store
        self._outlets = outlets
        self._now = now
        self._answering = answering
        self._per_minute = per_minute
        self._idle = idle

    async def on_start(self) -> None:
        self._spoken: dict[str, deque[float]] = {}

    def inspect(self) -> Mapping[str, object]:
        return {"speaking": len(self._spoken)}

    @handles
    async def say(self, message: Say) -> Begun:
        self._admit(message.owner)
        if message.conversation_id is None:
            chat_id = uuid7(self._now())
            await self._store.begin(chat_id, message.owner, message.text, self._now())
            message = attrs.evolve(message, conversation_id=chat_id)
        else:
            await self._store.check(message.conversation_id, message.owner)
        assert message.conversation_id is not None
        session = await self._wake(message.conversation_id)
        return await self.defer(session.ask(message, timeout=ASK))

    def _admit(self, owner: str) -> None:
        """Count a message against the user's share of a minute. Raise TooManyRequests."""
        now = self._now()
        times = self._spoken.setdefault(owner, deque())
        while times and times[0] <= now - MINUTE:
            times.popleft()
        if len(times) >= self._per_minute:
            wait = max(1, round(times[0] + MINUTE - now))
            raise TooManyRequests(f"at most {self._per_minute} messages a minute", retry_after=wait)
        times.append(now)
        if len(self._spoken) > 1000:
            self._spoken = {user: t for user, t in self._spoken.items() if t and t[-1] > now - MINUTE}

    async def _wake(self, chat_id: str) -> Ref:
        child = self.child(chat_id)
        if child is not None:
            return child
        make = partial(ChatSession, chat_id, self._store, self._outlets, self._now, self._answering, self._idle)
        return await self.spawn(chat_id, make, restart=Restart.ON_CRASH)

    @handles
    async def sleepy(self, message: Sleepy) -> None:
        """Put a session to sleep. What was sent to it before is ahead of the question, what comes later wakes it again."""
        child = self.child(message.conversation_id)
        if child is not None and await child.ask(MaySleep(), timeout=ASK):
            await self.stop_child(message.conversation_id)

    @handles
    async def stop_answer(self, message: Stop) -> bool:
        await self._store.check(message.conversation_id, message.owner)
        child = self.child(message.conversation_id)
        return await self.defer(child.ask(message, timeout=ASK)) if child else False

    @handles
    async def get(self, message: GetConversation) -> Conversation:
        return await self._store.load(message.conversation_id, message.owner)

    @handles
    async def list(self, message: ListConversations) -> tuple[Conversation, ...]:
        return tuple(await self._store.list(message.owner, message.limit, message.before))

    @handles
    async def forget(self, message: Forget) -> None:
        await self._store.check(message.conversation_id, message.owner)
        await self.stop_child(message.conversation_id)
        await self._store.forget(message.conversation_id)

    @handles
    async def subscribe(self, message: Subscribe) -> Subscribed:
        chat_id = message.channel.removeprefix("chat/")
        try:
            await self._store.check(chat_id, message.reader)
        except NotFound:
            raise NotFound(f"there is no channel {message.channel[:60]!r}") from None
        session = await self._wake(chat_id)
        return await self.defer(self._attach(session, message))

    async def _attach(self, session: Ref, message: Subscribe) -> Subscribed:
        return await session.ask(message, timeout=ASK)

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        child = self.child(message.channel.removeprefix("chat/"))
        if child is not None:
            try:
                await child.ask(message, timeout=ASK)
            except ActorStopped:
                self._outlets.detach(message.channel, message.subscriber)
