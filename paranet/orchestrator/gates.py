"""Gates: what has to hold after each wave before the next one, and what figures say about it."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from paranet.errors import BadField

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
MAX_CONDITIONS = 20
MAX_COUNT = 100
MAX_SECONDS = 600.0
"""a condition looks *count* times, *interval* seconds apart, and for no longer than that"""


@attrs.frozen(kw_only=True)
class Condition:
    """A figure that is looked at *count* times; more than *failure_limit* bad or missing looks close the gate.

    The figure is the newest value of *metric* (on *node*, the mean where there are several series; a counter's growth a
    second), or what the expression *query* yields.
    """

    op: str
    threshold: float
    metric: str | None = None
    query: str | None = None
    node: str | None = None
    count: int = 3
    interval: float = 1.0
    failure_limit: int = 0

    def __attrs_post_init__(self) -> None:
        if self.op not in OPERATORS:
            raise BadField("op", f"must be one of {' '.join(OPERATORS)}, not {self.op[:60]!r}")
        if (self.metric is None) == (self.query is None):
            raise BadField("metric", "is required, or query instead of it")
        if not 1 <= self.count <= MAX_COUNT:
            raise BadField("count", f"must be from 1 to {MAX_COUNT}")
        if not self.interval > 0 or self.count * self.interval > MAX_SECONDS:
            raise BadField("interval", f"must be above 0, and count times interval at most {MAX_SECONDS:g} s")
        if not 0 <= self.failure_limit < self.count:
            raise BadField("failure_limit", "must be at least 0 and less than count")

    def __str__(self) -> str:
        where = f" on {self.node}" if self.node else ""
        return f"{self.query or self.metric}{where} {self.op} {self.threshold:g}"


@attrs.frozen(kw_only=True)
class Gates:
    """What is looked at after a wave. Reading back what was installed is no option: it always is.

    *probes* walks the promised ways over what is installed, after the last wave. *keep_throughput* is the part of what a flow
    delivered before that it must deliver after; 0 is without. It is off where the flows' figures were not there before.
    """

    conditions: tuple[Condition, ...] = ()
    probes: bool = True
    keep_throughput: float = 0.5

    def __attrs_post_init__(self) -> None:
        if len(self.conditions) > MAX_CONDITIONS:
            raise BadField("conditions", f"must be at most {MAX_CONDITIONS}")
        if not 0 <= self.keep_throughput <= 1:
            raise BadField("keep_throughput", "must be from 0 to 1")


OPEN = Gates(probes=False, keep_throughput=0.0)
"""Nothing is looked at but what reads back: for the way back, which must never be barred by the state it leads out of."""


class Tally:
    """Counts the looks at one condition."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._bad: list[float] = []
        self._missing = 0
        self.looks = 0

    def add(self, value: float | None) -> None:
        """Count one look; None is a figure that was not there."""
        self.looks += 1
        if value is None:
            self._missing += 1
        elif not OPERATORS[self._condition.op](value, self._condition.threshold):
            self._bad.append(value)

    @property
    def done(self) -> bool:
        """Tell whether more looks could change nothing."""
        return self.looks >= self._condition.count or self.refusal is not None

    @property
    def refusal(self) -> str | None:
        """Why the gate is closed; missing figures are inconclusive and never a pass."""
        if len(self._bad) + self._missing <= self._condition.failure_limit:
            return None
        if self._bad:
            return f"{self._condition} does not hold: it was {self._bad[-1]:g}"
        return f"{self._condition} is inconclusive: there is no figure"


def delivered(offered: Mapping[str, Sequence[float]], arrived: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the part of what each flow offered that arrived, from counters between the first and the last reading of each.

    A flow with fewer than two readings, or that offered nothing between them, is left out.
    """
    found: dict[str, float] = {}
    for flow, sent in offered.items():
        came = arrived.get(flow, ())
        if len(sent) > 1 and len(came) > 1 and (more := sent[-1] - sent[0]) > 0:
            found[flow] = max(0.0, came[-1] - came[0]) / more
    return found


def fallen(
    before: Mapping[str, float], after: Mapping[str, float], keep: float, exempt: Iterable[str] = ()
) -> dict[str, tuple[float, float]]:
    """Return flows (before, after) that deliver no more than *keep* of what they did."""
    spared = set(exempt)
    return {
        flow: (was, after[flow])
        for flow, was in sorted(before.items())
        if was > 0 and flow in after and flow not in spared and after[flow] <= keep * was
    }
