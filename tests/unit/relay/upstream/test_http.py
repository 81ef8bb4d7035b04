"""The HTTP client of the relay against servers that speak, break and hold back bytes as told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.common.networks import parse_networks
from services.relay.upstream import connection as wire
from services.relay.upstream import http
from services.relay.upstream.http import HttpUpstream
from services.relay.upstream.port import Interrupted, NotSent, Target
from tests.support.tls import contexts

LOOPBACK = parse_networks("127.0.0.0/8,::1/128")
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


class Provider:
    """Reads whole requests and answers each with the next of `answers`; None closes the connection without one."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self.came, self.left = asyncio.Event(), asyncio.Event()
        self.base_url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                self.came.set()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    return
                writer.write(answer)
                if b"close" in answer:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()


@asynccontextmanager
async def served(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}/v1"
    finally:
        server.close()


@asynccontextmanager
async def asked(*answers: bytes | None) -> AsyncIterator[tuple[HttpUpstream, Provider]]:
    provider, upstream = Provider(*answers), HttpUpstream(LOOPBACK)
    async with served(provider.serve) as provider.base_url:
        yield upstream, provider
        await upstream.close()


def target(provider: Provider | str, *, api_key: str = "sk-up", total_s: float = 5.0, idle_s: float = 5.0) -> Target:
    return Target(provider if isinstance(provider, str) else provider.base_url, api_key, total_s, idle_s)


def sized(body: bytes, head: bytes = OK) -> bytes:
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


async def broken(upstream: HttpUpstream, to: Target) -> tuple[str, bool]:
    """How sending, or reading the answer, was interrupted."""
    with pytest.raises(Interrupted) as caught:
        await (await upstream.send(to, b"{}")).read()
    return str(caught.value), caught.value.timed_out


async def test_the_request_is_exact() -> None:
    async with asked(sized(b"{}")) as (upstream, provider):
        answer = await upstream.send(target(provider.base_url + "/"), b'{"a":1}')
        assert (answer.status, answer.event_stream, await answer.read()) == (200, False, b"{}")
        host = provider.base_url.removeprefix("http://").removesuffix("/v1")
        assert provider.requests == [
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            "Accept-Encoding: identity\r\nUser-Agent: orca-relay\r\nAuthorization: Bearer sk-up\r\n"
            'Content-Length: 7\r\n\r\n{"a":1}'.encode()
        ]


async def test_a_channel_without_a_credential_sends_none() -> None:
    async with asked(sized(b"{}")) as (upstream, provider):
        await (await upstream.send(target(provider, api_key=""), b"{}")).read()
        assert b"uthorization" not in provider.requests[0]


async def test_connections_are_kept_between_answers_and_shared_by_channels_of_one_origin() -> None:
    async with asked(sized(b"one")) as (upstream, provider):
        for key in ("sk-a", "sk-b", "sk-a"):
            assert await (await upstream.send(target(provider, api_key=key), b"{}")).read() == b"one"
        await asyncio.gather(*[upstream.send(target(provider), b"{}") for _ in range(3)])
        assert (provider.connections, len(provider.requests)) == (3, 6)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"transfer-encoding: chunked\r\n\r\n4\r\nab\r\n\r\n3\r\ncde\r\n0\r\n\r\n",
        sized(b"ab\r\ncde"),
        OK + b"connection: close\r\n\r\nab\r\ncde",
        b"HTTP/1.0 200 OK\r\nx: close\r\n\r\nab\r\ncde",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + sized(b"ab\r\ncde"),
        sized(b"ab\r\ncde", OK + b"content-encoding: identity\r\n"),
    ],
    ids=["chunked", "sized", "to the end", "HTTP/1.0", "after interim answers", "identity"],
)
async def test_every_way_to_frame_a_body(answer: bytes) -> None:
    async with asked(answer) as (upstream, provider):
        for _ in range(2):
            got = await upstream.send(target(provider), b"{}")
            assert (got.status, await got.read()) == (200, b"ab\r\ncde")


