"""Expected refusals, as typed errors with a stable code; each edge translates them once.

    OrcaError
    ├─ Invalid        422   a field of a management body is wrong; `param` names it
    ├─ BadRequest     400   the request cannot be read
    ├─ Unauthorized   401
    ├─ Forbidden      403
    ├─ NotFound       404
    ├─ Conflict       409
    ├─ TooMany        429
    └─ Unavailable    503   a dependency is down or late; the caller may retry
       ├─ RpcUnavailable   the peer could not be reached
       └─ RpcDeadline      the peer did not answer in time

Messages are shown to callers: they name fields, policies and limits, never secrets, prompts or matches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class OrcaError(Exception):
    """A refusal with its HTTP status and stable code."""

    default_status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        param: str | None = None,
        type: str | None = None,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.status = status or self.default_status
        self.param = param
        self.type = type
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})


class Invalid(OrcaError):
    """A management field is wrong."""

    default_status = 422
    default_code = "invalid_request"


class BadRequest(OrcaError):
    """The request cannot be read."""

    default_status = 400
    default_code = "invalid_request_error"


class Unauthorized(OrcaError):
    """No valid credential."""

    default_status = 401
    default_code = "unauthorized"


class Forbidden(OrcaError):
    """The credential does not allow this."""

    default_status = 403
    default_code = "forbidden"


class NotFound(OrcaError):
    """No such thing in this workspace."""

    default_status = 404
    default_code = "not_found"


class Conflict(OrcaError):
    """The state does not allow this now."""

    default_status = 409
    default_code = "conflict"


class TooMany(OrcaError):
    """A limit was reached."""

    default_status = 429
    default_code = "rate_limit_exceeded"


class Unavailable(OrcaError):
    """A dependency is down or late."""

    default_status = 503
    default_code = "service_unavailable"


class RpcUnavailable(Unavailable):
    """The peer could not be reached."""


class RpcDeadline(Unavailable):
    """The peer did not answer in time."""


BY_STATUS: Mapping[int, type[OrcaError]] = {
    cls.default_status: cls
    for cls in (Invalid, BadRequest, Unauthorized, Forbidden, NotFound, Conflict, TooMany, Unavailable)
}
