"""gRPC without a socket: the embedded profile's transport.

Messages are serialised and parsed, deadlines enforced, errors mapped and cancellation propagated as
`grpc.aio` does; one contract suite runs against both. A unary handler runs in its caller's task, so that a
call costs two serialisations, no task switch, and a timer only where the handler waits for something.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NoReturn

import grpc
import grpc.aio
from grpc.aio import AbortError, AioRpcError, Metadata

from services.common.rpc.server import mapped
from services.common.waiting import within

EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]

_QUEUE_MAX = 64


class LoopbackContext:
    """The part of `grpc.aio.ServicerContext` that servicers use."""

    def __init__(self, metadata: Sequence[tuple[str, str]], deadline_s: float | None) -> None:
        self._metadata = tuple(metadata)
        self._deadline_s = deadline_s
        self.status: tuple[grpc.StatusCode, str] | None = None
        self.trailing: tuple[tuple[str, str], ...] = ()

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Sequence[tuple[str, str]] = ()
    ) -> NoReturn:
        """Ends the call with a status."""
        self.status = (code, details)
        self.trailing = tuple(trailing_metadata)
        raise AbortError

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """What the caller sent."""
        return self._metadata

    def set_trailing_metadata(self, metadata: Sequence[tuple[str, str]]) -> None:
        """Sent with the status."""
        self.trailing = tuple(metadata)

    def time_remaining(self) -> float | None:
        """Seconds to the deadline, None without one."""
        if self._deadline_s is None:
            return None
        return max(0.0, self._deadline_s - asyncio.get_running_loop().time())

    def peer(self) -> str:
        """Where the call came from."""
        return "loopback"

    def error(self) -> AioRpcError:
        """The caller's view of an aborted call."""
        code, details = self.status or (grpc.StatusCode.UNKNOWN, "")
        return _rpc_error(code, details, self.trailing)


def _rpc_error(code: grpc.StatusCode, details: str, trailing: Sequence[tuple[str, str]] = ()) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(*trailing), details, None)


def _deadline_error() -> AioRpcError:
    return _rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else asyncio.get_running_loop().time() + timeout


