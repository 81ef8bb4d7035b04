"""From the log into the writer: decode, hold, write, pace.

The block store, not the group's committed offset, says where reading starts. Records are decoded as they come and
written together: an insert costs tens of milliseconds of CPU for its parts and views, whatever it holds. While somebody
reads, writes follow each other within `flush_max_s`; with nobody looking, events gather for `flush_idle_s`, and the
first reader's `fresh` has them written before it is answered. So no reader misses an event older than two seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from prometheus_client import Counter, Histogram

from services.analytics.configuration import Workspaces
from services.analytics.erasing import Erasures
from services.analytics.events import GROUP, TABLES
from services.analytics.processors import Unprocessable, collect, culprit
from services.analytics.storage.blocks import Fenced
from services.analytics.writer import BlockWriter
from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.eventlog.engine import ConsumerLoop, Health, Poison, traceparent_of
from services.common.eventlog.ports import ConsumedRecord, EventLog, NotAssigned, TopicPartition
from services.common.tracing import LINKS_MAX, current_traceparent, span

log = logging.getLogger("orca.analytics")

BATCH_MAX = 2_000
# Decoding is plain computation: after so many records the event loop gets its turn.
TURN_RECORDS = 100
# Held records are written at once past these.
HELD_RECORDS_MAX = 40_000
HELD_BYTES_MAX = 32 * 1024 * 1024
GATHER_S = 0.1
"""While records gather, the log is read this often: many small reads instead of a large one."""
REST_PER_WRITE = 2.0
"""While somebody reads, the rest between writes is this many times a write's own duration, within the bounds."""
FRESH_S = 0.5
"""A reader waits for records held longer than this."""
FRESH_WAIT_S = 1.5
SETTLE_WAIT_S = 10.0
WATCHED_S = 10.0
"""Somebody counts as reading for so long after a read."""

ROWS = Counter("orca_analytics_rows_total", "Rows written to the event tables.")
WRITE_SECONDS = Histogram("orca_analytics_write_seconds", "Duration of one write of all partitions.")


def by_place(records: Sequence[ConsumedRecord]) -> dict[TopicPartition, list[ConsumedRecord]]:
    """Records by partition, in order."""
    found: dict[tuple[str, int], list[ConsumedRecord]] = {}
    for record in records:
        found.setdefault((record.topic, record.partition), []).append(record)
    return {TopicPartition(*place): batch for place, batch in found.items()}


