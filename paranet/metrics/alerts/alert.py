"""The state machine of an alert: inactive -> pending -> firing -> recovering -> resolved. Flags stop notices, never evaluation."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import attrs

from paranet.errors import InvalidInput
from paranet.metrics.alerts.rule import Rule
from paranet.metrics.alerts.template import expand
from paranet.metrics.labels import NAME, Labels, without

State = Literal["inactive", "pending", "firing", "recovering", "resolved"]
FLAP_WINDOW = 600.0
"""seconds whose changes count as flapping"""


@attrs.define(kw_only=True)
class Acknowledgement:
    """Who has taken notice, and until when it counts (UNIX s, None: until it is resolved)."""

    by: str
    at: float
    until: float | None = None
    comment: str = ""


@attrs.define(kw_only=True)
class Alert:
    """One label set of one rule. Times are UNIX s."""

    id: str
    rule: str
    name: str
    key: Labels
    severity: str
    labels: dict[str, str]
    annotations: dict[str, str]
    value: float | None
    state: State = "inactive"
    active_at: float | None = None
    fired_at: float | None = None
    resolved_at: float | None = None
    recovering_at: float | None = None
    acknowledged: Acknowledgement | None = None
    silenced: tuple[str, ...] = ()
    inhibited: str | None = None
    flapping: bool = False
    missing: bool = False
    changes: list[float] = attrs.field(factory=list)

    @property
    def is_loud(self) -> bool:
        """Tell whether it burns: firing, or not yet known to be over."""
        return self.state in ("firing", "recovering")

    @property
    def quiet_because(self) -> str | None:
        """Return what keeps its notices back, or None."""
        if self.inhibited:
            return f"inhibited by {self.inhibited}"
        if self.silenced:
            return f"silenced by {', '.join(self.silenced)}"
        if self.acknowledged:
            return f"acknowledged by {self.acknowledged.by}"
        return "flapping" if self.flapping else None


@attrs.frozen(kw_only=True)
class Change:
    """An alert that has become another."""

    alert: Alert
    before: State
    after: State
    at: float


@attrs.frozen(kw_only=True)
class Assessment:
    """What a rule's expressions gave. *known* are the label sets with data (None: not looked), *cleared* those of clear_expr."""

    active: Mapping[Labels, float]
    known: frozenset[Labels] | None = None
    cleared: frozenset[Labels] | None = None


def fingerprint(rule: str, key: Labels) -> str:
    """Return the id of a rule's alert with these labels; the same after a restart."""
    return hashlib.sha256(repr((rule, key)).encode()).hexdigest()[:16]


