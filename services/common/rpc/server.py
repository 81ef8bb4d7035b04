"""Serving: servicers raise OrcaErrors, callers see statuses; unexpected exceptions become INTERNAL without text."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import grpc
import grpc.aio

from services.common.errors import OrcaError
from services.common.rpc.client import OPTIONS
from services.common.rpc.mapping import to_status

log = logging.getLogger("orca.rpc")


class RpcServer(Protocol):
    """What generated `add_…Servicer_to_server` functions need."""

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[Any]) -> None:
        """Registers handlers found by method name."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Registers handlers of one service."""


def mapped_unary(behaviour: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """Wraps a unary method so that OrcaErrors become statuses."""

    async def handle(request: Any, context: Any) -> Any:
        try:
            return await behaviour(request, context)
        except OrcaError as error:
            await context.abort(*to_status(error))
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            log.exception("rpc handler failed", extra={"error_class": type(error).__name__})
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")

    return handle


def mapped_stream(behaviour: Callable[[Any, Any], AsyncIterator[Any]]) -> Callable[[Any, Any], AsyncIterator[Any]]:
    """Wraps a streaming method so that OrcaErrors become statuses."""

    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
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

    return handle


def mapped(handler: Any) -> Any:
    """A copy of a method handler with its behaviour wrapped. Client-streaming is not used here."""
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[(handler.request_streaming, handler.response_streaming)]
    behaviour = handler.unary_unary or handler.unary_stream or handler.stream_stream
    wrap: Callable[[Any], Any] = mapped_stream if handler.response_streaming else mapped_unary
    return make(
        wrap(behaviour),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


class GrpcServer:
    """A `grpc.aio` server with the error mapping, and the health protocol when asked."""

    def __init__(self, bind: str, credentials: grpc.ServerCredentials | None = None) -> None:
        self._server = grpc.aio.server(options=OPTIONS[:2])
        if credentials is None:
            self.port = self._server.add_insecure_port(bind)
        else:
            self.port = self._server.add_secure_port(bind, credentials)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[Any]) -> None:
        """Generated code registers its methods a second time by service; only that one is used."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Registers a service with mapped behaviours."""
        handlers = {name: mapped(handler) for name, handler in method_handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service_name, handlers),))

    async def start(self) -> None:
        """Starts serving."""
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Stops accepting, lets calls finish up to the grace period."""
        await self._server.stop(grace_s)
