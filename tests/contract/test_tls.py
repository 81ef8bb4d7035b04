"""Mutual TLS between services: a stranger is refused, and rotated certificates are taken up without a restart."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
import sqlalchemy as sa
from grpc_health.v1 import health_pb2, health_pb2_grpc

from orca.relay.v1 import relay_pb2, relay_pb2_grpc
from services.allinone.hosting import HttpServer, address, listen
from services.common.errors import RpcUnavailable, Unavailable
from services.common.rpc import GrpcServer, call
from services.common.rpc.tls import CHECK_S, RotatingChannel, TlsFiles
from services.common.storage import Database
from tests.support.certificates import Authority, Files
from tests.support.postgres import Postgres


class Judge(relay_pb2_grpc.RelayServiceServicer):
    """Answers with the caller's text."""

    async def Judge(self, request: relay_pb2.JudgeRequest, context: Any) -> relay_pb2.JudgeResponse:
        return relay_pb2.JudgeResponse(text=request.text)


def tls(files: Files) -> TlsFiles:
    return TlsFiles(files.cert, files.key, files.ca)


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def server(authority: Authority, tmp_path: Path) -> AsyncIterator[str]:
    running = GrpcServer("127.0.0.1:0", tls(authority.issue(tmp_path / "server")).server_credentials())
    relay_pb2_grpc.add_RelayServiceServicer_to_server(Judge(), running)
    await running.start()
    yield f"ipv4:127.0.0.1:{running.port}"
    await running.stop(0)


async def judge(channel: Any) -> str:
    stub = relay_pb2_grpc.RelayServiceStub(channel)
    answer = await call(stub.Judge, relay_pb2.JudgeRequest(text="hi"), timeout_s=5)
    return str(answer.text)


async def test_services_of_one_authority_speak(server: str, authority: Authority, tmp_path: Path) -> None:
    channel = RotatingChannel(server, tls(authority.issue(tmp_path / "client")))
    assert await judge(channel) == "hi"
    await channel.close(None)


async def test_a_stranger_is_refused(server: str, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority().issue(tmp_path / "stranger")
    ours = authority.issue(tmp_path / "client")
    # It trusts our server, but nobody we trust has signed it.
    files = TlsFiles(stranger.cert, stranger.key, ours.ca)
    anonymous = grpc.aio.secure_channel(server, grpc.ssl_channel_credentials(ours.ca.read_bytes()))
    for channel in (RotatingChannel(server, files), anonymous, grpc.aio.insecure_channel(server)):
        with pytest.raises(RpcUnavailable):
            await judge(channel)
        await channel.close(None)


async def test_both_sides_follow_a_rotation_to_another_authority(tmp_path: Path) -> None:
    old, new = Authority(), Authority()
    served, calling = old.issue(tmp_path / "server"), old.issue(tmp_path / "client")
    running = GrpcServer("127.0.0.1:0", tls(served).server_credentials())
    relay_pb2_grpc.add_RelayServiceServicer_to_server(Judge(), running)
    await running.start()
    now = [0.0]
    channel = RotatingChannel(f"ipv4:127.0.0.1:{running.port}", tls(calling), lambda: now[0])
    stub = relay_pb2_grpc.RelayServiceStub(channel)
    request = relay_pb2.JudgeRequest(text="hi")
    assert (await call(stub.Judge, request, timeout_s=5)).text == "hi"
    new.issue(tmp_path / "server")
    new.issue(tmp_path / "client")
    now[0] += CHECK_S
    # The stub was made before the rotation, as the services' are.
    assert (await call(stub.Judge, request, timeout_s=5)).text == "hi"
    latecomer = RotatingChannel(f"ipv4:127.0.0.1:{running.port}", tls(old.issue(tmp_path / "late")))
    with pytest.raises(RpcUnavailable):
        await judge(latecomer)
    await latecomer.close()
    await channel.close(None)
    await running.stop(0)


async def test_management_http_demands_a_certificate_too(authority: Authority, tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sock = listen("127.0.0.1:0", "ORCA_HTTP_BIND")
    server = HttpServer(app, sock, grace_s=1, tls=tls(authority.issue(tmp_path / "server")))
    await server.start()
    url = f"https://{address(sock)}/"
    ours = tls(authority.issue(tmp_path / "client"))
    async with httpx.AsyncClient(verify=ours.context(ssl.Purpose.SERVER_AUTH)) as client:
        assert (await client.get(url)).status_code == 204
    async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(ours.ca))) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(url)
    await server.stop()


async def test_the_health_protocol_says_when_a_server_serves() -> None:
    running = GrpcServer("127.0.0.1:0")
    await running.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await running.stop(0)


async def test_a_list_of_addresses_is_verified_too(server: str, authority: Authority, tmp_path: Path) -> None:
    second = GrpcServer("127.0.0.1:0", tls(authority.issue(tmp_path / "second")).server_credentials())
    relay_pb2_grpc.add_RelayServiceServicer_to_server(Judge(), second)
    await second.start()
    channel = RotatingChannel(f"{server},127.0.0.1:{second.port}", tls(authority.issue(tmp_path / "client")))
    assert [await judge(channel) for _ in range(4)] == ["hi"] * 4
    await channel.close(None)
    await second.stop(0)


async def answers(url: str) -> bool:
    """Whether a service can open its database, and over TLS."""
    database = await Database.open(url, service="demo")
    try:
        async with database.read() as conn:
            query = sa.text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            return bool((await conn.execute(query)).scalar_one())
    finally:
        await database.close()


async def test_a_database_url_says_how_to_encrypt(tmp_path: Path) -> None:
    """`sslmode` and `sslrootcert` mean what PostgreSQL's own tools mean by them."""
    ours, stranger = Authority().issue(tmp_path / "ours"), Authority().issue(tmp_path / "stranger")
    server = Postgres(tmp_path / "postgres").start((ours.cert, ours.key))
    try:
        url = server.create_database("demo")
        assert await answers(f"{url}?sslmode=disable") is False
        assert await answers(f"{url}?sslmode=require") is True
        for mode in ("verify-ca", "verify-full"):
            assert await answers(f"{url}?sslmode={mode}&sslrootcert={ours.ca}") is True
            with pytest.raises(Unavailable):
                await answers(f"{url}?sslmode={mode}&sslrootcert={stranger.ca}")
        with pytest.raises(ValueError, match="sslmode 'verify_full' is not one of PostgreSQL's"):
            await answers(f"{url}?sslmode=verify_full")
    finally:
        server.stop()
