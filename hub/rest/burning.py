"""Rules and alerts as Prometheus' read API shows them, so that whoever asks a Prometheus for them can ask the hub."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from actors.alerting import ListAlerts, ListRules
from hub.operations import Call
from paranet.metrics.alerts.rule import Rule
from paranet.metrics.promql.selecting import number_text

ASK = 15.0
_STATES = {"pending": "pending", "firing": "firing", "recovering": "firing"}
"""ours in Prometheus' words; what is in no other state is none of its alerts"""
_HEALTH = {"ok": "ok", "error": "err", "nodata": "ok"}


async def alerts(call: Call) -> dict[str, Any]:
    """Return what burns, or may soon."""
    return {"alerts": [_alert(found) for found in await _burning(call)]}


async def rules(call: Call, kind: str) -> dict[str, Any]:
    """Return the rules that are switched on, in their groups. *kind* is `alert`, `record` or empty for both; nothing is recorded here."""
    burning: dict[str, list[Any]] = defaultdict(list)
    for found in await _burning(call):
        burning[found["rule"]].append(_alert(found))
    groups: dict[tuple[str, float], list[dict[str, Any]]] = defaultdict(list)
    for rule, health, error, _ in await call.house.system.ref("alerts").ask(ListRules(), timeout=ASK) if kind != "record" else ():
        if rule.enabled:
            groups[rule.group, rule.interval].append(_rule(rule, health, error, burning[rule.id]))
    return {
        "groups": [{"name": name, "file": "", "interval": interval, "limit": 0, "rules": some} for (name, interval), some in groups.items()]
    }


async def _burning(call: Call) -> list[Any]:
    return [found for found in await call.house.system.ref("alerts").ask(ListAlerts(), timeout=ASK) if found["state"] in _STATES]


def _alert(found: Mapping[str, Any]) -> dict[str, Any]:
    value = found["value"]
    return {
        "labels": found["labels"],
        "annotations": found["annotations"],
        "state": _STATES[found["state"]],
        "activeAt": found["active_at"],
        "value": number_text(value) if isinstance(value, float) else str(value),
    }


def _rule(rule: Rule, health: str, error: str | None, burning: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    states = {found["state"] for found in burning}
    shown = {
        "type": "alerting",
        "name": rule.name,
        "query": rule.expr,
        "duration": rule.wait,
        "keepFiringFor": rule.keep_firing_for,
        "labels": {**rule.labels, "severity": rule.severity},
        "annotations": dict(rule.annotations),
        "alerts": list(burning),
        "health": _HEALTH.get(health, "unknown"),
        "state": next((state for state in ("firing", "pending") if state in states), "inactive"),
    }
    return {**shown, "lastError": error} if error else shown
