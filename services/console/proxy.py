"""Hands a management request to its service and the service's answer back, byte for byte, as it comes.

The body is bounded and read before anything is sent; hop-by-hop headers end here; `X-Forwarded-For` is the caller's
address as far as trusted proxies tell it, and never what a caller claimed. Nothing is retried: a write may have
happened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import httpx
from starlette.requests import Request
from starlette.types import Scope, Send

from services.common.bodies import BodyRoom
from services.common.errors import BadRequest, OrcaError, Unavailable
from services.common.forwarded import client_address
from services.common.http import BODY_MAX_BYTES
from services.common.networks import Network
from services.console.routes import wire_target

log = logging.getLogger("orca.console")

BODY_TIMEOUT_S = 60.0
BODIES_BYTES_MAX = 256 * 1024 * 1024
"""Of all large bodies at once: nobody has logged in yet, and a body's own bound says nothing of their number."""
DOCUMENT_TIMEOUT_S = 5.0
READY_TIMEOUT_S = 2.0
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
_OURS = frozenset({b"host", b"content-length", b"expect", b"forwarded", b"x-forwarded-for"})

Headers = list[tuple[bytes, bytes]]


class Proxy:
    """One pool of connections per service."""

    def __init__(self, upstreams: Mapping[str, httpx.AsyncClient], trusted: Sequence[Network] = ()) -> None:
        self._upstreams = upstreams
        self._trusted = tuple(trusted)
        self._bodies = BodyRoom(BODIES_BYTES_MAX)

    async def forward(self, service: str, request: Request, raw_path: bytes, send: Send) -> None:
        """Sends the service's answer.

        Raises, before anything was sent: Unavailable, BadRequest, 408 or 413 as OrcaError, ClientDisconnect. Raises
        httpx.TransportError when the answer breaks off: the caller must not see a short answer as a whole one.
        """
        client = self._upstreams[service]
        held = self._bodies.enter()
        try:
            body = await read_body(request, partial(held.grow, ""))
            answer = await self._ask(service, client, request, raw_path, body)
        finally:
            held.release()
        try:
            headers = _answered(answer, client.base_url)
            await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except httpx.TransportError as error:
            log.warning("answer cut", extra={"target": service, "error_class": type(error).__name__})
            raise
        finally:
            await answer.aclose()

    async def _ask(
        self, service: str, client: httpx.AsyncClient, request: Request, raw_path: bytes, body: bytes
    ) -> httpx.Response:
        target = client.base_url.raw_path.rstrip(b"/") + wire_target(raw_path, request.scope.get("query_string", b""))
        try:
            # Built here rather than by the client, which would add its own headers and cookies.
            outgoing = httpx.Request(
                request.method,
                client.base_url.copy_with(raw_path=target),
                headers=forwarded_headers(request.scope, self._trusted),
                content=body,
                extensions={"timeout": client.timeout.as_dict()},
            )
        except (httpx.InvalidURL, ValueError):
            raise BadRequest("the request's target cannot be read") from None
        try:
            return await client.send(outgoing, stream=True)
        except httpx.LocalProtocolError:
            raise BadRequest("the request's headers cannot be forwarded") from None
        except httpx.TransportError as error:
            log.warning("service unreachable", extra={"target": service, "error_class": type(error).__name__})
            raise Unavailable(f"{service} is not available", retry_after_s=1.0) from None
        finally:
            # Cookies belong to callers; a jar shared by all of them would hand out sessions.
            client.cookies.clear()

    async def document(self, service: str) -> dict[str, Any] | None:
        """The service's own OpenAPI document; None when it cannot be had now."""
        try:
            answer = await self._upstreams[service].get("/openapi.json", timeout=DOCUMENT_TIMEOUT_S)
            answer.raise_for_status()
            document = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("no document", extra={"target": service, "error_class": type(error).__name__})
            return None
        return document if isinstance(document, dict) else None

    async def ready(self, service: str) -> bool:
        """Whether the service answers and says that it is ready."""
        try:
            answer = await self._upstreams[service].get("/readyz", timeout=READY_TIMEOUT_S)
        except httpx.HTTPError:
            return False
        return answer.is_success

    async def close(self) -> None:
        """Closes all connections."""
        for client in self._upstreams.values():
            await client.aclose()


async def read_body(request: Request, count: Callable[[int], None]) -> bytes:
    """The whole body; `count` is told its size as it grows. Raises 413 beyond the limit, 408 when it does not arrive,
    ClientDisconnect when it is cut, and what `count` raises."""
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > BODY_MAX_BYTES:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > BODY_MAX_BYTES:
                    raise _too_large()
                count(size)
                chunks.append(chunk)
    except TimeoutError:
        raise OrcaError("the body did not arrive in time", code="request_timeout", status=408) from None
    return b"".join(chunks)


def _too_large() -> OrcaError:
    return OrcaError("the body is too large", code="too_large", status=413)


def forwarded_headers(scope: Scope, trusted: Sequence[Network]) -> Headers:
    """End-to-end headers, with the caller's as the one address in `X-Forwarded-For`; none for a peer without one."""
    kept = [(name, value) for name, value in _end_to_end(scope["headers"]) if name not in _OURS]
    hops = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
    peer = str(scope["client"][0]) if scope.get("client") else ""
    if (address := client_address(peer, hops, trusted)) is not None:
        kept.append((b"x-forwarded-for", str(address).encode("ascii")))
    return kept


def _answered(answer: httpx.Response, base: httpx.URL) -> Headers:
    """End-to-end headers; a redirect to the service's own address becomes one to the same path here."""
    own = str(base).rstrip("/").encode("ascii")
    return [
        (name, value.removeprefix(own) or b"/") if name == b"location" and value.startswith(own) else (name, value)
        for name, value in _end_to_end(answer.headers.raw)
    ]


def _end_to_end(headers: Headers) -> Headers:
    lowered = [(name.lower(), value) for name, value in headers]
    named = {token.strip().lower() for name, value in lowered if name == b"connection" for token in value.split(b",")}
    return [(name, value) for name, value in lowered if name not in HOP_BY_HOP and name not in named]
