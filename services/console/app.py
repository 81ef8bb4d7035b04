"""Composition root of console, and its ASGI application.

It keeps no state of its own and judges nobody: each service authenticates its callers. A service that cannot
be reached is a 503; a path that nobody owns is a 404; both in the management envelope.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.clock import Clock, SystemClock
from services.common.errors import NotFound, OrcaError, Unavailable
from services.common.http import error_response
from services.common.rpc import RpcServer
from services.console.openapi import merge
from services.console.proxy import Proxy
from services.console.routes import SERVICES, owner
from services.console.settings import ConsoleSettings

log = logging.getLogger("orca.console")

DOCUMENT_AGE_MAX_S = 60.0
"""The merged OpenAPI document is fetched again after this, for services that were upgraded."""

Readiness = Callable[[], Mapping[str, bool]]


class Console:
    """The ASGI application."""

    def __init__(self, proxy: Proxy, clock: Clock, readiness: Readiness | None) -> None:
        self._proxy = proxy
        self._clock = clock
        self._readiness = readiness
        self._document: dict[str, Any] | None = None
        self._document_at_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        started = False

        async def watched(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            response = await self._respond(Request(scope, receive))
            await response(scope, receive, watched)
        except OrcaError as error:
            await error_response(error)(scope, receive, send)
        except Exception as error:
            log.error("unhandled error", extra={"error_class": type(error).__name__})
            if started:
                raise
            await error_response(OrcaError("internal error"))(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.scope["path"]
        service = owner(path)
        if service is not None:
            return await self._proxy.forward(service, request)
        local = {"/": self._index, "/livez": self._alive, "/readyz": self._ready, "/api/openapi.json": self._openapi}
        if path not in local:
            raise NotFound("no such path")
        if request.method not in ("GET", "HEAD"):
            allow = {"Allow": "GET, HEAD"}
            raise OrcaError("method not allowed", code="method_not_allowed", status=405, headers=allow)
        return await local[path]()

    async def _index(self) -> Response:
        return JSONResponse({"name": "Orca management plane", "openapi": "/api/openapi.json"})

    async def _alive(self) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self) -> Response:
        checks = self.ready()
        ready = all(checks.values())
        return JSONResponse({"status": "ok" if ready else "not_ready", "checks": checks}, 200 if ready else 503)

    async def _openapi(self) -> Response:
        return JSONResponse(await self._merged())

    def ready(self) -> dict[str, bool]:
        """What the process says about its services; the entry point alone is always ready."""
        return {"console": True, **(self._readiness() if self._readiness is not None else {})}

    async def _merged(self) -> dict[str, Any]:
        now_s = self._clock.monotonic_s()
        if self._document is not None and now_s - self._document_at_s < DOCUMENT_AGE_MAX_S:
            return self._document
        documents: dict[str, Any] = {}
        try:
            for service in SERVICES:
                documents[service] = await self._proxy.document(service)
        except Unavailable:
            # An older document is right for every service that did not just change; none is wrong for all.
            if self._document is not None:
                return self._document
            raise
        self._document, self._document_at_s = merge(documents), now_s
        return self._document


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
        """Nothing runs in the background."""

    async def stop(self) -> None:
        """Closes connections to the services."""
        await self.proxy.close()

    def ready(self) -> dict[str, bool]:
        """See `Console.ready`."""
        return self.console.ready()


async def build(
    settings: ConsoleSettings,
    *,
    upstreams: Mapping[str, httpx.AsyncClient] | None = None,
    readiness: Readiness | None = None,
    clock: Clock | None = None,
) -> App:
    """Wires the entry point. `upstreams`: a client per service; without them, HTTP to the settings' URLs.

    `readiness` adds checks to `/readyz`: in the embedded profile, those of the other services.
    """
    proxy = Proxy(_over_http(settings) if upstreams is None else upstreams)
    console = Console(proxy, clock or SystemClock(), readiness)
    return App("console", console, console, proxy)


def _over_http(settings: ConsoleSettings) -> dict[str, httpx.AsyncClient]:
    urls = {name: getattr(settings, f"{name}_url") for name in SERVICES}
    timeout = httpx.Timeout(settings.console_timeout_s, connect=5.0)
    return {name: httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False) for name, url in urls.items()}
