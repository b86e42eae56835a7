"""paranet.metrics.alerts: rules, templates, promtool's unit tests."""

from pathlib import Path
from typing import Any

import pytest

from hub.cli import main
from paranet.errors import BadQuery, InvalidInput
from paranet.metrics.alerts.rule import read_rule, shown_rule
from paranet.metrics.alerts.ruletest import run
from paranet.metrics.alerts.template import expand

RULES = """
groups:
  - name: network
    interval: 1m
    rules:
      - record: ignored
        expr: up
      - alert: Down
        expr: up == 0
        for: 2m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.node }} is down"}
"""
TESTS = """
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'up{node="a"}', values: '1 0x5'}
      - {series: 'up{node="b"}', values: '1x5'}
    alert_rule_test:
      - {eval_time: 2m, alertname: Down, exp_alerts: []}
      - eval_time: 3m
        alertname: Down
        exp_alerts:
          - exp_labels: {node: a, severity: page}
            exp_annotations: {summary: "a is down"}
    promql_expr_test:
      - expr: sum(up)
        eval_time: 1m
        exp_samples: [{labels: '{}', value: 1}]
"""


def test_unit_tests_as_promtool_runs_them() -> None:
    """Alerts and expressions, at their times."""
    outcome = run(RULES + TESTS, ())
    assert (outcome.ok, outcome.failures) == (True, ())


def test_a_unit_test_that_fails_says_what_there_was() -> None:
    """Expected beside got."""
    outcome = run(RULES + TESTS.replace("a is down", "b is down").replace("value: 1", "value: 2"), ())
    assert not outcome.ok
    alert, expression = outcome.failures
    assert (alert.at, alert.what, alert.got[0]["annotations"]) == ("180s", "alert Down", {"summary": "a is down"})
    assert (expression.expected, expression.got) == ({"{}": "2"}, {"{}": "1"})


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`paranet rules test FILE`: rule files are beside it, a failure is exit code 1."""
    (tmp_path / "rules.yml").write_text(RULES)
    file = tmp_path / "test.yml"
    file.write_text("rule_files: [rules.yml]\n" + TESTS)
    assert main(["rules", "test", str(file)]) == 0
    file.write_text("rule_files: [rules.yml]\n" + TESTS.replace("a is down", "b is down"))
    assert main(["rules", "test", str(file)]) == 1
    assert "b is down" in capsys.readouterr().err
    assert main(["rules", "test", str(tmp_path / "missing.yml")]) == 1


@pytest.mark.parametrize(
    "text", ["a: [", "5", "tests: 5", "tests: [{input_series: [{series: 'up{', values: '1'}]}]", "tests: [{interval: soon}]"]
)
def test_what_is_no_unit_test_is_refused(text: str) -> None:
    """With what is wrong."""
    with pytest.raises(InvalidInput):
        run(text, ())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{ $labels.node }} at {{ $value }}", "a at 0.251"),
        ("{{$value | humanizePercentage}}", "25.1%"),
        ('{{ printf "%.1f of %s" $value $labels.node }}', "0.3 of a"),
        ("{{ $labels.missing }}", ""),
        ("{{ $labels.node | toUpper }}", "A"),
        ("{{ humanizeDuration 3725 }}", "1h 2m 5s"),
        ("{{ humanize 1234567 }}", "1.235M"),
        ("{{ humanize1024 2048 }}", "2ki"),
        ('{{ reReplaceAll "(.)" "<$1>" $labels.node }}', "<a>"),
    ],
)
def test_templates(text: str, wanted: str) -> None:
    """Go's notation, the usual functions."""
    assert expand(text, {"node": "a"}, 0.251) == wanted


@pytest.mark.parametrize("text", ["{{ nosuch $value }}", "{{ $value", "{{ }}", "{{ $value | }}", "{{ $labels }}"])
def test_a_broken_template_is_refused(text: str) -> None:
    """When the rule is written, not when it fires."""
    with pytest.raises(InvalidInput):
        read_rule({"name": "x", "expr": "up", "annotations": {"a": text}}, "x")


def test_a_rule_in_both_forms() -> None:
    """The short one is the long one written out."""
    short = read_rule({"name": "Hot", "metric": "heat", "op": ">", "threshold": 5, "for": "1m", "severity": "critical", "node": "a"}, "x")
    long = read_rule({"name": "Hot", "expr": 'heat{node="a"} > 5', "for": 60, "severity": "critical"}, "x")
    assert short.node == long.node
    assert (short.wait, short.severity) == (60.0, "critical")
    body = shown_rule(long)
    assert read_rule({k: v for k, v in body.items() if k != "id"}, "x") == long


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"expr": "up"}, "name"),
        ({"name": "x"}, "expr"),
        ({"name": "x", "expr": "up", "for": "soon"}, "for"),
        ({"name": "x", "expr": "up", "for": -1}, "for"),
        ({"name": "x", "expr": "up", "severity": "awful"}, "severity"),
        ({"name": "x", "expr": "up", "more": 1}, "more"),
        ({"name": "x", "expr": "up", "labels": {"a b": "x"}}, "labels"),
        ({"name": "x", "metric": "up", "op": "~", "threshold": 1}, "op"),
        ({"name": "x", "metric": "up", "op": ">", "threshold": "1"}, "threshold"),
    ],
)
def test_a_broken_rule_is_refused_with_the_place(body: dict[str, Any], path: str) -> None:
    """A JSON path, in the words of the wire."""
    with pytest.raises(InvalidInput) as caught:
        read_rule(body, "x")
    assert [fault.path for fault in caught.value.errors] == [path]  # type: ignore[attr-defined]


def test_a_broken_expression_is_refused_with_its_position() -> None:
    """Which of the two, line and column."""
    with pytest.raises(BadQuery, match="clear_expr: line 1, column 4"):
        read_rule({"name": "x", "expr": "up", "clear_expr": "up up"}, "x")
