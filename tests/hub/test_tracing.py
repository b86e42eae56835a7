"""hub.tracing: what a request leaves behind in a trace, and its id in the log."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from actors.devices import ReadInstalled
from actors.runtime.errand import Errand, errand
from hub import settings as s
from hub.app import make_app
from hub.fetching import Client
from hub.house import House
from hub.settings import Settings
from hub.tracing import Tracing, traced
from paranet.errors import BadSettings
from tests.hub.api import Api, sign_in
from tests.hub.houses import opened
from tests.hub.networks import ROUTE, build_square
from tests.hub.sockets import connected
from tests.hub.staff import hire

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Where the spans arrive."""
    return InMemorySpanExporter()


@pytest.fixture
async def house_traced(settings: Settings, exporter: InMemorySpanExporter) -> AsyncIterator[House]:
    """A hub that is traced."""
    spans = TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(exporter))
    await hire(settings.server.data_dir)
    async with House(settings, show_first_password=lambda _: None) as house:
        house.tracing = house.system.tracer = Tracing(spans)
        house.around.append(traced(house.tracing))
        yield house


@pytest.fixture
async def operator(house_traced: House, exporter: InMemorySpanExporter) -> AsyncIterator[Api]:
    """Its API, over the square; what came before is forgotten."""
    async with TestClient(TestServer(make_app(house_traced)), cookie_jar=aiohttp.DummyCookieJar()) as client:
        api = await sign_in(client, "operator")
        await build_square(api)
        await house_traced.system.ref("device").ask(ReadInstalled(), timeout=5)  # it has followed by then
        exporter.clear()
        yield api


def tree(exporter: InMemorySpanExporter) -> dict[str, str]:
    """Return each span's name with that of its parent; a parent that is not ours is its id."""
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return {span.name: parent_of(span, names) for span in spans}


def parent_of(span: ReadableSpan, names: dict[int, str]) -> str:
    return "" if span.parent is None else names.get(span.parent.span_id, f"{span.parent.span_id:016x}")


def attributes(exporter: InMemorySpanExporter, name: str) -> dict[str, Any]:
    (found,) = [dict(span.attributes or {}) for span in exporter.get_finished_spans() if span.name == name]
    return found


async def test_a_request_is_followed_through_the_actors(operator: Api, exporter: InMemorySpanExporter) -> None:
    """Its span lies below the caller's, what actors ask each other below that, each by the message that made it ask; the id is on all."""
    headers = {"traceparent": CALLER, "X-Request-Id": "mine-1"}
    status, _, _ = await operator.call("POST", "/intent/compile", json={"source": ROUTE}, headers=headers)
    assert status == 201
    found = tree(exporter)
    assert found["POST /api/v1/intent/compile"] == "b7ad6b7169203331"
    assert found["intents Compile"] == "POST /api/v1/intent/compile"
    assert found["topology GetTopology"] == found["device ReadInstalled"] == "intents Compile"
    assert found["device ReadRows"] == "device ReadInstalled"
    spans = exporter.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in spans if span.context is not None} == {CALLER.split("-")[1]}
    assert {(span.attributes or {}).get("paranet.request") for span in spans} == {"mine-1"}
    assert attributes(exporter, "POST /api/v1/intent/compile")["http.response.status_code"] == 201


async def test_what_an_actor_does_by_itself_belongs_to_no_request(
    operator: Api, house_traced: House, exporter: InMemorySpanExporter
) -> None:
    """A timer that fires while it works for one, or after, is nobody's errand."""
    await operator.call("POST", "/topology/nodes", json={"id": "r9"})
    await house_traced.system.ref("device").ask(ReadInstalled(), timeout=5)  # it has followed by then
    exporter.clear()
    await operator.call("GET", "/topology")
    assert set(tree(exporter)) == {"GET /api/v1/topology", "topology GetTopology"}


async def test_what_is_told_is_followed_too(operator: Api, exporter: InMemorySpanExporter) -> None:
    """A message that nobody waits for is a moment below what sent it, and what its actor asks for it lies below that."""
    await operator.call("POST", "/topology/nodes", json={"id": "r9"}, headers={"traceparent": CALLER, "X-Request-Id": "mine-3"})
    await operator.call("GET", "/topology")
    found = tree(exporter)
    assert found["device TopologyChanged"] == found["alerts TopologyChanged"] == "topology AddParts"
    assert found["audit Record"] == "POST /api/v1/topology/nodes"
    assert attributes(exporter, "device TopologyChanged")["paranet.request"] == "mine-3"
    deploy = {"compile_id": (await operator.call("POST", "/intent/compile", json={"source": ROUTE}))[1]["id"]}
    exporter.clear()
    headers = {"Prefer": "wait=20"}
    status, _, _ = await operator.call("POST", "/deploy/execute", json=deploy, headers=headers)
    assert status == 200
    found = tree(exporter)
    assert found["device Stage"] in found
    assert {span.context.trace_id for span in exporter.get_finished_spans() if span.name == "device Stage" and span.context} == {
        span.context.trace_id for span in exporter.get_finished_spans() if span.name == "POST /api/v1/deploy/execute" and span.context
    }


