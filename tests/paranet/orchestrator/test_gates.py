"""paranet.orchestrator.gates"""

from typing import Any

import pytest

from paranet.errors import BadField
from paranet.orchestrator.gates import Condition, Gates, Tally, delivered, fallen


def condition(**given: Any) -> Condition:
    return Condition(**{"metric": "m", "op": "<", "threshold": 0.5, **given})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"op": "=<"}, "op"),
        ({"metric": None}, "metric"),
        ({"query": "q"}, "metric"),
        ({"count": 0}, "count"),
        ({"count": 101}, "count"),
        ({"interval": 0.0}, "interval"),
        ({"count": 100, "interval": 60.0}, "interval"),
        ({"failure_limit": 3}, "failure_limit"),
        ({"failure_limit": -1}, "failure_limit"),
    ],
)
def test_a_condition_that_is_none_is_refused(given: dict[str, Any], field: str) -> None:
    """With its field."""
    with pytest.raises(BadField) as caught:
        condition(**given)
    assert caught.value.field == field


def test_gates_are_bounded() -> None:
    """Neither too many conditions nor a part above one."""
    with pytest.raises(BadField):
        Gates(conditions=(condition(),) * 21)
    with pytest.raises(BadField):
        Gates(keep_throughput=1.1)


@pytest.mark.parametrize(
    ("limit", "looks", "refused"),
    [
        (0, [0.1, 0.2, 0.3], None),
        (0, [0.1, 0.9], "does not hold: it was 0.9"),
        (1, [0.1, 0.9, 0.2], None),
        (1, [0.9, 0.8], "does not hold: it was 0.8"),
        (0, [None], "inconclusive"),
        (1, [None, 0.1, None], "inconclusive"),
        (1, [None, 0.1, 0.1], None),
        (1, [None, 0.9], "does not hold"),
    ],
)
def test_looks_are_counted(limit: int, looks: list[float | None], refused: str | None) -> None:
    """Up to the limit they may be bad or missing; a missing one is never a pass. No look is made that could change nothing."""
    tally = Tally(condition(failure_limit=limit))
    for look in looks:
        assert not tally.done
        tally.add(look)
    assert tally.done
    assert (tally.refusal is None) if refused is None else (refused in (tally.refusal or ""))


def test_what_was_delivered_is_read_from_counters() -> None:
    """Flows that offered nothing, or were read once, say nothing."""
    offered = {"a": [0.0, 50.0, 100.0], "idle": [7.0, 7.0], "once": [3.0], "dark": [0.0, 1.0]}
    arrived = {"a": [0.0, 20.0, 40.0], "idle": [7.0, 7.0], "once": [3.0]}
    assert delivered(offered, arrived) == {"a": 0.4}


def test_flows_that_fall_are_named() -> None:
    """Half is too little; what delivered nothing before, was cut on purpose or is not known now is no evidence."""
    before = {"halved": 1.0, "fine": 1.0, "dead before": 0.0, "cut": 1.0, "unknown": 1.0}
    after = {"halved": 0.5, "fine": 0.51, "dead before": 0.0, "cut": 0.0}
    assert fallen(before, after, 0.5, exempt={"cut"}) == {"halved": (1.0, 0.5)}
