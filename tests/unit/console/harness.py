"""A console in front of five small services, all in process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response

from services.common.http import Body, create_api, ok
from services.console.app import App, build
from services.console.routes import SERVICES
from services.console.settings import ConsoleSettings

PEER = "192.0.2.7"


class Thing(Body):
    """A body whose name every service uses."""

    name: str


def service(name: str, prefix: str) -> FastAPI:
    """A service with a documented route, an answer with two cookies, and an echo for everything else."""
    api = create_api(name, None)

    @api.get("/openapi-only")
    async def _unrouted() -> dict[str, Any]:
        return ok(None)

    @api.post(prefix)
    async def _create(body: Thing) -> dict[str, Any]:
        return ok({"service": name, "name": body.name})

    @api.get(f"{prefix}/cookies", include_in_schema=False)
    async def _cookies(response: Response) -> dict[str, Any]:
        response.set_cookie("orca_session", "made-up", path="/")
        response.set_cookie("other", "1", path="/")
        response.headers["Connection"] = "x-internal"
        response.headers["X-Internal"] = "hop"
        return ok(name)

    @api.get(f"{prefix}/bug", include_in_schema=False)
    async def _bug() -> None:
        raise RuntimeError("made-up secret")

    @api.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
    async def _echo(request: Request) -> dict[str, Any]:
        return ok(
            {
                "service": name,
                "method": request.method,
                "path": request.url.path,
                "query": request.url.query,
                "headers": [list(pair) for pair in request.headers.items()],
                "body": (await request.body()).decode(),
            }
        )

    return api


PREFIXES: Mapping[str, str] = {
    "auth": "/api/token",
    "guardrail": "/api/guardrail",
    "firewall": "/api/v1/firewall",
    "ledger": "/api/ledger",
    "analytics": "/api/log",
}


def services() -> dict[str, httpx.AsyncBaseTransport]:
    """A transport to a fresh service, by name."""
    return {name: httpx.ASGITransport(service(name, PREFIXES[name])) for name in SERVICES}


class Down(httpx.AsyncBaseTransport):
    """A service that nobody can reach."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")


@asynccontextmanager
async def console(
    trusted_proxies: str = "", **replaced: httpx.AsyncBaseTransport
) -> AsyncIterator[tuple[App, httpx.AsyncClient]]:
    """A started console, and a caller of it."""
    transports = {**services(), **replaced}
    upstreams = {
        name: httpx.AsyncClient(transport=transport, base_url=f"http://{name}.test")
        for name, transport in transports.items()
    }
    app = await build(ConsoleSettings(trusted_proxies=trusted_proxies), upstreams=upstreams)
    await app.start()
    transport = httpx.ASGITransport(app.asgi, client=(PEER, 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://console.test") as caller:
        yield app, caller
    await app.stop()


def get_scope(path: bytes) -> dict[str, Any]:
    """ASGI scope of a GET."""
    return {
        "type": "http",
        "method": "GET",
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": b"",
        "headers": [],
        "client": (PEER, 1),
    }


async def raw_status(app: App, path: bytes) -> int:
    """Status of a GET whose path no client library would send."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app.asgi(get_scope(path), receive, send)
    status: int = sent[0]["status"]
    return status