@pytest.mark.parametrize("status", [204, 302, 400, 429, 503])
async def test_a_status_is_passed_on_and_no_redirect_followed(status: int) -> None:
    head = b"HTTP/1.1 %d X\r\nlocation: http://127.0.0.1:1/\r\n" % status
    async with asked(sized(b"" if status == 204 else b"why", head)) as (upstream, provider):
        answer = await upstream.send(target(provider), b"{}")
        assert (answer.status, await answer.read()) == (status, b"" if status == 204 else b"why")
        assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "broke (ended early)"),
        (b"SSH-2.0-OpenSSH\r\n", "broke (not HTTP)"),
        (OK + b"content-length: 9\r\nx: close\r\n\r\nhalf", "broke (ended early)"),
        (OK + b"transfer-encoding: chunked\r\nx: close\r\n\r\n9\r\nhalf", "broke (ended early)"),
        (OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n", "broke (not HTTP)"),
        (OK + b"x: " + b"y" * wire.HEAD_BYTES_MAX, "broke (the head is too large)"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "broke (it changed its protocol)"),
        (sized(b"x", OK + b"content-encoding: gzip\r\n"), "compressed its answer"),
    ],
    ids=["nothing", "no HTTP", "cut", "cut chunk", "bad chunk", "long head", "upgrade", "compressed"],
)
async def test_what_is_no_whole_answer_is_an_interruption(answer: bytes | None, message: str) -> None:
    async with asked(answer) as (upstream, provider):
        text, timed_out = await broken(upstream, target(provider))
        assert message in text
        assert not timed_out


async def test_an_answer_beyond_the_bound_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_ANSWER_BYTES", 1000)
    async with asked(sized(b"x" * 1001)) as (upstream, provider):
        assert await broken(upstream, target(provider)) == ("the provider's answer is too large", False)


async def test_a_second_answer_is_never_taken_for_the_next_request() -> None:
    async with asked(sized(b"first") + sized(b"smuggled"), sized(b"second")) as (upstream, provider):
        assert await (await upstream.send(target(provider), b"{}")).read() == b"first"
        assert await (await upstream.send(target(provider), b"{}")).read() == b"second"
        assert provider.connections == 2


@pytest.mark.parametrize(("total_s", "idle_s"), [(5.0, 0.05), (0.05, 5.0)], ids=["idle", "total"])
@pytest.mark.parametrize("answer", [b"", OK + b"content-length: 9\r\n\r\nhalf"], ids=["head", "body"])
async def test_a_silent_provider_is_timed_out(answer: bytes, total_s: float, idle_s: float) -> None:
    async with asked(answer) as (upstream, provider):
        to = target(provider, total_s=total_s, idle_s=idle_s)
        assert await broken(upstream, to) == ("the provider did not answer in time", True)
        await provider.left.wait()


async def test_an_answer_that_goes_on_may_last_longer_than_its_idle_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(OK + b"content-length: 6\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(0.05)
            writer.write(b"x")
        writer.close()

    async with served(serve) as url:
        upstream = HttpUpstream(LOOPBACK)
        assert await (await upstream.send(target(url, idle_s=0.2), b"{}")).read() == b"x" * 6
        await upstream.close()


async def test_a_stream_comes_in_pieces_and_can_be_left() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=utf-8\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n6\r\ndata: \r\n")
        assert await reader.read() == b""
        left.set()
        writer.close()

    left = asyncio.Event()
    async with served(serve) as url:
        upstream = HttpUpstream(LOOPBACK)
        answer = await upstream.send(target(url), b"{}")
        assert answer.event_stream
        assert await anext(answer.chunks()) == b"data: "
        answer.abort()
        answer.abort()
        await left.wait()
        await upstream.close()


async def test_a_caller_that_is_cancelled_stops_the_provider() -> None:
    async with asked(b"") as (upstream, provider):
        sending = asyncio.create_task(upstream.send(target(provider), b"{}"))
        await provider.came.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await provider.left.wait()


async def test_a_caller_that_leaves_as_its_answer_ends_takes_no_other_request_along() -> None:
    """Its connection may carry the next request before the caller's own cancellation is delivered."""
    async with asked(sized(b"one"), sized(b"two")) as (upstream, provider):
        leaving = asyncio.create_task(upstream.send(target(provider), b"{}"))
        while not upstream._idle_count:  # noqa: ASYNC110 - to act in the turn in which the answer ends
            await asyncio.sleep(0)
        leaving.cancel()
        answer = await upstream.send(target(provider), b"{}")
        assert await answer.read() == b"two"
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert provider.connections == 1


async def test_a_slow_reader_holds_the_provider_back() -> None:
    size = 8 * 1024 * 1024
    written = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"{}")
        writer.write(OK + b"content-length: %d\r\n\r\n" % size)
        for _ in range(0, size, 65536):
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536
        writer.close()

    async with served(serve) as url:
        upstream = HttpUpstream(LOOPBACK)
        answer = await upstream.send(target(url, idle_s=0.2), b"{}")
        stalled_at = -1
        while written != stalled_at:
            stalled_at = written
            await asyncio.sleep(0.3)
        assert 0 < stalled_at < size
        # The silence was ours: it does not count against the provider.
        assert sum([len(part) async for part in answer.chunks()]) == size
        await upstream.close()


