"""Answers on the wire. An operation's is put together here, head and body, and goes out in one write (docs/adr/0009)."""

import re
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from http.cookies import SimpleCookie

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion10
from aiohttp.web import BaseRequest

from hub.codec import encode
from hub.keys import TRAIL, Trail
from hub.middlewares import EXPOSED, HEADERS, HSTS, SERVER
from hub.operations import Reply

TOGETHER = 2**16
"""bytes of a body up to which it is copied behind its head; beyond that a second write costs less"""
_BODILESS = frozenset({204, 304})
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_STATUS = {status.value: f" {status.value} {status.phrase}\r\n" for status in HTTPStatus}


def _lines(headers: Iterable[tuple[str, str]]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


_COMMON = _lines(HEADERS.items())


class Answer(web.StreamResponse):
    """An answer that is known whole: head and body as they go out."""

    def __init__(self, status: int, head: bytes, body: bytes, *, keep_alive: bool) -> None:
        super().__init__(status=status)
        self._head = head
        self._content = body
        self._stays = keep_alive

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays for another request."""
        return self._stays

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter:
        """Send all of it. Raise ConnectionResetError when the client has gone."""
        writer = request.writer
        if len(self._content) <= TOGETHER:
            await writer.write_eof(self._head + self._content)
        else:
            await writer.write(self._head)
            await writer.write_eof(self._content)
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


class Manners:
    """What every answer of a hub says beside its own; *origins* are other sites whose pages may ask."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins

    async def add(self, request: web.Request, response: web.StreamResponse) -> None:
        """The signal on_response_prepare, for what aiohttp sends."""
        if response.status == 101:
            return  # it only opens a socket
        response.headers["Server"] = SERVER
        response.headers.merge(HEADERS)
        trail = request.get(TRAIL)
        if trail is not None:
            response.headers.update(self._of(request, trail))

    def answer(self, reply: Reply, request: web.Request, trail: Trail) -> Answer:
        """Return the answer to an operation."""
        status, keep_alive, old = reply.status, request.keep_alive, request.version == HttpVersion10
        own = "Cache-Control: no-store\r\n" if reply.etag is None else f"Cache-Control: no-cache\r\nETag: {reply.etag}\r\n"
        if reply.headers or reply.location is not None or reply.cookies:
            own += _rare(reply, secure=request.secure)
        body = b""
        if status not in _BODILESS:
            body = reply.raw if reply.raw is not None else encode(reply.body)
            own += f"Content-Type: {reply.content_type}\r\nContent-Length: {len(body)}\r\n"
        if keep_alive is old:
            own += "Connection: keep-alive\r\n" if keep_alive else "Connection: close\r\n"
        about = _lines((dict(HEADERS) | self._of(request, trail)).items()) if self._origins or trail.secure else _usual(trail)
        head = f"{'HTTP/1.0' if old else 'HTTP/1.1'}{_STATUS[status]}{own}{about}{_dated(int(time.time()))}\r\n"
        return Answer(status, head.encode(), body if request.method != "HEAD" else b"", keep_alive=keep_alive)

    def _of(self, request: web.Request, trail: Trail) -> dict[str, str]:
        """Return what depends on the request."""
        headers = {"X-Request-Id": trail.id}
        if trail.secure:
            headers["Strict-Transport-Security"] = HSTS
        if trail.standing is not None:
            headers |= trail.standing.headers
        if self._origins:
            headers["Vary"] = "Origin"
            origin = request.headers.get("Origin")
            if origin in self._origins and request.path.startswith(("/api/", "/openapi.json")):
                headers["Access-Control-Allow-Origin"] = str(origin)
                headers["Access-Control-Expose-Headers"] = EXPOSED
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return headers


def _usual(trail: Trail) -> str:
    """Return what a hub without TLS that serves no other sites says of itself and of the request."""
    if trail.standing is None:
        return f"{_COMMON}X-Request-Id: {trail.id}\r\n"
    limit, left, reset = trail.standing
    limits = f"RateLimit-Limit: {limit}\r\nRateLimit-Remaining: {left}\r\nRateLimit-Reset: {reset}\r\n"
    return f"{_COMMON}X-Request-Id: {trail.id}\r\n{limits}"


def _rare(reply: Reply, *, secure: bool) -> str:
    """Return the lines that few answers have. Raise ValueError for a value that would be a line of its own."""
    values = dict(reply.headers)
    if reply.location is not None:
        values["Location"] = reply.location
    for name, value in values.items():
        if _CONTROL.search(value):
            raise ValueError(f"{name} holds control characters")
    cookies: SimpleCookie = SimpleCookie()
    for name, (value, path, age) in reply.cookies.items():
        cookies[name] = value
        for attribute, given in (("path", path), ("max-age", str(age)), ("httponly", True), ("samesite", "Strict"), ("secure", secure)):
            cookies[name][attribute] = given  # a flag that is True is written without a value
    return _lines((*values.items(), *(("Set-Cookie", morsel.OutputString()) for morsel in cookies.values())))


@lru_cache(maxsize=1)
def _dated(second: int) -> str:
    return _lines((("Date", formatdate(second, usegmt=True)), ("Server", SERVER)))
