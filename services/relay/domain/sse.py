"""Server-sent events, parsed from bytes however they are cut, in time linear in the bytes.

Lines end in LF, CR or CRLF; a CRLF or a character may be split between chunks; comments and fields other
than `data` are skipped; several `data` lines of one event are joined by LF. An event above the bound, in one
line or in many, raises `EventTooLarge`; an event without its blank line at the end of the stream is dropped,
as the standard says.
"""

from __future__ import annotations

MAX_EVENT_BYTES = 1024 * 1024
"""All lines of one event together, comments and skipped fields included."""
_BOM = b"\xef\xbb\xbf"


class EventTooLarge(Exception):
    """One event exceeded its bound."""


class SseParser:
    """Feed chunks, get the data of completed events."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._line = bytearray()
        """The line that has not ended; what is in it is never looked at again before it has."""
        self._data: list[bytes] = []
        self._size = 0
        """Bytes of the event's lines that have ended."""
        self._after_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Data of the events completed by this chunk. Raises EventTooLarge."""
        if self._after_cr and chunk:
            # The CR has ended its line; an LF right behind it is the other half of a CRLF.
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *lines = chunk.split(b"\n")
        self._line += first
        events: list[bytes] = []
        if lines:
            rest = lines.pop()
            events = self._events([bytes(self._line), *lines])
            self._line = bytearray(rest)
        if self._size + len(self._line) > self._max:
            raise EventTooLarge
        return events

    def _events(self, lines: list[bytes]) -> list[bytes]:
        if not self._started:
            lines[0] = lines[0].removeprefix(_BOM)
            self._started = True
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(b"\n".join(self._data))
                self._data, self._size = [], 0
                continue
            self._size += len(line) + 1
            if self._size > self._max:
                raise EventTooLarge
            if not line.startswith(b"data"):
                continue
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
        return events
