"""Metrics: take samples in, give them back by PromQL or by names."""

import math
import re
from typing import Any

from actors.samples import Answer, Ingest, QueryRange, ReadMetrics
from hub.operations import Access, Call, Operation, Reply
from hub.rest.pushed import lines
from paranet.codec import unstructure
from paranet.errors import InvalidInput, QueryTooLarge
from paranet.metrics.labels import METRIC_NAME, NAME, quoted
from paranet.metrics.promql.values import Vector

API = "/api/v1/monitor"
ASK = 30.0
LATEST = 15 * 60 * 1000
"""ms that are shown when no start is given"""
POINTS = 100_000
"""points of an answer"""
PER_SERIES = 500
"""points of a series where no step is asked for"""
AGGREGATIONS = ("sum", "avg", "min", "max", "count", "stddev", "stdvar", "group")


async def metrics(call: Call) -> Reply:
    """Return series by PromQL (`query`) or by `names`, `nodes`, `agg` and `rate`, from `start` to `end` every `step` ms."""
    query = call.query.get("query")
    if query is not None:
        if call.query.keys() & {"names", "nodes", "agg", "rate"}:
            raise InvalidInput("?query= stands alone: names, nodes, agg and rate mean nothing beside it")
        return await _answer(call, query)
    return await _answer(call, _compiled(call, call.names("nodes")))


async def node_metrics(call: Call) -> Reply:
    """Return one node's current figures and a short history."""
    return await _answer(call, _compiled(call, frozenset({call.path["id"]})), latest=True)


async def push(call: Call) -> Reply:
    """Take samples: columnar, or a flat list; the answer counts what was accepted and why the rest was not."""
    request = Ingest(lines=lines(call.body))
    verdicts = await call.house.system.ref("telemetry").ask(request, timeout=ASK)
    return Reply(body=unstructure(verdicts))


def _compiled(call: Call, nodes: frozenset[str]) -> str:
    """Return the PromQL that names, nodes, rate and agg mean."""
    names = call.names("names")
    for name in names:
        if METRIC_NAME.fullmatch(name) is None:
            raise InvalidInput(f"{name[:60]!r} is not the name of a metric")
    matchers = [f"{label}=~{quoted(_either(values))}" for label, values in ((NAME, names), ("node", nodes)) if values]
    selector = "{" + ",".join(matchers or [f'{NAME}!=""']) + "}"
    if rate := call.query.get("rate"):
        selector = f"rate({selector}[{_window(rate)}])"
    if (aggregation := call.query.get("agg")) is not None:
        if aggregation not in AGGREGATIONS:
            raise InvalidInput(f"?agg= must be one of {', '.join(AGGREGATIONS)}, not {aggregation[:60]!r}")
        return f"{aggregation} by (__name__) ({selector})"
    return selector


def _either(values: frozenset[str]) -> str:
    return "|".join("".join(c if c.isalnum() or c in "_:-" else f"\\{c}" for c in value) for value in sorted(values))


def _window(text: str) -> str:
    if text == "true":
        return "5m"
    if re.fullmatch(r"([0-9]{1,9}(ms|[smhdwy]))+", text) is None:
        raise InvalidInput(f"?rate= must be a duration such as 5m, or true, not {text[:60]!r}")
    return text


async def _answer(call: Call, query: str, *, latest: bool = False) -> Reply:
    now = int(call.house.system.now() * 1000)
    end = call.integer("end", now, 0, 1 << 53)
    start = call.integer("start", end - LATEST, 0, 1 << 53)
    if start > end:
        raise InvalidInput("?start= must not be after ?end=")
    limit = call.integer("limit", POINTS, 1, POINTS)
    step = call.integer("step", 0, 0, 1 << 40)
    telemetry = call.house.system.ref("telemetry")
    if not step and call.query.get("query") is None and not call.query.keys() & {"agg", "rate"}:
        nodes = call.names("nodes") if not latest else frozenset({call.path["id"]})
        found = await telemetry.ask(ReadMetrics(names=call.names("names"), nodes=nodes, start=start, end=end), timeout=ASK)
        body: dict[str, Any] = {"tier": "raw", "series": unstructure(found)}
    else:
        step = step or max((end - start) // PER_SERIES // 1000 * 1000, 1000)
        answer = await telemetry.ask(QueryRange(promql=query, start=start, end=end, step=step), timeout=ASK)
        body = {"tier": answer.tier, "step": step, "series": series(answer, limit)}
        body |= {"warnings": [*answer.result.warnings, *answer.result.infos]}
    if latest:
        body["current"] = [{"metric": s["metric"], "ts": s["points"][-1][0], "value": s["points"][-1][1]} for s in body["series"]]
    return Reply(body=body)


def series(answer: Answer, limit: int) -> list[dict[str, Any]]:
    """Return a result as series of points; scalars are a series without labels. Raise QueryTooLarge."""
    result = answer.result
    times = result.times.tolist()
    value = result.value
    if isinstance(value, str):
        raise InvalidInput("a string has no points")
    if not isinstance(value, Vector):
        return [{"metric": {}, "points": [[t, plain(v)] for t, v in zip(times, value.tolist(), strict=True)]}]
    if int(value.present.sum()) > limit:
        raise QueryTooLarge(f"more than {limit} points: ask for fewer series, a longer step or a shorter time")
    found = []
    for i, labels in enumerate(value.labels):
        row = zip(times, value.values[i].tolist(), value.present[i].tolist(), strict=True)
        points = [[t, plain(v)] for t, v, here in row if here]
        if points:
            found.append({"metric": dict(labels), "points": points})
    return found


def plain(value: float) -> float | str:
    """Return a value as JSON takes it: what is not finite is written as PromQL does."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


_QUERY = frozenset({"names", "agg", "rate", "start", "end", "step", "limit"})
OPERATIONS = (
    Operation(
        name="monitor.metrics",
        method="GET",
        path=f"{API}/metrics",
        access=Access.VIEWER,
        handler=metrics,
        summary="Return series by PromQL or by names",
        query=_QUERY | {"nodes", "query"},
    ),
    Operation(
        name="monitor.push",
        method="POST",
        path=f"{API}/metrics",
        access=Access.OPERATOR,
        handler=push,
        summary="Take samples in",
    ),
    Operation(
        name="monitor.node",
        method="GET",
        path=f"{API}/metrics/{{id}}",
        access=Access.VIEWER,
        handler=node_metrics,
        summary="Return one node's figures",
        query=_QUERY,
    ),
)
