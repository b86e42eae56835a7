"""Pages: rendered by jinja2, alive through the WebSocket. Their scripts come from /static only (CSP)."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp_jinja2
import attrs
import jinja2
from aiohttp import web

from actors.accounts import Role, User
from hub.keys import HOUSE
from hub.operations import Access
from hub.signin import caller_of
from hub.web.languages import LANGUAGES, catalogue, language_of
from paranet import __version__
from paranet.errors import Unauthenticated

REDOC = " 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='; worker-src blob:"
"""what ReDoc's policy allows beyond that of the others: the two style elements that it makes while it is loaded, and its search worker"""

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"


@attrs.frozen(kw_only=True)
class Page:
    """A page for those who are signed in, with at least *role*; *name* stands in the navigation, unless it is not *listed* there."""

    path: str
    name: str
    template: str
    role: Role = Role.VIEWER
    listed: bool = True


SIGNED_IN = (
    Page(path="/", name="Network", template="network.html"),
    Page(path="/intents", name="Intents", template="intents.html"),
    Page(path="/deployments", name="Deployments", template="deployments.html", role=Role.OPERATOR),
    Page(path="/monitor", name="Monitor", template="monitor.html"),
    Page(path="/assistant", name="Assistant", template="assistant.html"),
    Page(path="/operators", name="Operators", template="operators.html", role=Role.OPERATOR),
    Page(path="/profile", name="Profile", template="profile.html", listed=False),
    Page(path="/users", name="Users", template="users.html", role=Role.ADMIN, listed=False),
)
"""in the order of the navigation"""


def shown(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of *page*: who is not signed in is sent to do so, whoever may not see it to the network."""

    async def handler(request: web.Request) -> web.Response:
        user = await _signed_in(request)
        if user.role < page.role:
            raise web.HTTPSeeOther("/")
        pages = [other for other in SIGNED_IN if other.listed and user.role >= other.role]
        return _page(request, page.template, user=user.username, role=user.role.word, pages=pages, name=page.name, path=page.path)

    return handler


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
    try:
        file = (STATIC / request.match_info["name"]).resolve()
        found = file.is_relative_to(STATIC) and file.is_file()
    except (OSError, ValueError):  # a name that no file can have
        found = False
    if not found:
        raise web.HTTPNotFound
    return web.FileResponse(file, headers={"Cache-Control": "no-cache"})


PAGES = (
    *((page.path, shown(page)) for page in SIGNED_IN),
    ("/login", login),
    ("/docs", docs),
    ("/redoc", redoc),
    ("/static/{name:.+}", static),
)
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
    language = language_of(request)
    words = catalogue(language)
    context |= {"nonce": nonce, "version": __version__, "language": language, "languages": LANGUAGES, "words": dict(words)}
    response = aiohttp_jinja2.render_template(template, request, {**context, "_": lambda text: words.get(text, text)})
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        f"base-uri 'none'; frame-ancestors 'none'; style-src 'self' 'nonce-{nonce}'{more}"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Cookie, Accept-Language"
    return response


def set_up(app: web.Application) -> None:
    """Have the application render templates."""
    loader = jinja2.FileSystemLoader(HERE / "templates")
    aiohttp_jinja2.setup(app, loader=loader, autoescape=jinja2.select_autoescape(), enable_async=False)
