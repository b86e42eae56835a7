"""What others say to the TelemetryCollector: samples to keep, questions about them, and the answers."""

from collections.abc import Mapping
from typing import Any

import attrs

from actors.runtime import Message, Request
from paranet.metrics.labels import Labels
from paranet.metrics.promql.ast import Node, Selector
from paranet.metrics.promql.evaluate import Result


@attrs.frozen(kw_only=True)
class Line:
    """Samples of one series: times in UNIX ms and values, equally many."""

    labels: Labels
    times: tuple[int, ...] | list[int]
    values: tuple[float, ...] | list[float]


@attrs.frozen(kw_only=True)
class Offender:
    """A sample that was not taken, and why."""

    series: str
    ts: int
    reason: str


@attrs.frozen(kw_only=True)
class Verdicts:
    """What became of a batch: *rejected* counts by reason, *first* names the first offenders."""

    accepted: int
    rejected: Mapping[str, int]
    first: tuple[Offender, ...]


@attrs.frozen(kw_only=True)
class Ingest(Request[Verdicts]):
    """Keep samples. One bad sample never drops a good one. Raise TooFast while the disk is behind."""

    lines: tuple[Line, ...] | list[Line]


@attrs.frozen(kw_only=True)
class Answer:
    """A query's result and the tier it was computed on: `raw`, `1m` or `1h`."""

    result: Result
    tier: str


@attrs.frozen(kw_only=True)
class Query(Request[Answer]):
    """Evaluate PromQL at one moment (UNIX ms)."""

    promql: str
    at: int


@attrs.frozen(kw_only=True)
class QueryRange(Request[Answer]):
    """Evaluate PromQL from *start* to *end* every *step* (ms), both ends included."""

    promql: str
    start: int
    end: int
    step: int


@attrs.frozen(kw_only=True)
class AssessRules(Request[tuple[Any, ...]]):
    """Evaluate rules at one moment: (expression, clear expression or None, whether to look at the data behind) each.

    Each answer is an Assessment, or the ParaNetError that took its place.
    """

    items: tuple[tuple[Node, Node | None, bool], ...]
    at: int


@attrs.frozen(kw_only=True)
class FindSeries(Request[tuple[Labels, ...]]):
    """Return the series that a selector means (all when there is none) with samples since *start* (UNIX ms)."""

    selectors: tuple[Selector, ...]
    start: int
    limit: int


@attrs.frozen(kw_only=True)
class FindLabels(Request[tuple[str, ...]]):
    """Return the names of labels, or the values of one, among the series that the selectors mean."""

    label: str | None
    selectors: tuple[Selector, ...]
    limit: int


@attrs.frozen(kw_only=True)
class Watch(Request[None]):
    """Tell the actor at *path* `Touched` whenever samples of these metrics have come."""

    path: str
    metrics: frozenset[str]


@attrs.frozen(kw_only=True)
class Touched(Message):
    """Samples of these metrics have come; *at* is the newest time, UNIX ms."""

    metrics: frozenset[str]
    at: int


@attrs.frozen(kw_only=True)
class Points:
    """One series: *points* are (UNIX ms, value), oldest first."""

    metric: Mapping[str, str]
    points: tuple[tuple[int, float], ...]


@attrs.frozen(kw_only=True)
class ReadMetrics(Request[tuple[Points, ...]]):
    """Return samples with *start* <= time <= *end* (UNIX ms) of the metrics and nodes named (all when empty)."""

    names: frozenset[str]
    nodes: frozenset[str]
    start: int
    end: int