class Machine:
    """All alerts of one rule."""

    def __init__(self, rule: Rule, alerts: Iterable[Alert] = ()) -> None:
        self.rule = rule
        self.alerts: dict[Labels, Alert] = {alert.key: alert for alert in alerts}
        self.health: Literal["ok", "error", "nodata"] = "ok"
        self.error: str | None = None

    def advance(self, found: Assessment, now: float) -> list[Change]:
        """Take one evaluation in; return what changed."""
        rule = self.rule
        changes: list[Change] = []
        self.error = None
        self.health = "nodata" if found.known is not None and not found.known and not found.active else "ok"
        active = dict(found.active)
        if self.health == "nodata" and rule.on_missing == "fire" and not self.alerts:
            active[()] = float("nan")
        for key, value in active.items():
            alert = self.alerts.get(key)
            if alert is None:
                alert = self.alerts[key] = self._made(key, value)
            alert.missing = False
            self._render(alert, value)
            changes += self._burning(alert, now)
        for key, alert in list(self.alerts.items()):
            if key in active:
                continue
            alert.missing = found.known is not None and key not in found.known
            changes += self._cooling(alert, found, now)
            if alert.state in ("inactive", "resolved") and not alert.changes and alert.resolved_at is None:
                del self.alerts[key]
        for alert in self.alerts.values():
            self._watch_flapping(alert, now)
        return changes

    def failed(self, error: str) -> None:
        """Take an evaluation in that could not be made: nothing changes but the health."""
        self.health, self.error = "error", error

    def forget(self, now: float, after: float) -> list[Alert]:
        """Drop and return alerts that were resolved long ago."""
        old = [a for a in self.alerts.values() if a.state in ("inactive", "resolved") and now - (a.resolved_at or now) > after]
        for alert in old:
            del self.alerts[alert.key]
        return old

    def _made(self, key: Labels, value: float) -> Alert:
        rule = self.rule
        return Alert(
            id=fingerprint(rule.id, key),
            rule=rule.id,
            name=rule.name,
            key=key,
            severity=rule.severity,
            labels={},
            annotations={},
            value=value,
        )

    def _render(self, alert: Alert, value: float) -> None:
        """Fill labels and annotations in with the value of now."""
        rule, own = self.rule, dict(alert.key)
        alert.value = None if value != value else value
        alert.severity = rule.severity
        extra = {name: _expanded(text, own, value) for name, text in rule.labels.items()}
        alert.labels = {**own, **extra, "alertname": rule.name, "severity": rule.labels.get("severity", rule.severity)}
        alert.annotations = {name: _expanded(text, own, value) for name, text in rule.annotations.items()}

    def _burning(self, alert: Alert, now: float) -> list[Change]:
        if alert.state in ("inactive", "resolved"):
            alert.active_at, alert.resolved_at, alert.fired_at = now, None, None
            alert.recovering_at = None
            if self.rule.wait > 0:
                return [_moved(alert, "pending", now)]
            alert.fired_at = now
            return [_moved(alert, "firing", now)]
        if alert.state == "pending" and alert.active_at is not None and now - alert.active_at >= self.rule.wait:
            alert.fired_at = now
            return [_moved(alert, "firing", now)]
        if alert.state == "recovering":
            alert.recovering_at = None
            return [_moved(alert, "firing", now)]
        return []

    def _cooling(self, alert: Alert, found: Assessment, now: float) -> list[Change]:
        if alert.missing and alert.state in ("pending", "firing", "recovering"):
            if self.rule.on_missing == "hold":
                return []
            if self.rule.on_missing == "fire":
                return self._burning(alert, now)
        if alert.state == "pending":
            alert.active_at = None
            return [_moved(alert, "inactive", now)]
        if alert.state == "firing":
            held = self.rule.clear_expr is not None and not alert.missing and found.cleared is not None and alert.key not in found.cleared
            if held:
                return []
            if self.rule.keep_firing_for > 0:
                alert.recovering_at = now
                return [_moved(alert, "recovering", now)]
            return [self._over(alert, now)]
        if alert.state == "recovering" and now - (alert.recovering_at or now) >= self.rule.keep_firing_for:
            return [self._over(alert, now)]
        return []

    def _over(self, alert: Alert, now: float) -> Change:
        alert.resolved_at, alert.recovering_at, alert.acknowledged = now, None, None
        return _moved(alert, "resolved", now)

    def _watch_flapping(self, alert: Alert, now: float) -> None:
        flap = self.rule.flap
        if not alert.changes:
            return
        alert.changes = [at for at in alert.changes if now - at < FLAP_WINDOW]
        if flap is not None:
            alert.flapping = len(alert.changes) > flap.high or (alert.flapping and len(alert.changes) >= flap.low)


def _moved(alert: Alert, to: State, now: float) -> Change:
    before, alert.state = alert.state, to
    if {before, to} & {"firing"} and "recovering" not in (before, to):
        alert.changes.append(now)
    return Change(alert=alert, before=before, after=to, at=now)


def _expanded(text: str, labels: Mapping[str, str], value: float) -> str:
    try:
        return expand(text, labels, value)
    except InvalidInput as error:
        return f"<error expanding template: {error.detail}>"


def key_of(labels: Labels) -> Labels:
    """Return what identifies an alert of a series: its labels without the metric's name."""
    return without(labels, (NAME,))


Inhibits = Callable[[Alert, Alert], bool]
"""tell whether the first alert explains the second"""


def shown_alert(alert: Alert, time_text: Callable[[float | None], Any]) -> dict[str, Any]:
    """Return an alert as clients see it."""
    acknowledged = alert.acknowledged
    return {
        "id": alert.id,
        "rule": alert.rule,
        "name": alert.name,
        "state": alert.state,
        "severity": alert.severity,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "value": alert.value,
        "active_at": time_text(alert.active_at),
        "fired_at": time_text(alert.fired_at),
        "resolved_at": time_text(alert.resolved_at),
        "acknowledged": None
        if acknowledged is None
        else {"by": acknowledged.by, "until": time_text(acknowledged.until), "comment": acknowledged.comment},
        "silenced": list(alert.silenced),
        "inhibited": alert.inhibited,
        "flapping": alert.flapping,
        "missing": alert.missing,
    }
