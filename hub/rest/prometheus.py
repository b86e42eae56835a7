"""Prometheus' read API, so that Grafana and promtool connect as they are. Answers and faults have Prometheus' shapes."""

import math
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from itertools import compress
from typing import Any
from urllib.parse import parse_qsl

import orjson

from actors.runtime import AskTimeout
from actors.samples import FindLabels, FindSeries, Query, QueryRange
from hub.operations import Access, Call, Operation, Reply
from hub.rest import burning
from hub.rest.remote import write
from paranet import __version__
from paranet.errors import BadQuery, InvalidInput, ParaNetError, QueryFailed, QueryTooLarge
from paranet.metrics.labels import NAME
from paranet.metrics.promql.ast import Selector
from paranet.metrics.promql.evaluate import Result
from paranet.metrics.promql.parse import parse
from paranet.metrics.promql.selecting import number_text, number_texts
from paranet.metrics.promql.values import Vector

API = "/prometheus/api/v1"
ASK = 60.0
MOST = 10_000
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31_536_000.0}
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_KINDS = {AskTimeout: ("timeout", 503), QueryFailed: ("execution", 422), QueryTooLarge: ("execution", 422)}

Handler = Callable[[Call, "Form"], Awaitable[Any]]


class Form:
    """The parameters of a call: those of the address, and of a form's body."""

    def __init__(self, call: Call) -> None:
        pairs = list(call.query.items())
        if call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            pairs = [*pairs, *parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1000)]
        self._pairs = pairs

    def get(self, name: str) -> str | None:
        """Return a parameter's first value."""
        return next((value for key, value in self._pairs if key == name), None)

    def need(self, name: str) -> str:
        """Return a parameter that must be there."""
        value = self.get(name)
        if not value:
            raise InvalidInput(f"invalid parameter {name!r}: is required")
        return value

    def all(self, name: str) -> list[str]:
        """Return all values of a parameter."""
        return [value for key, value in self._pairs if key in (name, f"{name}[]")]

    def time(self, name: str, default: int) -> int:
        """Return a moment, given in UNIX s or as RFC 3339, in ms."""
        text = self.get(name)
        if not text:
            return default
        try:
            seconds = float(text)
        except ValueError:
            try:
                seconds = datetime.fromisoformat(text).timestamp()
            except ValueError:
                raise InvalidInput(f"invalid parameter {name!r}: cannot parse {text[:60]!r} to a valid timestamp") from None
        if not math.isfinite(seconds) or abs(seconds) > 1e12:
            raise InvalidInput(f"invalid parameter {name!r}: {text[:60]!r} is out of range")
        return round(seconds * 1000)

    def duration(self, name: str) -> int:
        """Return a duration, given in s or as `1m30s`, in ms."""
        text = self.need(name)
        found = _DURATION.findall(text)
        try:
            seconds = sum(int(n) * _UNITS[unit] for n, unit in found) if found and _DURATION.sub("", text) == "" else float(text)
        except ValueError:
            raise InvalidInput(f"invalid parameter {name!r}: cannot parse {text[:60]!r} to a valid duration") from None
        if not 0 < seconds < 1e10:
            raise InvalidInput(f"invalid parameter {name!r}: zero or negative query resolution step widths are not accepted")
        return max(round(seconds * 1000), 1)

    def limit(self) -> int:
        """Return how many items are wanted at most."""
        text = self.get("limit") or "0"
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise InvalidInput("invalid parameter 'limit': must be a whole number")
        return min(int(text) or MOST, MOST)

    def selectors(self, *, required: bool) -> tuple[Selector, ...]:
        """Return the selectors that `match[]` gives."""
        texts = self.all("match")
        if required and not texts:
            raise InvalidInput("no match[] parameter provided")
        found = []
        for text in texts:
            node = parse(text)
            if not isinstance(node, Selector):
                raise InvalidInput(f"invalid parameter 'match[]': {text[:60]!r} is no selector")
            found.append(node)
        return tuple(found)


async def query(call: Call, form: Form) -> Any:
    """Evaluate at one moment."""
    at = form.time("time", int(call.house.system.now() * 1000))
    answer = await call.house.system.ref("telemetry").ask(Query(promql=form.need("query"), at=at), timeout=ASK)
    return _instant(answer.result, at), answer.result


async def query_range(call: Call, form: Form) -> Any:
    """Evaluate at evenly spaced moments."""
    start, end = form.time("start", -1), form.time("end", -1)
    for name, value in (("start", start), ("end", end)):
        if value == -1:
            form.need(name)
    if end < start:
        raise InvalidInput("invalid parameter 'end': end timestamp must not be before start time")
    request = QueryRange(promql=form.need("query"), start=start, end=end, step=form.duration("step"))
    answer = await call.house.system.ref("telemetry").ask(request, timeout=ASK)
    return _matrix(answer.result), answer.result


async def series(call: Call, form: Form) -> Any:
    """List series."""
    request = FindSeries(selectors=form.selectors(required=True), start=form.time("start", 0), limit=form.limit())
    found = await call.house.system.ref("telemetry").ask(request, timeout=ASK)
    return [dict(labels) for labels in found], None


async def labels(call: Call, form: Form) -> Any:
    """List the names of labels."""
    request = FindLabels(label=None, selectors=form.selectors(required=False), limit=form.limit())
    return list(await call.house.system.ref("telemetry").ask(request, timeout=ASK)), None


async def values(call: Call, form: Form) -> Any:
    """List a label's values."""
    request = FindLabels(label=call.path["id"], selectors=form.selectors(required=False), limit=form.limit())
    return list(await call.house.system.ref("telemetry").ask(request, timeout=ASK)), None


