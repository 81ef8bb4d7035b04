"""One contract over both transports: a stub cannot tell loopback from grpc.aio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from orca.auth.v1 import auth_pb2, auth_pb2_grpc
from services.common.errors import Conflict, NotFound, OrcaError, RpcDeadline, RpcUnavailable, TooMany
from services.common.rpc import GrpcServer, LoopbackChannel, LoopbackServer, call, channel_to


class Servicer(auth_pb2_grpc.AuthServiceServicer):
    """Behaviour chosen by the request."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.metadata: dict[str, str] = {}

    async def Authenticate(self, request: Any, context: Any) -> Any:
        self.metadata = dict(context.invocation_metadata())
        match request.authorization:
            case "not-found":
                raise NotFound("no such workspace", param="workspace_id")
            case "too-many":
                raise TooMany("slow down", retry_after_s=3.5)
            case "odd":
                raise Conflict("käse", code="odd_code")
            case "bug":
                raise RuntimeError("secret text")
            case "slow":
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
        return auth_pb2.AuthenticateResponse(user_id=request.session)

    async def WatchKeys(self, request_iterator: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in request_iterator:
            if request.replica_id == "fail":
                raise NotFound("gone")
            for step in range(2):
                yield auth_pb2.WatchKeysResponse(revision=request.applied_revision * 10 + step)


@pytest.fixture(params=["loopback", "grpc"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Any, Servicer]]:
    servicer = Servicer()
    if request.param == "loopback":
        loopback = LoopbackServer()
        auth_pb2_grpc.add_AuthServiceServicer_to_server(servicer, loopback)
        yield auth_pb2_grpc.AuthServiceStub(LoopbackChannel(loopback)), servicer
        return
    server = GrpcServer("127.0.0.1:0")
    auth_pb2_grpc.add_AuthServiceServicer_to_server(servicer, server)
    await server.start()
    channel = channel_to(f"127.0.0.1:{server.port}")
    yield auth_pb2_grpc.AuthServiceStub(channel), servicer
    await channel.close(None)
    await server.stop(0)


def ask(authorization: str = "", session: str = "") -> Any:
    return auth_pb2.AuthenticateRequest(authorization=authorization, session=session)


async def test_unary_answers_and_carries_metadata(transport: tuple[Any, Servicer]) -> None:
    stub, servicer = transport
    answer = await call(stub.Authenticate, ask(session="ü"), timeout_s=5, metadata=(("x-request", "r1"),))
    assert answer.user_id == "ü"
    assert servicer.metadata["x-request"] == "r1"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("not-found", ("not_found", 404, "workspace_id", None, "no such workspace")),
        ("too-many", ("rate_limit_exceeded", 429, None, 3.5, "slow down")),
        ("odd", ("odd_code", 409, None, None, "käse")),
        ("bug", ("internal_error", 500, None, None, "a service failed")),
    ],
)
async def test_errors_arrive_as_they_were_raised(transport: tuple[Any, Servicer], kind: str, expected: Any) -> None:
    stub, _ = transport
    with pytest.raises(OrcaError) as caught:
        await call(stub.Authenticate, ask(kind), timeout_s=5)
    error = caught.value
    assert (error.code, error.status, error.param, error.retry_after_s, error.message) == expected


async def test_a_deadline_ends_the_call_and_cancels_the_handler(transport: tuple[Any, Servicer]) -> None:
    stub, servicer = transport
    with pytest.raises(RpcDeadline):
        await call(stub.Authenticate, ask("slow"), timeout_s=0.05)
    await asyncio.wait_for(servicer.cancelled.wait(), 5)


async def test_cancelling_the_caller_cancels_the_handler(transport: tuple[Any, Servicer]) -> None:
    stub, servicer = transport
    task = asyncio.create_task(call(stub.Authenticate, ask("slow"), timeout_s=30))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(servicer.cancelled.wait(), 5)


async def test_a_stream_keeps_order_both_ways(transport: tuple[Any, Servicer]) -> None:
    stub, _ = transport
    stream = stub.WatchKeys()
    seen = []
    for number in (1, 2):
        await stream.write(auth_pb2.WatchKeysRequest(applied_revision=number))
        seen += [(await stream.read()).revision, (await stream.read()).revision]
    await stream.done_writing()
    assert seen == [10, 11, 20, 21]
    assert await stream.read() is grpc.aio.EOF  # type: ignore[attr-defined]


async def test_a_stream_fails_with_its_error(transport: tuple[Any, Servicer]) -> None:
    stub, _ = transport
    stream = stub.WatchKeys()
    await stream.write(auth_pb2.WatchKeysRequest(replica_id="fail"))
    with pytest.raises(grpc.RpcError) as caught:
        await stream.read()
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_stream_can_be_cancelled(transport: tuple[Any, Servicer]) -> None:
    stub, _ = transport
    stream = stub.WatchKeys()
    await stream.write(auth_pb2.WatchKeysRequest(applied_revision=1))
    await stream.read()
    assert stream.cancel()


async def test_an_unreachable_server_is_unavailable() -> None:
    loopback = LoopbackServer()
    auth_pb2_grpc.add_AuthServiceServicer_to_server(Servicer(), loopback)
    loopback.close()
    channel = channel_to("127.0.0.1:1")
    for stub in (
        auth_pb2_grpc.AuthServiceStub(LoopbackChannel(loopback)),
        auth_pb2_grpc.AuthServiceStub(channel),
    ):
        with pytest.raises(RpcUnavailable):
            await call(stub.Authenticate, ask(), timeout_s=5)
    await channel.close(None)


async def test_connections_that_come_of_age_cost_no_call() -> None:
    server = GrpcServer("127.0.0.1:0", age_s=0.05)
    auth_pb2_grpc.add_AuthServiceServicer_to_server(Servicer(), server)
    await server.start()
    channel = channel_to(f"127.0.0.1:{server.port}")
    stub = auth_pb2_grpc.AuthServiceStub(channel)
    begun = asyncio.get_running_loop().time()
    answers = set()
    while asyncio.get_running_loop().time() - begun < 0.5:
        asked = [call(stub.Authenticate, ask(session="s"), timeout_s=10) for _ in range(8)]
        answers |= {answer.user_id for answer in await asyncio.gather(*asked)}
    assert answers == {"s"}
    await channel.close(None)
    await server.stop(0)


async def test_a_port_that_is_taken_is_refused() -> None:
    server = GrpcServer("127.0.0.1:0")
    with pytest.raises(RuntimeError):
        GrpcServer(f"127.0.0.1:{server.port}")
    await server.stop(0)
