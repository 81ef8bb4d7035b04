"""From the log into the writer: decode, write, pace.

The block store, not the group's committed offset, says where reading starts. After each write the loop rests
for the flush interval, or longer when writing is slow, so that events gather into fewer, larger inserts; an
event that finds the consumer resting waits at most `flush_max_s`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from prometheus_client import Counter, Histogram

from orca.events.v1.events_pb2 import Envelope
from services.analytics.configuration import Workspaces
from services.analytics.domain.blocks import Item
from services.analytics.events import GROUP, TABLES
from services.analytics.processors import Unprocessable, decode, process
from services.analytics.storage.blocks import Fenced
from services.analytics.writer import BlockWriter
from services.common.clock import Clock
from services.common.eventlog.engine import ConsumerLoop, Health, Poison
from services.common.eventlog.ports import (
    ConsumedRecord,
    Consumer,
    EventLog,
    NotAssigned,
    Producer,
    Rebalance,
    TopicPartition,
)

log = logging.getLogger("orca.analytics")

BATCH_MAX = 20_000
# Rest is this many times the write's own duration, within the bounds.
REST_PER_WRITE = 2.0

ROWS = Counter("orca_analytics_rows_total", "Rows written to the event tables.")
WRITE_SECONDS = Histogram("orca_analytics_write_seconds", "Duration of one write of all partitions.")


class _SeekingLog:
    """An event log that remembers its consumer: the loop builds it, the assignment callback must seek it."""

    def __init__(self, event_log: EventLog) -> None:
        self._log = event_log
        self.last: Consumer | None = None

    async def start(self) -> None:
        await self._log.start()

    async def stop(self) -> None:
        await self._log.stop()

    async def ensure_topics(self) -> None:
        await self._log.ensure_topics()

    def producer(self, producer_id: str) -> Producer:
        return self._log.producer(producer_id)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
    ) -> Consumer:
        self.last = self._log.consumer(group, topics, on_assigned=on_assigned, on_revoked=on_revoked)
        return self.last


class EventConsumer:
    """One member of the analytics group."""

    def __init__(
        self,
        event_log: EventLog,
        writer: BlockWriter,
        clock: Clock,
        *,
        flush_s: float,
        flush_max_s: float,
        workspaces: Workspaces,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._flush_s = flush_s
        self._flush_max_s = max(flush_s, flush_max_s)
        self._workspaces = workspaces
        self._stopping = asyncio.Event()
        self._log = _SeekingLog(event_log)
        self._loop = ConsumerLoop(
            self._log,
            GROUP,
            tuple(TABLES),
            self.handle,
            clock,
            batch_max=BATCH_MAX,
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
        """Finishes the write under way, then leaves."""
        self._stopping.set()
        await self._loop.stop()

    async def wait(self) -> None:
        """Returns when the loop was stopped; raises what stopped it."""
        await self._loop.wait()

    async def handle(self, records: Sequence[ConsumedRecord]) -> None:
        """Writes one batch. Raises Poison before any effect, Unavailable to be called again."""
        await self._workspaces.refresh()
        items: dict[TopicPartition, list[Item]] = {}
        for record in records:
            items.setdefault(TopicPartition(record.topic, record.partition), []).append(self._item(record))
        started = self._clock.monotonic_s()
        try:
            ROWS.inc(await self._writer.write(items))
        except Fenced:
            # Another member wrote these offsets: start again from what is stored.
            log.warning("a partition was taken over", extra={"group": GROUP})
            await self._assigned(frozenset(items) & self._assignment())
            return
        elapsed_s = self._clock.monotonic_s() - started
        WRITE_SECONDS.observe(elapsed_s)
        if len(records) < BATCH_MAX:
            # A full batch means that more is waiting; catching up does not rest.
            await self._rest(min(self._flush_max_s, max(self._flush_s, REST_PER_WRITE * elapsed_s)))

    def _item(self, record: ConsumedRecord) -> Item:
        try:
            envelope = decode(record.value)
            row = process(envelope, TABLES[record.topic], self._workspaces.retention_days(envelope.workspace_id))
        except Unprocessable as error:
            raise Poison(record, str(error)) from None
        return Item(record.offset, envelope.producer_id, envelope.producer_seq, row, self._kept(envelope))

    def _kept(self, envelope: Envelope) -> bool:
        """A body without the workspace's current consent is not kept, whoever captured it."""
        if envelope.WhichOneof("payload") != "capture":
            return True
        return self._workspaces.consents(envelope.workspace_id, envelope.capture.consent_version)

    async def _assigned(self, places: frozenset[TopicPartition]) -> None:
        consumer = self._log.last
        if consumer is None:
            return
        for place in sorted(places, key=lambda place: (place.topic, place.partition)):
            offset = await self._writer.acquire(place)
            try:
                await consumer.seek(place, offset)
            except NotAssigned:
                self._writer.release(place)

    def _assignment(self) -> frozenset[TopicPartition]:
        return self._log.last.assignment() if self._log.last is not None else frozenset()

    async def _revoked(self, places: frozenset[TopicPartition]) -> None:
        for place in places:
            self._writer.release(place)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
