"""The hub itself: its actors, for operators."""

from actors.runtime.inspect import describe, state_of, tree
from hub.operations import Access, Call, Operation, Reply
from paranet import __version__
from paranet.codec import unstructure
from paranet.errors import NotFound

API = "/api/v1/system"


async def actors(call: Call) -> Reply:
    """Return the whole tree."""
    return Reply(body={"items": unstructure(tree(call.house.system)), "next": None})


async def actor(call: Call) -> Reply:
    """Return one actor with what it shows of its state."""
    cell = call.house.system.cell(call.path["path"])
    if cell is None:
        raise NotFound(f"there is no actor {call.path['path'][:120]!r}")
    return Reply(body=unstructure(describe(cell)) | {"state": unstructure(state_of(cell))})


async def info(call: Call) -> Reply:
    """Return what runs here."""
    house = call.house
    return Reply(
        body={
            "name": "paranet-hub",
            "version": __version__,
            "uptime": house.uptime,
            "actors": len(house.system.cells()),
            "clients": len(house.outlets),
            "dead_letters": house.system.dead_letters.total,
        }
    )


OPERATIONS = (
    Operation(
        name="system.actors", method="GET", path=f"{API}/actors", access=Access.OPERATOR, handler=actors, summary="The actors of this hub"
    ),
    Operation(
        name="system.actor", method="GET", path=f"{API}/actors/{{path:.+}}", access=Access.OPERATOR, handler=actor, summary="One actor"
    ),
    Operation(name="system.info", method="GET", path=f"{API}/info", access=Access.OPERATOR, handler=info, summary="What runs here"),
)
