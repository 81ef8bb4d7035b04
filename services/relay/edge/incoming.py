"""One HTTP request as the pipeline sees it, read from ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from services.common.bodies import HeldBody
from services.common.errors import OrcaError
from services.common.waiting import within

BODY_TIMEOUT_S = 60.0
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Incoming:
    """Headers (lower-case names; the first of a repeated one counts), peer and body."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, held: HeldBody) -> None:
        self._receive = receive
        self._held = held
        self.headers: dict[str, str] = {}
        self.forwarded_for: list[str] = []
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            if name == "x-forwarded-for":
                self.forwarded_for.append(value)
            self.headers.setdefault(name, value)
        client = scope.get("client")
        self.peer: str = client[0] if client else ""

    async def body(self, limit_bytes: int, owner: str, timeout_s: float = BODY_TIMEOUT_S) -> bytes:
        """The whole body. Raises 413 `request_too_large` above the limit, 408 `request_timeout` when it does not come
        in time, ClientGone on a cut request, 429 or 503 when the owner's, or all, large bodies are too many."""
        declared = self.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit_bytes:
            raise _too_large(limit_bytes)
        try:
            return await within(timeout_s, self._read(limit_bytes, owner))
        except TimeoutError:
            raise OrcaError(
                "the body did not arrive in time", code="request_timeout", status=408, type="invalid_request_error"
            ) from None

    async def _read(self, limit_bytes: int, owner: str) -> bytes:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            body: bytes = message.get("body", b"")
            if len(body) > limit_bytes:
                raise _too_large(limit_bytes)
            self._held.grow(owner, len(body))
            return body
        parts, size = [], 0
        while message["type"] == "http.request":
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit_bytes:
                raise _too_large(limit_bytes)
            self._held.grow(owner, size)
            if not message.get("more_body"):
                return b"".join(parts)
            message = await self._receive()
        raise ClientGone

    async def disconnected(self) -> None:
        """Returns when the client has gone; call after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _too_large(limit_bytes: int) -> OrcaError:
    return OrcaError(
        f"the body is larger than {limit_bytes} bytes",
        code="request_too_large",
        status=413,
        type="invalid_request_error",
    )
