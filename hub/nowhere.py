"""Where no route leads. Who asks there passes what every request passes; aiohttp's middlewares would see to that, for 4 us a request."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiohttp import web
from aiohttp.web_urldispatcher import UrlMappingMatchInfo
from yarl import URL

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Nowhere(web.AbstractResource):
    """The last resource of a router; takes what the others did not. *through* puts a handler behind what every request passes."""

    def __init__(self, router: web.UrlDispatcher, through: Callable[[Handler], Handler]) -> None:
        super().__init__()
        self._others = list(router.resources())
        self._route = web.ResourceRoute("*", through(self._refuse), self)
        router.register_resource(self)

    async def _refuse(self, request: web.Request) -> web.StreamResponse:
        """Raise HTTPMethodNotAllowed for the path of another resource, else HTTPNotFound."""
        found = [await other.resolve(request) for other in self._others]
        allowed = {method for _, methods in found for method in methods}
        raise web.HTTPMethodNotAllowed(request.method, allowed) if allowed else web.HTTPNotFound

    @property
    def canonical(self) -> str:
        """Every path."""
        return "/{nowhere}"

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        """Match."""
        return UrlMappingMatchInfo({}, self._route), set()

    def url_for(self, **kwargs: str) -> URL:
        """Raise RuntimeError."""
        raise RuntimeError("there is no way to nowhere")

    def add_prefix(self, prefix: str) -> None:
        """Stay as it is."""

    def get_info(self) -> Any:
        """Return nothing."""
        return {}

    def raw_match(self, path: str) -> bool:
        """No route is to be added to this."""
        return False

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        yield self._route
