"""Alerts: what burns and why, rules, silences, and the log of decisions."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import attrs

from actors.alerting import (
    Acknowledge,
    DeleteRule,
    EndSilence,
    GetAlert,
    GetChanges,
    GetDecisions,
    ListAlerts,
    ListRules,
    ListSilences,
    Pair,
    PutRule,
    PutSilence,
    Silence,
)
from actors.ids import uuid7
from actors.samples import QueryRange
from hub.codec import decode
from hub.operations import Access, Call, Operation, Reply, page
from hub.times import rfc3339, unix
from paranet.codec import unstructure
from paranet.errors import Fault, InvalidInput, NotFound
from paranet.metrics.alerts import ruletest
from paranet.metrics.alerts.alert import Machine
from paranet.metrics.alerts.assess import replayed
from paranet.metrics.alerts.rule import SEVERITIES, Rule, read_rule, shown_rule
from paranet.metrics.matchers import pattern

API = "/api/v1/monitor/alerts"
ASK = 15.0
TEST = 60.0
STATES = ("pending", "firing", "recovering", "resolved")


async def _ask(call: Call, request: Any, timeout: float = ASK) -> Any:
    return await call.house.system.ref("alerts").ask(request, timeout=timeout)


async def alerts(call: Call) -> Reply:
    """Return alerts, newest first, by state, severity, rule, label and flag."""
    found = list(await _ask(call, ListAlerts()))
    for name, words in (("state", STATES), ("severity", SEVERITIES)):
        wanted = call.names(name)
        if wanted - set(words):
            raise InvalidInput(f"?{name}= must be some of {', '.join(words)}")
        found = [a for a in found if not wanted or a[name] in wanted]
    for flag in ("acknowledged", "silenced", "inhibited", "flapping"):
        if flag in call.query:
            wish = call.flag(flag)
            found = [a for a in found if bool(a[flag]) == wish]
    for name in ("rule", "node", "link"):
        value = call.query.get(name)
        if value is not None:
            found = [a for a in found if (a["rule"] if name == "rule" else a["labels"].get(name)) == value]
    limit = call.integer("limit", 100, 1, 1000)
    cursor = call.query.get("cursor")
    if cursor is not None:
        ids = [a["id"] for a in found]
        found = found[ids.index(cursor) + 1 :] if cursor in ids else []
    return Reply(body=page(found[: limit + 1], limit, lambda a: str(a["id"])))


async def alert(call: Call) -> Reply:
    """Return one alert."""
    return Reply(body=await _ask(call, GetAlert(id=call.path["id"])))


async def acknowledge(call: Call, *, withdraw: bool) -> Reply:
    """Take notice of an alert, or take that back."""
    body = decode(call.body) if call.body else {}
    fields = _fields(body, {"until": str, "comment": str}, ())
    until = unix("until", fields["until"]) if fields.get("until") else None
    request = Acknowledge(id=call.path["id"], by=call.author, until=until, comment=fields.get("comment") or "", withdraw=withdraw)
    return Reply(body=await _ask(call, request))


async def history(call: Call, kind: type[GetChanges] | type[GetDecisions]) -> Reply:
    """Return what happened to one alert or all, newest first."""
    limit = call.integer("limit", 100, 1, 1000)
    alert_id = call.path.get("id") or call.query.get("alert")
    request = kind(alert=alert_id, limit=limit + 1, before=call.integer("cursor", 1 << 62, 0, 1 << 62))
    rows = [{**row, "at": rfc3339(row["at"])} for row in await _ask(call, request)]
    return Reply(body=page(rows, limit, lambda row: str(row["id"])))


def _fields(body: object, types: dict[str, type], required: tuple[str, ...]) -> dict[str, Any]:
    """Return an object's fields, checked. Raise InvalidInput."""
    if not isinstance(body, dict):
        raise InvalidInput("the body must be an object")
    for name in sorted(body.keys() - types.keys()):
        raise _refuse(name[:60], "there is no such field")
    for name in required:
        if name not in body:
            raise _refuse(name, "is required")
    for name, value in body.items():
        if value is not None and type(value) is not types[name]:
            raise _refuse(name, f"must be {'a list' if types[name] is list else 'text' if types[name] is str else 'true or false'}")
    return body


