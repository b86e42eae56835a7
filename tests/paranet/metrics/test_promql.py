"""paranet.metrics.promql"""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paranet.errors import BadQuery, InvalidInput, QueryTooLarge
from paranet.metrics.labels import labels_of
from paranet.metrics.promql.ast import Selector
from paranet.metrics.promql.evaluate import evaluate
from paranet.metrics.promql.parse import parse
from paranet.metrics.promql.selecting import number_text, number_texts
from paranet.metrics.promql.values import STALE, Samples, Vector
from tests.paranet.metrics.promqltest import Expectation, Storage, cases, check

CASES = [(case, storage) for file in sorted((Path(__file__).parent / "cases").glob("*.test")) for case, storage in cases(file)]


@pytest.mark.parametrize(("case", "storage"), CASES, ids=[case.place for case, _ in CASES])
def test_cases_in_the_form_of_prometheus_own(case: Expectation, storage: Storage) -> None:
    """Written for this project, in the language of Prometheus' suite."""
    assert check(case, storage) is None


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("rate(up[5m]", 12),
        ("up + ", 6),
        ("foo bar", 5),
        ("rate(up)", 8),
        ("sum(1)", 5),
        ("up[5m+1m]", 6),
        ('up{a=~"("}', 7),
        ("nosuch(up)", 7),
        (")", 1),
        ("", 1),
    ],
)
def test_a_broken_expression_is_refused_with_its_position(text: str, column: int) -> None:
    """Line and column of the first token that fits nothing."""
    with pytest.raises(BadQuery) as caught:
        parse(text)
    assert caught.value.detail.startswith(f"line 1, column {column}: ")


def test_the_line_counts() -> None:
    """In an expression of several."""
    with pytest.raises(BadQuery, match="line 2, column 5"):
        parse("sum(up)\n  + / up")


def test_what_costs_too_much_is_refused() -> None:
    """Steps are bounded, and so are depth and length."""
    with pytest.raises(QueryTooLarge):
        evaluate(parse("1"), Storage(), start=0, end=10**9, step=1)
    with pytest.raises(BadQuery):
        parse("-" * 500 + "up")
    with pytest.raises(BadQuery):
        parse("1+" * 10_000 + "1")
    with pytest.raises(InvalidInput):
        evaluate(parse("up[5m]"), Storage(), start=0, end=10, step=1)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (0.1, "0.1"), (1e21, "1" + "0" * 21), (1e-7, "0.0000001"), (math.inf, "+Inf"), (-0.0, "-0"), (math.nan, "NaN")],
)
def test_numbers_are_written_as_prometheus_does(value: float, text: str) -> None:
    """Never with an exponent, one by one or many at once."""
    assert number_text(value) == text
    assert number_texts(np.array([0.5, value, 30.0, value])) == ["0.5", text, "30", text]


def test_no_numbers_are_no_texts() -> None:
    """Of nothing at once."""
    assert number_texts(np.empty(0)) == []


@given(st.lists(st.floats()))
def test_many_numbers_are_written_as_one_by_one(values: list[float]) -> None:
    """Whatever they are."""
    assert number_texts(np.array(values)) == [number_text(v) for v in values]


class Given:
    """A source of these samples."""

    def __init__(self, found: list[Samples]) -> None:
        self.found = found

    def select(self, selector: Selector, start: int, end: int, function: str = "") -> list[Samples]:
        """As Source."""
        return self.found


@settings(max_examples=25)
@given(st.lists(st.lists(st.one_of(st.integers(0, 9).map(float), st.just(math.nan), st.just(STALE)), min_size=12, max_size=12), max_size=5))
def test_series_of_the_same_times_are_computed_together_as_apart(rows: list[list[float]]) -> None:
    """Their times may be one array or each have its own: the answers are the same, bit by bit."""
    times = np.cumsum([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]) * 1000
    series = [(labels_of("m_total", {"i": str(i)}), np.array(row)) for i, row in enumerate(rows)]
    together = Given([Samples(labels, times, values) for labels, values in series])
    apart = Given([Samples(labels, times.copy(), values) for labels, values in series])
    windows = ("rate", "irate", "delta", "changes", "resets", "deriv", *(f"{name}_over_time" for name in ("sum", "min", "count", "last")))
    for text in ("m_total", "timestamp(m_total)", *(f"{name}(m_total[11s])" for name in windows)):
        first, second = (evaluate(parse(text), source, start=0, end=60_000, step=4000).value for source in (together, apart))
        assert isinstance(first, Vector)
        assert isinstance(second, Vector)
        assert first.labels == second.labels
        assert first.present.tolist() == second.present.tolist()
        assert np.array_equal(first.values[first.present], second.values[second.present], equal_nan=True)


def naive_increase(points: list[tuple[int, float]], end: int, window: int) -> float | None:
    """Count up what a counter gained, sample by sample, and stretch it to the window, as the documentation describes."""
    inside = [(t, v) for t, v in points if end - window < t <= end]
    if len(inside) < 2:
        return None
    gained = sum(b - a if b >= a else b for (_, a), (_, b) in pairwise(inside))
    (t0, first), (t1, _) = inside[0], inside[-1]
    between = (t1 - t0) / (len(inside) - 1)
    before, after = float(t0 - (end - window)), float(end - t1)
    before = between / 2 if before >= between * 1.1 else before
    if gained > 0 and first >= 0:
        before = min(before, (t1 - t0) * first / gained)
    after = between / 2 if after >= between * 1.1 else after
    return gained * (t1 - t0 + before + after) / (t1 - t0)


@settings(max_examples=60)
@given(
    gaps=st.lists(st.integers(1, 40), min_size=1, max_size=40),
    values=st.lists(st.integers(0, 100), min_size=40, max_size=40),
    window=st.integers(1, 200),
)
def test_queries_equal_a_naive_evaluator(gaps: list[int], values: list[int], window: int) -> None:
    """increase, sum, max, count and the instant value, at every step, over samples with gaps and resets."""
    times = np.cumsum(gaps)
    points = [(int(t) * 1000, float(v)) for t, v in zip(times, values, strict=False)]
    storage = Storage()
    table: list[float | None] = [None] * (int(times[-1]) + 1)
    for t, v in points:
        table[t // 1000] = v
    storage.load(labels_of("m", {}), 1000, table)
    end = points[-1][0] + 5000

    def naive(function: str, at: int) -> float | None:
        inside = [v for t, v in points if at - window * 1000 < t <= at]
        if function == "increase":
            return naive_increase(points, at, window * 1000)
        if not inside:
            return None
        return {
            "sum_over_time": float(sum(inside)),
            "max_over_time": max(inside),
            "count_over_time": float(len(inside)),
            "last_over_time": inside[-1],
        }[function]

    for function in ("increase", "sum_over_time", "max_over_time", "count_over_time", "last_over_time"):
        vector = evaluate(parse(f"{function}(m[{window}s])"), storage, start=0, end=end, step=7000).value
        assert isinstance(vector, Vector)
        for column, at in enumerate(range(0, end + 1, 7000)):
            wanted = naive(function, at)
            got = float(vector.values[0, column]) if len(vector) and vector.present[0, column] else None
            assert (got is None) == (wanted is None), (function, at)
            assert got is None or wanted is None or math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-9), (function, at)
