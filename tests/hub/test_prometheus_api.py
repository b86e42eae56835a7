"""Prometheus' read API and remote-write, as Grafana and Prometheus use them."""

import asyncio
import struct
import time
from typing import Any

import cramjam
import pytest

from tests.hub.api import Api

NOW = int(time.time())


@pytest.fixture
async def filled(operator: Api) -> Api:
    """The API as an operator, with a minute of two counters and a gauge."""
    ts = [(NOW - 60 + i) * 1000 for i in range(60)]
    body = {
        "series": [
            {"metric": "jobs_total", "labels": {"node": "a"}},
            {"metric": "jobs_total", "labels": {"node": "b"}},
            {"metric": "heat", "labels": {"node": "a"}},
        ],
        "ts": ts,
        "values": [[2 * i for i in range(60)], [3 * i for i in range(60)], [20.5] * 60],
    }
    status, answer, _ = await operator.call("POST", "/monitor/metrics", json=body)
    assert (status, answer) == (200, {"accepted": 180, "rejected": {}, "first": []})
    return operator


async def ask(api: Api, path: str, method: str = "GET", **parameters: Any) -> tuple[int, Any]:
    """Return status and body of /prometheus/api/v1."""
    where: dict[str, Any] = {"params": parameters} if method == "GET" else {"data": parameters}
    async with api.http.request(method, f"/prometheus/api/v1{path}", headers=api.headers, **where) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_instant_query(filled: Api, method: str) -> None:
    """Values are strings, times are seconds."""
    status, body = await ask(filled, "/query", method, query="sum by (node) (jobs_total)", time=str(NOW - 1))
    assert (status, body["status"]) == (200, "success")
    assert body["data"] == {
        "resultType": "vector",
        "result": [
            {"metric": {"node": "a"}, "value": [NOW - 1, "118"]},
            {"metric": {"node": "b"}, "value": [NOW - 1, "177"]},
        ],
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_range_query(filled: Api, method: str) -> None:
    """Start and end in seconds or RFC 3339, the step in seconds or as a duration."""
    status, body = await ask(
        filled, "/query_range", method, query="rate(jobs_total[30s])", start=str(NOW - 20), end=str(NOW - 10), step="5s"
    )
    assert status == 200
    assert body["data"]["resultType"] == "matrix"
    assert [row["metric"] for row in body["data"]["result"]] == [{"node": "a"}, {"node": "b"}]
    assert body["data"]["result"][0]["values"] == [[NOW - 20, "2"], [NOW - 15, "2"], [NOW - 10, "2"]]


async def test_other_kinds_of_results(filled: Api) -> None:
    """Scalars, strings and range vectors."""
    assert (await ask(filled, "/query", query="1+1", time="5"))[1]["data"] == {"resultType": "scalar", "result": [5, "2"]}
    assert (await ask(filled, "/query", query='"x"', time="5"))[1]["data"] == {"resultType": "string", "result": [5, "x"]}
    _, body = await ask(filled, "/query", query="heat[2s]", time=str(NOW - 1))
    assert body["data"]["result"] == [{"metric": {"__name__": "heat", "node": "a"}, "values": [[NOW - 2, "20.5"], [NOW - 1, "20.5"]]}]


async def test_what_grafana_asks_to_fill_its_menus(filled: Api) -> None:
    """Series, labels, values of a label, metadata, and who answers."""
    _, body = await ask(filled, "/series", **{"match[]": "jobs_total"})
    assert body["data"] == [{"__name__": "jobs_total", "node": "a"}, {"__name__": "jobs_total", "node": "b"}]
    names = (await ask(filled, "/labels"))[1]["data"]
    assert names == sorted(names)
    assert {"__name__", "node"} <= set(names)
    pushed = {"match[]": '{__name__=~"heat|jobs_total"}'}
    assert (await ask(filled, "/labels", **pushed))[1]["data"] == ["__name__", "node"]
    assert (await ask(filled, "/labels", "POST", **{"match[]": "heat"}))[1]["data"] == ["__name__", "node"]
    metrics = (await ask(filled, "/label/__name__/values"))[1]["data"]
    assert [name for name in metrics if not name.startswith("paranet_hub_")] == ["heat", "jobs_total"]
    assert (await ask(filled, "/label/node/values", **{"match[]": "heat"}))[1]["data"] == ["a"]
    _, body = await ask(filled, "/metadata")
    assert body["data"]["jobs_total"] == [{"type": "counter", "help": "", "unit": ""}]
    assert "version" in (await ask(filled, "/status/buildinfo"))[1]["data"]


async def test_rules_and_alerts_as_prometheus_shows_them(filled: Api) -> None:
    """Rules that are switched on, in their groups, with what burns of them; nothing is recorded."""
    rule = {"name": "Hot", "expr": "heat > 5", "for": "10m", "group": "mine", "severity": "critical", "interval": 3600, "trigger": "sample"}
    assert (await filled.call("POST", "/monitor/alerts/rules", json=rule))[0] == 201
    now = [{"metric": "heat", "labels": {"node": "a"}, "ts": int(time.time() * 1000), "value": 7.5}]
    assert (await filled.call("POST", "/monitor/metrics", json=now))[0] == 200
    async with asyncio.timeout(20):
        while not (burning := (await ask(filled, "/alerts"))[1]["data"]["alerts"]):
            pass
    (alert,) = burning
    assert (alert["state"], alert["value"], alert["labels"]["node"]) == ("pending", "7.5", "a")
    groups = {group["name"]: group for group in (await ask(filled, "/rules"))[1]["data"]["groups"]}
    (shown,) = groups["mine"]["rules"]
    assert (shown["name"], shown["query"], shown["duration"], shown["state"], shown["alerts"]) == (
        "Hot",
        "heat > 5",
        600,
        "pending",
        burning,
    )
    assert (shown["type"], shown["health"], shown["labels"]) == ("alerting", "ok", {"severity": "critical"})
    assert (await ask(filled, "/rules", type="record"))[1]["data"] == {"groups": []}
    assert (await ask(filled, "/rules", type="x"))[0] == 400


@pytest.mark.parametrize(
    ("path", "parameters", "status", "kind"),
    [
        ("/query", {"query": "sum("}, 400, "bad_data"),
        ("/query", {}, 400, "bad_data"),
        ("/query", {"query": "1", "time": "soon"}, 400, "bad_data"),
        ("/query", {"query": "heat + on(x) heat * on() group_left() (heat or jobs_total)"}, 422, "execution"),
        ("/query_range", {"query": "1", "start": "0", "end": "1", "step": "0"}, 400, "bad_data"),
        ("/query_range", {"query": "1", "start": "0", "end": "1000000", "step": "1"}, 422, "execution"),
        ("/query_range", {"query": "1", "start": "2", "end": "1", "step": "1"}, 400, "bad_data"),
        ("/series", {}, 400, "bad_data"),
    ],
)
async def test_faults_have_prometheus_shape(filled: Api, path: str, parameters: dict[str, str], status: int, kind: str) -> None:
    """Status, errorType and error, so that Grafana shows them."""
    got, body = await ask(filled, path, **parameters)
    assert (got, body["status"], body["errorType"]) == (status, "error", kind)
    assert body["error"]


async def test_who_is_not_signed_in_reads_nothing(filled: Api) -> None:
    """Here as everywhere."""
    async with filled.http.get("/prometheus/api/v1/query?query=1") as response:
        assert response.status == 401


def message(*fields: tuple[int, bytes | float | int]) -> bytes:
    """Return a protobuf message."""
    out = b""
    for number, value in fields:
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
        elif isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        else:
            out += varint(number << 3) + varint(value % (1 << 64))
    return out


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def write_request(labels: dict[str, str], samples: list[tuple[int, float]]) -> bytes:
    """Return a WriteRequest of one series."""
    pairs = [(1, message((1, k.encode()), (2, v.encode()))) for k, v in labels.items()]
    points = [(2, message((1, value), (2, at))) for at, value in samples]
    return bytes(cramjam.snappy.compress_raw(message((1, message(*pairs, *points)))))


async def test_remote_write(operator: Api) -> None:
    """As Prometheus sends it; what is not taken is told in a header and not to be sent again."""
    body = write_request({"__name__": "written", "job": "x"}, [(NOW * 1000 - 1000, 1.5), (NOW * 1000, 2.5)])
    headers = {**operator.headers, "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    for rejected in ("none", "duplicate=1,out_of_order=0"):
        async with operator.http.post("/prometheus/api/v1/write", data=body, headers=headers) as response:
            assert response.status == 204, await response.text()
            assert response.headers["X-Rejected"].startswith(rejected[:9])
    _, answer = await ask(operator, "/query", query="written", time=str(NOW))
    assert answer["data"]["result"] == [{"metric": {"__name__": "written", "job": "x"}, "value": [NOW, "2.5"]}]


@pytest.mark.parametrize("body", [b"", b"\xff\xff\xff\xff\xff", bytes(cramjam.snappy.compress_raw(b"\x0a\xff\x01")), b"plain"])
async def test_what_is_no_remote_write_is_refused(operator: Api, body: bytes) -> None:
    """With 400."""
    headers = {**operator.headers, "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    async with operator.http.post("/prometheus/api/v1/write", data=body, headers=headers) as response:
        assert response.status == 400
