"""OrcaError ↔ gRPC status. The stable code, status and message travel as trailing metadata and details."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc

from services.common.errors import BY_STATUS, OrcaError, RpcDeadline, RpcUnavailable

CODE_KEY = "orca-code"
STATUS_KEY = "orca-status"
PARAM_KEY = "orca-param"
RETRY_KEY = "orca-retry-after"

_STATUS: Mapping[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    402: grpc.StatusCode.RESOURCE_EXHAUSTED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}

Metadata = tuple[tuple[str, str], ...]


def to_status(error: OrcaError) -> tuple[grpc.StatusCode, str, Metadata]:
    """Status, details and trailing metadata that carry the error."""
    trailing = [(CODE_KEY, error.code), (STATUS_KEY, str(error.status))]
    if error.param is not None:
        trailing.append((PARAM_KEY, error.param.encode("ascii", "replace").decode()))
    if error.retry_after_s is not None:
        trailing.append((RETRY_KEY, repr(error.retry_after_s)))
    return _STATUS.get(error.status, grpc.StatusCode.INTERNAL), error.message, tuple(trailing)


def from_rpc(error: grpc.RpcError) -> OrcaError:
    """The OrcaError that a failed call stands for; transport trouble becomes RpcUnavailable or RpcDeadline."""
    metadata: Iterable[Any] = error.trailing_metadata() or ()
    trailing: dict[str, Any] = {str(key): value for key, value in metadata}
    details = error.details() or "the service failed"
    code = trailing.get(CODE_KEY)
    if isinstance(code, str):
        status = int(trailing.get(STATUS_KEY, "500"))
        retry = trailing.get(RETRY_KEY)
        cls = BY_STATUS.get(status, OrcaError)
        return cls(
            details,
            code=code,
            status=status,
            param=trailing.get(PARAM_KEY),
            retry_after_s=float(retry) if retry is not None else None,
        )
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return RpcDeadline("a service did not answer in time")
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return RpcUnavailable("a service cannot be reached")
    return OrcaError("a service failed", code="internal_error", status=500)