async def test_others_are_told_on_whose_behalf_they_are_asked(operator: Api, house_traced: House, exporter: InMemorySpanExporter) -> None:
    """Webhooks, scrape targets: `traceparent` and the request's id go along, below a span of the call; a failure is noted on it."""
    heard: list[Mapping[str, str]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(request.headers.copy())
        return web.Response(text="1")

    other = web.Application()
    other.router.add_route("*", "/hook", hear)
    errand.set(Errand("mine-4"))
    async with TestServer(other) as server, Client(house_traced.calling) as client:
        url = str(server.make_url("/hook"))
        assert house_traced.tracing is not None
        with house_traced.tracing.operation("alerts.rules.test") as span:
            assert await client.post(url, b"{}") == 200
            assert await client.get(url, 5.0) == b"1"
            with pytest.raises(OSError, match="connect"):
                await client.get("http://127.0.0.1:1/", 5.0)
        assert await client.post(url, b"{}") == 200
    spans = {span.context.span_id: span for span in exporter.get_finished_spans() if span.context is not None}
    parts = [headers["traceparent"].split("-") for headers in heard]
    assert [spans[int(part[2], 16)].name for part in parts] == ["POST", "GET", "POST"]
    assert [int(part[1], 16) == span.get_span_context().trace_id for part in parts] == [True, True, False]
    assert {headers.get("X-Request-Id") for headers in heard} == {"mine-4"}
    assert [span.status.is_unset for span in spans.values() if span.name == "GET"] == [True, False]


async def test_a_refusal_is_noted_by_its_code(operator: Api, exporter: InMemorySpanExporter) -> None:
    """It is no fault of the hub."""
    await operator.call("GET", "/topology/nodes/nothing")
    for name in ("GET /api/v1/topology/nodes/{id}", "topology GetPart"):
        assert attributes(exporter, name)["paranet.outcome"] == "not-found"
        assert attributes(exporter, name)["http.response.status_code"] == 404
    assert all(span.status.is_unset for span in exporter.get_finished_spans())


async def test_a_crash_is_a_fault(operator: Api, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every span on the way."""

    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("actors.accounts.Accounts.get_machines", broken)
    assert (await operator.call("GET", "/auth/tokens"))[0] == 500
    assert [span.status.is_ok for span in exporter.get_finished_spans() if span.name == "accounts GetMachines"] == [False]
    assert attributes(exporter, "GET /api/v1/auth/tokens")["paranet.outcome"] == "actor-crashed"


async def test_an_ask_of_a_socket_has_a_trace_of_its_own(operator: Api, exporter: InMemorySpanExporter) -> None:
    """The socket itself, which lasts, has none; the log's name of the ask is on it."""
    async with connected(operator) as socket:
        await socket.say(type="ask", id=7, method="topology.get", params={})
        await socket.hear("ok")
        found = tree(exporter)
        assert found["ask topology.get"] == ""
        assert found["topology GetTopology"] == "ask topology.get"
        assert not any(name.startswith("GET /ws") for name in found)
        assert str(attributes(exporter, "ask topology.get")["paranet.request"]).endswith("/7")


async def test_the_log_of_an_actor_names_the_request(operator: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does at the door, and only while it works for that request."""
    log = logging.getLogger("tests.tracing")

    async def talking(*_: object) -> tuple[()]:
        log.warning("here")
        return ()

    monkeypatch.setattr("actors.accounts.Accounts.get_machines", talking)
    await operator.call("GET", "/auth/tokens", headers={"X-Request-Id": "mine-2"})
    _, body, _ = await operator.call("GET", "/monitor/logs?text=here")
    assert [entry["fields"]["request"] for entry in body["items"]] == ["mine-2"]


# -- where the spans go


async def test_spans_are_sent_to_the_collector(settings: Settings) -> None:
    """With `tracing.endpoint`: protobuf over HTTP, at the latest when the hub stops."""
    arrived: list[tuple[str, str, bytes]] = []

    async def collect(request: web.Request) -> web.Response:
        arrived.append((request.path, request.content_type, await request.read()))
        return web.Response(body=b"", content_type="application/x-protobuf")

    collector = web.Application()
    collector.router.add_post("/{path:.*}", collect)
    async with TestServer(collector) as server:
        wanted = attrs.evolve(settings, tracing=s.Tracing(endpoint=str(server.make_url("")).rstrip("/")))
        async with opened(wanted) as (_, client):
            await (await sign_in(client, "viewer")).call("GET", "/auth/me")
    assert {(path, kind) for path, kind, _ in arrived} == {("/v1/traces", "application/x-protobuf")}
    assert b"GET /api/v1/auth/me" in b"".join(raw for _, _, raw in arrived)


async def test_without_the_extra_the_setting_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is to be done."""
    monkeypatch.setitem(__import__("sys").modules, "hub.tracing", None)
    with pytest.raises(BadSettings, match=r"paranet-hub\[otel\]"):
        async with opened(attrs.evolve(settings, tracing=s.Tracing(endpoint="http://127.0.0.1:1"))):
            pass


async def test_off_by_default(house: House, viewer: Api) -> None:
    """Nothing stands in the way of a request."""
    await asyncio.gather(*(viewer.call("GET", "/auth/me") for _ in range(3)))
    assert house.tracing is None
    assert house.system.tracer is None
    assert house.around == []
