"""A hub from outside: REST calls, and channels that come back by themselves. The command line, the tests and the benchmarks use it."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import aiohttp
import attrs
import orjson

from hub.ws.closecodes import CloseCode
from hub.ws.protocol import SUBPROTOCOL
from paranet.errors import ParaNetError

FIRST, LONGEST = 0.25, 30.0
"""seconds of the back-off after a loss: doubled with each that follows, jittered"""
STEADY = 10.0
"""seconds a connection has to live before the back-off begins anew"""
MARGIN = 5.0
"""seconds before its end that a token counts as ended"""
WITHIN = 300.0
"""seconds for one question and its answer"""
FRAME = 64 * 2**20
LOST = (aiohttp.ClientError, TimeoutError, ConnectionError)
"""what goes wrong when the hub is away; it may come back"""


@attrs.frozen(kw_only=True)
class Answer:
    """What the hub said."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Return the body as JSON, None when it is empty."""
        return orjson.loads(self.body) if self.body else None


@attrs.frozen(kw_only=True)
class Update:
    """A part of a channel: its whole state (`snapshot`) or what came next (`events`), up to *position* (`epoch:offset`).

    `resync` has no items: what came before no longer connects with what follows, which is the state, or a log from its beginning.
    """

    kind: str
    items: Any
    position: str


class HubClient:
    """One user of one hub. Use it as `async with HubClient(url, username=.., password=..) as hub`."""

    def __init__(self, url: str, *, token: str | None = None, username: str | None = None, password: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._username = username
        self._password = password
        self._refresh_token: str | None = None
        self._ends = float("inf")  # monotonic

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=WITHIN, sock_connect=10.0)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        data: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask once; *path* is below /api/v1, *body* goes as JSON, *data* as it is.

        Raise ParaNetError with the hub's own words when it refuses or cannot be reached.
        """
        more = {"Content-Type": "application/json"} if body is not None else {}
        try:
            sent = {"Authorization": f"Bearer {await self._good_token()}", **more, **(headers or {})}
            return await self._request(method, path, params=query, headers=sent, data=orjson.dumps(body) if body is not None else data)
        except LOST as error:
            raise self._silent(error) from None

    def _silent(self, error: Exception) -> ParaNetError:
        return ParaNetError(f"{self.url} does not answer: {str(error) or type(error).__name__}")

    async def _good_token(self) -> str:
        """Return an access token that is good: signed in for, or renewed, when that is due. Raise ParaNetError, or one of LOST."""
        if self._token is not None and time.monotonic() < self._ends - MARGIN:
            return self._token
        if self._refresh_token is not None:
            return self._take(await self._post("refresh", {"refresh_token": self._refresh_token}))
        if self._username is None or self._password is None:
            raise ParaNetError(
                "who are you? Give --token (PARANET_TOKEN), or --username and --password (PARANET_USERNAME, PARANET_PASSWORD)"
            )
        return self._take(await self._post("login", {"username": self._username, "password": self._password}))

    async def watch(self, channel: str, *, since: str | None = None, **wanted: Any) -> AsyncGenerator[Update, None]:
        """Yield everything of a channel in order, each once; *wanted* is its filter (`nodes`, `metrics`, `labels`, `interval`, `changes`).

        A lost connection is made again and goes on where it ended. Raise ParaNetError when the hub refuses for good.
        """
        attempt, met = 0, False
        while True:
            began, retry = time.monotonic(), None
            try:
                async with aclosing(self._connection(channel, since, wanted)) as frames:
                    async for frame in frames:
                        met = True
                        retry = _retry(frame) or retry
                        update = _update(frame, resumed=since is not None)
                        if update is not None:
                            since = update.position or since
                            yield update
            except LOST as error:
                if not met:  # not a loss: nobody was ever there
                    raise self._silent(error) from None
            attempt = 0 if time.monotonic() - began > STEADY else attempt + 1
            await asyncio.sleep(retry if retry is not None else _pause(attempt))

    async def _connection(self, channel: str, since: str | None, wanted: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the frames of one connection until it is lost. Raise ParaNetError when coming back is no use."""
        async with await self._upgrade() as socket:
            await socket.send_json({"type": "sub", "id": 1, "ch": channel, "filter": wanted, **({"since": since} if since else {})})
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                frame = orjson.loads(message.data)
                if frame["type"] == "ping":
                    await socket.send_json({"type": "pong"})
                elif frame["type"] == "expiring" and self._refresh_token is not None:
                    self._ends = 0.0
                    await socket.send_json({"type": "auth", "id": 2, "token": await self._good_token()})
                elif frame["type"] == "error" and not frame["error"]["retryable"]:
                    raise ParaNetError(f"{frame['error']['detail']} ({frame['error']['code']})")
                else:
                    yield frame
                    if frame["type"] == "error":  # nobody is subscribed any more: the next connection asks again
                        return
            code = socket.close_code
        if code is not None and code >= CloseCode.BAD_TOKEN:
            raise ParaNetError(f"the hub has closed the connection for good ({code})")

    async def _upgrade(self) -> aiohttp.ClientWebSocketResponse:
        """Return a socket. A refusal (4xx) is for good."""
        headers = {"Authorization": f"Bearer {await self._good_token()}"}
        try:
            return await self._session.ws_connect(f"{self.url}/ws", headers=headers, protocols=(SUBPROTOCOL,), max_msg_size=FRAME)
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (408, 429) or error.status >= 500:
                raise
            raise ParaNetError(f"{self.url} lets nobody in with this token ({error.status})") from None

    async def _post(self, what: str, body: Any) -> Answer:
        return await self._request("POST", f"/auth/{what}", data=orjson.dumps(body), headers={"Content-Type": "application/json"})

    async def _request(self, method: str, path: str, **more: Any) -> Answer:
        async with self._session.request(method, f"{self.url}/api/v1{path}", **more) as response:
            answer = Answer(status=response.status, body=await response.read(), headers=response.headers)
        if answer.status < 400:
            return answer
        if response.content_type != "application/problem+json":
            raise ParaNetError(f"{response.url} answers {answer.status} and is no hub")
        raise ParaNetError(_told(answer.json()))

    def _take(self, answer: Answer) -> str:
        session = answer.json()
        self._token, self._refresh_token = str(session["access_token"]), str(session["refresh_token"])
        self._ends = time.monotonic() + float(session["expires_in"])
        return self._token


