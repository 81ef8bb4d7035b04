"""The management plane's edge: envelope, errors, authentication, roles, pagination.

Every answer is `{"success": true, "data": …}` or `{"success": false, "code", "message"}`; a failure names
the field. Unknown body fields are refused. Credentials are judged by auth over gRPC, never here.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orca.auth.v1 import auth_pb2
from services.common.errors import Forbidden, Invalid, NotFound, OrcaError, Unauthorized
from services.common.rpc import call

log = logging.getLogger("orca.http")

SESSION_COOKIE = "orca_session"
BODY_MAX_BYTES = 10 * 1024 * 1024
LIMIT_MAX = 200
AUTH_TIMEOUT_S = 5.0
FIELD_MAX = 200
_TYPES = frozenset({"str", "int", "float", "bool"})


class Role(IntEnum):
    """A member's role; each includes those before it. NONE: root users outside their workspaces."""

    NONE = 0
    VIEWER = 1
    DEVELOPER = 2
    ADMIN = 3
    OWNER = 4


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and about which workspace (empty for calls without one)."""

    user_id: str
    is_root: bool
    workspace_id: str
    role: Role
    credential: str


class Authenticator(Protocol):
    """Identifies callers. Raises Unauthorized, Forbidden, NotFound or Unavailable."""

    async def authenticate(self, request: Request, *, no_workspace: bool) -> Principal:
        """The caller of this request."""


class GrpcAuthenticator:
    """Asks auth."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def authenticate(self, request: Request, *, no_workspace: bool) -> Principal:
        """The caller of this request, as auth knows it."""
        headers = request.headers
        answer = await call(
            self._stub.Authenticate,
            auth_pb2.AuthenticateRequest(
                authorization=_text(headers.get("authorization")),
                session=_text(request.cookies.get(SESSION_COOKIE)),
                csrf_token=_text(headers.get("x-csrf-token")),
                method=request.method,
                workspace_id=_text(headers.get("x-workspace-id")),
                no_workspace=no_workspace,
            ),
            timeout_s=AUTH_TIMEOUT_S,
        )
        return Principal(answer.user_id, answer.is_root, answer.workspace_id, Role(answer.role), answer.credential)


def _text(value: str | None) -> str:
    # A header that is not ASCII matches no credential; protobuf strings must be valid Unicode.
    return value.encode("ascii", "replace").decode() if value else ""


def require(role: Role) -> Callable[..., Awaitable[Principal]]:
    """Dependency: a member of the workspace with at least this role."""

    async def dependency(request: Request) -> Principal:
        principal = await _authenticator(request).authenticate(request, no_workspace=False)
        if principal.role < role:
            raise Forbidden(f"this needs the role {role.name.lower()}")
        return principal

    return dependency


def require_user() -> Callable[..., Awaitable[Principal]]:
    """Dependency: any user; the call is about no workspace."""

    async def dependency(request: Request) -> Principal:
        return await _authenticator(request).authenticate(request, no_workspace=True)

    return dependency


def require_root(*, workspace: bool = False) -> Callable[..., Awaitable[Principal]]:
    """Dependency: a platform operator; with `workspace`, about the workspace of `X-Workspace-Id`."""

    async def dependency(request: Request) -> Principal:
        principal = await _authenticator(request).authenticate(request, no_workspace=not workspace)
        if not principal.is_root:
            raise Forbidden("this needs a platform operator")
        return principal

    return dependency


def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator | None = getattr(request.app.state, "authenticator", None)
    if authenticator is None:
        raise Unauthorized("no credential")
    return authenticator


