"""Composition root of console, and its ASGI application.

It keeps no state of its own and judges nobody: each service authenticates its callers. A service that cannot
be reached is a 503; a path that nobody owns is a 404; both in the management envelope.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.errors import NotFound, OrcaError, Unavailable
from services.common.http import error_response, ok
from services.common.ids import new_id
from services.common.networks import parse_networks
from services.common.rpc import RpcServer
from services.console.openapi import merge
from services.console.proxy import Proxy
from services.console.routes import SERVICES, owner_of_raw
from services.console.settings import ConsoleSettings

log = logging.getLogger("orca.console")

CONNECT_TIMEOUT_S = 5.0
CONNECTIONS_MAX = 200


class Console:
    """The ASGI application."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._documents: dict[str, dict[str, Any]] = {}
        self._merged: dict[str, Any] | None = None
        self._health: dict[str, bool] = dict.fromkeys(SERVICES, False)
        self._local: Mapping[str, Callable[[], Awaitable[Response]]] = {
            "/": self._index,
            "/livez": self._alive,
            "/readyz": self._ready,
            "/api/openapi.json": self._openapi,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        started = False
        request_id = (b"x-orca-request-id", new_id("req").encode())

        async def watched(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], request_id]}
            started = True
            await send(message)

        try:
            await self._respond(scope, receive, watched)
        except ClientDisconnect:
            return  # Nobody is left to be told.
        except OrcaError as error:
            await error_response(error)(scope, receive, watched)
        except Exception as error:
            if started:
                # The status is sent: breaking the connection is all that is left, and it tells the caller.
                raise
            log.error("unhandled error", extra={"error_class": type(error).__name__})
            await error_response(OrcaError("internal error"))(scope, receive, watched)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path = _raw_path(scope)
        service = owner_of_raw(raw_path)
        if service is not None:
            await self._proxy.forward(service, Request(scope, receive), raw_path, send)
            return
        local = self._local.get(raw_path.decode("latin-1"))
        if local is None:
            raise NotFound("no such path")
        if scope["method"] not in ("GET", "HEAD"):
            allow = {"Allow": "GET, HEAD"}
            raise OrcaError("method not allowed", code="method_not_allowed", status=405, headers=allow)
        await (await local())(scope, receive, send)

    async def _index(self) -> Response:
        return JSONResponse(ok({"name": "Orca management plane", "openapi": "/api/openapi.json"}))

    async def _alive(self) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self) -> Response:
        answers = await asyncio.gather(*map(self._proxy.ready, SERVICES))
        self._health = dict(zip(SERVICES, answers, strict=True))
        return JSONResponse(self._health, 200 if all(answers) else 503)

    async def _openapi(self) -> Response:
        await self.read_documents()
        missing = [service for service in SERVICES if service not in self._documents]
        if missing:
            raise Unavailable(f"not available: {', '.join(missing)}", retry_after_s=1.0)
        if self._merged is None:
            self._merged = merge(self._documents)
        return JSONResponse(self._merged)

    async def read_documents(self) -> None:
        """Asks the services whose document is not known yet."""
        missing = [service for service in SERVICES if service not in self._documents]
        for service, document in zip(missing, await asyncio.gather(*map(self._proxy.document, missing)), strict=True):
            if document is not None:
                self._documents[service] = document
                self._health[service] = True

    def ready(self) -> dict[str, bool]:
        """Which services answered when they were last asked."""
        return dict(self._health)


def _raw_path(scope: Scope) -> bytes:
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    return bytes(raw).split(b"?", 1)[0]


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@dataclass
class App:
    """The entry point, built and not yet started."""

    name: str
    asgi: ASGIApp
    console: Console
    proxy: Proxy

    def register(self, server: RpcServer) -> None:
        """Console has no gRPC service."""

    async def start(self) -> None:
        """Reads the services' documents; those that do not answer now are asked again when needed."""
        await self.console.read_documents()

    async def stop(self) -> None:
        """Closes connections to the services."""
        await self.proxy.close()

    def ready(self) -> dict[str, bool]:
        """See `Console.ready`."""
        return self.console.ready()


async def build(settings: ConsoleSettings, *, upstreams: Mapping[str, httpx.AsyncClient]) -> App:
    """Wires the entry point over one client per service.

    Raises ValueError when one is missing, or when a trusted proxy is no address.
    """
    missing = sorted(set(SERVICES) - set(upstreams))
    if missing:
        raise ValueError(f"no client for {', '.join(missing)}")
    proxy = Proxy(upstreams, parse_networks(settings.trusted_proxies))
    console = Console(proxy)
    return App("console", console, console, proxy)


def http_upstreams(settings: ConsoleSettings, context: ssl.SSLContext | None = None) -> dict[str, httpx.AsyncClient]:
    """Clients for the distributed profile: HTTP to the settings' URLs, with the settings' deadline.

    `context` authenticates both sides where the URLs are https.
    """
    timeout = httpx.Timeout(settings.console_timeout_s, connect=CONNECT_TIMEOUT_S)
    limits = httpx.Limits(max_connections=CONNECTIONS_MAX)
    return {
        name: httpx.AsyncClient(
            base_url=getattr(settings, f"{name}_url"),
            timeout=timeout,
            limits=limits,
            trust_env=False,
            verify=True if context is None else context,
        )
        for name in SERVICES
    }
