"""Pages: rendered by jinja2, alive through the WebSocket. Their scripts come from /static only (CSP)."""

import secrets
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web

from actors.accounts import Role, User
from hub.keys import HOUSE
from hub.operations import Access
from hub.signin import caller_of
from paranet import __version__
from paranet.errors import Unauthenticated

REDOC = " 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='; worker-src blob:"
"""what ReDoc's policy allows beyond that of the others: the two style elements that it makes while it is loaded, and its search worker"""

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"


async def network(request: web.Request) -> web.Response:
    """The topology with its load; who is not signed in is sent to do so."""
    user = await _signed_in(request)
    return _page(request, "network.html", user=user.username, role=user.role.word)


async def operators(request: web.Request) -> web.Response:
    """The hub's actors and what may be done about them; whoever may not is sent to the network."""
    user = await _signed_in(request)
    if user.role < Role.OPERATOR:
        raise web.HTTPSeeOther("/")
    return _page(request, "operators.html", user=user.username, role=user.role.word)


async def login(request: web.Request) -> web.Response:
    """The sign-in form."""
    return _page(request, "login.html")


async def docs(request: web.Request) -> web.Response:
    """The API to try out (Swagger UI)."""
    return _page(request, "docs.html")


async def redoc(request: web.Request) -> web.Response:
    """The API to read (ReDoc)."""
    return _page(request, "redoc.html", REDOC)


async def static(request: web.Request) -> web.StreamResponse:
    """A file of the pages. Browsers revalidate it each time, or modules of two releases would meet in one page."""
    file = (STATIC / request.match_info["name"]).resolve()
    if not file.is_relative_to(STATIC) or not file.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(file, headers={"Cache-Control": "no-cache"})


PAGES = (("/", network), ("/operators", operators), ("/login", login), ("/docs", docs), ("/redoc", redoc), ("/static/{name:.+}", static))
ACCESS = Access.OPEN


async def _signed_in(request: web.Request) -> User:
    try:
        caller = await caller_of(request, request.app[HOUSE].tokens)
    except Unauthenticated:
        caller = None
    if caller is None:
        raise web.HTTPSeeOther("/login")
    return caller.user


def _page(request: web.Request, template: str, more: str = "", **context: object) -> web.Response:
    """Render a page with a nonce of its own; *more* is what its policy allows beyond that of the others."""
    nonce = secrets.token_urlsafe(16)
    response = aiohttp_jinja2.render_template(template, request, {"nonce": nonce, "version": __version__, **context})
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        f"base-uri 'none'; frame-ancestors 'none'; style-src 'self' 'nonce-{nonce}'{more}"
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def add_pages(app: web.Application) -> None:
    """Add the pages and the files they need."""
    loader = jinja2.FileSystemLoader(HERE / "templates")
    aiohttp_jinja2.setup(app, loader=loader, autoescape=jinja2.select_autoescape(), enable_async=False)
    for path, page in PAGES:
        app.router.add_get(path, page, allow_head=False)
