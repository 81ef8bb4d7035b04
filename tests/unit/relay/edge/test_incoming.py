"""Reading a request: whole, too large, cut, and never finished."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from services.common.bodies import BodyRoom
from services.common.errors import OrcaError
from services.relay.edge.incoming import ClientGone, Incoming


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def incoming(*messages: dict[str, Any], length: str = "") -> Incoming:
    """A request whose messages come at once; after them nothing comes any more."""
    left: Iterator[dict[str, Any]] = iter(messages)

    async def receive() -> dict[str, Any]:
        message = next(left, None)
        return message if message is not None else await asyncio.get_running_loop().create_future()

    headers = [(b"content-length", length.encode())] if length else []
    return Incoming({"headers": headers, "client": ("127.0.0.1", 1)}, receive, BodyRoom(1 << 30).enter())


async def test_a_body_comes_whole_or_in_parts() -> None:
    assert await incoming(part(b"abc", more=False)).body(3, "key_1") == b"abc"
    assert await incoming(part(b"ab", more=True), part(b"c", more=False)).body(3, "key_1") == b"abc"


@pytest.mark.parametrize(
    ("messages", "length", "refusal"),
    [
        ([], "4", (413, "request_too_large")),
        ([part(b"abcd", more=False)], "", (413, "request_too_large")),
        ([part(b"ab", more=True), part(b"cd", more=True)], "", (413, "request_too_large")),
        ([], "3", (408, "request_timeout")),
        ([part(b"ab", more=True)], "3", (408, "request_timeout")),
    ],
)
async def test_what_is_too_large_or_does_not_come_is_refused(
    messages: list[dict[str, Any]], length: str, refusal: tuple[int, str]
) -> None:
    with pytest.raises(OrcaError) as refused:
        await incoming(*messages, length=length).body(3, "key_1", timeout_s=0.01)
    assert (refused.value.status, refused.value.code) == refusal


async def test_a_client_that_leaves_before_its_end_is_gone() -> None:
    with pytest.raises(ClientGone):
        await incoming(part(b"a", more=True), {"type": "http.disconnect"}).body(3, "key_1")
