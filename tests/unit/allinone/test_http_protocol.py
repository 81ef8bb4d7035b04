"""Bounds of a connection: heads that are too large, too many, too late; requests that never end; all others pass."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.allinone import http_protocol
from services.allinone.hosting import HttpServer, address, listen
from services.allinone.http_protocol import HEAD_MAX_BYTES, HEADERS_MAX, BoundedProtocol
from services.relay.edge.reply import error_body

PATIENCE_S = 10
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def sizes(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the size of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def target() -> AsyncIterator[tuple[str, int]]:
    sock = listen("127.0.0.1:0", "ORCA_HTTP_BIND")
    server = HttpServer(sizes, sock, grace_s=1, error_body=error_body)
    await server.start()
    host, _, port = address(sock).rpartition(":")
    yield host, int(port)
    await server.stop()


async def answered(target: tuple[str, int], *pieces: bytes) -> bytes:
    """What came until the server closed the connection, for pieces that arrive one by one."""
    reader, writer = await asyncio.open_connection(*target)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


@pytest.mark.parametrize(
    "pieces",
    [
        (GET + b"X-Long: " + b"a" * HEAD_MAX_BYTES + b"\r\n\r\n",),
        (GET, b"".join(b"X-%d: a\r\n" % number for number in range(HEADERS_MAX)) + b"\r\n"),
        (b"GET /" + b"a" * HEAD_MAX_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n",),
        (GET, b"X-Endless: ", *[b"a" * 100_000] * 10),
    ],
    ids=["one long header", "many headers", "a long target", "a header without end"],
)
async def test_a_head_that_is_too_large_is_431_and_ends_the_connection(
    target: tuple[str, int], pieces: tuple[bytes, ...]
) -> None:
    answer = await answered(target, *pieces)
    # Closed while more was under way, the answer itself may be lost.
    assert answer.startswith(b"HTTP/1.1 431 ") or answer == b"reset"


async def test_a_head_that_does_not_come_is_408(target: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "head_timeout_s", 0.05)
    assert (await answered(target)).startswith(b"HTTP/1.1 408 ")
    assert (await answered(target, GET)).startswith(b"HTTP/1.1 408 ")
    first, _, late = (await answered(target, GET + b"\r\n" + GET)).partition(b"HTTP/1.1 408 ")
    assert (first[:15], bool(late)) == (b"HTTP/1.1 200 OK", True)


async def test_a_request_beyond_every_limit_is_cut(target: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "REQUEST_MAX_BYTES", 500_000)
    trailer = (POST, b"3\r\nabc\r\n0\r\nX-Trailer: ", *[b"a" * 100_000] * 12)
    assert not (await answered(target, *trailer)).startswith(b"HTTP/1.1 200")


async def test_large_bodies_and_pipelined_requests_pass(target: tuple[str, int]) -> None:
    size = 4 * HEAD_MAX_BYTES
    one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size
    last = GET + b"Connection: close\r\n\r\n"
    answers = await answered(target, one + one[:500], one[500:] + one, last)
    assert answers.count(b"HTTP/1.1 200 OK") == 4
    assert answers.count(b"\r\n\r\n%d" % size) == 3


@pytest.mark.parametrize(
    ("pieces", "status", "code"),
    [
        ((b"\x16\x03\x01\r\n\r\n",), 400, "invalid_request_error"),
        ((b"GET / HTTP/1.1\r\nno colon\r\n\r\n",), 400, "invalid_request_error"),
        ((b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",), 400, "invalid_request_error"),
        ((POST, b"3\r\nabc\r\n", b"no size\r\n"), 400, "invalid_request_error"),
        ((b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",), 400, "invalid_request_error"),
        ((GET + b"X-Long: " + b"a" * HEAD_MAX_BYTES + b"\r\n\r\n",), 431, "headers_too_large"),
        ((GET,), 408, "request_timeout"),
    ],
    ids=[
        "no HTTP",
        "a header without colon",
        "two lengths",
        "a broken chunk",
        "a version to come",
        "too large",
        "too late",
    ],
)
async def test_a_request_that_no_app_sees_is_refused_in_the_planes_shape(
    target: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
    pieces: tuple[bytes, ...],
    status: int,
    code: str,
) -> None:
    if status == 408:
        monkeypatch.setattr(BoundedProtocol, "head_timeout_s", 0.05)
    head, _, body = (await answered(target, *pieces)).partition(b"\r\n\r\n")
    line, *raw = head.decode().split("\r\n")
    headers = dict(one.split(": ", 1) for one in raw)
    assert line.split(" ")[:2] == ["HTTP/1.1", str(status)]
    assert headers.pop("x-orca-request-id").startswith("req_")
    assert headers == {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    told = json.loads(body)["error"]
    assert told.pop("message")
    assert told == {"type": "invalid_request_error", "param": None, "code": code}


async def test_an_answer_that_is_not_read_ends_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "unread_timeout_s", 0.05)
    left = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            for _ in range(256):
                await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
        left.set()

    sock = listen("127.0.0.1:0", "ORCA_HTTP_BIND")
    server = HttpServer(endless, sock, grace_s=1, error_body=error_body)
    await server.start()
    _, writer = await asyncio.open_connection(*address(sock).rsplit(":", 1))
    writer.write(GET + b"\r\n")
    async with asyncio.timeout(PATIENCE_S):
        await left.wait()
    writer.close()
    await server.stop()


async def test_an_answer_that_is_read_slowly_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "unread_timeout_s", 0.001)
    monkeypatch.setattr(http_protocol, "LEAST_READ_BYTES", 0)
    size = 16 * 1024 * 1024

    async def large(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"connection", b"close"), (b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(size)})

    sock = listen("127.0.0.1:0", "ORCA_HTTP_BIND")
    server = HttpServer(large, sock, grace_s=1, error_body=error_body)
    await server.start()
    reader, writer = await asyncio.open_connection(*address(sock).rsplit(":", 1), limit=65536)
    writer.write(GET + b"\r\n")
    await reader.readuntil(b"\r\n\r\n")
    received = 0
    while data := await reader.read(1024 * 1024):
        received += len(data)
        await asyncio.sleep(0)
    writer.close()
    await server.stop()
    assert received == size


async def test_what_breaks_behind_a_request_is_no_answer_to_it(target: tuple[str, int]) -> None:
    whole = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    garbage = b"\x16\x03\x01\r\n\r\n"
    # A complete request may have been acted on: its connection is cut.
    assert await answered(target, whole + garbage) == b""
    assert await answered(target, whole + whole + garbage) == b""
    last = whole.replace(b"Host: x", b"Connection: close")
    assert (await answered(target, last + garbage)).startswith(b"HTTP/1.1 200 ")
    assert await answered(target, whole + POST + b"no size\r\n") == b""
