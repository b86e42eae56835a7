"""What happens to every request: an id, a log line, and errors turned into problem documents."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from hub import problems
from paranet.errors import ParaNetError

log = logging.getLogger("hub.access")
faults = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into problem+json; what nobody foresaw becomes a bare 500 and a trace in the log."""
    began = time.perf_counter()
    try:
        response = await handler(request)
    except ParaNetError as error:
        response = problems.response(error, request.path)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        response = problems.response(problems.of_http(error, request.path, request.method), request.path)
    except (asyncio.CancelledError, ConnectionResetError):
        raise
    except Exception:
        faults.exception("%s %s failed", request.method, request.path)
        response = problems.response(ParaNetError("the hub failed on this request; its log has the trace"), request.path)
    took = (time.perf_counter() - began) * 1000
    extra = {"method": request.method, "path": request.path, "status": response.status, "ms": round(took, 2), "remote": request.remote}
    log.debug("%s %s %d %.1f ms", request.method, request.path, response.status, took, extra=extra)
    return response


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Signal on_response_prepare: headers that every answer carries, but for those that only open a socket."""
    if response.status == 101:
        return
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
