"""The aiohttp application: every operation of the table behind its route, sockets, pages, and the figures for machines."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Middleware

from hub import asyncapi, metrics, openapi, problems
from hub.answers import Manners
from hub.auth import Caller
from hub.codec import encode
from hub.connections import Connection
from hub.house import House
from hub.keys import HOUSE, TRAIL
from hub.middlewares import answer_errors, behind, preflight
from hub.nowhere import Nowhere
from hub.operations import Access, Call, Operation, Reply
from hub.refusals import AT_THE_DOOR
from hub.rest import OPERATIONS
from hub.settings import words
from hub.signin import caller_of, check_origin
from hub.web import views
from hub.ws import endpoint
from paranet import __version__
from paranet.errors import InvalidInput, TooLarge, Unauthenticated

BODY_WITHIN = 60.0
"""seconds a client has to send its body"""

READ = frozenset(("identity", *problems.CODINGS.split(", ")))
"""codings of bodies that are read"""
NO_COOKIES: Mapping[str, str] = {}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(house: House) -> web.Application:
    """Return the application over a house that is open."""
    server = house.settings.server
    origins = frozenset(words(server.origins))
    around: list[Middleware] = [answer_errors]
    around += [behind(server.trusted_proxies)] if server.trusted_proxies else []
    around += [preflight(origins)] if origins else []
    around += house.around
    through = partial(_behind, around)
    app = web.Application(client_max_size=server.max_body)
    app[HOUSE] = house
    manners = Manners(origins)
    app.on_response_prepare.append(manners.add)
    for operation in OPERATIONS:
        served = through(_served(operation, house, manners))
        for method in ("GET", "HEAD") if operation.method == "GET" else (operation.method,):
            app.router.add_route(method, operation.path, served, expect_handler=expected)
    views.set_up(app)
    for path, handler in endpoint.ROUTES:
        app.router.add_get(path, through(handler), allow_head=False)
    for path, page in (*MACHINES, *views.PAGES):
        app.router.add_get(path, through(page))
    Nowhere(app.router, through)
    return app


def _behind(around: Sequence[Middleware], handler: Handler) -> Handler:
    """Return the handler as it is reached: each of *around* is passed on the way, the first one first."""
    for middleware in reversed(around):
        handler = partial(middleware, handler=handler)
    return handler


def _served(operation: Operation, house: House, manners: Manners) -> Handler:
    """Return the aiohttp handler: sign-in, role, query and body are checked here, once for all operations."""

    perform = operation.handler if operation.method == "GET" else operation.perform  # reads leave no trace, so no detour either

    async def handle(request: web.Request) -> web.StreamResponse:
        caller = None
        try:
            caller = await _caller(request, house) if operation.access else None
            request[TRAIL].standing = await house.limits.check(operation, caller, request.remote or "")
            operation.check(caller, request.query)
            if not operation.access and request.cookies and operation.method != "GET":
                check_origin(request)
        except AT_THE_DOOR as error:
            if operation.method != "GET":
                who, target = caller.user.username if caller else "", "/".join(request.match_info.values())
                house.refusals.note(who, request.remote or "", operation.name, target, error)
            raise
        body, filename = await _body(request, operation.codings) if request.can_read_body else (b"", None)
        call = Call(
            house=house,
            caller=caller,
            path=request.match_info,
            query=request.query,
            headers=request.headers,
            cookies=request.cookies if "Cookie" in request.headers else NO_COOKIES,
            body=body,
            filename=filename,
            remote=request.remote or "",
            connected=lambda: request.transport is not None and not request.transport.is_closing(),
        )
        reply = await perform(call)
        return await _streamed(reply, request) if reply.stream is not None else manners.answer(reply, request, request[TRAIL])

    return handle


async def _caller(request: web.Request, house: House) -> Caller | None:
    """Return the caller; one whose token is not good counts against the address."""
    try:
        caller = await caller_of(request, house.tokens)
    except Unauthenticated:
        await house.limits.refuse(request.remote or "")
        raise
    link = request.protocol
    if caller is not None and isinstance(link, Connection) and link.user != caller.user.id:
        house.connections.claim(link.user, caller.user.id)
        link.user = caller.user.id
    return caller


async def expected(request: web.Request) -> web.StreamResponse | None:
    """Say go on to `Expect: 100-continue` (RFC 9110, 10.1.1); nothing else can be expected. aiohttp runs this before any middleware."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return problems.response(problems.BadRequest("only Expect: 100-continue can be met"), request.path)
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None


