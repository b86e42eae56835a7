"""What the aiohttp application and its requests carry, by typed keys."""

import attrs
from aiohttp import web

from hub.house import House
from hub.limits import Standing

HOUSE = web.AppKey("house", House)


@attrs.define(eq=False)
class Trail:
    """What is known of a request when its answer is sent; shared with the clone that a proxy's word makes."""

    id: str
    remote: str | None
    secure: bool
    standing: Standing | None = None


TRAIL = web.RequestKey("trail", Trail)
