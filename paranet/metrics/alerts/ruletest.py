"""Unit tests of rules in promtool's YAML: input series, then what alerts and expressions must be at certain times."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import yaml

from paranet.errors import InvalidInput, ParaNetError
from paranet.metrics.alerts.alert import Machine
from paranet.metrics.alerts.assess import assess, vector_of
from paranet.metrics.alerts.rule import Rule, read_rule
from paranet.metrics.labels import NAME, Labels, shown, without
from paranet.metrics.matchers import matches
from paranet.metrics.promql.ast import Selector
from paranet.metrics.promql.evaluate import evaluate
from paranet.metrics.promql.notation import duration, numbers, series
from paranet.metrics.promql.parse import parse
from paranet.metrics.promql.selecting import number_text
from paranet.metrics.promql.values import Samples, Vector

MAX_STEPS = 100_000


@attrs.frozen(kw_only=True)
class Failure:
    """What a test wanted and what there was."""

    test: str
    at: str
    what: str
    expected: Any
    got: Any


@attrs.frozen(kw_only=True)
class Outcome:
    """How a file of tests went."""

    ok: bool
    tests: int
    failures: tuple[Failure, ...]


class _Storage:
    def __init__(self) -> None:
        self._series: dict[Labels, Samples] = {}

    def load(self, item: Mapping[str, Any], step: int) -> None:
        """Add one of `input_series`."""
        labels, _ = series(str(item.get("series", "")))
        values = numbers(str(item.get("values", "")))
        if values is None:
            raise InvalidInput("native histograms are not kept by this hub")
        points = [(i * step, v) for i, v in enumerate(values) if v is not None]
        times, floats = np.array([t for t, _ in points], dtype=np.int64), np.array([v for _, v in points], dtype=np.float64)
        self._series[labels] = Samples(labels, times, floats)

    def select(self, selector: Selector, start: int, end: int, function: str = "") -> Iterable[Samples]:
        """Return samples, as Source says."""
        for labels, samples in self._series.items():
            if matches(dict(labels), selector.alternatives):
                low, high = np.searchsorted(samples.times, start, "left"), np.searchsorted(samples.times, end, "right")
                yield Samples(labels, samples.times[low:high], samples.values[low:high])


def load_yaml(text: str) -> Mapping[str, Any]:
    """Return a YAML document that is a mapping. Raise InvalidInput with line and column."""
    try:
        found = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidInput(f"{place}{error.problem or 'this is no YAML'}") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise InvalidInput("this is no YAML") from None
    if not isinstance(found, dict):
        raise InvalidInput("a mapping is expected")
    return found


def rules_of(document: Mapping[str, Any]) -> list[Rule]:
    """Return the alert rules of a rule file (`groups`); recording rules are left out. Raise InvalidInput."""
    found: list[Rule] = []
    for group in _list(document, "groups"):
        interval = group.get("interval", "15s")
        for item in _list(group, "rules"):
            if "record" in item:
                continue
            body = {k: _scalars(v) for k, v in item.items() if k not in ("limit", "query_offset")}
            body.setdefault("group", str(group.get("name", "default")))
            body.setdefault("interval", duration(str(interval)) / 1000)
            severity = (body.get("labels") or {}).get("severity")
            if severity not in ("info", "warning", "critical"):
                body["severity"] = "warning"
            found.append(read_rule(body, f"{body['group']}/{item.get('alert', item.get('name', ''))}/{len(found)}"))
    return found


def _scalars(value: Any) -> Any:
    """YAML reads 5 as a number where a template means text."""
    if isinstance(value, dict):
        return {str(k): v if isinstance(v, (dict, list)) else _text(v) for k, v in value.items()}
    return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _list(document: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = document.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise InvalidInput(f"{name}: a list of mappings is expected")
    return found


def run(text: str, known: Sequence[Rule]) -> Outcome:
    """Run a document's tests on its own groups, or on the rules known. Raise InvalidInput."""
    document = load_yaml(text)
    rules = rules_of(document) if "groups" in document else list(known)
    default = duration(str(document.get("evaluation_interval", "1m")))
    failures: list[Failure] = []
    tests = _list(document, "tests")
    for number, item in enumerate(tests, 1):
        failures += _run(item, rules, str(item.get("name") or f"test {number}"), default)
    return Outcome(ok=not failures, tests=len(tests), failures=tuple(failures))


