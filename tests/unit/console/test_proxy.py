"""What passes through the console, what stops there, and what failures look like."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from services.common.bodies import SMALL_BYTES
from services.common.http import BODY_MAX_BYTES
from services.console import proxy
from tests.unit.console.harness import PEER, Down, console, get_scope, raw_status


async def test_method_path_query_and_body_reach_the_owner() -> None:
    async with console() as (_, caller):
        answer = await caller.put("/api/channel/a%2Fb%20c?x=1&x=%2F&y", content=b'{"a": 1}')
    data = answer.json()["data"]
    assert (data["service"], data["method"], data["path"], data["query"], data["body"]) == (
        "auth", "PUT", "/api/channel/a/b c", "x=1&x=%2F&y", '{"a": 1}',
    )  # fmt: skip


async def test_large_bodies_at_once_are_bounded_and_small_ones_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "BODIES_BYTES_MAX", 3 * SMALL_BYTES)
    large = b"x" * 2 * SMALL_BYTES
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield large
        arrived.set()
        await go_on.wait()
        yield b"!"

    async with console() as (_, caller):
        first = asyncio.create_task(caller.put("/api/channel/a", content=slow()))
        await arrived.wait()
        refused = await caller.put("/api/channel/a", content=large)
        small = await caller.put("/api/channel/a", content=large[:SMALL_BYTES])
        go_on.set()
        whole = (await first).json()["data"]["body"]
        assert whole == large.decode() + "!"
        after = await caller.put("/api/channel/a", content=large)
    assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
    assert (small.status_code, after.status_code) == (200, 200)


async def test_headers_of_one_hop_stop_here_and_the_peer_is_the_sockets() -> None:
    sent = [
        ("Authorization", "Bearer made-up"),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("TE", "trailers"),
        ("Forwarded", "for=10.0.0.1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-For", "10.0.0.2"),
        ("X-Twice", "a"),
        ("X-Twice", "b"),
    ]
    async with console() as (_, caller):
        caller.headers.clear()
        answer = await caller.get("/api/ledger/entries", headers=sent)
    assert sorted(answer.json()["data"]["headers"]) == [
        ["authorization", "Bearer made-up"],
        ["host", "ledger.test"],
        ["x-forwarded-for", PEER],
        ["x-twice", "a"],
        ["x-twice", "b"],
    ]


@pytest.mark.parametrize(
    ("trusted", "claimed", "told"),
    [
        ("", ["203.0.113.9"], PEER),
        ("198.51.100.0/24", ["203.0.113.9"], PEER),
        (PEER, [], PEER),
        (PEER, ["203.0.113.9"], "203.0.113.9"),
        (PEER, ["10.0.0.1, 203.0.113.9"], "203.0.113.9"),
        (PEER, ["10.0.0.1", "203.0.113.9"], "203.0.113.9"),
        (f"{PEER}, 198.51.100.0/24", ["203.0.113.9, 198.51.100.4"], "203.0.113.9"),
        (PEER, ["203.0.113.9, unknown"], PEER),
        (PEER, ["[2001:db8::7]:443"], "2001:db8::7"),
    ],
)
async def test_the_callers_address_is_what_trusted_proxies_tell(trusted: str, claimed: list[str], told: str) -> None:
    sent = [("X-Forwarded-For", hop) for hop in claimed]
    async with console(trusted) as (_, caller):
        answer = await caller.get("/api/ledger/entries", headers=sent)
    assert [value for name, value in answer.json()["data"]["headers"] if name == "x-forwarded-for"] == [told]


async def test_each_answer_carries_a_request_id_of_its_own() -> None:
    async with console() as (_, caller):
        answers = [await caller.get(path) for path in ("/api/token", "/api/nowhere", "/livez", "/livez")]
    ids = {answer.headers["x-orca-request-id"] for answer in answers}
    assert len(ids) == 4
    assert all(one.startswith("req_") for one in ids)


async def test_every_cookie_is_passed_on_and_none_is_kept() -> None:
    async with console() as (app, caller):
        first = await caller.get("/api/token/cookies")
        caller.cookies.clear()
        second = await caller.get("/api/token/key_1")
    assert first.headers.get_list("set-cookie") == [
        "orca_session=made-up; Path=/; SameSite=lax",
        "other=1; Path=/; SameSite=lax",
    ]
    assert "x-internal" not in first.headers
    assert "cookie" not in dict(second.json()["data"]["headers"])
    assert app.ready()["auth"]


async def test_a_redirect_names_no_internal_address() -> None:
    def redirect(request: httpx.Request) -> httpx.Response:
        return httpx.Response(307, headers={"Location": "http://auth.test/api/token"}, stream=_Chunks([], False))

    async with console(auth=httpx.MockTransport(redirect)) as (_, caller):
        answer = await caller.get("/api/token/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/api/token")


async def test_encoded_answers_pass_untouched() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, headers={"Content-Encoding": "gzip", "Content-Length": "6"}, stream=_Chunks([], False)
        )

    async with (
        console(auth=httpx.MockTransport(answer)) as (_, caller),
        caller.stream("GET", "/api/token") as got,
    ):
        raw = b"".join([chunk async for chunk in got.aiter_raw()])
    assert (got.headers["content-encoding"], got.headers["content-length"], raw) == ("gzip", "6", b"onetwo")


class _Chunks(httpx.AsyncByteStream):
    def __init__(self, events: list[str], breaks: bool) -> None:
        self._events, self._breaks = events, breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in (b"one", b"two"):
            self._events.append(f"made {chunk.decode()}")
            yield chunk
        if self._breaks:
            raise httpx.ReadError("cut")

    async def aclose(self) -> None:
        self._events.append("closed")


async def _streamed(events: list[str], *, breaks: bool) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=_Chunks(events, breaks)))
    async with console(analytics=transport) as (app, _):
        events.clear()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                events.append(f"sent {message['body'].decode()} {message['more_body']}")

        await app.asgi(get_scope(b"/api/log"), receive, send)


async def test_an_answer_is_passed_on_as_it_comes() -> None:
    events: list[str] = []
    await _streamed(events, breaks=False)
    assert [e for e in events if e != "closed"] == ["made one", "sent one True", "made two", "sent two True", "sent  False"]  # fmt: skip # noqa: E501
    assert "closed" in events


async def test_an_answer_that_breaks_off_is_not_completed() -> None:
    events: list[str] = []
    with pytest.raises(httpx.ReadError):
        await _streamed(events, breaks=True)
    assert "sent  False" not in events
    assert "closed" in events


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_above_the_limit_reaches_no_service(announced: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * (BODY_MAX_BYTES // 10)

    content = b"x" * (BODY_MAX_BYTES + 1) if announced else chunks()
    async with console(auth=Down()) as (_, caller):
        answer = await caller.post("/api/token/x", content=content)
    assert (answer.status_code, answer.json()) == (
        413, {"success": False, "code": "too_large", "message": "the body is too large"},
    )  # fmt: skip


async def test_a_service_that_is_down_is_503_and_the_others_go_on() -> None:
    async with console(auth=Down()) as (_, caller):
        down, up = await caller.get("/api/token"), await caller.get("/api/ledger/entries")
    assert (down.status_code, down.headers["retry-after"], down.json()) == (
        503, "1", {"success": False, "code": "service_unavailable", "message": "auth is not available"},
    )  # fmt: skip
    assert up.status_code == 200


async def test_a_services_bug_is_500_without_its_message() -> None:
    async with console() as (_, caller):
        answer = await caller.get("/api/log/bug")
    assert (answer.status_code, answer.json()) == (
        500, {"success": False, "code": "internal_error", "message": "internal error"},
    )  # fmt: skip


async def test_a_path_without_owner_is_404() -> None:
    async with console() as (_, caller):
        answer = await caller.get("/api/nothing")
    assert (answer.status_code, answer.json()) == (
        404, {"success": False, "code": "not_found", "message": "no such path"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        b"/api/token/\xff", b"/api/token/%ff", b"/api/token/%00", b"/api/token/\x00", b"/api/token/../user",
        b"/api/token/%2e%2e/user", b"/api/guardrail%2fmatch", b"/api/token/#x", b"/api/token/" + b"a" * 70_000,
        b"*", b"http://x/api/token",
    ],
    ids=lambda path: repr(path[:24]),
)  # fmt: skip
async def test_hostile_paths_are_404(path: bytes) -> None:
    async with console() as (app, _):
        assert await raw_status(app, path) == 404


@pytest.mark.parametrize("path", [b"/api/token/%", b"/api/token/%zz", b"/api/token//x", b"/api/token/a b\xc3\xa9"])
async def test_odd_but_plain_paths_reach_their_owner(path: bytes) -> None:
    async with console() as (app, _):
        assert await raw_status(app, path) == 200


async def test_a_caller_who_leaves_mid_body_reaches_no_service() -> None:
    asked: list[str] = []

    def record(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={})

    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    async with console(auth=httpx.MockTransport(record)) as (app, _):
        asked.clear()
        await app.asgi({**get_scope(b"/api/token"), "method": "POST"}, receive, send)
    assert (asked, sent) == ([], [])