def _refuse(path: str, message: str) -> InvalidInput:
    return InvalidInput(f"{path}: {message}", errors=[Fault(path=path, message=message)])


# Rules.


async def rules(call: Call) -> Reply:
    """Return all rules with their health."""
    found = await _ask(call, ListRules())
    items = [{**shown_rule(rule), "health": health, "error": error, "burning": burning} for rule, health, error, burning in found]
    return Reply(body={"items": items, "next": None})


async def rule(call: Call) -> Reply:
    """Return one rule."""
    for known, health, error, burning in await _ask(call, ListRules()):
        if known.id == call.path["id"]:
            return Reply(body={**shown_rule(known), "health": health, "error": error, "burning": burning})
    raise NotFound(f"there is no rule {call.path['id'][:60]!r}")


async def create(call: Call) -> Reply:
    """Make a rule."""
    body = decode(call.body)
    rule_id = body.pop("id", None) if isinstance(body, dict) else None
    if rule_id is not None and (not isinstance(rule_id, str) or not 0 < len(rule_id) <= 100 or "/" in rule_id):
        raise _refuse("id", "must be 1 to 100 characters without a slash")
    made = read_rule(body, rule_id or uuid7(call.house.system.now()))
    await _ask(call, PutRule(rule=made, new=True))
    return Reply(body=shown_rule(made), status=201, location=f"{API}/rules/{made.id}")


async def replace(call: Call) -> Reply:
    """Replace a rule."""
    body = decode(call.body)
    if isinstance(body, dict):
        for name in ("id", "health", "error", "burning"):
            body.pop(name, None)
    made = read_rule(body, call.path["id"])
    await _ask(call, PutRule(rule=made, new=False))
    return Reply(body=shown_rule(made))


async def switch(call: Call, *, on: bool) -> Reply:
    """Switch a rule on or off."""
    for known, *_ in await _ask(call, ListRules()):
        if known.id == call.path["id"]:
            changed = attrs.evolve(known, enabled=on)
            await _ask(call, PutRule(rule=changed, new=False))
            return Reply(body=shown_rule(changed))
    raise NotFound(f"there is no rule {call.path['id'][:60]!r}")


async def delete(call: Call) -> Reply:
    """Delete a rule."""
    await _ask(call, DeleteRule(id=call.path["id"]))
    return Reply(status=204)


async def dry_run(call: Call) -> Reply:
    """Say what a rule would have done on the samples of a time."""
    made = read_rule(decode(call.body), "dry-run")
    now = int(call.house.system.now() * 1000)
    end = call.integer("end", now, 0, 1 << 53)
    start = call.integer("start", max(end - 3_600_000, 0), 0, 1 << 53)
    if start > end:
        raise InvalidInput("?start= must not be after ?end=")
    step = call.integer("step", max(int(made.interval * 1000), 1000), 1, 1 << 40)
    telemetry = call.house.system.ref("telemetry")
    answer = await telemetry.ask(QueryRange(promql=made.expr, start=start, end=end, step=step), timeout=TEST)
    clear = None
    if made.clear_expr:
        clear = (await telemetry.ask(QueryRange(promql=made.clear_expr, start=start, end=end, step=step), timeout=TEST)).result
    changes = replayed(Machine(made), answer.result, clear)
    items = [
        {"at": rfc3339(c.at), "labels": c.alert.labels or dict(c.alert.key), "before": c.before, "after": c.after} for c in changes[:1000]
    ]
    return Reply(body={"rule": shown_rule(made), "changes": items, "truncated": len(changes) > len(items)})


async def test(call: Call) -> Reply:
    """Run unit tests in promtool's YAML; without groups of their own they are about the hub's rules."""
    known: list[Rule] = [row[0] for row in await _ask(call, ListRules())]
    outcome = ruletest.run(call.body.decode("utf-8", "replace"), known)
    return Reply(body=unstructure(outcome))


# Silences.


async def silences(call: Call) -> Reply:
    """Return the silences that have not ended."""
    return Reply(body={"items": [_shown(s) for s in await _ask(call, ListSilences())], "next": None})


async def one_silence(call: Call) -> Reply:
    """Return a silence that has not ended."""
    for found in await _ask(call, ListSilences()):
        if found.id == call.path["id"]:
            return Reply(body=_shown(found))
    raise NotFound(f"there is no silence {call.path['id'][:60]!r}")


