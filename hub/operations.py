"""What can be asked of the hub, whatever door the question comes through: one declared table, one calling convention."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from actors.audit import Record
from hub.auth import Caller
from hub.codec import read
from hub.refusals import AT_THE_DOOR
from paranet.errors import Forbidden, InvalidInput, ParaNetError, Unauthenticated

if TYPE_CHECKING:
    from hub.house import House

T = TypeVar("T")
LOOK_AFTER = 0.25
"""seconds between two looks at whether a caller who waits for long work is still there"""
_ETAG = re.compile(r'(W/)?"(\d{1,18})"', re.ASCII)
NEVER = -1
"""a revision that nothing has"""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Access(IntEnum):
    """The least role an operation asks for; numbers above zero are those of `Role`."""

    OPEN = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@attrs.define(kw_only=True, eq=False)
class Call:
    """One question: who asks, about what (*path*), how (*query*, *headers* by names in lower case), with which body."""

    house: "House"
    caller: Caller | None
    path: Mapping[str, str] = attrs.field(factory=dict)
    query: Mapping[str, str] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    cookies: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    filename: str | None = None
    remote: str = ""
    connected: Callable[[], bool] = lambda: True
    """whether the caller is still there"""
    about: list[str] = attrs.field(factory=list)
    """what the audit log shall name, where the path does not"""

    @property
    def author(self) -> str:
        """The name that goes into histories."""
        return self.caller.user.username if self.caller else ""

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of *work*, which is cancelled when the caller goes. Raise CancelledError then."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait((task,), timeout=LOOK_AFTER))[0]:
                if not self.connected():
                    raise asyncio.CancelledError
            return task.result()
        finally:
            task.cancel()

    def read(self, cls: type[T]) -> T:
        """Return the JSON body as *cls*. Raise InvalidInput."""
        return read(self.body, cls)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return a query parameter as a whole number within bounds. Raise InvalidInput."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) < 19 and low <= int(text) <= high):
            raise InvalidInput(f"?{name}= must be a whole number from {low} to {high}, not {text[:60]!r}")
        return int(text)

    def flag(self, name: str) -> bool:
        """Return a query parameter as a boolean, absent is false. Raise InvalidInput."""
        return self.choice(name, ("false", "true")) == "true"

    def choice(self, name: str, words: tuple[str, ...]) -> str:
        """Return a query parameter that is one of *words*; absent is the first. Raise InvalidInput."""
        text = self.query.get(name, words[0])
        if text not in words:
            raise InvalidInput(f"?{name}= must be one of {', '.join(words)}, not {text[:60]!r}")
        return text

    def names(self, name: str) -> frozenset[str]:
        """Return a query parameter that lists names with commas between."""
        return frozenset(part for part in self.query.get(name, "").split(",") if part)

    def if_match(self) -> int | None:
        """Return the revision the caller insists on (RFC 9110, If-Match). Raise InvalidInput.

        Tags are compared strongly (13.1.1), so a weak one, `W/"7"`, is no revision that there is.
        """
        text = self.headers.get("if-match", "*").strip()
        if text == "*":
            return None
        match = _ETAG.fullmatch(text)
        if match is None:
            raise InvalidInput(f"If-Match must be an ETag that this hub gave, not {text[:60]!r}")
        return NEVER if match[1] else int(match[2])

    def has_already(self, revision: int) -> bool:
        """Tell whether the caller has this revision (RFC 9110, If-None-Match)."""
        given = self.headers.get("if-none-match")
        if given is None:
            return False
        tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
        return etag(revision) in tags or "*" in tags

    def cursor(self) -> str | None:
        """Return the id that a page ended with. Raise InvalidInput."""
        text = self.query.get("cursor")
        if text is not None and _UUID.fullmatch(text) is None:
            raise InvalidInput(f"?cursor= must be the `next` of a page, not {text[:60]!r}")
        return text


@attrs.define(kw_only=True, eq=False)
class Reply:
    """The answer: *body* is an attrs value or plain JSON (None for no content), *raw* is bytes sent as they are."""

    body: object = None
    status: int = 200
    etag: str | None = None
    location: str | None = None
    raw: bytes | None = None
    stream: AsyncGenerator[bytes, None] | None = None
    """the body piece by piece, each sent at once"""
    content_type: str = "application/json"
    headers: Mapping[str, str] = attrs.field(factory=dict)
    cookies: Mapping[str, tuple[str, str, int]] = attrs.field(factory=dict)
    """name -> (value, path, max age in s)"""


Handler = Callable[[Call], Awaitable[Reply]]


@attrs.frozen(kw_only=True)
class Operation:
    """One row of the table. *query* names every parameter it understands; any other is refused.

    The rest is for the API's description: types of the JSON *body* read and of the *reply* (None: no JSON), the *statuses* of success, a
    body as *example*, and what bytes are where they are no JSON (*takes*, *gives*: media types),
    and the class of a *fault* in the question where it is not always a problem document. hub.shapes speaks for silent rows.
    """

    name: str
    method: str
    path: str
    access: Access
    handler: Handler
    summary: str
    query: frozenset[str] = frozenset()
    body: Any = None
    reply: Any = None
    statuses: tuple[int, ...] = ()
    example: object = None
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    fault: Any = None
    codings: frozenset[str] = frozenset()
    """codings of the body that *handler* reads itself, beside those that are read for it"""

    @property
    def scopes(self) -> frozenset[str]:
        """Scopes of which a machine's token needs one: everything, an area, or the reads of it. Accounts are for people."""
        area = self.name.partition(".")[0]
        if area == "auth" and self.method != "GET":
            return frozenset()
        reads = {"read", f"{area}:read"} if self.method == "GET" else set()
        return frozenset({"*", area} | reads)

    async def perform(self, call: Call) -> Reply:
        """Do it. Every write is written down: who, what, from where, how it ended (those of `system` see to that themselves)."""
        if self.method == "GET" or self.name.startswith("system."):
            return await self.handler(call)
        outcome: str | None = "failed"
        try:
            reply = await self.handler(call)
            outcome = "ok"
        except AT_THE_DOOR as error:
            outcome = None
            call.house.refusals.note(call.author, call.remote, self.name, "/".join(call.about or call.path.values()), error)
            raise
        except ParaNetError as error:
            outcome = error.code
            raise
        finally:
            if outcome is not None:
                target = "/".join(call.about or call.path.values())
                record = Record(author=call.author, remote=call.remote, action=self.name, target=target[:200], outcome=outcome)
                call.house.system.ref("audit").tell(record)
        return reply

    def check(self, caller: Caller | None, query: Mapping[str, object]) -> None:
        """Raise Unauthenticated, Forbidden or InvalidInput where the caller or a parameter is not welcome."""
        if self.access:
            if caller is None:
                raise Unauthenticated
            if caller.user.role < self.access:
                raise Forbidden(f"{self.name} needs role {self.access.name.lower()}, you are {caller.user.role.word}")
            if caller.scopes is not None and not self.scopes & set(caller.scopes):
                raise Forbidden(f"{self.name} is outside the scopes of this token: {', '.join(caller.scopes)}")
        if not self.query.issuperset(query):
            unknown = sorted(set(query) - self.query)
            known = ", ".join(sorted(self.query)) or "none"
            raise InvalidInput(f"?{unknown[0][:60]}= means nothing here; the parameters are: {known}")
        if len(query) > 1 and len(query) > len(names := set(query)):
            given = [name for name, _ in query.items()]
            for name in names:
                if given.count(name) > 1 and not name.endswith("[]"):
                    raise InvalidInput(f"?{name}= is given more than once")


def etag(revision: int) -> str:
    """Return a revision as an entity tag."""
    return f'"{revision}"'


def page(items: list[Any], limit: int, key: Callable[[Any], str]) -> dict[str, Any]:
    """Return a page of at most *limit* of *items* (one more was fetched) and the cursor to the next."""
    more = len(items) > limit
    shown = items[:limit]
    return {"items": shown, "next": key(shown[-1]) if more else None}
