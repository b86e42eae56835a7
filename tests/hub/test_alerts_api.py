"""Alerts over REST, and one story on a simulated network: a cut link."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.settings import Alerts, Network, Settings
from paranet.metrics.alerts.defaults import DEFAULTS
from tests.hub.api import Api, sign_in
from tests.hub.houses import opened
from tests.hub.networks import build_square
from tests.hub.sockets import connected

RULE = {"name": "Hot", "expr": "heat > 5", "for": "1m", "severity": "critical"}


@attrs.define
class Hook:
    """A receiver of notices that keeps (status, alert names) of each."""

    url: str = ""
    heard: list[tuple[str, set[str]]] = attrs.field(factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.heard.append((body["status"], {alert["labels"]["alertname"] for alert in body["alerts"]}))
        return web.Response()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    found, app = Hook(), web.Application()
    app.router.add_post("/", found.hear)
    async with TestServer(app) as server:
        found.url = str(server.make_url("/"))
        yield found


@pytest.fixture
async def ticking(settings: Settings, hook: Hook) -> AsyncIterator[Api]:
    """The API as an operator, over a square whose counters are read twenty times a second."""
    alerts = Alerts(webhook=hook.url, group_wait=0.3, start_delay=0.0)
    async with opened(attrs.evolve(settings, network=Network(interval=0.05), alerts=alerts)) as (_, client):
        api = await sign_in(client, "operator")
        await build_square(api)
        yield api


async def cut(api: Api, link: str, *, enabled: bool) -> None:
    _, body, _ = await api.call("GET", f"/topology/links/{link}")
    status, answer, _ = await api.call("PUT", f"/topology/links/{link}", json={**body, "enabled": enabled})
    assert status == 200, answer


SILENT = {"name": "LinkSilent", "expr": "min by (link) (paranet_link_up) < 0.5", "trigger": "sample"}
"""what follows from a link that is down"""


async def decided(api: Api, name: str, many: int) -> list[tuple[str, str, str]]:
    """Return state, decision and reason of the notices about an alert, oldest first, once there are so many."""
    _, body, _ = await api.call("GET", f"/monitor/alerts?rule={name}")
    alert = body["items"][0]["id"]
    async with asyncio.timeout(20):
        while True:
            _, body, _ = await api.call("GET", f"/monitor/alerts/decisions?alert={alert}")
            if len(body["items"]) >= many:
                return [(row["state"], row["decision"], row["reason"]) for row in reversed(body["items"])]


async def test_a_cut_link_raises_one_alert_within_two_seconds_and_resolves_once(ticking: Api, hook: Hook) -> None:
    """On channel `alerts` and at the webhook; what follows from it is inhibited; the decisions explain every notice."""
    status, silent, _ = await ticking.call("POST", "/monitor/alerts/rules", json=SILENT)
    assert status == 201, silent
    async with connected(ticking) as socket:
        await socket.subscribe("alerts")
        await socket.hear("snapshot")
        began = time.monotonic()
        await cut(ticking, "r1-r2", enabled=False)
        states: dict[str, list[tuple[str, str]]] = {"LinkDown": [], "LinkSilent": []}

        async def until(state: str) -> None:
            while not all(seen and seen[-1][1] == state for seen in states.values()):
                for item in (await socket.until("events"))["items"]:
                    seen = states[item["name"]]
                    if not seen or seen[-1][1] != item["state"]:  # flags are told of too
                        seen.append((item["labels"]["link"], item["state"]))

        await until("firing")
        assert time.monotonic() - began < 2
        rule = silent["id"]
        assert [row[:2] for row in await decided(ticking, "link-down", 1)] == [("firing", "sent")]
        assert len(await decided(ticking, rule, 1)) == 1
        await cut(ticking, "r1-r2", enabled=True)
        await until("resolved")
    assert set(map(tuple, states.values())) == {(("r1-r2", "firing"), ("r1-r2", "resolved"))}
    assert await decided(ticking, "link-down", 2) == [("firing", "sent", "attempt 1"), ("resolved", "sent", "attempt 1")]
    first, last = await decided(ticking, rule, 2)
    assert first[:2] == ("firing", "not-sent")
    assert first[2].startswith("inhibited by LinkDown ")
    assert last[:2] == ("resolved", "not-sent")
    assert last[2].startswith("nobody was told that it fired")
    assert hook.heard == [("firing", {"LinkDown"}), ("resolved", {"LinkDown"})]
    _, body, _ = await ticking.call("GET", "/monitor/alerts?state=resolved&rule=link-down")
    (alert,) = body["items"]
    assert alert["annotations"] == {"summary": "Link r1-r2 is down"}
    _, rows, _ = await ticking.call("GET", f"/monitor/alerts/history?alert={alert['id']}")
    assert [row["after"] for row in rows["items"]] == ["resolved", "firing"]


async def test_rules_live_their_life(operator: Api) -> None:
    """Create, list, read, replace, switch off, delete; the defaults are there."""
    status, made, headers = await operator.call("POST", "/monitor/alerts/rules", json=RULE)
    assert (status, made["for"], made["enabled"]) == (201, 60.0, True)
    assert headers["Location"].endswith(made["id"])
    path = f"/monitor/alerts/rules/{made['id']}"
    _, body, _ = await operator.call("GET", "/monitor/alerts/rules")
    assert {"link-down", "device-unreachable", made["id"]} <= {rule["id"] for rule in body["items"]}
    _, body, _ = await operator.call("PUT", path, json={**RULE, "expr": "heat > 6"})
    assert body["expr"] == "heat > 6"
    _, body, _ = await operator.call("POST", f"{path}/disable")
    assert body["enabled"] is False
    _, body, _ = await operator.call("GET", path)
    assert (body["enabled"], body["health"]) == (False, "ok")
    assert (await operator.call("POST", f"{path}/enable"))[1]["enabled"] is True
    assert (await operator.call("DELETE", path))[0] == 204
    for method in ("GET", "DELETE"):
        assert (await operator.call(method, path))[0] == 404


async def test_each_rule_to_begin_with_can_be_switched_off(operator: Api) -> None:
    """One by one, the others go on."""
    left = {rule.id for rule in DEFAULTS}
    assert len(left) >= 7
    for rule in DEFAULTS:
        assert (await operator.call("POST", f"/monitor/alerts/rules/{rule.id}/disable"))[0] == 200
        left.remove(rule.id)
        _, body, _ = await operator.call("GET", "/monitor/alerts/rules")
        assert {item["id"] for item in body["items"] if item["enabled"]} == left


async def test_a_broken_rule_is_refused_with_its_position(operator: Api) -> None:
    """And nothing is made."""
    status, body, _ = await operator.call("POST", "/monitor/alerts/rules", json={**RULE, "expr": "heat >"})
    assert (status, body["code"]) == (400, "bad-query")
    assert body["errors"][0]["path"] == "expr: line 1, column 7"


async def test_a_rule_can_be_tried_on_what_was(operator: Api) -> None:
    """Dry-run: what it would have done."""
    now = int(time.time() * 1000)
    ts = [now - 300_000 + 1000 * i for i in range(300)]
    values = [9.0 if 100 <= i < 250 else 1.0 for i in range(300)]
    await operator.call(
        "POST", "/monitor/metrics", json={"series": [{"metric": "heat", "labels": {"node": "a"}}], "ts": ts, "values": [values]}
    )
    status, body, _ = await operator.call("POST", f"/monitor/alerts/rules/dry-run?start={ts[0]}&end={ts[-1]}&step=1000", json=RULE)
    assert status == 200, body
    assert [change["after"] for change in body["changes"]] == ["pending", "firing", "resolved"]


async def test_unit_tests_over_rest(operator: Api) -> None:
    """promtool's YAML, on the hub's own rules."""
    text = """
