"""What the aiohttp application carries, by typed keys."""

from aiohttp import web

from hub.house import House

HOUSE = web.AppKey("house", House)
