"""Hands a management request to its service and the service's answer back, byte for byte.

The body is bounded and read before anything is sent; hop-by-hop headers end here; the caller's address is
appended to `X-Forwarded-For`. Nothing is retried: a write may have happened.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote_from_bytes

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Scope

from services.common.errors import BadRequest, OrcaError, Unavailable
from services.common.http import BODY_MAX_BYTES

log = logging.getLogger("orca.console")

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"trailers",
        b"transfer-encoding",
        b"upgrade",
    }
)
_OURS = frozenset({b"host", b"content-length", b"expect", b"x-forwarded-for"})
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
_QUERY_SAFE = _PATH_SAFE + "?"


class Proxy:
    """One pool of connections per service."""

    def __init__(self, upstreams: Mapping[str, httpx.AsyncClient]) -> None:
        self._upstreams = upstreams

    async def forward(self, service: str, request: Request) -> Response:
        """The service's answer. Raises Unavailable, BadRequest, or 413 as OrcaError."""
        client = self._upstreams.get(service)
        if client is None:
            raise _unavailable(service)
        body = await read_body(request)
        try:
            # Built here rather than by the client, which would add its own headers and cookies.
            outgoing = httpx.Request(
                request.method,
                target(client.base_url, request.scope),
                headers=forwarded_headers(request.scope),
                content=body,
                extensions={"timeout": client.timeout.as_dict()},
            )
        except (httpx.InvalidURL, ValueError):
            raise BadRequest("the request's target cannot be read") from None
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.LocalProtocolError:
            raise BadRequest("the request's headers cannot be forwarded") from None
        except httpx.TransportError as error:
            log.warning("service unreachable", extra={"target": service, "error_class": type(error).__name__})
            raise _unavailable(service) from None
        finally:
            # Cookies belong to callers; a jar shared by all of them would hand out sessions.
            client.cookies.clear()
        response = StreamingResponse(_relayed(answer, service), status_code=answer.status_code)
        response.raw_headers = _end_to_end(answer.headers.raw)
        return response

    async def document(self, service: str) -> object:
        """The service's own OpenAPI document. Raises Unavailable."""
        client = self._upstreams.get(service)
        if client is None:
            raise _unavailable(service)
        try:
            answer = await client.get("/openapi.json")
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError):
            raise _unavailable(service) from None

    async def close(self) -> None:
        """Closes all connections."""
        for client in self._upstreams.values():
            await client.aclose()


def _unavailable(service: str) -> Unavailable:
    return Unavailable(f"the {service} service cannot be reached", retry_after_s=1.0)


async def _relayed(answer: httpx.Response, service: str) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    except httpx.TransportError as error:
        # The status is sent: ending the connection early is all that is left, and it tells the caller.
        log.warning("answer cut", extra={"target": service, "error_class": type(error).__name__})
        raise
    finally:
        await answer.aclose()


async def read_body(request: Request) -> bytes:
    """The whole body. Raises 413 beyond the limit, 400 when the caller left."""
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > BODY_MAX_BYTES:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > BODY_MAX_BYTES:
                raise _too_large()
            chunks.append(chunk)
    except ClientDisconnect:
        raise BadRequest("the body ended early") from None
    return b"".join(chunks)


def _too_large() -> OrcaError:
    return OrcaError("the body is too large", code="too_large", status=413)


def target(base: httpx.URL, scope: Scope) -> httpx.URL:
    """The same path and query under the service's base. Bytes that no URL may hold are percent-encoded."""
    raw_path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    path = quote_from_bytes(raw_path.split(b"?", 1)[0], safe=_PATH_SAFE)
    query = quote_from_bytes(scope.get("query_string", b""), safe=_QUERY_SAFE)
    whole = base.raw_path.decode("ascii").rstrip("/") + path + ("?" + query if query else "")
    return base.copy_with(raw_path=whole.encode("ascii"))


def forwarded_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """End-to-end headers, with the caller's address appended to `X-Forwarded-For`."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    kept = [(name, value) for name, value in _end_to_end(headers) if name not in _OURS]
    hops = [value for name, value in headers if name == b"x-forwarded-for"]
    if scope.get("client"):
        hops.append(str(scope["client"][0]).encode("ascii", "replace"))
    if hops:
        kept.append((b"x-forwarded-for", b", ".join(hops)))
    return kept


def _end_to_end(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    lowered = [(name.lower(), value) for name, value in headers]
    named = {token.strip().lower() for name, value in lowered if name == b"connection" for token in value.split(b",")}
    return [(name, value) for name, value in lowered if name not in HOP_BY_HOP and name not in named]
