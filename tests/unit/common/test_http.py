"""The management edge: envelope, validation, cursors, body limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Invalid, Unauthorized
from services.common.http import (
    BODY_MAX_BYTES,
    Body,
    Page,
    Principal,
    Role,
    create_api,
    decode_cursor,
    encode_cursor,
    ok,
    require,
)


class HeaderAuthenticator:
    """The role is the Authorization header."""

    async def authenticate(self, request: Request, *, no_workspace: bool) -> Principal:
        role = request.headers.get("authorization")
        if role is None:
            raise Unauthorized("no credential")
        return Principal("user_1", False, "ws_1", Role[role], "access_token")


class Thing(Body):
    name: str
    count: int = 1


def api() -> FastAPI:
    app = create_api("demo", HeaderAuthenticator())

    @app.post("/api/thing")
    async def create(body: Thing, principal: Annotated[Principal, Depends(require(Role.DEVELOPER))]) -> dict[str, Any]:
        return ok({"name": body.name, "workspace": principal.workspace_id})

    @app.get("/api/thing")
    async def things(page: Page) -> dict[str, Any]:
        if page.cursor is not None:
            decode_cursor(page.cursor)
        return ok({"limit": page.limit})

    @app.get("/api/bug")
    async def bug() -> None:
        raise RuntimeError("secret")

    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(api(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        yield client


async def test_success_is_wrapped(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/thing", json={"name": "a"}, headers={"authorization": "ADMIN"})
    assert (answer.status_code, answer.json()) == (200, {"success": True, "data": {"name": "a", "workspace": "ws_1"}})


@pytest.mark.parametrize(
    ("body", "role", "status", "code", "param"),
    [
        ({"name": "a", "colour": "b"}, "OWNER", 422, "invalid_request", "colour"),
        ({"name": 3}, "OWNER", 422, "invalid_request", "name"),
        ({"name": "a"}, "VIEWER", 403, "forbidden", None),
        ({"name": "a"}, None, 401, "unauthorized", None),
    ],
)
async def test_failures_name_the_field(
    client: httpx.AsyncClient, body: Any, role: str | None, status: int, code: str, param: str | None
) -> None:
    answer = await client.post("/api/thing", json=body, headers={"authorization": role} if role else {})
    got = answer.json()
    assert (answer.status_code, got["success"], got["code"], got.get("param")) == (status, False, code, param)


async def test_a_bug_is_a_bare_500(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/bug")
    assert (answer.status_code, answer.json()) == (
        500,
        {"success": False, "code": "internal_error", "message": "internal error"},
    )


@pytest.mark.parametrize(("path", "status"), [("/api/none", 404), ("/api/bug", 405)])
async def test_unknown_routes_keep_the_envelope(client: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await client.request("DELETE", path)
    assert (answer.status_code, answer.json()["success"]) == (status, False)


@pytest.mark.parametrize(("path", "status"), [("/api/thing?cursor=a%00", 422), ("/api/thing/%00", 404)])
async def test_zero_characters_in_an_address_are_refused(client: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await client.get(path)).status_code == status


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"name": ', "body: is not JSON"),
        (b'{"name": "\xff"}', "body: cannot be read"),
        (b"[" * 100_000, "body: cannot be read"),
    ],
    ids=["cut", "not UTF-8", "deep"],
)
async def test_what_is_no_json_names_the_body(client: httpx.AsyncClient, content: bytes, message: str) -> None:
    headers = {"authorization": "OWNER", "content-type": "application/json"}
    answer = await client.post("/api/thing", content=content, headers=headers)
    expected = {"success": False, "code": "invalid_request", "message": message, "param": "body"}
    assert (answer.status_code, answer.json()) == (422, expected)


async def test_a_field_that_the_caller_named_is_bounded(client: httpx.AsyncClient) -> None:
    content = b'{"name": "a", "' + b"x" * 10_000 + b'": 1}'
    headers = {"authorization": "OWNER", "content-type": "application/json"}
    answer = await client.post("/api/thing", content=content, headers=headers)
    assert (answer.status_code, answer.json()["param"]) == (422, "x" * 200)


@pytest.mark.parametrize("announced", [True, False])
async def test_a_huge_body_is_413(client: httpx.AsyncClient, announced: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * (1 << 20)

    content: Any = b" " * (BODY_MAX_BYTES + 1) if announced else pieces()
    answer = await client.post("/api/thing", content=content, headers={"authorization": "OWNER"})
    assert answer.status_code == 413


@given(st.lists(st.integers() | st.text()))
def test_cursors_round_trip(position: list[Any]) -> None:
    assert decode_cursor(encode_cursor(position)) == position


@given(st.text(max_size=30))
def test_a_foreign_cursor_is_refused_or_a_list(cursor: str) -> None:
    try:
        assert isinstance(decode_cursor(cursor), list)
    except Invalid as error:
        assert error.param == "cursor"
