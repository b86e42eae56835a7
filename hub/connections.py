"""HTTP connections: how many there may be, and an answer in our own words to what is no HTTP."""

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, ContentEncodingError, LineTooLong

from hub import problems
from hub.codec import encode
from hub.limits import Connections, place_of
from hub.middlewares import HEADERS, SERVER
from hub.problems import CODINGS, BadRequest, HeadersTooLarge, TooManyConnections, UnsupportedCoding
from paranet.errors import ParaNetError

IDLE = 75.0
"""seconds that a connection may be without a whole request; the usual 60 s of proxies fit in"""
LINGER = 1.0
"""seconds that a client who is refused has to read why"""


class Connection(web.RequestHandler):
    """aiohttp's side of one connection. *user* is whose requests came over it last."""

    __slots__ = ("_address", "_connections", "_refused", "user")

    def __init__(self, manager: web.Server, connections: Connections) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), access_log=None, keepalive_timeout=IDLE)  # type: ignore[arg-type]  # None is what web.run_app takes, too
        self._connections = connections
        self._address = self.user = ""
        self._refused: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or say why not."""
        address = (transport.get_extra_info("peername") or ("",))[0]
        try:
            self._connections.enter(address)
        except TooManyConnections as error:
            assert isinstance(transport, asyncio.Transport)
            self._refused = transport
            transport.write(_whole(error))
            self._loop.call_later(LINGER, transport.close)
        else:
            self._address = place_of(address)
            super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take what came; who is refused has had the answer by now."""
        if self._refused is None:
            super().data_received(data)
        else:
            self._refused.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it, once: a socket that goes on alone is no HTTP connection any more."""
        if self._address:
            self._connections.leave("address", self._address)
            self._address = ""
        if self.user:
            self._connections.leave("user", self.user)
            self.user = ""
        super().connection_lost(exc)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what cannot be read as a request with a problem; nothing is logged: strangers would fill the log."""
        if not isinstance(exc, BadHttpMessage):
            return super().handle_error(request, status, exc, message)
        if request.writer.output_size > 0:
            raise ConnectionError("half of an answer is sent already")
        response = problems.response(_of(exc), "")
        response.headers.merge({**HEADERS, "Server": SERVER})
        response.force_close()
        return response


def _of(fault: BadHttpMessage) -> ParaNetError:
    """Return the parser's complaint as one of our errors."""
    if isinstance(fault, ContentEncodingError):
        return UnsupportedCoding(f"bodies may be compressed with {CODINGS}, with nothing else")
    if isinstance(fault, LineTooLong) or "Too many headers" in fault.message:
        return HeadersTooLarge("the request line and each header may have 8190 bytes, and there may be 128 headers")
    return BadRequest(f"this is no HTTP request: {fault.message.strip().splitlines()[0][:120]}")


def _whole(error: ParaNetError) -> bytes:
    """Return an answer to a request that nobody has read."""
    response, body = problems.response(error, ""), encode(problems.problem(error, ""))
    response.headers.merge(HEADERS)
    response.headers.merge({"Server": SERVER, "Content-Length": str(len(body)), "Connection": "close"})
    lines = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    return f"HTTP/1.1 {response.status} {response.reason}\r\n{lines}\r\n".encode() + body
