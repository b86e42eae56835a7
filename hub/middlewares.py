"""What happens to every request: whom it comes from through proxies, an id, a log line, and errors turned into problem documents."""

import asyncio
import itertools
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDict

from actors.runtime.errand import Errand, errand
from hub import problems
from hub.keys import TRAIL, Trail
from hub.settings import words
from paranet.errors import ParaNetError

log = logging.getLogger("hub.access")
faults = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = CIMultiDict(
    {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }
)
"""what an answer carries that does not say otherwise itself"""
SERVER = "paranet-hub"
"""which versions of what answer is nobody's business"""
HSTS = "max-age=31536000"
EXPOSED = "ETag, Location, Link, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Idempotency-Replayed, X-Request-Id"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Prefer, X-Request-Id",
    "Access-Control-Max-Age": "600",
}
_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_NUMBERS = itertools.count(1)
_RUN = secrets.token_hex(4)
"""what ids made by this process begin with"""


async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into problem+json; what nobody foresaw becomes a bare 500 and a trace in the log."""
    began = time.perf_counter()
    given = request.headers.get("X-Request-Id")
    name = given if given and _ID.fullmatch(given) else f"{_RUN}-{next(_NUMBERS):x}"
    trail = request[TRAIL] = Trail(name, request.remote, request.secure)
    errand.set(Errand(name))  # not taken back: aiohttp handles every request in a context of its own
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
    if log.isEnabledFor(logging.DEBUG):
        took = (time.perf_counter() - began) * 1000
        extra = {"method": request.method, "path": request.path, "status": response.status, "ms": round(took, 2), "remote": trail.remote}
        log.debug("%s %s %d %.1f ms", request.method, request.path, response.status, took, extra={**extra, "request": name})
    return response


def behind(proxies: str) -> Middleware:
    """Return a middleware that believes what these proxies (networks, commas between) say of the client."""
    networks = [ip_network(word) for word in words(proxies)]

    def trusted(address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in networks)

    async def believe(request: web.Request, handler: Handler) -> web.StreamResponse:
        remote = request.remote or ""
        if not trusted(remote):
            return await handler(request)
        for hop in reversed(words(",".join(request.headers.getall("X-Forwarded-For", [])))):
            remote = hop
            if not trusted(hop):
                break
        trail = request[TRAIL]
        trail.remote, trail.secure = remote[:64], request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
        return await handler(request.clone(remote=trail.remote, scheme="https" if trail.secure else "http"))

    return believe


def preflight(origins: frozenset[str]) -> Middleware:
    """Return a middleware that answers what browsers ask before a page of another site may ask (CORS)."""

    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if asked and request.headers.get("Origin") in origins and request.path.startswith("/api/"):
            return web.Response(status=204, headers=PREFLIGHT)
        return await handler(request)

    return answer
