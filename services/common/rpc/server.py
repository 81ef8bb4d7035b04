"""Serving: servicers raise OrcaErrors, callers see statuses; unexpected exceptions become INTERNAL without text."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio  # type: ignore[attr-defined]

from services.common.errors import OrcaError
from services.common.rpc.client import OPTIONS
from services.common.rpc.mapping import to_status
from services.common.tracing import TRACEPARENT, SpanKind, enabled, open_span, span

log = logging.getLogger("orca.rpc")


class RpcServer(Protocol):
    """What generated `add_…Servicer_to_server` functions need."""

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[Any]) -> None:
        """Registers handlers found by method name."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Registers handlers of one service."""


def mapped_unary(behaviour: Callable[[Any, Any], Awaitable[Any]], name: str) -> Callable[[Any, Any], Awaitable[Any]]:
    """Wraps a unary method so that OrcaErrors become statuses."""

    async def handle(request: Any, context: Any) -> Any:
        try:
            if not enabled():
                return await behaviour(request, context)
            with span(name, SpanKind.SERVER, traceparent=_traceparent(context)):
                return await behaviour(request, context)
        except OrcaError as error:
            await context.abort(*to_status(error))
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            log.exception("rpc handler failed", extra={"error_class": type(error).__name__})
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")

    return handle


def _traceparent(context: Any) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == TRACEPARENT:
            return str(value)
    return ""


def mapped_stream(
    behaviour: Callable[[Any, Any], AsyncIterator[Any]], name: str
) -> Callable[[Any, Any], AsyncIterator[Any]]:
    """Wraps a streaming method so that OrcaErrors become statuses."""

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        opened = open_span(name, SpanKind.SERVER, _traceparent(context)) if enabled() else None
        try:
            async for response in behaviour(request, context):
                yield response
        except OrcaError as error:
            await context.abort(*to_status(error))
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            log.exception("rpc handler failed", extra={"error_class": type(error).__name__})
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")
        finally:
            if opened is not None:
                opened.end()

    return handle


def mapped(handler: Any, name: str) -> Any:
    """A copy of a method handler with its behaviour wrapped. Client-streaming is not used here."""
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[(handler.request_streaming, handler.response_streaming)]
    behaviour = handler.unary_unary or handler.unary_stream or handler.stream_stream
    wrap: Callable[[Any, str], Any] = mapped_stream if handler.response_streaming else mapped_unary
    return make(
        wrap(behaviour, name),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


class GrpcServer:
    """A `grpc.aio` server with the error mapping and the gRPC health protocol.

    A connection older than `age_s` ends when its calls have, within two such ages: its client looks the
    name up again, and so finds replicas that were added since.
    """

    def __init__(self, bind: str, credentials: grpc.ServerCredentials | None = None, *, age_s: float = 300) -> None:
        age = ("grpc.max_connection_age_ms", int(age_s * 1000))
        grace = ("grpc.max_connection_age_grace_ms", 2 * age[1])
        # Two processes that share a port by mistake would each get some of the calls.
        self._server = grpc.aio.server(options=(*OPTIONS[:2], age, grace, ("grpc.so_reuseport", 0)))
        self._health = health_aio.HealthServicer()
        if credentials is None:
            self.port = self._server.add_insecure_port(bind)
        else:
            self.port = self._server.add_secure_port(bind, credentials)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[Any]) -> None:
        """Generated code registers its methods a second time by service; only that one is used."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Registers a service with mapped behaviours."""
        handlers = {name: mapped(handler, f"{service_name}/{name}") for name, handler in method_handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service_name, handlers),))

    async def start(self) -> None:
        """Starts serving, and says so over the health protocol."""
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Reports that it goes, stops accepting, lets calls finish up to the grace period."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
