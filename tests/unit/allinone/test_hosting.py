"""A server that is left still answers, and says to everybody that it goes."""

from __future__ import annotations

from typing import Any

import httpx

from services.allinone.hosting import HttpServer, address, listen, with_health


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_after_leave_it_serves_without_being_ready_and_keeps_no_connection() -> None:
    sock = listen("127.0.0.1:0", "ORCA_HTTP_BIND")
    url = f"http://{address(sock)}"
    server = HttpServer(with_health(hello, lambda: {"store": True}), sock, grace_s=1)
    await server.start()

    def seen(answer: httpx.Response) -> tuple[int, str, str | None]:
        return answer.status_code, answer.text, answer.headers.get("connection")

    async with httpx.AsyncClient(base_url=url) as client:
        assert seen(await client.get("/readyz")) == (200, '{"status": "ok", "checks": {"store": true}}', None)
        assert seen(await client.get("/anything")) == (200, "hello", None)
        server.leave()
        assert seen(await client.get("/readyz")) == (
            503,
            '{"status": "unavailable", "checks": {"accepting": false}}',
            "close",
        )
        assert seen(await client.get("/livez")) == (200, '{"status": "ok", "checks": {}}', "close")
        assert seen(await client.get("/anything")) == (200, "hello", "close")
        await server.stop()
