"""Server-sent events, parsed from bytes however they are cut.

Lines end in LF, CR or CRLF; a CRLF or a character may be split between chunks; comments and fields other
than `data` are skipped; several `data` lines of one event are joined by LF. An event above the bound raises
`EventTooLarge`; an event without its blank line at the end of the stream is dropped, as the standard says.
"""

from __future__ import annotations

MAX_EVENT_BYTES = 1024 * 1024


class EventTooLarge(Exception):
    """One event exceeded its bound."""


class SseParser:
    """Feed chunks, get the data of completed events."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Data of the events completed by this chunk. Raises EventTooLarge."""
        buffer = self._rest + chunk
        if not self._started and buffer:
            if b"\xef\xbb\xbf".startswith(buffer[:3]) and len(buffer) < 3:
                self._rest = buffer
                return []
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
            self._started = True
        held = b""
        if buffer.endswith(b"\r"):
            # A CR at the very end may be half of a CRLF; it waits for the next chunk.
            buffer, held = buffer[:-1], b"\r"
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = buffer.split(b"\n")
        self._rest = lines.pop() + held
        if len(self._rest) > self._max:
            raise EventTooLarge
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data, self._size = [], 0
                continue
            if not line.startswith(b"data"):
                continue
            name, _, value = line.partition(b":")
            if name != b"data":
                continue
            value = value.removeprefix(b" ")
            self._size += len(value) + 1
            if self._size > self._max:
                raise EventTooLarge
            self._data.append(value)
        return events
