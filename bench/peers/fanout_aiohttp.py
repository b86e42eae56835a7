"""An aiohttp application that sends every event to every client with send_str, as the peer in bench/fanout.py."""

import json
import resource
import sys

import uvloop
from aiohttp import web

clients: set[web.WebSocketResponse] = set()


async def listen(request: web.Request) -> web.WebSocketResponse:
    """Keep the client until it goes."""
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    clients.add(socket)
    async for _ in socket:
        pass
    clients.discard(socket)
    return socket


async def go(request: web.Request) -> web.Response:
    """Send the events, *batch* of them to a client before the next one's turn."""
    events, batch = int(request.query["events"]), int(request.query["batch"])
    event = json.loads(request.query["body"])
    for _ in range(events // batch):
        text = json.dumps(event)
        for socket in list(clients):
            for _ in range(batch):
                await socket.send_str(text)
    return web.json_response({})


async def cpu(_request: web.Request) -> web.Response:
    """Return the CPU seconds this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return web.json_response({"cpu": usage.ru_utime + usage.ru_stime, "clients": len(clients)})


app = web.Application()
app.add_routes([web.get("/ws", listen), web.get("/go", go), web.get("/cpu", cpu)])
web.run_app(app, port=int(sys.argv[1]), host="127.0.0.1", print=None, loop=uvloop.new_event_loop())
