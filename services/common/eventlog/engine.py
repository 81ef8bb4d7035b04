"""The consumer loop: poll → handler → dead letters → commit, for any log.

A batch is committed only after its handler returned and its poison records are on the dead-letter topic, so
delivery is at least once. A failure is one of three: LogUnavailable and Unavailable are retried with backoff,
Poison names a record that can never be handled, anything else is a bug and stops the loop loudly. So do too
many poison records: a bad deploy must not drain a topic into the dead letters.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from orca.events.v1.events_pb2 import DeadLetter, Envelope
from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.eventlog.envelope import record_of
from services.common.eventlog.ports import (
    ConsumedRecord,
    EventLog,
    NotAssigned,
    OutRecord,
    Rebalance,
    TopicPartition,
)
from services.common.eventlog.topics import DLQ
from services.common.ids import new_id
from services.common.telemetry import CONSUMER_LAG, CONSUMER_STOPPED, DEAD_LETTERS
from services.common.tracing import TRACEPARENT, SpanKind, enabled, span

log = logging.getLogger("orca.consumer")

Handler = Callable[[list[ConsumedRecord]], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]

BATCH_MAX = 500
POLL_S = 0.25
BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 10.0
REVOKE_WAIT_S = 5.0
ERROR_CHARS_MAX = 500


class Poison(Exception):
    """This record can never be handled. Raised before any effect of the batch: the rest is handled again.

    The reason goes to the dead-letter topic: it names fields and rules, never payload text.
    """

    def __init__(self, record: ConsumedRecord, reason: str) -> None:
        super().__init__(reason)
        self.record = record
        self.reason = reason


class TooMuchPoison(Exception):
    """The dead-letter limits were passed; the loop stopped before committing."""


@dataclass(frozen=True, slots=True)
class PoisonLimits:
    """At most `consecutive` poison records in a row, and `ratio` of the last `window` records once it is full."""

    consecutive: int = 50
    ratio: float = 0.1
    window: int = 1_000


@dataclass(frozen=True, slots=True)
class Health:
    """`lag` in records as this member knows it; `error` is the class that stopped or delays the loop."""

    running: bool
    lag: int
    handled: int
    dead_lettered: int
    error: str | None


class ConsumerLoop:
    """One member of a group and its task."""

    def __init__(
        self,
        event_log: EventLog,
        group: str,
        topics: Sequence[str],
        handler: Handler,
        clock: Clock,
        *,
        batch_max: int = BATCH_MAX,
        poll_s: float = POLL_S,
        limits: PoisonLimits = PoisonLimits(),
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
        on_idle: Callable[[], Awaitable[None]] | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._group = group
        self._handler = handler
        self._clock = clock
        self._batch_max = batch_max
        self._poll_s = poll_s
        self._limits = limits
        self._sleep = sleep
        self._on_revoked = on_revoked
        self._on_idle = on_idle
        self._consumer = event_log.consumer(group, topics, on_assigned=on_assigned, on_revoked=self._revoked)
        self._dead_letters = event_log.producer(f"{group}-dlq")
        self._recent: deque[bool] = deque(maxlen=limits.window)
        self._consecutive = 0
        self._busy = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._handled = 0
        self._dead_lettered = 0
        self._error: str | None = None

    @property
    def health(self) -> Health:
        """Live state, for readiness and metrics."""
        running = self._task is not None and not self._task.done()
        return Health(running, self._consumer.lag(), self._handled, self._dead_lettered, self._error)

    async def start(self) -> None:
        """Starts the task; it joins the group when the log can be reached."""
        await self._dead_letters.start()
        self._task = asyncio.create_task(self._run(), name=f"consumer-{self._group}")

    async def stop(self) -> None:
        """Finishes and commits the batch under way, then leaves. Does not raise what had stopped the loop."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()  # was logged when it happened; reading it here keeps asyncio quiet
        await self._consumer.stop()
        await self._dead_letters.stop()

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """Reads on from an offset that the handler stored itself; for `on_assigned`."""
        await self._consumer.seek(partition, offset)

    def assignment(self) -> frozenset[TopicPartition]:
        """What this member owns."""
        return self._consumer.assignment()

    @property
    def ended(self) -> bool:
        """Whether the loop ran and runs no more: stopped, or by a bug or too much poison."""
        return self._task is not None and self._task.done()

    async def wait(self) -> None:
        """Returns when the loop was stopped; raises what stopped it: a bug, or TooMuchPoison."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        try:
            if await self._retried(self._consumer.start):
                while not self._stopping.is_set():
                    await self._retried(self._step)
        except Exception as error:
            self._error = type(error).__name__
            CONSUMER_STOPPED.labels(self._group).set(1)
            log.critical("a consumer stopped", exc_info=error, extra={"group": self._group, "error_class": self._error})
            raise

    async def _retried(self, action: Callable[[], Awaitable[None]]) -> bool:
        """Runs until it succeeds or the loop is stopped; backoff doubles up to a bound."""
        backoff_s = BACKOFF_MIN_S
        while True:
            try:
                await action()
            except Unavailable as error:
                self._error = type(error).__name__
                log.warning("a consumer is waiting", extra={"group": self._group, "error_class": self._error})
                if self._stopping.is_set():
                    return False
                await self._pause(backoff_s)
                backoff_s = min(BACKOFF_MAX_S, backoff_s * 2)
                if self._stopping.is_set():
                    return False
            else:
                self._error = None
                return True

    async def _pause(self, backoff_s: float) -> None:
        """Sleeps, or less when the loop is stopped."""
        tasks = [asyncio.ensure_future(self._sleep(backoff_s)), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _step(self) -> None:
        records = await self._consumer.poll(self._batch_max, self._poll_s)
        async with self._busy:
            if records:
                await self._retried_batch(records)
            elif self._on_idle is not None:
                await self._on_idle()

    async def _retried_batch(self, records: list[ConsumedRecord]) -> None:
        """Handles one polled batch to its commit. An outage repeats it, a stop leaves it to the next owner."""
        poison: list[Poison] = []
        good = records

        async def attempt() -> None:
            nonlocal good
            while good:
                try:
                    await self._handle(good)
                    break
                except Poison as error:
                    poison.append(error)
                    self._admit(error, self._run_length(records, poison)[0])
                    good = [record for record in good if record is not error.record]

        async def finish() -> None:
            if poison:
                await self._dead_letters.send([self._dead_letter(error) for error in poison])
            positions = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}
            try:
                await self._consumer.commit(positions)
            except NotAssigned:
                log.info("a batch's partitions moved before its commit", extra={"group": self._group})

        if not (await self._retried(attempt) and await self._retried(finish)):
            return
        self._recent.extend([False] * len(good))
        self._consecutive = self._run_length(records, poison)[1]
        self._handled += len(good)
        self._dead_lettered += len(poison)
        if poison:
            DEAD_LETTERS.labels(self._group).inc(len(poison))
        CONSUMER_LAG.labels(self._group).set(self._consumer.lag())

    async def _handle(self, records: list[ConsumedRecord]) -> None:
        if not enabled():
            await self._handler(records)
            return
        parents = list(dict.fromkeys(filter(None, map(traceparent_of, records))))
        first, rest = (parents[0], parents[1:]) if parents else ("", [])
        attributes = {"messaging.consumer.group.name": self._group, "messaging.batch.message_count": len(records)}
        with span("process events", SpanKind.CONSUMER, attributes=attributes, traceparent=first, linked=rest):
            await self._handler(records)

    def _run_length(self, records: list[ConsumedRecord], poison: list[Poison]) -> tuple[int, int]:
        """The longest and the last run of poison records, the run before this batch included."""
        bad = {id(error.record) for error in poison}
        run = longest = self._consecutive
        for record in records:
            run = run + 1 if id(record) in bad else 0
            longest = max(longest, run)
        return longest, run

    def _admit(self, error: Poison, run: int) -> None:
        """Counts a poison record. Raises TooMuchPoison past a limit."""
        self._recent.append(True)
        window = self._limits.window
        crowded = len(self._recent) == window and sum(self._recent) > self._limits.ratio * window
        if run > self._limits.consecutive or crowded:
            raise TooMuchPoison(f"group {self._group} passed its dead-letter limits") from error
        log.error(
            "a poison record goes to the dead letters",
            extra={
                "group": self._group, "topic": error.record.topic, "partition": error.record.partition,
                "reason": error.reason[:ERROR_CHARS_MAX],
            },
        )  # fmt: skip

    def _dead_letter(self, error: Poison) -> OutRecord:
        record = error.record
        envelope = Envelope(
            event_id=new_id("ev"),
            producer_id=f"{self._group}-dlq",
            occurred_at_unix_us=self._clock.now_us(),
            schema_version=1,
            dead_letter=DeadLetter(
                topic=record.topic, partition=record.partition, offset=record.offset, group=self._group,
                error=error.reason[:ERROR_CHARS_MAX], value=record.value,
            ),
        )  # fmt: skip
        return record_of(DLQ, record.topic.encode(), envelope)

    async def _revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Lets the batch under way reach its commit before the partitions move, for a bounded time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REVOKE_WAIT_S), self._busy:
                pass
        if self._on_revoked is not None:
            await self._on_revoked(partitions)


def traceparent_of(record: ConsumedRecord) -> str:
    """The trace that a record belongs to, empty where it has none."""
    return next((value.decode("ascii", "replace") for name, value in record.headers if name == TRACEPARENT), "")
