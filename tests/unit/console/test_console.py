"""The entry point in front of small services: routing, headers, bounds, failures, the merged document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from services.common.http import BODY_MAX_BYTES
from services.console.app import DOCUMENT_AGE_MAX_S, App, build
from services.console.proxy import target
from services.console.routes import ROUTES, SERVICES, owner
from services.console.settings import ConsoleSettings
from tests.support.clock import ManualClock

PATHS = {
    "auth": "/api/token",
    "guardrail": "/api/guardrail",
    "firewall": "/api/workspace/firewall/policies",
    "ledger": "/api/ledger/accounts",
    "analytics": "/api/log",
}


class Thing(BaseModel):
    name: str


def service(name: str) -> FastAPI:
    """Answers every path with what it received."""
    api = FastAPI(title=name)

    async def create(body: Thing) -> Thing:
        return body

    api.add_api_route(PATHS[name], create, methods=["POST"])
    api.add_api_route("/api/elsewhere", create, methods=["POST"])

    @api.api_route("/{rest:path}", methods=["GET", "PUT", "DELETE", "HEAD"], include_in_schema=False)
    async def echo(request: Request) -> Response:
        if request.query_params.get("bug"):
            raise RuntimeError("a bug")
        body = await request.body()
        answer = JSONResponse(
            {
                "service": name,
                "method": request.method,
                "raw_path": request.scope["raw_path"].decode("latin-1"),
                "query": request.scope["query_string"].decode("latin-1"),
                "headers": dict(request.headers),
                "size": len(body),
            },
            status_code=418,
            headers={"Connection": "close, X-Hop", "X-Hop": "1", "X-Kept": "2"},
        )
        answer.set_cookie("orca_session", "s3cret-of-one-caller")
        return answer

    return api


class Broken(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")


class Harness:
    def __init__(self, app: App, clock: ManualClock, clients: dict[str, httpx.AsyncClient]) -> None:
        self.app, self.clock, self.clients = app, clock, clients
        transport = httpx.ASGITransport(app=app.asgi, client=("203.0.113.9", 4711))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://orca")

    async def get(self, path: str, **kwargs: Any) -> tuple[int, dict[str, Any]]:
        answer = await self.client.get(path, **kwargs)
        return answer.status_code, answer.json()

    def breaks(self, name: str) -> None:
        self.clients[name] = httpx.AsyncClient(transport=Broken(), base_url=f"http://{name}")


@pytest.fixture
async def console() -> AsyncIterator[Harness]:
    clients = {
        name: httpx.AsyncClient(transport=httpx.ASGITransport(app=service(name)), base_url=f"http://{name}")
        for name in SERVICES
    }
    clock = ManualClock()
    app = await build(ConsoleSettings(), upstreams=clients, clock=clock)
    harness = Harness(app, clock, clients)
    yield harness
    await harness.client.aclose()
    await app.stop()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *ROUTES.items(),
        ("/api/workspace/w1/members", "auth"),
        ("/api/workspace/firewall/policies/p1/history", "firewall"),
        ("/api/workspace/firewall/runs/r1", "analytics"),
        ("/api/workspace/firewall/eventsx", "firewall"),
        ("/api/guardrail/match/m1/false-positive", "analytics"),
        ("/api/guardrail/matches", "guardrail"),
        ("/api/model/openai/gpt-4o", "auth"),
        ("/api/tokens", None),
        ("/api", None),
        ("/v1/models", None),
        ("/api/token/../ledger", None),
    ],
)
def test_the_longest_prefix_of_whole_segments_owns_a_path(path: str, expected: str | None) -> None:
    assert owner(path) == expected


async def test_a_request_reaches_its_service_and_the_answer_comes_back_whole(console: Harness) -> None:
    answer = await console.client.put(
        "/api/model/openai/gpt%2F4?a=%20b&a=2",
        content=b"x" * 1000,
        headers={"Authorization": "Bearer t", "X-Workspace-Id": "w1", "X-Forwarded-For": "198.51.100.1"},
    )
    assert answer.status_code == 418
    seen = answer.json()
    assert (seen["service"], seen["method"], seen["raw_path"], seen["query"], seen["size"]) == (
        "auth",
        "PUT",
        "/api/model/openai/gpt%2F4",
        "a=%20b&a=2",
        1000,
    )
    headers = seen["headers"]
    assert (headers["authorization"], headers["x-workspace-id"]) == ("Bearer t", "w1")
    assert headers["x-forwarded-for"] == "198.51.100.1, 203.0.113.9"
    assert headers["host"] == "auth"


async def test_hop_by_hop_headers_end_at_the_entry_point(console: Harness) -> None:
    answer = await console.client.get(
        "/api/token", headers={"Connection": "X-Mine", "X-Mine": "1", "TE": "trailers", "Upgrade": "h2c"}
    )
    assert {"x-mine", "te", "upgrade"}.isdisjoint(answer.json()["headers"])
    assert "x-hop" not in answer.headers
    assert answer.headers["x-kept"] == "2"


async def test_cookies_of_one_caller_never_reach_another(console: Harness) -> None:
    first = await console.client.get("/api/token")
    assert "orca_session" in first.headers["set-cookie"]
    console.client.cookies.clear()
    assert "cookie" not in (await console.get("/api/token"))[1]["headers"]
    assert "cookie" not in (await console.get("/api/user"))[1]["headers"]


async def test_paths_that_nobody_owns_are_404_in_the_envelope(console: Harness) -> None:
    for path in ("/nope", "/api", "/api/unknown", "/%ff%fe", "/api/token%00x", "/api/token/%2e%2e/ledger"):
        status, body = await console.get(path)
        assert (status, body) == (404, {"success": False, "code": "not_found", "message": "no such path"}), path


@pytest.mark.parametrize("path", ["/api/token/%ff%fe", "/api/token/%00", "/api/token/%zz", "/api/token/%ed%a0%80"])
async def test_bytes_that_are_not_utf8_are_passed_on_as_they_came(console: Harness, path: str) -> None:
    scope_path = path.encode()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/token/�",
        "raw_path": scope_path,
        "query_string": b"q=\xff\x01 ",
        "headers": [(b"x-odd", b"\xff")],
        "client": None,
    }
    await console.app.asgi(scope, receive, send)
    assert sent[0]["status"] == 418
    seen = json.loads(b"".join(message.get("body", b"") for message in sent))
    assert seen["raw_path"] == path
    assert seen["query"] == "q=%FF%01%20"


async def test_bodies_above_the_limit_are_413_announced_or_not(console: Harness) -> None:
    refused = {"success": False, "code": "too_large", "message": "the body is too large"}
    answer = await console.client.put("/api/token", content=b"x" * (BODY_MAX_BYTES + 1))
    assert (answer.status_code, answer.json()) == (413, refused)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 1024 * 1024

    answer = await console.client.put("/api/token", content=pieces())
    assert (answer.status_code, answer.json()) == (413, refused)
    assert (await console.client.put("/api/token", content=b"x" * BODY_MAX_BYTES)).json()["size"] == BODY_MAX_BYTES


async def test_a_service_that_cannot_be_reached_is_503_and_the_others_go_on(console: Harness) -> None:
    console.breaks("ledger")
    answer = await console.client.get("/api/ledger/accounts")
    assert (answer.status_code, answer.json()) == (
        503,
        {"success": False, "code": "service_unavailable", "message": "the ledger service cannot be reached"},
    )
    assert answer.headers["retry-after"] == "1"
    assert (await console.get("/api/token"))[0] == 418


async def test_a_bug_in_a_service_is_500_without_its_text(console: Harness) -> None:
    assert await console.get("/api/token?bug=1") == (
        500,
        {"success": False, "code": "internal_error", "message": "internal error"},
    )


async def test_own_routes(console: Harness) -> None:
    assert await console.get("/") == (200, {"name": "Orca management plane", "openapi": "/api/openapi.json"})
    assert await console.get("/livez") == (200, {"status": "ok"})
    assert await console.get("/readyz") == (200, {"status": "ok", "checks": {"console": True}})
    answer = await console.client.post("/livez")
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (
        405,
        "method_not_allowed",
        "GET, HEAD",
    )


async def test_readiness_includes_what_the_process_reports() -> None:
    app = await build(ConsoleSettings(), upstreams={}, readiness=lambda: {"firewall_snapshot": False})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app.asgi), base_url="http://orca") as client:
        answer = await client.get("/readyz")
        unknown = await client.get("/api/token")
    assert (answer.status_code, answer.json()) == (
        503,
        {"status": "not_ready", "checks": {"console": True, "firewall_snapshot": False}},
    )
    assert unknown.status_code == 503


async def test_one_openapi_document_keeps_each_services_names_apart(console: Harness) -> None:
    status, document = await console.get("/api/openapi.json")
    assert status == 200
    assert sorted(document["paths"]) == sorted(PATHS.values())
    schemas = document["components"]["schemas"]
    for name, path in PATHS.items():
        assert schemas[f"{name}_Thing"]["required"] == ["name"]
        operation = document["paths"][path]["post"]
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert reference == f"#/components/schemas/{name}_Thing"
        assert sorted(operation["responses"]) == ["200", "4XX", "5XX"]
    assert {"access_token", "session", "csrf"} <= set(document["components"]["securitySchemes"])
    for reference in _references(document):
        kind, name = reference.removeprefix("#/components/").split("/")
        assert name in document["components"][kind]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for item in value.values() for found in _references(item)]
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []


async def test_the_document_survives_a_service_that_goes_away(console: Harness) -> None:
    _, first = await console.get("/api/openapi.json")
    console.breaks("ledger")
    console.clock.advance(DOCUMENT_AGE_MAX_S + 1)
    assert await console.get("/api/openapi.json") == (200, first)


async def test_without_a_document_an_unreachable_service_is_503(console: Harness) -> None:
    console.breaks("ledger")
    status, body = await console.get("/api/openapi.json")
    assert (status, body["code"]) == (503, "service_unavailable")


def test_a_base_path_is_kept() -> None:
    scope = {"path": "/api/token", "raw_path": b"/api/token", "query_string": b"a=1"}
    assert str(target(httpx.URL("http://auth:8091/inner/"), scope)) == "http://auth:8091/inner/api/token?a=1"


async def test_without_clients_the_settings_urls_are_used() -> None:
    app = await build(ConsoleSettings(auth_url="http://auth:9"))
    assert str(app.proxy._upstreams["auth"].base_url) == "http://auth:9"
    await app.stop()
