"""The relay's durable local log: every reservation before dispatch, every request's events before its last byte.

Each call appends one frame before it returns, so what was answered survives a kill; `fsync` is batched behind
it. A publisher drains the records in order into the event log. On start the predecessor's open attempts are
settled as unknown outcomes and its leases are handed over to be closed. Admission stops at half of the bound: the
other half belongs to what was admitted already. Only refusal aggregates are ever shed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from orca.events.v1.events_pb2 import Envelope
from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.eventlog.ports import RECORD_BYTES_MAX, Producer
from services.common.eventlog.topics import DECISIONS
from services.common.ids import new_id
from services.common.tasks import end_task
from services.common.tracing import current_traceparent
from services.relay.credit.ports import Orphans
from services.relay.journal.frames import (
    Acquiring,
    AnyFrame,
    Finished,
    Leased,
    Opened,
    Record,
    Released,
    Spent,
    encode,
    scan,
)
from services.relay.journal.metrics import (
    JOURNAL_AGE,
    JOURNAL_BYTES,
    JOURNAL_LIMIT,
    LOST_REQUESTS,
    OVERSIZED,
    REFUSALS,
    REFUSALS_SHED,
)
from services.relay.journal.publisher import Publisher
from services.relay.journal.recovery import settle_lost, spent_of
from services.relay.journal.refusals import RefusalCounts
from services.relay.journal.segments import SEGMENT_BYTES, Segments
from services.relay.journal.state import JournalState
from services.relay.ports import KeyEntry, OpenAttempt

log = logging.getLogger("orca.relay.journal")

SYNC_S = 0.05
SHED_SHARE = 0.4
"""Refusal aggregates are shed from this share of the bound on, before anything is refused."""
ADMIT_SHARE = 0.5
UNWRITTEN_MAX = 10_000
"""Frames kept in memory while the disk refuses them; nothing is admitted meanwhile."""
SCHEMA_VERSION = 1
RECORD_OVERHEAD_BYTES = 256


def journal_unavailable() -> Unavailable:
    """The refusal while the journal cannot take more."""
    return Unavailable("events cannot be recorded now", code="event_log_unavailable", retry_after_s=1)


class FileJournal:
    """Journal and LeaseLog of one relay incarnation, in one directory."""

    def __init__(
        self,
        directory: Path,
        producer: Producer,
        *,
        replica_id: str,
        clock: Clock,
        bytes_max: int = 1 << 30,
    ) -> None:
        self._segments = Segments(directory, room_bytes=min(SEGMENT_BYTES, bytes_max))
        self._publisher = Publisher(self._segments, producer, clock)
        self._state = JournalState(replica_id)
        self._replica_id = replica_id
        self._clock = clock
        self._bytes_max = bytes_max
        self._sequence = 0
        self._spend_ids: dict[str, str] = {}
        self._refusals = RefusalCounts()
        self._unwritten: deque[bytes] = deque()
        self._orphans: list[Orphans] = []
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Takes the directory, settles what a predecessor left, starts publishing. Raises JournalLocked, OSError."""
        self._segments.open()
        self._fold()
        published = self._segments.published()
        # The new head still carries the open attempts: a kill before they are settled loses none of them.
        self._segments.begin(encode(self._state.carried(self._replica_id)))
        self._publisher.begin(published)
        self._state.replica_id = self._replica_id
        for frame in settle_lost(self._state, self._stamp):
            LOST_REQUESTS.inc()
            # The state has counted it already.
            self._write(encode(frame), frame.records, frame.traceparent)
        self._orphans = self._left_behind()
        await self._publisher.start()
        self._ticking = asyncio.create_task(self._tick_forever(), name="journal-tick")

    async def stop(self) -> None:
        """Publishes what is left, within the publisher's grace period; the rest waits for a successor."""
        await end_task(self._ticking)
        self._flush_refusals(self._clock.now_us() // 1_000_000 + 1)
        await self._publisher.stop()
        with contextlib.suppress(OSError):
            await self._segments.sync()
        self._segments.close()

    def orphans(self) -> Sequence[Orphans]:
        """What predecessors left open at the ledger; known after `start`."""
        return self._orphans

    def admit(self) -> None:
        """See the port."""
        if self._unwritten or self._segments.total_bytes >= self._bytes_max * ADMIT_SHARE:
            raise journal_unavailable()

    def open_attempt(self, attempt: OpenAttempt) -> None:
        """See the port. Raises 503 when it cannot be written: nothing may be sent then."""
        if self._unwritten or self._segments.total_bytes >= self._bytes_max:
            raise journal_unavailable()
        envelope = attempt.envelope
        event_id = self._spend_ids.get(attempt.request_id)
        if event_id is None:
            event_id = self._spend_ids[attempt.request_id] = new_id("evt")
        envelope.event_id = event_id
        envelope.occurred_at_unix_us = self._clock.now_us()
        self._write_now(Opened(attempt.request_id, attempt.attempt, envelope.SerializeToString()))

    def finish(self, request_id: str, events: Sequence[tuple[str, bytes, Envelope]]) -> None:
        """See the port. A disk that refuses the frame gets it again later; it is never dropped."""
        # A successor that finds the attempt open books the same event id, so the ledger counts one of the two.
        event_id = self._spend_ids.pop(request_id, None)
        records: list[Record] = []
        spent: list[Spent] = []
        for topic, key, envelope in events:
            kind = envelope.WhichOneof("payload") or ""
            if kind == "spend":
                if event_id is not None:
                    envelope.event_id = event_id
                spent += spent_of(envelope.spend)
            self._stamp(envelope)
            value = envelope.SerializeToString()
            if len(value) + RECORD_OVERHEAD_BYTES > RECORD_BYTES_MAX and kind != "spend":
                OVERSIZED.labels(topic).inc()
                continue
            records.append((topic, key, kind, value))
        self._append(Finished(request_id, records, spent, current_traceparent()))

    def refusal(self, entry: KeyEntry | None, code: str) -> None:
        """See the port."""
        REFUSALS.labels(code).inc()
        if entry is not None and not self._refusals.add(entry, code, self._clock.now_us() // 1_000_000):
            REFUSALS_SHED.inc()

    def acquiring(self, acquire_id: str, request: bytes) -> None:
        """See LeaseLog."""
        if self._unwritten or self._segments.total_bytes >= self._bytes_max:
            raise journal_unavailable()
        self._write_now(Acquiring(acquire_id, request))

    def leased(self, acquire_id: str, lease_ids: Sequence[str], replica_id: str) -> None:
        """See LeaseLog."""
        self._write_now(Leased(acquire_id, list(lease_ids), replica_id))

    def released(self, lease_ids: Sequence[str]) -> None:
        """See LeaseLog."""
        self._write_now(Released(list(lease_ids)))

    def recorded(self, lease_id: str) -> int:
        """See LeaseLog. Spends that wait for the disk are not recorded yet."""
        return 0 if self._unwritten else self._state.recorded(lease_id)

    def ready(self) -> bool:
        """The journal takes requests."""
        return not self._unwritten and self._segments.total_bytes < self._bytes_max * ADMIT_SHARE

    def _stamp(self, envelope: Envelope) -> None:
        self._sequence += 1
        envelope.event_id = envelope.event_id or new_id("evt")
        envelope.producer_id = self._replica_id
        envelope.producer_seq = self._sequence
        envelope.occurred_at_unix_us = envelope.occurred_at_unix_us or self._clock.now_us()
        envelope.schema_version = SCHEMA_VERSION

    def _write_now(self, frame: AnyFrame) -> None:
        """Writes a frame that its caller acts on. Raises 503 with nothing changed."""
        try:
            self._write(encode(frame))
        except OSError as error:
            log.error("the journal's disk refuses writes", extra={"error_class": type(error).__name__})
            raise journal_unavailable() from None
        self._state.apply(frame)

    def _append(self, frame: Finished) -> None:
        """Writes a frame that tells of something done already; keeps it in memory while the disk refuses it."""
        raw = encode(frame)
        self._state.finished(frame.request_id, frame.spent)
        if self._unwritten:
            self._keep(raw)
            return
        try:
            self._write(raw, frame.records, frame.traceparent)
        except OSError as error:
            log.error("the journal's disk refuses writes", extra={"error_class": type(error).__name__})
            self._keep(raw)

    def _keep(self, raw: bytes) -> None:
        if len(self._unwritten) >= UNWRITTEN_MAX:
            # Nothing was admitted for a long time; what is lost here is settled as unknown by a successor.
            raise journal_unavailable()
        self._unwritten.append(raw)

    def _write(self, raw: bytes, records: Sequence[Record] = (), traceparent: str = "") -> None:
        if self._segments.current_bytes >= SEGMENT_BYTES:
            self._segments.begin(encode(self._state.carried(self._replica_id)))
        self._segments.append(raw)
        self._publisher.written(records, len(raw), traceparent)

    def _fold(self) -> None:
        for number in self._segments.numbers():
            data = self._segments.read_all(number)
            end = 0
            for frame, end in scan(data):  # noqa: B007 - the offset after the last whole frame
                self._state.apply(frame)
            torn = len(data[end:].rstrip(b"\0"))
            if torn:
                log.warning("a torn tail was left out of the journal", extra={"bytes": torn})
            if end + torn < len(data):
                self._segments.trim(number, end + torn)

    def _left_behind(self) -> list[Orphans]:
        by_replica: dict[str, dict[str, int]] = {}
        for lease_id, mark in self._state.leases.items():
            if mark.replica_id != self._replica_id:
                by_replica.setdefault(mark.replica_id, {})[lease_id] = mark.total
        orphans = [Orphans(replica, leases) for replica, leases in by_replica.items()]
        if self._state.acquires:
            orphans.append(Orphans(self._replica_id, {}, tuple(self._state.acquires.values())))
        return orphans

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            try:
                self._write_kept()
                self._flush_refusals(self._clock.now_us() // 1_000_000)
                await self._segments.sync()
            except OSError as error:
                log.error("the journal's disk fails", extra={"error_class": type(error).__name__})
            JOURNAL_BYTES.set(self._segments.total_bytes)
            JOURNAL_LIMIT.set(self._bytes_max * ADMIT_SHARE)
            JOURNAL_AGE.set(self._publisher.age_s())

    def _write_kept(self) -> None:
        while self._unwritten:
            raw = self._unwritten[0]
            frame = next(scan(raw))[0]
            if isinstance(frame, Finished):
                self._write(raw, frame.records, frame.traceparent)
            self._unwritten.popleft()

    def _flush_refusals(self, before_second: int) -> None:
        events = self._refusals.take(before_second)
        if not events:
            return
        if self._unwritten or self._segments.total_bytes >= self._bytes_max * SHED_SHARE:
            REFUSALS_SHED.inc(sum(event.refusals.count for event in events))
            return
        records: list[Record] = []
        for event in events:
            self._stamp(event)
            records.append((DECISIONS, event.key_id.encode(), "refusals", event.SerializeToString()))
        self._append(Finished("", records, []))