def _update(frame: Mapping[str, Any], *, resumed: bool) -> Update | None:
    if frame["type"] == "resync" or (frame["type"] == "ok" and resumed and frame.get("recovered") is False):
        return Update(kind="resync", items=(), position="")
    if frame["type"] == "snapshot":  # a position only with the last part: who is cut off in between has to begin anew
        return Update(kind="snapshot", items=frame["data"], position=f"{frame['epoch']}:{frame['offset']}" if frame["last"] else "")
    if frame["type"] == "events":
        return Update(kind="events", items=frame["items"], position=f"{frame['epoch']}:{frame['to']}")
    return None


def _pause(attempt: int) -> float:
    return min(LONGEST, FIRST * 2.0**attempt) * random.uniform(0.5, 1.0)  # noqa: S311  # it is no secret


def _retry(frame: Mapping[str, Any]) -> float | None:
    """Return how many seconds the hub wishes to be left alone."""
    wish = frame.get("retry_ms") if frame["type"] == "bye" else frame["error"]["retry_ms"] if frame["type"] == "error" else None
    return None if wish is None else float(wish) / 1000


def _told(problem: Mapping[str, Any]) -> str:
    """Return a problem document as people read it: the detail, and a line for each place at fault."""
    faults = [f"{fault.get('path', '')}: {fault.get('message', '')}" for fault in problem.get("errors", ()) if isinstance(fault, dict)]
    return "\n  ".join([f"{problem['detail']} ({problem['code']})", *(fault for fault in faults if fault != problem["detail"])])