tests:
  - interval: 1s
    input_series: [{series: 'paranet_link_up{link="l"}', values: '0x200'}]
    alert_rule_test:
      - eval_time: 2m
        alertname: LinkDown
        exp_alerts: [{exp_labels: {link: l, scope: link}, exp_annotations: {summary: Link l is down}}]
"""
    status, body, _ = await operator.call("POST", "/monitor/alerts/rules/test", data=text)
    assert (status, body["ok"], body["failures"]) == (200, True, [])
    assert (await operator.call("POST", "/monitor/alerts/rules/test", data="tests: ["))[0] == 400


async def test_alerts_are_acknowledged_and_silenced(operator: Api) -> None:
    """By id; by labels until a time."""
    await operator.call(
        "POST", "/monitor/alerts/rules", json={"name": "Hot", "metric": "heat", "op": ">", "threshold": 5, "trigger": "sample"}
    )
    await push(operator, "heat", 9)
    alert = await burning(operator)
    assert (alert["state"], alert["rule"] != "", alert["acknowledged"]) == ("firing", True, None)
    status, body, _ = await operator.call("POST", f"/monitor/alerts/{alert['id']}/acknowledge", json={"comment": "on it"})
    assert (status, body["acknowledged"]) == (200, {"by": "operator", "until": None, "comment": "on it"})
    silence = {"matchers": [{"name": "alertname", "value": "Hot"}], "ends_at": "2999-01-01T00:00:00Z"}
    status, made, _ = await operator.call("POST", "/monitor/alerts/silences", json=silence)
    assert status == 201
    _, body, _ = await operator.call("GET", "/monitor/alerts?silenced=true&acknowledged=true")
    assert [a["silenced"] for a in body["items"]] == [[made["id"]]]
    assert (await operator.call("DELETE", f"/monitor/alerts/silences/{made['id']}"))[0] == 204
    assert (await operator.call("GET", "/monitor/alerts?silenced=true"))[1]["items"] == []
    _, body, _ = await operator.call("DELETE", f"/monitor/alerts/{alert['id']}/acknowledge")
    assert body["acknowledged"] is None
    assert (await operator.call("POST", "/monitor/alerts/nobody/acknowledge"))[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"matchers": [], "ends_at": "2999-01-01T00:00:00Z"},
        {"matchers": [{"name": "a", "value": "("}, {"name": "a", "value": "(", "regex": True}], "ends_at": "2999-01-01T00:00:00Z"},
        {"matchers": [{"name": "a", "value": "b"}], "ends_at": "2001-01-01T00:00:00Z"},
        {"matchers": [{"name": "a", "value": "b"}], "ends_at": "soon"},
        {"matchers": [{"name": "a", "value": 5}], "ends_at": "2999-01-01T00:00:00Z"},
        {"matchers": [{"name": "a", "value": "b"}]},
        [],
    ],
)
async def test_a_broken_silence_is_refused(operator: Api, body: Any) -> None:
    """400, always."""
    status, answer, _ = await operator.call("POST", "/monitor/alerts/silences", json=body)
    assert (status, answer["code"]) == (400, "invalid")


async def push(api: Api, metric: str, value: float) -> None:
    body = [{"metric": metric, "labels": {"node": "a"}, "ts": int(time.time() * 1000), "value": value}]
    status, answer, _ = await api.call("POST", "/monitor/metrics", json=body)
    assert (status, answer["accepted"]) == (200, 1)


async def burning(api: Api) -> Any:
    """Return the one alert once it fires."""
    async with asyncio.timeout(10):
        while True:
            _, body, _ = await api.call("GET", "/monitor/alerts?state=firing")
            if body["items"]:
                return body["items"][0]


@pytest.mark.parametrize(("span", "expected"), [("start=2298&end=2257", 400), ("end=2257", 200)])
async def test_a_rule_is_tried_over_a_time_that_there_is(operator: Api, span: str, expected: int) -> None:
    """An end before the start is refused; an end in the first hour of 1970 is not."""
    status, body, _ = await operator.call("POST", f"/monitor/alerts/rules/dry-run?{span}", json=RULE)
    assert status == expected, body
