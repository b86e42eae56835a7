"""OpenTelemetry traces (extra `otel`): a span for each request, for each ask of a socket, for what actors ask and tell each other on its
way, and for what the hub asks of others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from actors.runtime.errand import Errand
from actors.runtime.frames import errand_now, go_on
from hub.problems import STATUS
from paranet import __version__
from paranet.errors import ParaNetError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FAULT = 500
"""HTTP status from which on it is the hub's fault"""


def provider(endpoint: str) -> TracerProvider:
    """Return what sends spans, in batches from a thread of its own, to an OTLP collector at *endpoint* (http://host:4318)."""
    made = TracerProvider(resource=Resource.create({"service.name": "paranet-hub", "service.version": __version__}))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)))
    return made


class Tracing:
    """Makes spans. What goes on in an actor belongs to the request whose errand its message is on."""

    def __init__(self, spans: TracerProvider) -> None:
        self._spans = spans
        self._tracer = spans.get_tracer("paranet.hub", __version__)

    async def close(self) -> None:
        """Send what is left; a collector that does not answer is waited for a few seconds at most."""
        await asyncio.to_thread(self._spans.shutdown)

    @contextmanager
    def span(self, name: str, kind: SpanKind, attributes: Mapping[str, str], parent: Context | None = None) -> Iterator[Span]:
        """Be on a span of its own inside; a refusal is noted by its code, a fault of the hub as an error."""
        on = errand_now() or Errand("")
        with self._tracer.start_as_current_span(
            name, parent, kind, {**attributes, "paranet.request": on.request}, record_exception=False, set_status_on_exception=False
        ) as span:
            go_on(on._replace(span=span))
            try:
                yield span
            except ParaNetError as error:
                _refused(span, error)
                raise
            except Exception as error:
                span.record_exception(error)
                span.set_status(Status(StatusCode.ERROR))
                raise
            finally:
                go_on(on)

    def operation(self, name: str) -> AbstractContextManager[Span]:
        """Be on a span of an operation that was asked over a socket."""
        return self.span(f"ask {name}", SpanKind.SERVER, {"paranet.operation": name})

    def asked(self, on: Errand, path: str, message: object) -> tuple[Errand, Callable[["asyncio.Future[Any]"], None]]:
        """Begin the span of one actor's ask; it ends when the asker goes on."""
        span = self._sent(on, path, message, SpanKind.INTERNAL)

        def noted(reply: "asyncio.Future[Any]") -> None:
            if reply.cancelled() or not reply.done():
                span.set_attribute("paranet.outcome", "abandoned")
            elif isinstance(error := reply.exception(), ParaNetError):
                _refused(span, error)
            span.end()

        return on._replace(span=span), noted

    def told(self, on: Errand, path: str, message: object) -> Errand:
        """Note what one actor tells another: a moment, below which lies what the other does for it."""
        span = self._sent(on, path, message, SpanKind.PRODUCER)
        span.end()
        return on._replace(span=span)

    def _sent(self, on: Errand, path: str, message: object, kind: SpanKind) -> Span:
        assert isinstance(on.span, Span)
        attributes = {"paranet.actor": path, "paranet.request": on.request}
        name = f"{path.partition('/')[0]} {type(message).__name__}"
        return self._tracer.start_span(name, trace.set_span_in_context(on.span), kind, attributes)

    def call(self, method: str, url: str) -> AbstractContextManager[Span]:
        """Be on a span of a request to somebody else."""
        return self.span(method, SpanKind.CLIENT, {"http.request.method": method, "server.address": urlsplit(url).hostname or ""})

    def carry(self, on: Errand, headers: dict[str, str]) -> None:
        """Add what tells another service which trace its part belongs to (W3C Trace Context)."""
        if isinstance(on.span, Span):
            propagate.inject(headers, trace.set_span_in_context(on.span))


def _refused(span: Span, error: ParaNetError) -> None:
    status = STATUS[type(error)]
    span.set_attributes({"paranet.outcome": error.code, "http.response.status_code": status})
    if status >= FAULT:
        span.set_status(Status(StatusCode.ERROR, error.code))


def traced(tracing: Tracing) -> Middleware:
    """Return a middleware that makes a span of each request, below the caller's own (W3C Trace Context: `traceparent`)."""

    async def follow(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Upgrade"):
            return await handler(request)  # a socket lasts: its asks have spans of their own
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "nothing"
        about = {"http.request.method": request.method, "http.route": route, "client.address": request.remote or ""}
        parent = propagate.extract(request.headers)
        with tracing.span(f"{request.method} {route}", SpanKind.SERVER, about, parent) as span:
            response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            return response

    return follow
