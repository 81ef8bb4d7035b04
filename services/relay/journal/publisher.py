"""Drains the journal into the event log, in order, at least once.

What was just written is published from memory; what does not fit there is read back from the segments. A
position is noted only after the log has acknowledged everything before it, so a kill repeats events and
never skips one; consumers tell repetitions by producer id and sequence.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.eventlog.envelope import SCHEMA
from services.common.eventlog.ports import OutRecord, Producer
from services.common.tracing import TRACEPARENT
from services.relay.journal.frames import Finished, Record, scan
from services.relay.journal.segments import READ_BYTES, Position, Segments

log = logging.getLogger("orca.relay.journal")

BATCH_RECORDS = 500
QUEUE_BYTES_MAX = 16 * 1024 * 1024
LINGER_S = 0.2
"""Requests that end within it share a batch; feeds are promised within seconds."""
CHECKPOINT_S = 0.5
RETRY_MIN_S = 0.1
RETRY_MAX_S = 2.0
STOP_GRACE_S = 5.0
KINDS_MAX = 64


@dataclass(frozen=True, slots=True)
class _Written:
    """Records in memory, and the position after their frame."""

    records: Sequence[Record]
    traceparent: str
    end: Position
    size: int
    at_s: float


class Publisher:
    """One task that publishes; the journal tells it what was written."""

    def __init__(self, segments: Segments, producer: Producer, clock: Clock) -> None:
        self._segments = segments
        self._producer = producer
        self._clock = clock
        self._queue: deque[_Written] = deque()
        self._queue_bytes = 0
        self._queue_from = Position(0, 0)
        """Everything written from here on is in the queue."""
        self._at = Position(0, 0)
        self._noted_s = float("-inf")
        self._behind_since_s: float | None = None
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def begin(self, published: Position) -> None:
        """Where the predecessor's publishing ended; call once the new segment has begun."""
        self._at, self._queue_from = published, self._segments.end

    async def start(self) -> None:
        """Starts publishing."""
        await self._producer.start()
        self._task = asyncio.create_task(self._run(), name="journal-publish")

    async def stop(self) -> None:
        """Publishes what is left within the grace period, then closes the producer."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=STOP_GRACE_S)
            if late:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
                log.warning("events are left for a successor", extra={"bytes": self._segments.total_bytes})
        with contextlib.suppress(Unavailable):
            await self._producer.stop()

    def written(self, records: Sequence[Record], size: int, traceparent: str = "") -> None:
        """A frame was appended; `size` is its length."""
        end = self._segments.end
        if not records:
            if not self._queue and self._at == self._queue_from:
                # Nothing waits: what carries no event is behind us already.
                self._at = self._queue_from = end
            return
        if self._queue_bytes + size > QUEUE_BYTES_MAX:
            # From here on the segments are read back; nothing is lost by forgetting.
            self._queue.clear()
            self._queue_bytes = 0
            self._queue_from = end
        else:
            self._queue.append(_Written(records, traceparent, end, size, self._clock.monotonic_s()))
            self._queue_bytes += size
        self._wake.set()

    def age_s(self) -> float:
        """How long the oldest unpublished record has waited, in seconds."""
        if self._behind_since_s is not None:
            return self._clock.monotonic_s() - self._behind_since_s
        return self._clock.monotonic_s() - self._queue[0].at_s if self._queue else 0.0

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._drain()
            except OSError as error:
                log.error("the journal cannot be read", extra={"error_class": type(error).__name__})
            if self._stopping:
                self._note()
                return
            if not self._queue and self._at >= self._queue_from:
                await self._wake.wait()
            await asyncio.sleep(0 if self._stopping else LINGER_S)

    async def _drain(self) -> None:
        while True:
            if self._at < self._queue_from:
                records, after = self._read_back()
            else:
                records, after = self._from_memory()
            if after == self._at:
                return
            await self._send(records)
            self._at = max(self._at, after)
            if self._clock.monotonic_s() - self._noted_s >= CHECKPOINT_S:
                self._note()

    def _from_memory(self) -> tuple[list[OutRecord], Position]:
        records: list[OutRecord] = []
        after = self._at
        while self._queue and len(records) < BATCH_RECORDS:
            written = self._queue.popleft()
            self._queue_bytes -= written.size
            records += map(_out, written.records, repeat(written.traceparent))
            after = written.end
        if records:
            self._queue_from = after
        return records, after

    def _read_back(self) -> tuple[list[OutRecord], Position]:
        """The next records from the segments, up to what is in memory."""
        records: list[OutRecord] = []
        segment, offset = self._at.segment, self._at.offset
        limit = self._queue_from.offset if segment == self._queue_from.segment else self._segments.size(segment)
        size = READ_BYTES
        while offset < limit and not records:
            data = self._segments.read(Position(segment, offset), size)[: limit - offset]
            moved = 0
            for frame, end in scan(data):
                moved = end
                if isinstance(frame, Finished):
                    records += map(_out, frame.records, repeat(frame.traceparent))
                if len(records) >= BATCH_RECORDS:
                    break
            if not moved:
                if data and len(data) < limit - offset:
                    size *= 4
                    continue
                # A torn tail: whatever follows was never acknowledged.
                offset = limit
                break
            offset += moved
        if offset >= limit and segment < self._queue_from.segment:
            return records, Position(self._segments.next_after(segment) or self._queue_from.segment, 0)
        return records, Position(segment, offset)

    async def _send(self, out: Sequence[OutRecord]) -> None:
        if not out:
            return
        pause_s = RETRY_MIN_S
        while True:
            try:
                await self._producer.send(out)
                self._behind_since_s = None
                return
            except Unavailable as error:
                if self._behind_since_s is None:
                    self._behind_since_s = self._clock.monotonic_s()
                    log.warning(
                        "the event log does not take events; the journal keeps them", extra={"code": error.code}
                    )
                await asyncio.sleep(pause_s)
                pause_s = min(RETRY_MAX_S, pause_s * 2)

    def _note(self) -> None:
        """Remembers the position and lets go of segments that are published whole."""
        self._noted_s = self._clock.monotonic_s()
        with contextlib.suppress(OSError):
            self._segments.checkpoint(self._at)
            self._segments.delete_before(self._at.segment)


def _out(record: Record, traceparent: str) -> OutRecord:
    topic, key, kind, value = record
    headers = _headers(kind)
    if traceparent:
        headers += ((TRACEPARENT, traceparent.encode()),)
    return OutRecord(topic, key, value, headers)


@lru_cache(KINDS_MAX)
def _headers(kind: str) -> tuple[tuple[str, bytes], ...]:
    return ("event-type", kind.encode()), ("schema", SCHEMA)
