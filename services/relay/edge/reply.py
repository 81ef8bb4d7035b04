"""Answers on `/v1/*`: the OpenAI error shape, headers that every answer carries, server-sent events."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from services.common.errors import OrcaError

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DONE_FRAME = b"data: [DONE]\n\n"
_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
    502: "upstream_error",
    503: "service_unavailable",
    504: "upstream_error",
}


def error_body(error: OrcaError) -> dict[str, Any]:
    """The error object, as data."""
    kind = error.type or _TYPES.get(error.status)
    if kind is None:
        kind = "invalid_request_error" if error.status < 500 else "service_unavailable"
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}


def frame(payload: Any) -> bytes:
    """One SSE event."""
    return b"data: " + msgspec.json.encode(payload) + b"\n\n"


class Reply:
    """One response. `headers` may be added to until it starts."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self._send = send
        self.headers = headers
        self.started = False

    async def _start(self, status: int, content_type: bytes, length: int | None) -> None:
        self.started = True
        raw = [(b"content-type", content_type)]
        if length is not None:
            raw.append((b"content-length", str(length).encode()))
        raw += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in self.headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def json(self, status: int, body: bytes) -> None:
        """A whole JSON answer."""
        await self._start(status, b"application/json", len(body))
        await self._send({"type": "http.response.body", "body": body})

    async def frames(self, data: bytes) -> None:
        """Part of an event stream; the first part starts the response."""
        if not self.started:
            self.headers["cache-control"] = "no-cache"
            await self._start(200, b"text/event-stream; charset=utf-8", None)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes) -> None:
        """Last part of an event stream."""
        if not self.started:
            await self.frames(b"")
        await self._send({"type": "http.response.body", "body": data})

    async def error(self, error: OrcaError) -> None:
        """A refusal: as an answer, or as the last frame of a stream that has started."""
        body = error_body(error)
        if self.started:
            await self.end(frame(body) + DONE_FRAME)
            return
        self.headers.update(error.headers)
        if error.retry_after_s is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
        await self.json(error.status, msgspec.json.encode(body))
