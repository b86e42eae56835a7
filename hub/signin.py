"""Who a request comes from: bearer token, or session cookie with the Origin checked."""

from aiohttp import web
from aiohttp.hdrs import AUTHORIZATION

from hub.auth import ACCESS_COOKIE, Caller, Tokens
from paranet.errors import Forbidden, Unauthenticated

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def caller_of(request: web.Request, tokens: Tokens) -> Caller | None:
    """Return the caller, None when the request names nobody. Raise Unauthenticated for a token that is not good.

    A cookie is sent by browsers whoever made them ask, so with one a write or an upgrade must come from our own origin.
    """
    header = request.headers.get(AUTHORIZATION)
    if header is not None:
        known = tokens.known(header.removeprefix("Bearer "))
        if known is not None:
            return known
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("the Authorization header must be: Bearer <token>")
        return await tokens.check(token.strip())
    cookie = request.cookies.get(ACCESS_COOKIE)
    if not cookie:
        return None
    if request.method not in SAFE or request.headers.get("Upgrade"):
        check_origin(request)
    return await tokens.check(cookie)


def check_origin(request: web.Request) -> None:
    """Raise Forbidden when a browser says the request was made by a page of another site (RFC 6454)."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        raise Forbidden(f"requests from {origin[:120]} are not taken")
