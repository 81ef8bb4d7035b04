"""One HTTP/1.1 connection to a provider: a request at a time, and its answer as it arrives.

Made for one thing, a POST and its answer: at the relay's rates a general client costs more than all policy checks of a
request (measured: 98 µs a call with aiohttp, 15 µs so). A connection carries another request only after an answer that
ended cleanly; whatever else happens to it ends it. Answers are bounded in head and body, and reading pauses while
nobody takes what came. One timer a request serves both of its bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httptools

from services.relay.upstream.port import MAX_ANSWER_BYTES, Interrupted

HEAD_BYTES_MAX = 64 * 1024
UNREAD_BYTES_MAX = 256 * 1024
"""Of a body nobody takes, before reading pauses."""
JOINED_BYTES_MAX = 64 * 1024
"""Larger bodies are not copied behind their head."""
_TICK_S = 0.001

Done = Callable[["Connection", bool], None]
"""Told once per request: the connection, and whether it can carry another."""


def _broken(reason: str) -> Interrupted:
    return Interrupted(f"the provider's connection broke ({reason})")


class HttpAnswer:
    """One answer of a provider."""

    def __init__(self, connection: Connection, total_s: float, idle_s: float) -> None:
        self.status = 0
        self.event_stream = False
        self._connection = connection
        self._parts: list[bytes] = []
        self._unread = self._size = 0
        self._whole = False
        self._wants_all = False
        self._failure: Interrupted | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._heard_s = self._loop.time()
        self._ends_s = self._heard_s + total_s
        self._idle_s = idle_s
        self._timer = self._loop.call_later(min(total_s, idle_s), self._check_time)

    async def head(self) -> None:
        """Returns when status and headers have arrived. Raises Interrupted."""
        while not self.status:
            await self._more()

    async def read(self) -> bytes:
        """The whole body. Raises Interrupted."""
        self._wants_all = True
        self._resume()
        while not self._whole:
            await self._more()
        parts, self._parts = self._parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises Interrupted."""
        while True:
            if self._parts:
                parts, self._parts, self._unread = self._parts, [], 0
                self._resume()
                yield parts[0] if len(parts) == 1 else b"".join(parts)
            elif self._whole:
                return
            else:
                await self._more()

    def abort(self) -> None:
        """Closes the connection unless the answer has ended."""
        if not self._whole:
            self.failed(_broken("aborted"))
            self._connection.close()

    def arrived(self, status: int, event_stream: bool) -> None:
        """The head is here."""
        self.status, self.event_stream = status, event_stream
        self._wake()

    def heard(self) -> None:
        """Bytes came."""
        self._heard_s = self._loop.time()

    def took(self, part: bytes) -> bool:
        """A part of the body came; whether reading may go on at once. Raises Interrupted for one too many."""
        self._size += len(part)
        if self._size > MAX_ANSWER_BYTES:
            raise Interrupted("the provider's answer is too large")
        self._parts.append(part)
        if self._wants_all:
            return True
        self._unread += len(part)
        self._wake()
        return self._unread <= UNREAD_BYTES_MAX

    def ended(self) -> None:
        """The answer is whole."""
        self._whole = True
        self._timer.cancel()
        self._wake()

    def failed(self, failure: Interrupted) -> None:
        """It will not become whole; the first reason stands."""
        if not self._whole and self._failure is None:
            self._failure = failure
            self._timer.cancel()
            self._wake()

    def _resume(self) -> None:
        # After its end the connection may be another answer's.
        if not self._whole:
            self._connection.resume()

    async def _more(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = self._loop.create_future()
        await self._waiter
        self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check_time(self) -> None:
        # What came since only moves the time of the next look: no timer is made anew for each piece.
        now_s = self._loop.time()
        if self._connection.paused:
            self._heard_s = now_s
        due_s = min(self._ends_s, self._heard_s + self._idle_s)
        if now_s < due_s:
            self._timer = self._loop.call_later(max(_TICK_S, due_s - now_s), self._check_time)
            return
        self.failed(Interrupted("the provider did not answer in time", timed_out=True))
        self._connection.close()


class Connection(asyncio.Protocol):
    """A connection; `done` is told when its answer has ended."""

    def __init__(self, done: Done) -> None:
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: HttpAnswer | None = None
        self._head_bytes = 0
        self._media_type = self._encoding = b""
        self._sized = False
        self.paused = False
        self.closed = False
        self.idle_since_s = 0.0

    def post(self, head: bytes, body: bytes, total_s: float, idle_s: float) -> HttpAnswer:
        """Sends a request; `head` ends before the length's digits. On a closed connection its answer has failed."""
        answer = self._answer = HttpAnswer(self, total_s, idle_s)
        if self._transport is None or self.closed:
            self._finish(reusable=False)
            return answer
        self._head_bytes = 0
        start = b"%b%d\r\n\r\n" % (head, len(body))
        if len(body) <= JOINED_BYTES_MAX:
            self._transport.write(start + body)
        else:
            self._transport.writelines((start, body))
        return answer

    def close(self) -> None:
        """Ends the connection at once; idempotent."""
        if not self.closed:
            self.closed = True
            if self._transport is not None:
                self._transport.abort()
            self._finish(reusable=False)

    def resume(self) -> None:
        """Reads on after a pause."""
        if self.paused and self._transport is not None:
            self.paused = False
            if not self.closed:
                self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        """The peer or `close` ended it: right for a body that lasts to the connection's end, else a break."""
        answer = self._answer
        if answer is not None:
            if error is None and answer.status and not self._sized and not self.closed:
                answer.ended()
            else:
                answer.failed(_broken(type(error).__name__ if error else "ended early"))
        self.closed = True
        self._finish(reusable=False)

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer; unasked ones end the connection."""
        answer = self._answer
        if answer is None:
            self.close()
            return
        answer.heard()
        if not answer.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__
            answer.failed(cause if isinstance(cause, Interrupted) else _broken("not HTTP"))
            self.close()
            return
        if not answer.status and self._head_bytes > HEAD_BYTES_MAX:
            answer.failed(_broken("the head is too large"))
            self.close()

    def on_message_begin(self) -> None:
        """A head begins; a second answer to one request is not HTTP."""
        if self._answer is None:
            raise _broken("more than one answer")
        self._media_type = self._encoding = b""
        self._sized = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; only those are kept that say how to read the body."""
        name = name.lower()
        if name == b"content-type":
            self._media_type = value.partition(b";")[0].strip().lower()
        elif name == b"content-encoding":
            self._encoding = value.strip().lower()
        elif name == b"content-length":
            self._sized = True
        elif name == b"transfer-encoding":
            self._sized = value.strip().lower().endswith(b"chunked")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        status = self._parser.get_status_code()
        if status == 101:
            raise _broken("it changed its protocol")
        if status < 200 or self._answer is None:
            return
        if self._encoding not in (b"", b"identity"):
            raise Interrupted("the provider compressed its answer although that was not accepted")
        self._answer.arrived(status, self._media_type == b"text/event-stream")

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        if self._answer is not None and not self._answer.took(part) and not self.paused and self._transport:
            self.paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was an interim one."""
        if self._answer is None or not self._answer.status:
            return
        self._answer.ended()
        self.resume()
        # A request that is still being written, after an answer that did not wait for it, cannot be followed.
        unsent = self._transport.get_write_buffer_size() if self._transport is not None else 1
        self._finish(reusable=self._parser.should_keep_alive() and not unsent)

    def _finish(self, *, reusable: bool) -> None:
        if self._answer is None:
            return
        self._answer.failed(_broken("closed"))
        self._answer = None
        if not reusable and not self.closed:
            self.closed = True
            if self._transport is not None:
                self._transport.close()
        self._done(self, reusable)