def _run(item: Mapping[str, Any], rules: Sequence[Rule], name: str, default: int) -> list[Failure]:
    step = duration(str(item.get("interval", f"{default}ms")))
    if step <= 0 or default <= 0:
        raise InvalidInput(f"{name}: the interval must be above zero")
    storage = _Storage()
    for line in _list(item, "input_series"):
        storage.load(line, step)
    wanted = [(duration(str(case.get("eval_time", "0"))), case) for case in _list(item, "alert_rule_test")]
    failures = _alerts(storage, rules, wanted, default, name)
    for case in _list(item, "promql_expr_test"):
        failure = _expression(storage, case, name)
        if failure is not None:
            failures.append(failure)
    return failures


def _alerts(
    storage: _Storage, rules: Sequence[Rule], wanted: Sequence[tuple[int, Mapping[str, Any]]], interval: int, name: str
) -> list[Failure]:
    """Step through time, and look at the alerts when a case says so."""
    if not wanted:
        return []
    machines = [Machine(rule) for rule in rules]
    last = max(at for at, _ in wanted)
    if last // interval > MAX_STEPS:
        raise InvalidInput(f"{name}: more than {MAX_STEPS} evaluations")
    failures = []
    waiting = sorted(wanted, key=lambda pair: pair[0])
    for at in range(0, last + 1, interval):
        for machine in machines:
            try:
                machine.advance(assess(machine.rule.node, machine.rule.clear_node, storage, at, look=True), at / 1000)
            except ParaNetError as error:
                machine.failed(error.detail)
        while waiting and waiting[0][0] < at + interval:
            when, case = waiting.pop(0)
            failures += _compared(machines, case, name, when)
    return failures


def _compared(machines: Sequence[Machine], case: Mapping[str, Any], name: str, at: int) -> list[Failure]:
    alertname = str(case.get("alertname", ""))
    got = sorted(
        (
            (_plain(alert.labels, alertname), dict(alert.annotations))
            for machine in machines
            if machine.rule.name == alertname
            for alert in machine.alerts.values()
            if alert.is_loud
        ),
        key=repr,
    )
    expected = sorted(
        (
            (_plain(_scalars(a.get("exp_labels") or {}), alertname), dict(_scalars(a.get("exp_annotations") or {})))
            for a in _list(case, "exp_alerts")
        ),
        key=repr,
    )
    if any("severity" not in labels for labels, _ in expected):  # promtool's files know no severity but a label's
        got = [({k: v for k, v in labels.items() if k != "severity"}, notes) for labels, notes in got]
        expected = [({k: v for k, v in labels.items() if k != "severity"}, notes) for labels, notes in expected]
    if got == expected:
        return []
    return [Failure(test=name, at=_span(at), what=f"alert {alertname}", expected=_items(expected), got=_items(got))]


def _items(pairs: Sequence[tuple[Mapping[str, str], Mapping[str, str]]]) -> list[dict[str, Any]]:
    return [{"labels": dict(labels), "annotations": dict(notes)} for labels, notes in pairs]


def _plain(labels: Mapping[str, str], alertname: str) -> dict[str, str]:
    return {**labels, "alertname": alertname}


def _span(at: int) -> str:
    return f"{at / 1000:g}s"


def _expression(storage: _Storage, case: Mapping[str, Any], name: str) -> Failure | None:
    expr, at = str(case.get("expr", "")), duration(str(case.get("eval_time", "0")))
    result = evaluate(parse(expr), storage, start=at, end=at, step=1)
    value = result.value
    if isinstance(value, Vector):
        got = {value.labels[i]: float(value.values[i, 0]) for i in range(len(value)) if value.present[i, 0]}
    else:
        got = vector_of(result)
    expected: dict[Labels, float] = {}
    for sample in _list(case, "exp_samples"):
        labels, _ = series(str(sample.get("labels", "{}")))
        expected[labels] = float(sample.get("value", "nan"))
    same = got.keys() == expected.keys() and all(
        got[k] == expected[k] or math.isclose(got[k], expected[k], rel_tol=1e-6) or (math.isnan(got[k]) and math.isnan(expected[k]))
        for k in got
    )
    if same:
        return None
    return Failure(test=name, at=_span(at), what=f"expression {expr}", expected=_shown(expected), got=_shown(got))


def _shown(values: Mapping[Labels, float]) -> dict[str, str]:
    return {f"{dict(labels).get(NAME, '')}{shown(without(labels, (NAME,)))}": number_text(v) for labels, v in values.items()}