async def test_a_large_body_is_sent_whole() -> None:
    async with asked(sized(b"{}")) as (upstream, provider):
        body = bytes(range(256)) * 8192
        await (await upstream.send(target(provider), body)).read()
        assert provider.requests[0].endswith(b"\r\nContent-Length: 2097152\r\n\r\n" + body)


async def test_requests_beyond_the_bound_wait_for_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 2)
    async with asked(sized(b"x")) as (upstream, provider):

        async def one() -> bytes:
            return await (await upstream.send(target(provider), b"{}")).read()

        assert await asyncio.gather(*[one() for _ in range(20)]) == [b"x"] * 20
        assert provider.connections <= 2


async def test_idle_connections_are_closed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "KEEP_ALIVE_S", 0.02)
    monkeypatch.setattr(http, "SWEEP_SLACK_S", 0.01)
    async with asked(sized(b"x")) as (upstream, provider):
        await (await upstream.send(target(provider), b"{}")).read()
        await provider.left.wait()
        assert await (await upstream.send(target(provider), b"{}")).read() == b"x"
        assert provider.connections == 2


@pytest.mark.parametrize(
    "base_url",
    ["ftp://host/v1", "http://user:pw@127.0.0.1/v1", "http://", "http://[::1", "http://127.0.0.1:99999/v1", "nothing"],
)
async def test_what_is_no_address_is_not_sent(base_url: str) -> None:
    with pytest.raises(NotSent, match=r"^the channel's base URL"):
        await HttpUpstream(LOOPBACK).send(target(base_url), b"{}")


@pytest.mark.parametrize("secret", ["a\r\nx: y", "a\n", "a\0b"])
async def test_a_credential_adds_no_header(secret: str) -> None:
    async with asked(sized(b"x")) as (upstream, provider):
        with pytest.raises(NotSent, match="credential is malformed"):
            await upstream.send(target(provider, api_key=secret), b"{}")
        assert provider.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::ffff:10.0.0.1]"])
async def test_private_addresses_are_refused_unless_allowed(host: str) -> None:
    with pytest.raises(NotSent, match=r"^the provider cannot be reached \(AddressRefused\)$"):
        await HttpUpstream().send(target(f"http://{host}:9/v1"), b"{}")


async def test_a_closed_port_is_not_sent() -> None:
    async with asked(None) as (upstream, provider):
        pass
    with pytest.raises(NotSent, match=r"^the provider cannot be reached \(Connection"):
        await upstream.send(target(provider), b"{}")


async def test_a_name_with_a_dead_address_is_served_by_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asked(sized(b"x")) as (upstream, provider):

        async def resolve(host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
            assert host == "provider.test"
            return [{"host": "127.0.0.2"}, {"host": "127.0.0.1"}]

        monkeypatch.setattr(upstream._resolver, "resolve", resolve)
        url = provider.base_url.replace("127.0.0.1", "provider.test")
        answers = [await upstream.send(target(url), b"{}") for _ in range(3)]
        assert [await answer.read() for answer in answers] == [b"x"] * 3


async def test_certificates_are_checked(tmp_path: Path) -> None:
    provider = Provider(sized(b"sealed"))
    server, client = contexts(tmp_path)
    async with served(provider.serve, server) as url:
        trusting, careful = HttpUpstream(LOOPBACK, client), HttpUpstream(LOOPBACK)
        for _ in range(2):
            assert await (await trusting.send(target(url), b"{}")).read() == b"sealed"
        with pytest.raises(NotSent, match=r"^the provider cannot be reached \(SSLCertVerificationError\)$"):
            await careful.send(target(url), b"{}")
        assert provider.connections == 1
        await trusting.close()
