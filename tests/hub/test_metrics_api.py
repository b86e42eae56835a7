"""POST and GET /monitor/metrics."""

import time
from typing import Any

import attrs
import pytest

from hub.settings import Settings, Telemetry
from tests.hub.api import Api, sign_in
from tests.hub.houses import opened

NOW = int(time.time() * 1000)


async def push(api: Api, body: Any) -> Any:
    status, answer, _ = await api.call("POST", "/monitor/metrics", json=body)
    assert status == 200, answer
    return answer


def flat(metric: str, ts: int, value: float, **labels: str) -> dict[str, Any]:
    return {"metric": metric, "labels": labels, "ts": ts, "value": value}


async def test_flat_samples(operator: Api) -> None:
    """A list of labelled samples, in any order of series; every verdict is counted."""
    body = [
        flat("a", NOW, 1, node="x"),
        flat("b", NOW, 2),
        flat("a", NOW + 1, 3, node="x"),
        flat("a", NOW + 1, 3, node="x"),
        flat("a", NOW - 9, 0, node="x"),
    ]
    assert await push(operator, body) == {
        "accepted": 3,
        "rejected": {"duplicate": 1, "out_of_order": 1},
        "first": [{"series": "a", "ts": NOW + 1, "reason": "duplicate"}, {"series": "a", "ts": NOW - 9, "reason": "out_of_order"}],
    }
    _, answer, _ = await operator.call("GET", "/monitor/metrics?names=a")
    assert answer["series"] == [{"metric": {"__name__": "a", "node": "x"}, "points": [[NOW, 1.0], [NOW + 1, 3.0]]}]


async def test_columns_may_have_gaps(operator: Api) -> None:
    """null is no sample."""
    body = {"series": [{"metric": "a", "labels": {}}], "ts": [NOW, NOW + 1, NOW + 2], "values": [[1, None, 2.5]]}
    assert (await push(operator, body))["accepted"] == 2


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"series": [], "ts": []}, "values"),
        ({"series": [], "ts": [], "values": [], "more": 1}, "more"),
        ({"series": [{"metric": "a"}], "ts": [NOW], "values": [["1"]]}, "values[0]"),
        ({"series": [{"metric": "a"}], "ts": [NOW], "values": [[True]]}, "values[0]"),
        ({"series": [{"metric": "a"}], "ts": [NOW], "values": [[1, 2]]}, "values[0]"),
        ({"series": [{"metric": "a"}], "ts": [1.5], "values": [[1]]}, "ts"),
        ({"series": [{"metric": "a"}], "ts": [-1], "values": [[1]]}, "ts"),
        ({"series": [{"metric": "a b"}], "ts": [NOW], "values": [[1]]}, "series[0].metric"),
        ({"series": [{"metric": "a", "labels": {"1": "x"}}], "ts": [NOW], "values": [[1]]}, "series[0].labels.1"),
        ({"series": [{"metric": "a", "labels": {"x": 1}}], "ts": [NOW], "values": [[1]]}, "series[0].labels.x"),
        ([{"metric": "a", "ts": NOW}], "[0].value"),
        ([{"metric": "a", "ts": NOW, "value": "1"}], "[0].value"),
        ([{"metric": "a", "ts": NOW, "value": True}], "[0].value"),
        ([{"metric": "a", "ts": "now", "value": 1}], "[0].ts"),
        ([{"metric": "a", "ts": NOW, "value": 1, "unit": "s"}], "[0].unit"),
        ([{"metric": "a", "labels": {"__name__": "b"}, "ts": NOW, "value": 1}], "[0].labels.__name__"),
        ([{"metric": "a", "labels": [], "ts": NOW, "value": 1}], "[0].labels"),
        ([{"metric": "a", "ts": NOW, "value": 1}, 5], "[1]"),
        (5, ""),
    ],
)
async def test_a_broken_body_is_refused_with_the_place(operator: Api, body: Any, path: str) -> None:
    """And nothing of it is taken."""
    status, answer, _ = await operator.call("POST", "/monitor/metrics", json=body)
    assert (status, answer["code"]) == (400, "invalid")
    if path:
        assert answer["errors"][0]["path"] == path
    assert (await operator.call("GET", "/monitor/metrics?names=a"))[1]["series"] == []


async def test_more_series_than_there_is_room_for(settings: Settings) -> None:
    """The others are kept."""
    async with opened(attrs.evolve(settings, telemetry=Telemetry(max_series=200))) as (_, client):
        api = await sign_in(client, "operator")
        answer = await push(api, [flat("m", NOW, 1, i=str(i)) for i in range(1000)])
    assert answer["accepted"] + answer["rejected"]["over_limit"] == 1000
    assert 100 <= answer["accepted"] <= 200
    assert answer["first"][0]["reason"] == "over_limit"


async def test_promql_and_its_short_forms(operator: Api) -> None:
    """`query` is PromQL; names, nodes, agg and rate mean the same as if written out."""
    ts = [NOW - 60_000 + 1000 * i for i in range(61)]
    rows = [[5 * i for i in range(61)], [10 * i for i in range(61)]]
    await push(operator, {"series": [{"metric": "c_total", "labels": {"node": n}} for n in "ab"], "ts": ts, "values": rows})
    span = f"start={NOW - 10_000}&end={NOW}&step=5000"
    _, long, _ = await operator.call(
        "GET",
        "/monitor/metrics",
        params={"query": "sum by (__name__) (rate(c_total[30s]))", "step": "5000", "start": str(NOW - 10_000), "end": str(NOW)},
    )
    _, short, _ = await operator.call("GET", f"/monitor/metrics?names=c_total&agg=sum&rate=30s&{span}")
    assert long["series"][0]["points"] == short["series"][0]["points"] == [[NOW - 10_000, 15.0], [NOW - 5000, 15.0], [NOW, 15.0]]
    assert short["tier"] == "raw"
    _, one, _ = await operator.call("GET", f"/monitor/metrics?names=c_total&nodes=b&rate=30s&{span}")
    assert [s["metric"] for s in one["series"]] == [{"node": "b"}]
    _, node, _ = await operator.call("GET", "/monitor/metrics/b")
    assert node["current"] == [{"metric": {"__name__": "c_total", "node": "b"}, "ts": NOW, "value": 600.0}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("query=sum(", "bad-query"),
        ("query=a&names=b", "invalid"),
        ("names=a b", "invalid"),
        ("names=a&agg=mode", "invalid"),
        ("names=a&rate=fast", "invalid"),
        ("query=a&limit=0", "invalid"),
        ("query=a&start=5&end=1", "invalid"),
        ('query="x"', "invalid"),
    ],
)
async def test_a_bad_question_is_refused(operator: Api, query: str, code: str) -> None:
    """With its code; of PromQL with the position."""
    status, answer, _ = await operator.call("GET", f"/monitor/metrics?{query}")
    assert (status, answer["code"]) == (400, code)
    if code == "bad-query":
        assert answer["position"] == 4
        assert answer["errors"] == [{"path": "line 1, column 5", "message": "unclosed left parenthesis"}]
