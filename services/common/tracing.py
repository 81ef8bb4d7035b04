"""OpenTelemetry traces across HTTP, gRPC, the event log and the stores behind it; off unless an endpoint is set.

While it is off every helper here is one check. Spans carry names, codes, counts and ids: never prompts, keys or
matched values. Context travels as W3C `traceparent` in HTTP headers, gRPC metadata and record headers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, Status, StatusCode
from opentelemetry.trace import SpanKind as SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
LINKS_MAX = 100

_PROPAGATOR = TraceContextTextMapPropagator()
_tracer: trace.Tracer | None = None


def configure_tracing(service: str, endpoint: str) -> None:
    """Exports spans to an OTLP/HTTP endpoint such as `http://collector:4318/v1/traces`."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    global _tracer
    provider = TracerProvider(resource=Resource.create({"service.name": f"orca-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    _tracer = provider.get_tracer("orca")


def enabled() -> bool:
    """Spans are made."""
    return _tracer is not None


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    attributes: Mapping[str, Any] | None = None,
    traceparent: str = "",
    linked: Iterable[str] = (),
) -> Iterator[Span | None]:
    """The current span while the block runs, None while tracing is off.

    `traceparent` continues a remote trace; `linked` names others that the block also works for. A failure marks the
    span with the exception's class, never with its text.
    """
    if _tracer is None:
        yield None
        return
    parent = _extract(traceparent) if traceparent else None
    links = [Link(found) for text in linked if (found := _span_context(text)).is_valid]
    started = _tracer.start_span(name, parent, kind, attributes, links[:LINKS_MAX])
    token = otel_context.attach(trace.set_span_in_context(started))
    try:
        yield started
    except BaseException as error:
        started.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        started.end()
        otel_context.detach(token)


def open_span(name: str, kind: SpanKind, traceparent: str) -> Span | None:
    """A span that its opener ends and that is never current: for generators, which run in their caller's context."""
    return _tracer.start_span(name, _extract(traceparent) if traceparent else None, kind) if _tracer else None


def current_traceparent() -> str:
    """The current span's `traceparent`, empty when there is none."""
    if _tracer is None:
        return ""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(TRACEPARENT, "")


def _extract(traceparent: str) -> Context:
    return _PROPAGATOR.extract({TRACEPARENT: traceparent}, Context())


def _span_context(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(_extract(traceparent)).get_span_context()
