"""A FastAPI application that sends every event to every client, as the peer in bench/fanout.py."""

import json
import resource
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
clients: set[WebSocket] = set()


@app.websocket("/ws")
async def listen(socket: WebSocket) -> None:
    """Keep the client until it goes."""
    await socket.accept()
    clients.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        clients.discard(socket)


@app.get("/go")
async def go(events: int, batch: int, how: str, body: str) -> dict[str, Any]:
    """Send the events, *batch* of them to a client before the next one's turn."""
    event = json.loads(body)
    for _ in range(events // batch):
        text = json.dumps(event)
        for socket in list(clients):
            for _ in range(batch):
                await (socket.send_json(event) if how == "send_json" else socket.send_text(text))
    return {}


@app.get("/cpu")
async def cpu() -> dict[str, float]:
    """Return the CPU seconds this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": usage.ru_utime + usage.ru_stime, "clients": len(clients)}
