"""Repeats: owns what was answered to requests with an Idempotency-Key, so that asking again does nothing again."""

from collections.abc import Callable, Mapping

import attrs
import orjson

from actors.runtime import Actor, Message, Request, handles
from actors.storage import Database, once
from paranet.errors import AlreadyExists, Repeated

KEPT_FOR = 86_400.0
"""seconds"""
OF_USER = 1000
"""newest requests that are remembered of each user"""
ROOM = 64 * 2**20
"""bytes of all answers; the oldest make room"""
LARGEST = 2**20
"""bytes of an answer that is kept; of a larger one only where to look is"""


@attrs.frozen(kw_only=True)
class Answer:
    """What was answered. *head* are members of a reply that are text; without *body* it may not, or could not be kept."""

    status: int
    head: Mapping[str, str]
    body: bytes | None


@attrs.frozen(kw_only=True)
class Begin(Request[Answer | None]):
    """Note that a request is under way; return the answer when it is an old one.

    Raise AlreadyExists when the key was used for another *request* (a digest), Repeated when there is no answer to give.
    """

    user: str
    key: str
    request: str


@attrs.frozen(kw_only=True)
class Keep(Request[None]):
    """Keep an answer."""

    user: str
    key: str
    answer: Answer


@attrs.frozen(kw_only=True)
class Release(Request[None]):
    """Nothing was done: the key is free again."""

    user: str
    key: str


@attrs.frozen(kw_only=True)
class Leave(Message):
    """Nobody knows how it ended."""

    user: str
    key: str


class Repeats(Actor):
    """A key is on disk before its request is begun, so a hub that dies on it does not do it twice; what came of it nobody can say then."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._under_way: set[tuple[str, str]] = set()

    async def on_start(self) -> None:
        ((size,),) = await self._database.fetch("SELECT coalesce(sum(length(body)), 0) FROM answer")
        self._size = int(size or 0)

    def inspect(self) -> Mapping[str, object]:
        return {"under_way": len(self._under_way), "bytes": self._size}

    @handles
    async def begin(self, message: Begin) -> Answer | None:
        now = self._now()
        rows = await self._database.fetch(
            "SELECT request, status, head, body FROM answer WHERE user = ? AND key = ? AND at > ?",
            (message.user, message.key, now - KEPT_FOR),
        )
        if rows:
            return self._known(message, *rows[0])
        await self._database.write(
            once("DELETE FROM answer WHERE at <= ?", (now - KEPT_FOR,)),
            once("INSERT INTO answer (user, key, request, at) VALUES (?, ?, ?, ?)", (message.user, message.key, message.request, now)),
            once(
                "DELETE FROM answer WHERE user = ? AND id <= (SELECT id FROM answer WHERE user = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (message.user, message.user, OF_USER),
            ),
        )
        self._under_way.add((message.user, message.key))
        return None

    def _known(self, message: Begin, request: object, status: object, head: object, body: object) -> Answer:
        if request != message.request:
            raise AlreadyExists("this Idempotency-Key was used for another request")
        if (message.user, message.key) in self._under_way:
            raise Repeated("the same request is under way", retry_after=1)
        found: dict[str, str] = orjson.loads(str(head))
        if not isinstance(status, int):
            raise Repeated("the same request was begun before, and nobody knows what came of it: look before you ask with another key")
        if not isinstance(body, bytes):
            raise Repeated("the same request was done before, and its answer was not kept", location=found.get("location"))
        return Answer(status=status, head=found, body=body)

    @handles
    async def keep(self, message: Keep) -> None:
        answer, key = message.answer, (message.user, message.key)
        body = answer.body if answer.body is not None and len(answer.body) <= LARGEST else None
        await self._database.write(
            once(
                "UPDATE answer SET status = ?, head = ?, body = ? WHERE user = ? AND key = ?",
                (answer.status, orjson.dumps(dict(answer.head)).decode(), body, *key),
            )
        )
        self._under_way.discard(key)
        self._size += len(body or b"")
        if self._size > ROOM:
            await self._make_room()

    async def _make_room(self) -> None:
        """Forget the older half."""
        await self._database.write(once("DELETE FROM answer WHERE id <= (SELECT (min(id) + max(id)) / 2 FROM answer)"))
        await self.on_start()

    @handles
    async def release(self, message: Release) -> None:
        await self._database.write(once("DELETE FROM answer WHERE user = ? AND key = ?", (message.user, message.key)))
        self._under_way.discard((message.user, message.key))

    @handles
    async def leave(self, message: Leave) -> None:
        self._under_way.discard((message.user, message.key))