class Body(BaseModel):
    """Base of request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class PageParams:
    """`?limit=&cursor=`."""

    limit: int
    cursor: str | None


def page_params(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
) -> PageParams:
    """Dependency for lists."""
    return PageParams(limit, cursor)


def encode_cursor(position: list[Any]) -> str:
    """Opaque text for a position in a list."""
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> list[Any]:
    """The position behind a cursor. Raises Invalid on anything this deployment did not mint."""
    try:
        value = json.loads(base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise Invalid("cursor: not a cursor of this list", param="cursor") from None
    if not isinstance(value, list):
        raise Invalid("cursor: not a cursor of this list", param="cursor")
    return value


def ok(data: Any) -> dict[str, Any]:
    """The success envelope."""
    return {"success": True, "data": data}


def error_body(error: OrcaError) -> dict[str, Any]:
    """The error envelope, as data."""
    body: dict[str, Any] = {"success": False, "code": error.code, "message": error.message}
    return body if error.param is None else {**body, "param": error.param}


def error_response(error: OrcaError) -> JSONResponse:
    """The error envelope with its status."""
    headers = dict(error.headers)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return JSONResponse(error_body(error), status_code=error.status, headers=headers)


def create_api(title: str, authenticator: Authenticator | None) -> FastAPI:
    """A FastAPI with the plane's rules; routes use full paths such as `/api/token`."""
    api = FastAPI(title=title, version="1", docs_url=None, redoc_url=None)
    api.state.authenticator = authenticator
    api.add_middleware(BodyLimit)

    @api.exception_handler(OrcaError)
    async def _orca(_request: Request, error: OrcaError) -> JSONResponse:
        return error_response(error)

    @api.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(_invalid(error))

    @api.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:
            # The framework could not parse the body at all: not UTF-8, nested too deep.
            return error_response(Invalid("body: cannot be read", param="body"))
        codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
        code = codes.get(error.status_code, "invalid_request")
        methods = api.openapi()["paths"].get(getattr(request.scope.get("route"), "path", ""), ())
        headers = {"Allow": ", ".join(methods).upper()} if error.status_code == 405 else {}
        return error_response(OrcaError(str(error.detail), code=code, status=error.status_code, headers=headers))

    @api.exception_handler(Exception)
    async def _bug(_request: Request, error: Exception) -> JSONResponse:
        log.error("unhandled error", extra={"error_class": type(error).__name__})
        return error_response(OrcaError("internal error"))

    return api


def _invalid(error: RequestValidationError) -> Invalid:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return Invalid("body: is not JSON", param="body")
    where = [str(part) for part in first["loc"][1:]]
    if not where and first["type"] in ("missing", "model_attributes_type", "model_type"):
        return Invalid("body: must be an object, sent with Content-Type: application/json", param="body")
    # Of a union, pydantic also names the member that it tried: a type, or a model in camel case.
    last = len(where) - 1 if first["type"] == "extra_forbidden" else len(where)
    named = [p for p in where[:last] if p not in _TYPES and not p[:1].isupper() and not {"-", "["} & set(p)]
    where = named + where[last:]
    # A field's name may be the caller's own: bounded, and of characters that an answer can carry.
    field = (".".join(where) or "body")[:FIELD_MAX].encode("utf-8", "replace").decode()
    # Pydantic's message may quote the input only for custom errors; `msg` of built-in ones never does.
    return Invalid(f"{field}: {first['msg']}", param=field)


class BodyLimit:
    """Refuses bodies above the limit with 413, announced or not, and zero characters in the query with 422."""

    def __init__(self, app: ASGIApp, max_bytes: int = BODY_MAX_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced[:20]) > self._max_bytes:
            await error_response(_too_large())(scope, receive, send)
            return
        # No id and no filter holds a zero character, and PostgreSQL's texts cannot.
        if "\x00" in scope["path"]:
            await error_response(NotFound("no such path"))(scope, receive, send)
            return
        if b"%00" in scope["query_string"]:
            await error_response(Invalid("query: must not hold a zero character", param="query"))(scope, receive, send)
            return
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise HTTPException(413, "the body is too large")
            return message

        await self._app(scope, limited, send)


def _too_large() -> OrcaError:
    return OrcaError("the body is too large", code="too_large", status=413)


Page = Annotated[PageParams, Depends(page_params)]
