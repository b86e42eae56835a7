"""What is said to conversations. Each belongs to one user: for everybody else it is not there (NotFound)."""

import attrs

from actors.accounts import Role
from actors.conversations import Conversation
from actors.runtime import Request


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
