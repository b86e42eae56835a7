"""Classes behind the descriptions of what is answered as plain JSON: deployments' rows, alerts, the log, Prometheus' envelope."""

from collections.abc import Mapping
from typing import Any, Literal, get_type_hints

import attrs

from actors.alerting import Pair
from hub.times import Time
from paranet.metrics.alerts.rule import Rule
from paranet.models.device import Row
from paranet.models.intent import Report
from paranet.orchestrator.drift import Drift


@attrs.frozen(kw_only=True)
class RowChange:
    """One row before and after."""

    before: Row
    after: Row


@attrs.frozen(kw_only=True)
class RowDiff:
    """What would change on a device."""

    add: tuple[Row, ...]
    change: tuple[RowChange, ...]
    remove: tuple[Row, ...]


@attrs.frozen(kw_only=True)
class DeviceDiff:
    """What differs on a device."""

    node: str
    diff: RowDiff


@attrs.frozen(kw_only=True)
class LeaseBody:
    """A device in the hands of a deployment."""

    node: str
    deploy_id: str
    token: int
    taken_at: Time
    expires_at: Time


@attrs.frozen(kw_only=True)
class RowHeld:
    """A row (family and key) that somebody else holds with another value."""

    node: str
    row: tuple[str, ...]
    owners: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ValidationBody:
    """What deploying would change and meet; *base* is for `execute`."""

    ok: bool
    verification: Report
    conflicts: tuple[RowHeld, ...]
    leases: tuple[LeaseBody, ...]
    changes: tuple[DeviceDiff, ...]
    base: str | None


@attrs.frozen(kw_only=True)
class Adopted:
    """The differences that are wanted from now on."""

    adopted: tuple[Drift, ...]


def _rule(name: str, doc: str, **more: Any) -> type:
    """Return the class of a rule as handlers write it: *wait* is called `for`."""
    hints = get_type_hints(Rule)
    fields = {f.name: attrs.field(type=hints[f.name], metadata={"name": "for"} if f.name == "wait" else {}) for f in attrs.fields(Rule)}
    made = attrs.make_class(name, {**fields, **{n: attrs.field(type=kind) for n, kind in more.items()}}, kw_only=True)
    made.__doc__, made.__module__ = doc, __name__
    return made


RuleBody = _rule("RuleBody", "An alert rule; durations are seconds.")
RuleState = _rule(
    "RuleState",
    "A rule and how it fares; *burning* counts its alerts that fire.",
    health=Literal["ok", "error", "nodata"],
    error=str | None,
    burning=int,
)


@attrs.frozen(kw_only=True)
class Notice:
    """Body of POST /monitor/alerts/{id}/acknowledge; without *until* it counts until the alert is resolved."""

    until: str | None = None
    comment: str | None = None


@attrs.frozen(kw_only=True)
class AcknowledgedBody:
    """Who has taken notice, and until when it counts."""

    by: str
    until: Time | None
    comment: str


@attrs.frozen(kw_only=True)
class AlertBody:
    """One label set of one rule."""

    id: str
    rule: str
    name: str
    state: str
    severity: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float | None
    active_at: Time | None
    fired_at: Time | None
    resolved_at: Time | None
    acknowledged: AcknowledgedBody | None
    silenced: tuple[str, ...]
    inhibited: str | None
    flapping: bool
    missing: bool


@attrs.frozen(kw_only=True)
class AlertChange:
    """An alert that has become another."""

    id: int
    alert: str
    at: Time
    before: str
    after: str
    rule: str
    value: float | None
    labels: Mapping[str, str]


@attrs.frozen(kw_only=True)
class AlertDecision:
    """Why a notice was sent or not."""

    id: int
    at: Time
    alert: str
    decision: str
    state: str
    reason: str
    receiver: str | None


@attrs.frozen(kw_only=True)
class RehearsedChange:
    """What an alert would have become."""

    at: Time
    labels: Mapping[str, str]
    before: str
    after: str


@attrs.frozen(kw_only=True)
class Rehearsal:
    """What a rule would have done; *truncated* when there was more."""

    rule: RuleBody  # type: ignore[valid-type]  # made at run time
    changes: tuple[RehearsedChange, ...]
    truncated: bool


@attrs.frozen(kw_only=True)
class SilenceBody:
    """No notices for alerts that match all of *matchers*."""

    id: str
    matchers: tuple[Pair, ...]
    starts_at: Time
    ends_at: Time
    by: str
    comment: str


@attrs.frozen(kw_only=True)
class LogEntry:
    """One line of the log."""

    id: str
    at: Time
    level: str
    logger: str
    message: str
    actor: str | None
    node: str | None
    deployment: str | None
    fields: Mapping[str, object]


@attrs.frozen(kw_only=True)
class PrometheusAnswer:
    """Prometheus' envelope; *data* is as Prometheus documents it."""

    status: Literal["success"]
    data: object


@attrs.frozen(kw_only=True)
class PrometheusFault:
    """A fault in the question, in Prometheus' words."""

    status: Literal["error"]
    errorType: str  # noqa: N815  # Prometheus' name
    error: str