async def metadata(call: Call, form: Form) -> Any:
    """Tell of each metric what its name says: counters end in _total."""
    request = FindLabels(label=NAME, selectors=(), limit=form.limit())
    names = await call.house.system.ref("telemetry").ask(request, timeout=ASK)
    wanted = form.get("metric")
    return {n: [{"type": _type(n), "help": "", "unit": ""}] for n in names if wanted in (None, "", n)}, None


def _type(name: str) -> str:
    return "counter" if name.endswith("_total") else "histogram" if name.endswith("_bucket") else "gauge"


async def build(_call: Call, _form: Form) -> Any:
    """Say who answers; Grafana asks."""
    return {
        "version": "2.45.0",
        "revision": f"paranet-hub {__version__}",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }, None


async def rules(call: Call, form: Form) -> Any:
    """List the rules of alerts."""
    kind = form.get("type") or ""
    if kind not in ("", "alert", "record"):
        raise InvalidInput(f"invalid parameter 'type': must be alert or record, not {kind[:60]!r}")
    return await burning.rules(call, kind), None


async def alerts(call: Call, _form: Form) -> Any:
    """List the alerts."""
    return await burning.alerts(call), None


def _instant(result: Result, at: int) -> dict[str, Any]:
    value = result.value
    if result.kind == "matrix":
        rows = []
        for row in result.samples:
            times, numbers = row.times[row.low[0] : row.high[0]], row.values[row.low[0] : row.high[0]]
            pairs = list(zip((times / 1000).tolist(), number_texts(numbers), strict=True))
            rows.append({"metric": dict(row.labels), "values": pairs})
        return {"resultType": "matrix", "result": rows}
    if isinstance(value, str):
        return {"resultType": "string", "result": [at / 1000, value]}
    if not isinstance(value, Vector):
        return {"resultType": "scalar", "result": [at / 1000, number_text(float(value[0]))]}
    found = [
        {"metric": dict(row), "value": [at / 1000, number_text(float(value.values[i, 0]))]}
        for i, row in enumerate(value.labels)
        if value.present[i, 0]
    ]
    return {"resultType": "vector", "result": found}


def _matrix(result: Result) -> dict[str, Any]:
    value = result.value
    if isinstance(value, str):
        raise InvalidInput('invalid expression type "string" for range query, must be Scalar or instant Vector')
    stamps = (result.times / 1000).tolist()
    if not isinstance(value, Vector):
        return {"resultType": "matrix", "result": [{"metric": {}, "values": list(zip(stamps, number_texts(value), strict=True))}]}
    found = []
    for i, row in sorted(enumerate(value.labels), key=lambda pair: pair[1]):
        here = value.present[i]
        if here.any():
            texts = number_texts(value.values[i][here])
            found.append({"metric": dict(row), "values": list(zip(compress(stamps, here.tolist()), texts, strict=True))})
    return {"resultType": "matrix", "result": found}


async def _served(call: Call, handler: Handler) -> Reply:
    """Answer in Prometheus' envelope, faults too."""
    try:
        data, result = await handler(call, Form(call))
    except (BadQuery, InvalidInput) as error:
        return _failure("bad_data", 400, error)
    except tuple(_KINDS) as error:
        kind, status = _KINDS[type(error)]
        return _failure(kind, status, error)
    body: dict[str, Any] = {"status": "success", "data": data}
    for name, said in (("warnings", result.warnings), ("infos", result.infos)) if result is not None else ():
        if said:
            body[name] = list(said)
    return Reply(raw=orjson.dumps(body))  # plain already: an hour of many series is not looked through once more


def _failure(kind: str, status: int, error: ParaNetError) -> Reply:
    return Reply(status=status, body={"status": "error", "errorType": kind, "error": error.detail})


def _row(name: str, method: str, path: str, handler: Handler, summary: str, *query: str) -> Operation:
    return Operation(
        name=f"prometheus.{name}" + (".form" if method == "POST" else ""),
        method=method,
        path=f"{API}{path}",
        access=Access.VIEWER,
        handler=partial(_served, handler=handler),
        summary=summary,
        query=frozenset({*query, "timeout", "limit", "lookback_delta", "stats"}),
    )


_SPAN = ("start", "end", "match", "match[]")
_TABLE: tuple[tuple[str, str, Handler, str, tuple[str, ...]], ...] = (
    ("query", "/query", query, "Evaluate PromQL at one moment", ("query", "time")),
    ("query_range", "/query_range", query_range, "Evaluate PromQL over time", ("query", "start", "end", "step")),
    ("series", "/series", series, "List series", _SPAN),
    ("labels", "/labels", labels, "List the names of labels", _SPAN),
)
OPERATIONS = (
    *(_row(name, method, path, handler, said, *query) for name, path, handler, said, query in _TABLE for method in ("GET", "POST")),
    _row("values", "GET", "/label/{id}/values", values, "List a label's values", *_SPAN),
    _row("metadata", "GET", "/metadata", metadata, "List the metrics", "metric", "limit_per_metric"),
    _row("buildinfo", "GET", "/status/buildinfo", build, "Say who answers"),
    _row("rules", "GET", "/rules", rules, "List the rules of alerts", "type"),
    _row("alerts", "GET", "/alerts", alerts, "List the alerts"),
    Operation(
        name="prometheus.write",
        method="POST",
        path=f"{API}/write",
        access=Access.OPERATOR,
        handler=write,
        summary="Take samples by Prometheus' remote-write",
        codings=frozenset({"snappy"}),
    ),
)
