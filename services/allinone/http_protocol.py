"""Bounds of one HTTP connection that no app sees: how large a head may be, how long it may take, how long an answer
may wait for its reader.

The parser itself bounds neither, so that anybody could fill the memory or hold a connection open. A head that is too
large is 431, one that does not come is 408, what cannot be parsed 400; each ends the connection, as does a request
beyond every body's limit, and is told in the plane's own error shape with a request id. Requests that arrive whole, as
nearly all do, cost one sum over their headers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.common.errors import BadRequest, OrcaError
from services.common.ids import new_id

HEAD_MAX_BYTES = 64 * 1024
HEADERS_MAX = 200
HEAD_TIMEOUT_S = 60.0
REQUEST_MAX_BYTES = 128 * 1024 * 1024
"""Head, body, chunk sizes and trailers; above the largest body that a service can be configured to take."""
GATHERED_MAX_BYTES = 64 * 1024
UNREAD_TIMEOUT_S = 60.0
LEAST_READ_BYTES = 64 * 1024
"""A client reads so much of an answer in that time, or all that is waiting for it."""

ErrorBody = Callable[[OrcaError], Mapping[str, Any]]
"""An error in the shape of a plane."""


def _too_large(in_head: bool = True) -> OrcaError:
    if in_head:
        return OrcaError("the request's head is too large", code="headers_too_large", status=431)
    return OrcaError("the body is too large", code="too_large", status=413)


def _too_late() -> OrcaError:
    return OrcaError("the request's head did not come in time", code="request_timeout", status=408)


class _Gathered:
    """A transport that sends what is written in one turn of the event loop by one system call.

    uvicorn writes an answer's head and body apart, and the loop sends each at once: two of the three packets that a
    request cost, and the client woken twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sent at the end of the turn, or at once where much has gathered: what stalls must be seen to stall."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > GATHERED_MAX_BYTES:
            self._flush()

    def close(self) -> None:
        """Closes once everything is sent."""
        self._flush()
        self._transport.close()

    def get_write_buffer_size(self) -> int:
        """Bytes that are not sent yet."""
        return self._transport.get_write_buffer_size() + self._size

    def _flush(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if parts and not self._transport.is_closing():
            self._transport.writelines(parts)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol within these bounds."""

    def __init__(self, *args: Any, error_body: ErrorBody, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._error_body = error_body

    head_timeout_s = HEAD_TIMEOUT_S
    unread_timeout_s = UNREAD_TIMEOUT_S
    _unread: asyncio.TimerHandle | None = None
    _in_head = True
    _received = 0
    _arrived = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that sends no request is not kept."""
        super().connection_made(_Gathered(transport, self.loop))  # type: ignore[arg-type]
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing waits for a connection that is gone."""
        self._head_came()
        self._taken()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what has come of the request under way; the piece in which it begins may hold the end of another."""
        self._arrived = len(data)
        super().data_received(data)
        self._received += self._arrived
        if self.transport.is_closing():
            return
        if self._received > (HEAD_MAX_BYTES if self._in_head else REQUEST_MAX_BYTES):
            self._refuse(_too_large(self._in_head))
        elif self._in_head and self._late is None:
            self._await_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        self._received = -self._arrived
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole: it may have come in one piece that is too large."""
        self._head_came()
        size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
        if len(self.headers) > HEADERS_MAX or size > HEAD_MAX_BYTES:
            self._refuse(_too_large())
            raise HttpParserError("the head is too large")
        super().on_headers_complete()
        self._in_head = False

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed, unless it was answered already."""
        if not self.transport.is_closing():
            self._refuse(BadRequest("the request is not HTTP that can be read"))

    def shutdown(self) -> None:
        """Closes an idle connection at once, another after its answer."""
        # A client that keeps an idle connection and does not read it never answers TLS's goodbye: closing in
        # order would wait for it until the grace period is over.
        idle = self.cycle is None or self.cycle.response_complete
        if idle and not self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """The client does not keep up: an answer that nobody reads would hold its request, and what that holds, for
        ever."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """The client caught up."""
        self._taken()
        super().resume_writing()

    def _watch_reader(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self.unread_timeout_s, self._still_reading, waiting)

    def _still_reading(self, waited: int) -> None:
        if self.transport.get_write_buffer_size() > waited - LEAST_READ_BYTES:
            self.transport.abort()
        else:
            self._watch_reader()

    def _taken(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _await_head(self) -> None:
        self._late = self.loop.call_later(self.head_timeout_s, lambda: self._refuse(_too_late()))

    def _head_came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, error: OrcaError) -> None:
        # A request whose answer is under way is cut: its connection cannot carry another status. One that breaks off
        # in its own body, before its app has said anything, is answered here; the app finds its client gone.
        cycle = self.cycle
        unanswered = cycle is not None and not cycle.response_complete
        own = not self._in_head and not self.pipeline
        if cycle is not None and unanswered and own and not cycle.response_started:
            cycle.disconnected = True
            cycle.message_event.set()
            unanswered = False
        if not unanswered:
            body = json.dumps(self._error_body(error), separators=(",", ":")).encode()
            head = (
                f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
                f"x-orca-request-id: {new_id('req')}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
