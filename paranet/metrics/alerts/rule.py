"""Alert rules: Prometheus' own, with hysteresis, a policy for missing data, and flap detection beside."""

import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from paranet.codec import structure, unstructure
from paranet.errors import BadField, BadQuery, Fault, InvalidInput
from paranet.metrics.alerts.template import check
from paranet.metrics.labels import LABEL_NAME, METRIC_NAME, quoted
from paranet.metrics.promql.ast import Node
from paranet.metrics.promql.notation import duration
from paranet.metrics.promql.parse import parse

SEVERITIES = ("info", "warning", "critical")
_NAME = re.compile(r"[^\x00-\x1f]{1,200}")


@attrs.frozen(kw_only=True)
class Flap:
    """An alert that changes more than *high* times in ten minutes flaps, until it is below *low*."""

    high: int = 6
    low: int = 2


def _name(_: Any, __: Any, value: str) -> None:
    if _NAME.fullmatch(value) is None:
        raise BadField("name", "must be 1 to 200 printable characters")


def _label_names(_: Any, attribute: Any, value: Mapping[str, str]) -> None:
    for name in value:
        if LABEL_NAME.fullmatch(name) is None:
            raise BadField(attribute.name, f"{name[:60]!r} is not the name of a label")


def _not_negative(_: Any, attribute: Any, value: float) -> None:
    if not 0 <= value < 1e9:
        raise BadField(attribute.name, "must not be negative")


@attrs.frozen(kw_only=True)
class Rule:
    """One alert rule. Durations are seconds; on the wire *wait* is called `for` and durations may be written `5m`."""

    id: str = ""
    name: str = attrs.field(validator=_name)
    group: str = "default"
    expr: str
    wait: float = attrs.field(default=0.0, validator=_not_negative)
    keep_firing_for: float = attrs.field(default=0.0, validator=_not_negative)
    clear_expr: str | None = None
    on_missing: Literal["hold", "resolve", "fire"] = "hold"
    severity: Literal["info", "warning", "critical"] = "warning"
    labels: Mapping[str, str] = attrs.field(factory=dict, validator=_label_names)
    annotations: Mapping[str, str] = attrs.field(factory=dict, validator=_label_names)
    flap: Flap | None = attrs.field(factory=Flap)
    trigger: Literal["interval", "sample"] = "interval"
    interval: float = attrs.field(default=15.0, validator=_not_negative)
    enabled: bool = True

    @property
    def node(self) -> Node:
        """The expression's tree."""
        return parse(self.expr)

    @property
    def clear_node(self) -> Node | None:
        """The tree of the expression that lets a firing alert go."""
        return parse(self.clear_expr) if self.clear_expr else None


@attrs.frozen(kw_only=True)
class Simple:
    """The short form: one metric against one number."""

    name: str
    metric: str
    op: Literal[">", "<", ">=", "<=", "==", "!="]
    threshold: float
    severity: Literal["info", "warning", "critical"] = "warning"
    node: str | None = None


_DURATIONS = ("for", "keep_firing_for", "interval")


def read_rule(body: object, rule_id: str) -> Rule:
    """Return the rule that a JSON body means, in either form. Raise InvalidInput, and BadQuery with the position."""
    if not isinstance(body, dict):
        raise InvalidInput("a rule is an object")
    body = dict(body)
    for name in _DURATIONS:
        if isinstance(body.get(name), str):
            body[name] = _seconds(name, body[name])
    if "alert" in body and "name" not in body:
        body["name"] = body.pop("alert")
    if "metric" in body:
        body = _long_form(body)
    if "wait" in body:
        raise InvalidInput("wait: there is no such field", errors=[Fault(path="wait", message="there is no such field")])
    if "for" in body:
        body["wait"] = body.pop("for")
    body.setdefault(
        "severity", (body.get("labels") or {}).get("severity", "warning") if isinstance(body.get("labels"), dict) else "warning"
    )
    body["id"] = rule_id
    try:
        rule = structure(body, Rule)
    except InvalidInput as error:
        faults = [Fault(path="for" if f.path == "wait" else f.path, message=f.message) for f in error.errors if isinstance(f, Fault)]
        raise InvalidInput(error.detail.replace("wait:", "for:", 1), errors=faults) from None
    _check(rule)
    return rule


def _seconds(name: str, text: str) -> float:
    try:
        return duration(text) / 1000
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error.detail}", errors=[Fault(path=name, message=error.detail)]) from None


def _long_form(body: dict[str, Any]) -> dict[str, Any]:
    short = structure({k: v for k, v in body.items() if k in ("name", "metric", "op", "threshold", "severity", "node")}, Simple)
    if METRIC_NAME.fullmatch(short.metric) is None:
        raise InvalidInput("metric: is not the name of a metric", errors=[Fault(path="metric", message="is not the name of a metric")])
    rest = {k: v for k, v in body.items() if k not in ("metric", "op", "threshold", "node")}
    where = f"{{node={quoted(short.node)}}}" if short.node else ""
    if "expr" in rest:
        raise InvalidInput("expr: there is no such field beside metric", errors=[Fault(path="expr", message="not beside metric")])
    return {**rest, "expr": f"{short.metric}{where} {short.op} {short.threshold!r}"}


def _check(rule: Rule) -> None:
    for name, text in (("expr", rule.expr), ("clear_expr", rule.clear_expr)):
        if text is None:
            continue
        try:
            parse(text)
        except BadQuery as error:
            faults = [Fault(path=f"{name}: {f.path}", message=f.message) for f in error.errors if isinstance(f, Fault)]
            raise BadQuery(f"{name}: {error.detail}", errors=faults, **error.extra) from None
    for name, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
        for key, text in texts.items():
            try:
                check(text)
            except InvalidInput as error:
                path = f"{name}.{key}"
                raise InvalidInput(f"{path}: {error.detail}", errors=[Fault(path=path, message=error.detail)]) from None


def shown_rule(rule: Rule) -> dict[str, Any]:
    """Return the rule as clients see it."""
    body: dict[str, Any] = unstructure(rule)
    body["for"] = body.pop("wait")
    return body
