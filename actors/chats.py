"""Chats: the parent of the conversations. Makes them, wakes them, lists them, and keeps users to their share."""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import attrs

from actors.channels import Outlets, Subscribe, Subscribed, Unsubscribe
from actors.chat import ASK, Answering, Asleep, ChatSession
from actors.conversations import TITLE, Conversation, Conversations
from actors.ids import uuid7
from actors.runtime import Actor, ActorStopped, Ref, Request, Restart, handles
from actors.talk import Begun, Forget, GetConversation, ListConversations, Say, Stop
from paranet.errors import NotFound, TooManyRequests

MINUTE = 60.0
USERS = 1000
"""users whose share is remembered before those who have been silent for a minute are forgotten"""
R = TypeVar("R")


class Chats(Actor):
    """A conversation that is awake knows whose it is; for one that sleeps the store is asked."""

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
            now = self._now()
            title = message.text[:TITLE]
            opening = Conversation(id=uuid7(now), owner=message.owner, title=title, created_at=now, updated_at=now)
            message = attrs.evolve(message, conversation_id=opening.id)
            session = await self._begin(opening)
        else:
            session = await self._awake(message.conversation_id, message.owner)
        return await self.defer(self._passed_on(session, message))

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
        if len(self._spoken) > USERS:
            self._spoken = {user: t for user, t in self._spoken.items() if t and t[-1] > now - MINUTE}

    async def _awake(self, chat_id: str, user: str) -> Ref:
        """Return the session of a user's conversation; it is woken when it sleeps. Raise NotFound."""
        return self.child(chat_id) or await self._begin(await self._store.check(chat_id, user))

    async def _begin(self, opening: Conversation) -> Ref:
        make = partial(ChatSession, opening, self._store, self._outlets, self._now, self._answering, self._idle)
        return await self.spawn(opening.id, make, restart=Restart.ON_CRASH)

    async def _passed_on(self, session: Ref, message: Request[R]) -> R:
        """Return what a session answers. One that had fallen asleep before it came to the message is woken for it."""
        try:
            return await session.ask(message, timeout=ASK)
        except ActorStopped:
            return await self.ref.ask(message, timeout=ASK)

    @handles
    async def asleep(self, message: Asleep) -> None:
        await self.stop_child(message.conversation_id)

    @handles
    async def stop_answer(self, message: Stop) -> bool:
        child = self.child(message.conversation_id)
        if child is not None:
            return await self.defer(child.ask(message, timeout=ASK))
        await self._store.check(message.conversation_id, message.owner)
        return False

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
        try:
            session = await self._awake(message.channel.removeprefix("chat/"), message.reader)
        except NotFound:
            raise NotFound(f"there is no channel {message.channel[:60]!r}") from None
        return await self.defer(self._passed_on(session, message))

    @handles
    async def unsubscribe(self, message: Unsubscribe) -> None:
        child = self.child(message.channel.removeprefix("chat/"))
        if child is not None:
            try:
                await child.ask(message, timeout=ASK)
            except ActorStopped:
                self._outlets.detach(message.channel, message.subscriber)
