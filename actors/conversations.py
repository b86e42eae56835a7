"""Conversations as they are kept: who said what, and when."""

from collections.abc import Mapping

import attrs
import orjson

from actors.storage import Database, once
from paranet.errors import NotFound

ASSISTANT = "assistant"
TITLE = 80
MOST = 2000
"""messages of a conversation"""


@attrs.frozen(kw_only=True)
class Said:
    """One message, *at* UNIX time in s. *author* is a user's name or `assistant`, *body* the rest of an answer: source, proposal, needs."""

    seq: int
    at: float
    author: str
    text: str
    body: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Conversation:
    """A conversation of the user *owner*; *title* is how it began. Times are UNIX s."""

    id: str
    owner: str
    title: str
    created_at: float
    updated_at: float
    messages: tuple[Said, ...] = ()


class Conversations:
    """Reads and writes the tables `chat` and `chat_message`; every write is on disk when it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, to: Conversation, said: Said) -> None:
        """Keep one message; with the first one the conversation itself."""
        await self._database.write(
            once(
                "INSERT INTO chat (id, owner, title, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at",
                (to.id, to.owner, to.title, to.created_at, said.at),
            ),
            once(
                "INSERT INTO chat_message (chat, seq, at, author, text, body) VALUES (?, ?, ?, ?, ?, ?)",
                (to.id, said.seq, said.at, said.author, said.text, orjson.dumps(said.body).decode()),
            ),
        )

    async def find(self, chat_id: str) -> Conversation | None:
        """Return one conversation with its messages."""
        rows = await self._database.fetch("SELECT id, owner, title, created_at, updated_at FROM chat WHERE id = ?", (chat_id,))
        if not rows:
            return None
        said = await self._database.fetch(
            "SELECT seq, at, author, text, body FROM chat_message WHERE chat = ? ORDER BY seq LIMIT ?", (chat_id, MOST)
        )
        messages = tuple(
            Said(seq=int(str(seq)), at=float(str(at)), author=str(author), text=str(text), body=orjson.loads(str(body)))
            for seq, at, author, text, body in said
        )
        return attrs.evolve(_conversation(rows[0]), messages=messages)

    async def load(self, chat_id: str, owner: str) -> Conversation:
        """Return one conversation with its messages. Raise NotFound when there is none, or it is not *owner*'s."""
        found = await self.find(chat_id)
        if found is None or found.owner != owner:
            raise NotFound(f"there is no conversation {chat_id[:60]!r}")
        return found

    async def check(self, chat_id: str, owner: str) -> Conversation:
        """Return a conversation without its messages. Raise NotFound when there is none, or it is not *owner*'s."""
        rows = await self._database.fetch(
            "SELECT id, owner, title, created_at, updated_at FROM chat WHERE id = ? AND owner = ?", (chat_id, owner)
        )
        if not rows:
            raise NotFound(f"there is no conversation {chat_id[:60]!r}")
        return _conversation(rows[0])

    async def list(self, owner: str, limit: int, before: str | None) -> list[Conversation]:
        """Return a user's conversations older than *before* (an id), newest first, without their messages."""
        rows = await self._database.fetch(
            "SELECT id, owner, title, created_at, updated_at FROM chat WHERE owner = ? AND id < ? ORDER BY id DESC LIMIT ?",
            (owner, before or "~", limit),
        )
        return [_conversation(row) for row in rows]

    async def forget(self, chat_id: str) -> None:
        """Delete a conversation with all that was said in it."""
        await self._database.write(
            once("DELETE FROM chat_message WHERE chat = ?", (chat_id,)), once("DELETE FROM chat WHERE id = ?", (chat_id,))
        )


def _conversation(row: tuple[object, ...]) -> Conversation:
    chat_id, owner, title, created, updated = row
    return Conversation(id=str(chat_id), owner=str(owner), title=str(title), created_at=float(str(created)), updated_at=float(str(updated)))