class LoopbackServer:
    """Holds the handlers of one service; `close` makes it unreachable, as a stopped process would be."""

    def __init__(self) -> None:
        self._handlers: dict[str, Any] = {}
        self._open = True

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[Any]) -> None:
        """Generated code registers its methods a second time by service; only that one is used."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Registers a service with mapped behaviours."""
        for name, handler in method_handlers.items():
            self._handlers[f"/{service_name}/{name}"] = mapped(handler, f"{service_name}/{name}")

    def close(self) -> None:
        """Later calls fail as UNAVAILABLE."""
        self._open = False

    def open(self) -> None:
        """Serves again after `close`."""
        self._open = True

    def handler(self, method: str) -> Any:
        """The handler of a method; raises what a caller of a dead or older server sees."""
        if not self._open:
            raise _rpc_error(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses")
        handler = self._handlers.get(method)
        if handler is None:
            raise _rpc_error(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        return handler


class _StreamCall:
    """A running streaming call: async iterable of responses, cancellable."""

    def __init__(
        self,
        server: LoopbackServer,
        method: str,
        requests: AsyncIterator[bytes] | bytes,
        deserialize: Callable[[bytes], Any],
        timeout: float | None,
        metadata: Sequence[tuple[str, str]],
    ) -> None:
        self._responses: asyncio.Queue[bytes | AioRpcError | None] = asyncio.Queue(_QUEUE_MAX)
        self._deserialize = deserialize
        self._ended: AioRpcError | bool = False
        self._task = asyncio.ensure_future(self._run(server, method, requests, timeout, metadata))

    async def _run(
        self,
        server: LoopbackServer,
        method: str,
        requests: AsyncIterator[bytes] | bytes,
        timeout: float | None,
        metadata: Sequence[tuple[str, str]],
    ) -> None:
        context = LoopbackContext(metadata, _deadline(timeout))
        end: AioRpcError | None = None
        try:
            async with asyncio.timeout(timeout):
                await self._drive(server.handler(method), requests, context)
        except AbortError:
            end = context.error()
        except TimeoutError:
            end = _deadline_error()
        except AioRpcError as error:
            end = error
        except asyncio.CancelledError:
            end = _rpc_error(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
            while self._responses.full():
                self._responses.get_nowait()
            self._responses.put_nowait(end)
            raise
        await self._responses.put(end)

    async def _drive(self, handler: Any, requests: AsyncIterator[bytes] | bytes, context: LoopbackContext) -> None:
        if isinstance(requests, bytes):
            responses = handler.unary_stream(handler.request_deserializer(requests), context)
        else:
            responses = handler.stream_stream(_parsed(requests, handler.request_deserializer), context)
        async for response in responses:
            await self._responses.put(handler.response_serializer(response))

    def __aiter__(self) -> _StreamCall:
        return self

    async def __anext__(self) -> Any:
        response = await self.read()
        if response is EOF:
            raise StopAsyncIteration
        return response

    async def read(self) -> Any:
        """Next response, or EOF. Raises AioRpcError."""
        if self._ended:
            if isinstance(self._ended, AioRpcError):
                raise self._ended
            return EOF
        item = await self._responses.get()
        if isinstance(item, bytes):
            return self._deserialize(item)
        self._ended = item or True
        if item is not None:
            raise item
        return EOF

    def cancel(self) -> bool:
        """Stops the call; the handler sees CancelledError."""
        return self._task.cancel()

    def done(self) -> bool:
        """The handler has ended."""
        return self._task.done()


class _BidiCall(_StreamCall):
    """Bidirectional call: `write`/`done_writing` or a request iterator."""

    def __init__(
        self,
        server: LoopbackServer,
        method: str,
        requests: AsyncIterable[Any] | None,
        serialize: Callable[[Any], bytes],
        deserialize: Callable[[bytes], Any],
        timeout: float | None,
        metadata: Sequence[tuple[str, str]],
    ) -> None:
        self._serialize = serialize
        self._requests: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE_MAX)
        source = self._queued() if requests is None else _serialized(requests, serialize)
        super().__init__(server, method, source, deserialize, timeout, metadata)

    async def _queued(self) -> AsyncIterator[bytes]:
        while (item := await self._requests.get()) is not None:
            yield item

    async def write(self, request: Any) -> None:
        """Sends one request; raises when the call has ended."""
        if self._task.done():
            raise asyncio.InvalidStateError("the call has ended")
        await self._requests.put(self._serialize(request))

    async def done_writing(self) -> None:
        """No more requests."""
        if not self._task.done():
            await self._requests.put(None)


async def _serialized(requests: AsyncIterable[Any], serialize: Callable[[Any], bytes]) -> AsyncIterator[bytes]:
    async for request in requests:
        yield serialize(request)


async def _parsed(requests: AsyncIterator[bytes], deserialize: Callable[[bytes], Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield deserialize(request)


class LoopbackChannel:
    """A channel into a LoopbackServer, for generated stubs."""

    def __init__(self, server: LoopbackServer) -> None:
        self._server = server

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        _registered_method: bool = False,
    ) -> Callable[..., Any]:
        """A callable that returns the response or raises AioRpcError."""
        server = self._server

        async def invoke(
            request: Any, *, timeout: float | None = None, metadata: Sequence[tuple[str, str]] | None = None
        ) -> Any:
            handler = server.handler(method)
            context = LoopbackContext(metadata or (), _deadline(timeout))
            parsed = handler.request_deserializer(request_serializer(request))
            try:
                response = await within(timeout, handler.unary_unary(parsed, context))
            except AbortError:
                raise context.error() from None
            except TimeoutError:
                raise _deadline_error() from None
            return response_deserializer(handler.response_serializer(response))

        return invoke

    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        _registered_method: bool = False,
    ) -> Callable[..., _StreamCall]:
        """A callable that returns a running call."""

        def invoke(
            request: Any, *, timeout: float | None = None, metadata: Sequence[tuple[str, str]] | None = None
        ) -> _StreamCall:
            return _StreamCall(
                self._server, method, request_serializer(request), response_deserializer, timeout, metadata or ()
            )

        return invoke

    def stream_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        _registered_method: bool = False,
    ) -> Callable[..., _BidiCall]:
        """A callable that returns a running call."""

        def invoke(
            request_iterator: AsyncIterable[Any] | None = None,
            *,
            timeout: float | None = None,
            metadata: Sequence[tuple[str, str]] | None = None,
        ) -> _BidiCall:
            return _BidiCall(
                self._server,
                method,
                request_iterator,
                request_serializer,
                response_deserializer,
                timeout,
                metadata or (),
            )

        return invoke

    async def close(self, grace: float | None = None) -> None:
        """Nothing to close."""