class EventConsumer:
    """One member of the analytics group. With `flush_idle_s` None somebody always reads: who does is not known here."""

    def __init__(
        self,
        event_log: EventLog,
        writer: BlockWriter,
        clock: Clock,
        *,
        flush_s: float,
        flush_max_s: float,
        flush_idle_s: float | None,
        workspaces: Workspaces,
        erasures: Erasures,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._flush_s = flush_s
        self._flush_max_s = max(flush_s, flush_max_s)
        self._flush_idle_s = flush_idle_s
        self._workspaces = workspaces
        self._erasures = erasures
        self._held_since_s: float | None = None
        self._held = 0
        self._held_bytes = 0
        self._traces: list[str] = []
        """Spans under which records were taken in that are still held."""
        self._next_write_s = 0.0
        self._watched_until_s = 0.0
        self._hurry = asyncio.Event()
        self._written = asyncio.Event()
        self._stopping = False
        self._loop = ConsumerLoop(
            event_log,
            GROUP,
            tuple(TABLES),
            self.handle,
            clock,
            batch_max=BATCH_MAX,
            poll_s=GATHER_S,
            on_idle=self._gather,
            on_assigned=self._assigned,
            on_revoked=self._revoked,
        )

    @property
    def health(self) -> Health:
        """Of the loop."""
        return self._loop.health

    async def start(self) -> None:
        """Joins the group and starts reading."""
        await self._loop.start()

    async def stop(self) -> None:
        """Finishes the write under way, then leaves; what is held is read again by the next owner."""
        self._stopping = True
        self._hurry.set()
        await self._loop.stop()

    async def wait(self) -> None:
        """Returns when the loop was stopped; raises what stopped it."""
        await self._loop.wait()

    async def fresh(self) -> None:
        """For a reader: returns when records held longer than FRESH_S are written, or after FRESH_WAIT_S."""
        now_s = self._clock.monotonic_s()
        self._watched_until_s = now_s + WATCHED_S
        self._hurry.set()
        if self._held_since_s is None or now_s - self._held_since_s < FRESH_S:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FRESH_WAIT_S):
                await self._written.wait()

    async def settle(self) -> None:
        """Returns when nothing is held, or will be written: a loop that has ended writes no more. Raises Unavailable
        when the write takes longer than SETTLE_WAIT_S."""
        self._watched_until_s = self._clock.monotonic_s() + WATCHED_S
        self._hurry.set()
        if self._held_since_s is None or self._loop.ended:
            return
        try:
            async with asyncio.timeout(SETTLE_WAIT_S):
                await self._written.wait()
        except TimeoutError:
            raise Unavailable("events are still being written") from None

    async def handle(self, records: Sequence[ConsumedRecord]) -> None:
        """Holds one batch, and writes what is held once it is due. Raises Poison before any of the batch is written,
        Unavailable to be called again."""
        await self._workspaces.refresh()
        await self._hold(records)
        await self._gather()

    async def _gather(self) -> None:
        """Writes what is held once it is due, or rests a little and lets the loop read on."""
        if self._held_since_s is None:
            return
        wait_s = self._due_s() - self._clock.monotonic_s()
        if wait_s > 0 and not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, GATHER_S)):
                    await self._hurry.wait()
            self._hurry.clear()
        if self._stopping or self._due_s() <= self._clock.monotonic_s():
            await self._write()

    def _due_s(self) -> float:
        """When what is held must be written."""
        if self._held_since_s is None or self._held >= HELD_RECORDS_MAX or self._held_bytes >= HELD_BYTES_MAX:
            return 0.0
        if self._flush_idle_s is None or self._clock.monotonic_s() < self._watched_until_s:
            return self._next_write_s
        return self._held_since_s + self._flush_idle_s

    async def _hold(self, records: Sequence[ConsumedRecord]) -> None:
        # A batch of events that no caller's trace leads to would put the write into a trace of its own.
        if (trace := current_traceparent()) and len(self._traces) < LINKS_MAX and any(map(traceparent_of, records)):
            self._traces.append(trace)
        for place, batch in by_place(records).items():
            table = TABLES[place.topic]
            known = self._writer.next_offset(place)
            # Not owned any more, or seen already: the loop repeats a batch that an outage cut short.
            batch = [record for record in batch if known is not None and record.offset >= known]
            for start in range(0, len(batch), TURN_RECORDS):
                part = batch[start : start + TURN_RECORDS]
                try:
                    decoded = collect(table, part, self._workspaces.retention_days, self._workspaces.consents)
                except Unprocessable as error:
                    record, reason = culprit(table, part) or (part[0], str(error))
                    raise Poison(record, reason) from None
                self._writer.hold(place, decoded)
                self._held += len(part)
                self._held_bytes += sum(len(record.value) for record in part)
                if self._held_since_s is None:
                    self._held_since_s = self._clock.monotonic_s()
                    self._written.clear()
                await asyncio.sleep(0)

    async def _write(self) -> None:
        started_s = self._clock.monotonic_s()
        first, linked = (self._traces[0], self._traces[1:]) if self._traces else ("", [])
        # Here, not where records are taken in: an erasure may have been recorded since.
        await self._erasures.refresh()
        self._writer.strike(self._erasures.strike)
        try:
            with span("write events", traceparent=first, linked=linked):
                ROWS.inc(await self._writer.flush())
        except Fenced:
            # Another member wrote these offsets: start again from what is stored.
            log.warning("a partition was taken over", extra={"group": GROUP})
            await self._assigned(self._writer.holding() & self._loop.assignment())
        finished_s = self._clock.monotonic_s()
        WRITE_SECONDS.observe(finished_s - started_s)
        rest_s = min(self._flush_max_s, max(self._flush_s, REST_PER_WRITE * (finished_s - started_s)))
        self._next_write_s = finished_s + rest_s
        self._traces.clear()
        if self._writer.holding():
            # A block to repeat is not read whole yet: what is held stays as old as it is.
            return
        self._held = self._held_bytes = 0
        self._held_since_s = None
        self._written.set()

    async def _assigned(self, places: frozenset[TopicPartition]) -> None:
        for place in sorted(places, key=lambda place: (place.topic, place.partition)):
            offset = await self._writer.acquire(place)
            try:
                await self._loop.seek(place, offset)
            except NotAssigned:
                self._writer.release(place)

    async def _revoked(self, places: frozenset[TopicPartition]) -> None:
        for place in places:
            self._writer.release(place)
