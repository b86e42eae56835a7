"""A network small enough to be read in a test: a square, r1 -- r2 -- r3 -- r4 -- r1."""

from typing import Any

from tests.hub.api import Api

NODES = ("r1", "r2", "r3", "r4")
LINKS = (("r1", "r2"), ("r2", "r3"), ("r3", "r4"), ("r4", "r1"))
ROUTE = "route web { from: r1; to: r3; via: r2 }"
OTHER_WAY = "route web { from: r1; to: r3; via: r4 }"


def link(a: str, b: str, **more: Any) -> dict[str, Any]:
    """Return a link as a body."""
    return {"id": f"{a}-{b}", "source": {"node": a}, "target": {"node": b}, **more}


def square() -> dict[str, Any]:
    """Return the square as native JSON; every router has an address of its own."""
    nodes = [{"id": n, "interfaces": [{"name": "lo", "address": f"10.255.0.{i}/32"}]} for i, n in enumerate(NODES, 1)]
    return {"nodes": nodes, "links": [link(a, b, bandwidth="10Gbps", latency="2ms") for a, b in LINKS]}


async def build_square(api: Api) -> int:
    """Import the square; return the revision."""
    status, body, _ = await api.call("POST", "/topology/import", json=square())
    assert status == 200, body
    return int(body["revision"])


async def compiled(api: Api, source: str = ROUTE, name: str | None = "work") -> str:
    """Compile a source; return the compilation's id."""
    status, body, _ = await api.call("POST", "/intent/compile", json={"source": source, "name": name})
    assert status == 201, body
    return str(body["id"])
