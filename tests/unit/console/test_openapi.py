"""The merged document and the console's own routes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.console.app import build, http_upstreams
from services.console.openapi import merge
from services.console.settings import ConsoleSettings
from tests.unit.console.harness import Down, console


def _refs(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(_refs, node.values()))
    return set().union(*map(_refs, node)) if isinstance(node, list) else set()


async def test_one_document_holds_every_routed_path_with_names_kept_apart() -> None:
    async with console() as (_, caller):
        document = (await caller.get("/api/openapi.json")).json()
    assert list(document["paths"]) == ["/api/guardrail", "/api/ledger", "/api/log", "/api/token", "/api/v1/firewall"]
    assert sorted(document["components"]["schemas"]) == [
        "AnalyticsThing", "AuthThing", "Error", "FirewallThing", "GuardrailThing", "LedgerThing",
    ]  # fmt: skip
    for reference in _refs(document):
        _, _, kind, name = reference.split("/")
        assert name in document["components"][kind]
    operation = document["paths"]["/api/token"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/AuthThing"}  # fmt: skip # noqa: E501
    assert operation["parameters"] == [{"$ref": "#/components/parameters/WorkspaceId"}]
    assert operation["operationId"].startswith("auth_")
    assert sorted(operation["responses"]) == ["200", "default"]
    ids = [op["operationId"] for item in document["paths"].values() for op in item.values()]
    assert len(ids) == len(set(ids))


def test_login_and_status_need_no_credential_and_the_gateway_its_key() -> None:
    operation: dict[str, Any] = {"responses": {}}
    document = merge(
        {
            "auth": {
                "paths": {
                    "/api/user/login": {"post": operation},
                    "/api/status": {"get": operation},
                    "/api/token": {"get": {**operation, "security": [{"own": []}]}},
                }
            },
            "firewall": {"paths": {"/api/v1/firewall/evaluate": {"post": operation}}},
        }
    )
    assert document["security"] == [{"accessToken": []}, {"session": []}]
    assert {
        path: [operation.get("security") for operation in item.values()] for path, item in document["paths"].items()
    } == {
        "/api/status": [[]],
        "/api/token": [None],
        "/api/user/login": [[]],
        "/api/v1/firewall/evaluate": [[{"gatewayKey": []}]],
    }
    assert sorted(document["components"]["securitySchemes"]) == ["accessToken", "gatewayKey", "session"]


def test_discriminators_follow_their_schemas() -> None:
    schema = {
        "oneOf": [{"$ref": "#/components/schemas/a"}],
        "discriminator": {"propertyName": "kind", "mapping": {"a": "#/components/schemas/a"}},
    }
    document = merge({"auth": {"components": {"schemas": {"u": schema, "a": {"type": "object"}}}}})
    assert document["components"]["schemas"]["AuthU"] == {
        "oneOf": [{"$ref": "#/components/schemas/AuthA"}],
        "discriminator": {"propertyName": "kind", "mapping": {"a": "#/components/schemas/AuthA"}},
    }


def test_a_property_called_ref_is_no_reference() -> None:
    schema = {"properties": {"$ref": {"type": "string"}}}
    document = merge({"auth": {"components": {"schemas": {"U": schema}}}})
    assert document["components"]["schemas"]["AuthU"] == schema


async def test_the_document_waits_for_every_service_and_is_then_kept() -> None:
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        # The start's question, then the first caller's, fail.
        return httpx.Response(200, json={"paths": {}}) if asked == 3 else httpx.Response(502)

    async with console(ledger=httpx.MockTransport(answer)) as (_, caller):
        first, second, third = [await caller.get("/api/openapi.json") for _ in range(3)]
    assert (first.status_code, first.headers["retry-after"], first.json()) == (
        503, "1", {"success": False, "code": "service_unavailable", "message": "not available: ledger"},
    )  # fmt: skip
    assert (second.status_code, third.status_code, asked) == (200, 200, 3)
    assert second.content == third.content


async def test_readiness_says_which_service_does_not_answer() -> None:
    async with console(analytics=Down()) as (app, caller):
        ready, live = await caller.get("/readyz"), await caller.get("/livez")
        expected = {"auth": True, "guardrail": True, "firewall": True, "ledger": True, "analytics": False}
        assert (ready.status_code, ready.json(), app.ready()) == (503, expected, expected)
    assert live.status_code == 200
    async with console() as (_, caller):
        assert (await caller.get("/readyz")).status_code == 200


async def test_the_root_points_at_the_document_and_only_get_is_allowed() -> None:
    async with console() as (_, caller):
        root, post = await caller.get("/"), await caller.post("/api/openapi.json")
    assert root.json()["data"]["openapi"] == "/api/openapi.json"
    assert (post.status_code, post.headers["allow"], post.json()["code"]) == (405, "GET, HEAD", "method_not_allowed")


async def test_a_missing_client_stops_the_build() -> None:
    with pytest.raises(ValueError, match="no client for auth, firewall, guardrail, ledger"):
        await build(ConsoleSettings(), upstreams={"analytics": httpx.AsyncClient()})


async def test_the_settings_name_every_service() -> None:
    clients = http_upstreams(ConsoleSettings(ledger_url="http://ledger.test:9"))
    assert {name: str(client.base_url) for name, client in clients.items()}["ledger"] == "http://ledger.test:9"
    app = await build(ConsoleSettings(), upstreams=clients)
    await app.stop()