def _shown(silence: Silence) -> dict[str, Any]:
    return {**unstructure(silence), "starts_at": rfc3339(silence.starts_at), "ends_at": rfc3339(silence.ends_at)}


async def silence(call: Call) -> Reply:
    """Begin a silence."""
    types: dict[str, type] = {"matchers": list, "starts_at": str, "ends_at": str, "comment": str}
    fields = _fields(decode(call.body), types, ("matchers", "ends_at"))
    now = call.house.system.now()
    pairs = []
    for i, item in enumerate(fields["matchers"] or ()):
        found = _fields(item, {"name": str, "value": str, "regex": bool}, ("name", "value"))
        if found.get("regex"):
            pattern(f"(?s:{found['value']})")
        if not found["name"]:
            raise _refuse(f"matchers[{i}].name", "must not be empty")
        pairs.append(Pair(**found))
    if not pairs:
        raise _refuse("matchers", "must name one label at least")
    begun = Silence(
        id=uuid7(now),
        matchers=tuple(pairs),
        starts_at=unix("starts_at", fields["starts_at"]) if fields.get("starts_at") else now,
        ends_at=unix("ends_at", fields["ends_at"] or ""),
        by=call.author,
        comment=fields.get("comment") or "",
    )
    if begun.ends_at <= max(begun.starts_at, now):
        raise _refuse("ends_at", "must be after the beginning, and ahead")
    await _ask(call, PutSilence(silence=begun))
    return Reply(body=_shown(begun), status=201, location=f"{API}/silences/{begun.id}")


async def unsilence(call: Call) -> Reply:
    """End a silence."""
    await _ask(call, EndSilence(id=call.path["id"]))
    return Reply(status=204)


def _row(name: str, method: str, path: str, handler: Callable[[Call], Awaitable[Reply]], summary: str, *query: str) -> Operation:
    return Operation(
        name=f"alerts.{name}",
        method=method,
        path=f"{API}{path}",
        access=Access.VIEWER if method == "GET" else Access.OPERATOR,
        handler=handler,
        summary=summary,
        query=frozenset(query),
    )


_FILTERS = ("state", "severity", "rule", "node", "link", "acknowledged", "silenced", "inhibited", "flapping", "limit", "cursor")
OPERATIONS = (
    _row("list", "GET", "", alerts, "The alerts", *_FILTERS),
    _row("rules", "GET", "/rules", rules, "The rules"),
    _row("rules.create", "POST", "/rules", create, "Make a rule"),
    _row("rules.test", "POST", "/rules/test", test, "Run unit tests of rules"),
    _row("rules.dry-run", "POST", "/rules/dry-run", dry_run, "What a rule would have done", "start", "end", "step"),
    _row("rules.get", "GET", "/rules/{id}", rule, "One rule"),
    _row("rules.replace", "PUT", "/rules/{id}", replace, "Replace a rule"),
    _row("rules.delete", "DELETE", "/rules/{id}", delete, "Delete a rule"),
    _row("rules.enable", "POST", "/rules/{id}/enable", partial(switch, on=True), "Switch a rule on"),
    _row("rules.disable", "POST", "/rules/{id}/disable", partial(switch, on=False), "Switch a rule off"),
    _row("silences", "GET", "/silences", silences, "The silences"),
    _row("silences.get", "GET", "/silences/{id}", one_silence, "A silence"),
    _row("silences.create", "POST", "/silences", silence, "Begin a silence"),
    _row("silences.end", "DELETE", "/silences/{id}", unsilence, "End a silence"),
    _row("history", "GET", "/history", partial(history, kind=GetChanges), "What happened to alerts", "alert", "limit", "cursor"),
    _row("decisions", "GET", "/decisions", partial(history, kind=GetDecisions), "Why notices were sent or not", "alert", "limit", "cursor"),
    _row("get", "GET", "/{id}", alert, "One alert"),
    _row("acknowledge", "POST", "/{id}/acknowledge", partial(acknowledge, withdraw=False), "Take notice of an alert"),
    _row("unacknowledge", "DELETE", "/{id}/acknowledge", partial(acknowledge, withdraw=True), "Take that back"),
)
