"""The data plane's HTTP edge: plain ASGI, since a framework costs more here than the whole policy path.

Routes, mints the request id, answers what cannot be routed, and turns every failure into the OpenAI error
shape; an unexpected exception is a 500 without text.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

import msgspec

from services.common.bodies import BodyRoom
from services.common.errors import OrcaError
from services.common.ids import new_id
from services.common.tracing import TRACEPARENT, SpanKind, enabled, span
from services.relay.domain.identity import MAX_ID_CHARS
from services.relay.edge.incoming import Incoming, Receive
from services.relay.edge.reply import Reply, Send
from services.relay.pipeline.metrics import IN_FLIGHT

log = logging.getLogger("orca.relay")

BODIES_BYTES = 512 * 1024 * 1024
"""Of all large request bodies at once; a key has half of it."""
CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
APPROVALS = "/v1/firewall/approvals/"


class Chat(Protocol):
    """Serves chat completions."""

    async def handle(self, request_id: str, incoming: Incoming, reply: Reply) -> None:
        """Answers, whatever happens."""


class Lists(Protocol):
    """Serves the read-only routes; refusals are raised."""

    async def models(self, request_id: str, incoming: Incoming, reply: Reply) -> None:
        """All models."""

    async def model(self, request_id: str, incoming: Incoming, reply: Reply, model: str) -> None:
        """One model."""

    async def approval(self, request_id: str, incoming: Incoming, reply: Reply, approval_id: str) -> None:
        """One approval."""


class RelayAsgi:
    """The ASGI application."""

    def __init__(self, chat: Chat, lists: Lists, ready: Callable[[], Mapping[str, bool]]) -> None:
        self._chat = chat
        self._lists = lists
        self._ready = ready
        self._bodies = BodyRoom(BODIES_BYTES, share=BODIES_BYTES // 2)
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        IN_FLIGHT.set_function(lambda: self._in_flight)

    async def drain(self, timeout_s: float) -> bool:
        """Waits until nothing is in flight; False when the time was not enough."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One HTTP request."""
        if scope["type"] != "http":
            return
        request_id = new_id("req")
        held = self._bodies.enter()
        incoming = Incoming(scope, receive, held)
        headers = {"x-orca-request-id": request_id}
        caller_id = incoming.headers.get("x-request-id", "")
        if caller_id and len(caller_id) <= MAX_ID_CHARS and caller_id.isascii() and caller_id.isprintable():
            headers["x-request-id"] = caller_id
        reply = Reply(send, headers)
        self._in_flight += 1
        self._idle.clear()
        try:
            if not enabled():
                await self._route(scope, request_id, incoming, reply)
            else:
                await self._traced(scope, request_id, incoming, reply)
        except OrcaError as error:
            await reply.error(error)
        except Exception as error:
            log.exception("request failed", extra={"request_id": request_id, "error_class": type(error).__name__})
            await reply.error(OrcaError("internal error", code="internal_error", type="api_error"))
        finally:
            held.release()
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _traced(self, scope: Mapping[str, Any], request_id: str, incoming: Incoming, reply: Reply) -> None:
        route = CHAT if scope["path"] == CHAT else "/v1/*"
        attributes = {"http.request.method": scope["method"], "http.route": route, "orca.request_id": request_id}
        parent = incoming.headers.get(TRACEPARENT, "")
        with span(f"{scope['method']} {route}", SpanKind.SERVER, attributes=attributes, traceparent=parent):
            await self._route(scope, request_id, incoming, reply)

    async def _route(self, scope: Mapping[str, Any], request_id: str, incoming: Incoming, reply: Reply) -> None:
        path, method = scope["path"], scope["method"]
        if path == CHAT:
            _only(method, "POST")
            await self._chat.handle(request_id, incoming, reply)
        elif path in ("/livez", "/readyz"):
            _only(method, "GET", "HEAD")
            await self._health(path, reply)
        else:
            await self._read(path, method, request_id, incoming, reply)

    def _read(self, path: str, method: str, request_id: str, incoming: Incoming, reply: Reply) -> Awaitable[None]:
        if path == MODELS:
            _only(method, "GET")
            return self._lists.models(request_id, incoming, reply)
        if path.startswith(MODELS + "/"):
            _only(method, "GET")
            return self._lists.model(request_id, incoming, reply, path[len(MODELS) + 1 :])
        if path.startswith(APPROVALS):
            _only(method, "GET")
            return self._lists.approval(request_id, incoming, reply, path[len(APPROVALS) :])
        raise OrcaError("there is no such route", code="not_found", status=404, type="invalid_request_error")

    async def _health(self, path: str, reply: Reply) -> None:
        if path == "/livez":
            await reply.json(200, b'{"status":"ok"}')
            return
        checks = dict(self._ready())
        ready = all(checks.values())
        body = {"status": "ok" if ready else "unavailable", "checks": checks}
        await reply.json(200 if ready else 503, msgspec.json.encode(body))


def _only(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise OrcaError(
            f"use {' or '.join(allowed)} here",
            code="method_not_allowed",
            status=405,
            type="invalid_request_error",
            headers={"allow": ", ".join(allowed)},
        )
