"""The hub itself, for operators: what runs, what waits, what died, and the few things one may do about it."""

from collections.abc import Awaitable, Callable
from functools import partial

from actors.audit import GetAudit
from actors.runtime import inspect, operate
from actors.runtime.system import ActorSystem
from hub.audited import audited
from hub.health import health
from hub.operations import Access, Call, Operation, Reply, page
from hub.times import rfc3339
from hub.ws.messages import GetClients, Kick
from paranet import __version__
from paranet.codec import unstructure
from paranet.errors import Forbidden, NotFound

API = "/api/v1/system"
ASK = 5.0
DRAIN_WITHIN = 10.0
INDISPENSABLE = frozenset({"accounts", "audit", "ws"})
"""actors that let operators in and write down what they do: they may be restarted, not halted"""

Action = Callable[[ActorSystem, str], Awaitable[object]]


async def actors(call: Call) -> Reply:
    """Return the whole tree with the lag of the event loop and what blocked it."""
    system = call.house.system
    body = {"items": inspect.tree(system), "lag": inspect.lag(system), "blocks": inspect.blocks(system), "next": None}
    return Reply(body=unstructure(body))


async def actor(call: Call) -> Reply:
    """Return one actor: its state, what changed in it within the last ?window= ms, and what its trace has recorded."""
    system, path = call.house.system, call.path["path"]
    cell = operate.find(system, path)
    window = call.integer("window", 5000, 1, 600_000)
    body = unstructure(inspect.describe(cell)) | {
        "state": unstructure(inspect.state_of(cell)),
        "window": unstructure(inspect.window(system, path, window)),
        "trace": unstructure(inspect.trace(system, path)),
    }
    return Reply(body=body)


async def waits(call: Call) -> Reply:
    """Return the wait-for graph: who waits for whose answer."""
    return Reply(body={"items": unstructure(inspect.waits(call.house.system)), "next": None})


async def dead_letters(call: Call) -> Reply:
    """Return the newest messages that nobody processed."""
    letters = inspect.dead_letters(call.house.system, call.integer("limit", 100, 1, 1000))
    items = [unstructure(letter) | {"at": rfc3339(letter.at)} for letter in letters]
    return Reply(body={"items": items, "total": call.house.system.dead_letters.total, "next": None})


async def replay(call: Call) -> Reply:
    """Tell a dead letter's message again."""
    text = call.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound(f"there is no dead letter {text[:60]!r}")

    async def again() -> object:
        return operate.replay(call.house.system, int(text))

    return Reply(body={"accepted": await audited(call, "replay", text, again())})


async def act(call: Call, action: str) -> Reply:
    """Restart, suspend, resume or drain one actor, or have it record what it handles for a minute."""
    path = call.path["path"]
    if path in INDISPENSABLE and action in ("suspend", "drain"):
        raise Forbidden(f"{path} cannot be halted: nobody could get in to start it again")
    outcome = await audited(call, action, path, ACTIONS[action](call.house.system, path))
    return Reply(body={"path": path, "action": action, "outcome": outcome})


async def _suspend(system: ActorSystem, path: str) -> None:
    operate.suspend(system, path)


async def _resume(system: ActorSystem, path: str) -> None:
    operate.resume(system, path)


async def _drain(system: ActorSystem, path: str) -> object:
    return {"left": await operate.drain(system, path, within=DRAIN_WITHIN)}


async def _trace(system: ActorSystem, path: str) -> None:
    operate.start_trace(system, path)


ACTIONS: dict[str, Action] = {
    "restart": operate.restart,
    "suspend": _suspend,
    "resume": _resume,
    "drain": _drain,
    "trace": _trace,
}


async def audit(call: Call) -> Reply:
    """Return what operators did to the hub, newest first."""
    limit = call.integer("limit", 50, 1, 500)
    request = GetAudit(limit=limit + 1, before=call.integer("cursor", 1 << 62, 0, 1 << 62))
    entries = await call.house.system.ref("audit").ask(request, timeout=ASK)
    return Reply(body=page([unstructure(e) | {"at": rfc3339(e.at)} for e in entries], limit, lambda e: str(e["id"])))


async def clients(call: Call) -> Reply:
    """Return who is connected by WebSocket: user, address, subscriptions, what waits for them."""
    found = await call.house.system.ref("ws").ask(GetClients(), timeout=ASK)
    return Reply(body={"items": unstructure(found), "next": None})


async def disconnect(call: Call) -> Reply:
    """Close a client's socket; it is told not to come back by itself."""
    client = call.path["id"]
    await audited(call, "disconnect", client, call.house.system.ref("ws").ask(Kick(id=client), timeout=ASK))
    return Reply(status=204)


async def hubs(call: Call) -> Reply:
    """Return the hub processes that share this hub's Redis, this one too; without Redis, or while it is away, this one alone."""
    house = call.house
    found = await house.present()
    return Reply(body={"items": [hub | {"since": rfc3339(hub["since"]), "here": hub["id"] == house.id} for hub in found], "next": None})


async def info(call: Call) -> Reply:
    """Return what runs here, the lag of its event loop and what blocked it, and how its stores are."""
    house = call.house
    return Reply(
        body={
            "name": "paranet-hub",
            "id": house.id,
            "hubs": len(await house.present()),
            "version": __version__,
            "uptime": house.uptime,
            "actors": len(house.system.cells()),
            "clients": len(house.outlets),
            "dead_letters": house.system.dead_letters.total,
            "lag": unstructure(inspect.lag(house.system)),
            "blocks": unstructure(inspect.blocks(house.system)),
            "health": unstructure(await health(house)),
        }
    )


def _row(name: str, method: str, path: str, handler: Callable[[Call], Awaitable[Reply]], summary: str, *query: str) -> Operation:
    return Operation(
        name=f"system.{name}",
        method=method,
        path=f"{API}{path}",
        access=Access.OPERATOR,
        handler=handler,
        summary=summary,
        query=frozenset(query),
    )


OPERATIONS = (
    _row("actors", "GET", "/actors", actors, "The actors of this hub"),
    _row("actor", "GET", "/actors/{path:.+}", actor, "One actor, its state and what changed in it", "window"),
    *(
        _row(action, "POST", f"/actors/{{path:.+}}/{action}", partial(act, action=action), f"{action.capitalize()} an actor")
        for action in ACTIONS
    ),
    _row("waits", "GET", "/waits", waits, "Who waits for whom"),
    _row("dead-letters", "GET", "/dead-letters", dead_letters, "Messages nobody processed", "limit"),
    _row("replay", "POST", "/dead-letters/{id}/replay", replay, "Tell a dead letter's message again"),
    _row("clients", "GET", "/clients", clients, "Who is connected"),
    _row("disconnect", "DELETE", "/clients/{id}", disconnect, "Close a client's socket"),
    _row("audit", "GET", "/audit", audit, "What operators did", "limit", "cursor"),
    _row("hubs", "GET", "/hubs", hubs, "The hub processes that are there"),
    _row("info", "GET", "/info", info, "What runs here"),
)
