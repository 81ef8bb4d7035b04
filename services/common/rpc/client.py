"""Calling a stub: every call has a deadline and raises OrcaErrors."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio

from services.common.errors import OrcaError
from services.common.rpc.mapping import Metadata, from_rpc
from services.common.tracing import TRACEPARENT, current_traceparent

OPTIONS = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A name is looked up again soon, so that a rollout's new replicas are known before its last old one goes.
    ("grpc.dns_min_time_between_resolutions_ms", 2000),
)


async def call(method: Any, request: Any, *, timeout_s: float, metadata: Metadata = ()) -> Any:
    """Calls a unary method. Raises the OrcaError the service raised, RpcUnavailable or RpcDeadline."""
    try:
        return await method(request, timeout=timeout_s, metadata=(*metadata, *trace_metadata()))
    except grpc.RpcError as error:
        raise from_rpc(error) from None


def trace_metadata() -> Metadata:
    """Metadata that continues the current trace at the callee."""
    traceparent = current_traceparent()
    return ((TRACEPARENT, traceparent),) if traceparent else ()


def translate(error: grpc.RpcError) -> OrcaError:
    """For streaming calls: the OrcaError behind a failed read."""
    return from_rpc(error)


def channel_to(target: str) -> grpc.aio.Channel:
    """A plain channel to `host:port`, load-balanced over all addresses of the name; see `tls.RotatingChannel`."""
    return grpc.aio.insecure_channel(target, options=OPTIONS)
