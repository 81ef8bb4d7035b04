"""Serving ASGI apps inside a process that owns its own signals and start order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Any

import uvicorn

from services.allinone.http_protocol import BoundedProtocol, ErrorBody
from services.common.http import error_body as management_error_body
from services.common.rpc.tls import TlsFiles
from services.common.settings import host_port

BACKLOG = 2048
GC_YOUNG, GC_MIDDLE, GC_OLD = 20_000, 20, 50
KEEP_ALIVE_S = 75


def with_health(asgi: Any, ready: Callable[[], Mapping[str, bool]]) -> Any:
    """The same app with `/livez` and `/readyz` in front; readiness names each part that is not."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] in ("/livez", "/readyz"):
            await _health(send, ready() if scope["path"] == "/readyz" else {})
        else:
            await asgi(scope, receive, send)

    return app


async def _health(send: Any, checks: Mapping[str, bool]) -> None:
    healthy = all(checks.values())
    body = json.dumps({"status": "ok" if healthy else "unavailable", "checks": dict(checks)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200 if healthy else 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Door:
    """An app that can be left: then it is not ready, and each answer tells its client to open another connection."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.closing = False

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        call: Awaitable[None] = (self._last if self.closing else self._app)(scope, receive, send)
        return call

    async def _last(self, scope: Any, receive: Any, send: Any) -> None:
        async def close(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        if scope["type"] == "http" and scope["path"] == "/readyz":
            await _health(close, {"accepting": False})
        else:
            await self._app(scope, receive, close)


def settle_heap() -> None:
    """Takes what a started process holds for good out of the collector's sight, and lets it run less often.

    Compiled policies, grammars and phone metadata are hundreds of thousands of objects; each full collection would
    stop the event loop for a tenth of a second to look at them in vain.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG, GC_MIDDLE, GC_OLD)


class BindError(Exception):
    """An address cannot be listened on."""


def listen(bind: str, variable: str) -> socket.socket:
    """A listening socket. Raises BindError naming the variable."""
    try:
        host, port = host_port(bind)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except (OSError, ValueError) as error:
        raise BindError(f"{variable}={bind}: {error}") from None
    sock.setblocking(False)
    return sock


def address(sock: socket.socket) -> str:
    """host:port of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The process decides what a signal means; uvicorn must not install its own handlers.
        yield


class HttpServer:
    """One uvicorn server on one socket. `error_body`: how requests are refused that no app sees."""

    def __init__(
        self,
        app: Any,
        sock: socket.socket,
        *,
        grace_s: float,
        tls: TlsFiles | None = None,
        error_body: ErrorBody = management_error_body,
    ) -> None:
        self._door = _Door(app)
        config = uvicorn.Config(
            self._door,
            interface="asgi3",
            loop="none",
            http=partial(BoundedProtocol, error_body=error_body),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, round(grace_s)),
            backlog=BACKLOG,
        )
        self._tls = tls
        self._follow: asyncio.Task[None] | None = None
        if tls is not None:
            config.load()
            config.ssl = tls.context(ssl.Purpose.CLIENT_AUTH)
        self._server = _Server(config)
        self._sock = sock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serves in the background; returns when accepting."""
        if self._tls is not None and self._server.config.ssl is not None:
            self._follow = asyncio.create_task(self._tls.follow(self._server.config.ssl), name="tls")
        self._task = asyncio.create_task(self._server.serve(sockets=[self._sock]), name="http")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise BindError(f"{address(self._sock)}: the server ended")
            await asyncio.sleep(0.005)

    def leave(self) -> None:
        """Goes on serving, but says that it is not ready, and lets no client keep its connection."""
        self._door.closing = True

    async def stop(self) -> None:
        """Stops accepting, finishes in-flight requests up to the grace period."""
        if self._follow is not None:
            self._follow.cancel()
        self._server.should_exit = True
        if self._task is not None:
            await self._task
