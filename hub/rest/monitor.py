"""Metrics: read what was measured."""

from actors.telemetry import ReadMetrics
from hub.operations import Access, Call, Operation, Reply
from paranet.codec import unstructure
from paranet.errors import InvalidInput

API = "/api/v1/monitor"
ASK = 15.0
LATEST = 15 * 60 * 1000
"""ms that are shown when no start is given"""


async def metrics(call: Call) -> Reply:
    """Return samples by metric name and node between two times (UNIX ms)."""
    return await _read(call, call.names("nodes"))


async def node_metrics(call: Call) -> Reply:
    """Return one node's samples."""
    return await _read(call, frozenset({call.path["id"]}))


async def _read(call: Call, nodes: frozenset[str]) -> Reply:
    now = int(call.house.system.now() * 1000)
    end = call.integer("end", now, 0, 1 << 53)
    start = call.integer("start", end - LATEST, 0, 1 << 53)
    if start > end:
        raise InvalidInput("?start= must not be after ?end=")
    request = ReadMetrics(names=call.names("names"), nodes=nodes, start=start, end=end)
    series = await call.house.system.ref("telemetry").ask(request, timeout=ASK)
    return Reply(body={"tier": "raw", "series": unstructure(series)})


_QUERY = frozenset({"names", "start", "end"})
OPERATIONS = (
    Operation(
        name="monitor.metrics",
        method="GET",
        path=f"{API}/metrics",
        access=Access.VIEWER,
        handler=metrics,
        summary="Return samples",
        query=_QUERY | {"nodes"},
    ),
    Operation(
        name="monitor.node",
        method="GET",
        path=f"{API}/metrics/{{id}}",
        access=Access.VIEWER,
        handler=node_metrics,
        summary="Return one node's samples",
        query=_QUERY,
    ),
)