async def _body(request: web.Request, codings: frozenset[str]) -> tuple[bytes, str | None]:
    """Return the body, or the first file of a multipart one with its name; never more than the settings allow."""
    if (coding := request.headers.get("Content-Encoding", "identity").lower()) not in READ and coding not in codings:
        raise problems.UnsupportedCoding(f"bodies may be compressed with {problems.CODINGS}, with nothing else")
    try:
        with request.app[HOUSE].uploads:
            async with asyncio.timeout(BODY_WITHIN):
                if request.content_type == "multipart/form-data":
                    return await _first_file(request)
                return await request.read(), None
    except (web.RequestPayloadError, HttpProcessingError) as error:
        raise InvalidInput(f"the body is not what its headers say: {error}") from None
    except TimeoutError:
        raise InvalidInput(f"the body did not come within {BODY_WITHIN:g} s") from None


async def _first_file(request: web.Request) -> tuple[bytes, str | None]:
    """Return the first file of a form. What comes before it counts against the limit too."""
    room = request.app[HOUSE].settings.server.max_body
    try:
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise InvalidInput("the multipart body is nested")
            raw = bytearray()
            while chunk := await part.read_chunk(2**16):
                raw += chunk
                if len(raw) > room:
                    raise TooLarge("the body is larger than this hub accepts")
            if part.filename:
                return bytes(raw), part.filename
            room -= len(raw)
    except (ValueError, AssertionError) as error:
        raise InvalidInput(f"the multipart body cannot be read: {error}") from None
    raise InvalidInput("the multipart body holds no file")


async def _streamed(reply: Reply, request: web.Request) -> web.StreamResponse:
    """Send the pieces of a body as they come; a client that goes away ends the stream. HEAD gets none."""
    assert reply.stream is not None
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **reply.headers, "Content-Type": reply.content_type}
    response = web.StreamResponse(status=reply.status, headers=headers)
    async with aclosing(reply.stream) as pieces:
        await response.prepare(request)
        if request.method != "HEAD":
            async for piece in pieces:
                await response.write(piece)
    await response.write_eof()
    return response


async def healthz(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.Response(body=encode({"status": "ok", "version": __version__}), content_type="application/json")


async def readyz(request: web.Request) -> web.Response:
    """Store and actors are as they should be, or 503 and what is not. Without Redis the hub is degraded, but ready."""
    house = request.app[HOUSE]
    faults = await house.ready()
    body = encode({"status": "degraded" if faults else "ok", "faults": faults, "hubs": len(await house.present())})
    return web.Response(status=503 if faults.keys() - {"redis"} else 200, body=body, content_type="application/json")


async def figures(request: web.Request) -> web.Response:
    """The hub's own metrics for Prometheus."""
    return web.Response(body=metrics.exposition(request.app[HOUSE]), headers={"Content-Type": metrics.CONTENT_TYPE})


async def description(request: web.Request) -> web.Response:
    """The API as OpenAPI 3.1."""
    tag = f'"{hashlib.sha256(openapi.encoded()).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=openapi.encoded(), content_type="application/json", headers=headers)


async def asyncapi_json(_request: web.Request) -> web.Response:
    """The WebSocket protocol for machines."""
    return web.Response(body=encode(asyncapi.document()), content_type="application/json")


MACHINES = (
    ("/asyncapi.json", asyncapi_json),
    ("/openapi.json", description),
    ("/healthz", healthz),
    ("/readyz", readyz),
    ("/metrics", figures),
)
MACHINES_ACCESS = Access.OPEN
