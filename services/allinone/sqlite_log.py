"""The embedded event log: Kafka's contract on one SQLite file, in one process.

All statements run on one dedicated thread. Writes that wait together become one transaction with one flush,
so throughput rises with load instead of latency. Pollers are woken in process, not by polling the file, and
those that keep up read what was just written from memory.
Weaker than Kafka: one member per group (a second is refused), one process per file, no replication.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.allinone.sqlite_store import Append, Commit, SqliteStore, Write, Written
from services.allinone.tail import Tail
from services.common.clock import Clock
from services.common.eventlog.ports import (
    ConsumedRecord,
    Consumer,
    GroupTaken,
    LogUnavailable,
    NotAssigned,
    OutRecord,
    Producer,
    Rebalance,
    TopicPartition,
)
from services.common.eventlog.topics import TOPICS, Topic
from services.common.tasks import end_task

log = logging.getLogger("orca.eventlog")

# A group has one member here, so that more partitions would only mean more, smaller batches.
EMBEDDED_TOPICS = tuple(replace(topic, partitions=1) for topic in TOPICS)

PENDING_MAX = 10_000
GROUP_COMMIT_MAX = 256
TRIM_INTERVAL_S = 60.0
TRIM_PASSES_MAX = 100


@dataclass(frozen=True, slots=True)
class _Job:
    """A write, or a call with the store; its future is set on the event loop."""

    future: asyncio.Future[Any]
    write: Write | None = None
    call: Callable[[SqliteStore], Any] | None = None


class SqliteEventLog:
    """The log of one file. `start` raises LogUnavailable when another process holds the file."""

    def __init__(self, path: Path, clock: Clock, topics: Sequence[Topic] = EMBEDDED_TOPICS) -> None:
        self._path = Path(path)
        self._clock = clock
        self._topics = tuple(topics)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._trimmer: asyncio.Task[None] | None = None
        self.ends: dict[TopicPartition, int] = {}
        self.tail = Tail()
        self.members: dict[str, SqliteConsumer] = {}

    @classmethod
    def open(cls, path: Path, clock: Clock) -> SqliteEventLog:
        """The product's log at a path, not yet started."""
        return cls(path, clock)

    async def start(self) -> None:
        """Opens the file, creating it where missing."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[dict[TopicPartition, int]] = loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(loop, opened), name="eventlog", daemon=True)
        self._thread.start()
        try:
            self.ends = await opened
        except sqlite3.Error as error:
            self._thread = None
            raise LogUnavailable("the event log's file cannot be opened, or another process holds it") from error
        self._trimmer = asyncio.create_task(self._trim_forever(), name="eventlog-trim")

    async def stop(self) -> None:
        """Finishes what was asked, then closes the file."""
        thread, self._thread = self._thread, None
        await end_task(self._trimmer)
        self._trimmer = None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)
        for member in self.members.values():
            member.wake.set()

    @property
    def stopped(self) -> bool:
        """Not started, or stopped."""
        return self._thread is None

    async def ensure_topics(self) -> None:
        """Creates missing topics; existing ones keep their partition count, since keys were placed by it."""
        self.ends.update(await self.call(lambda store: store.create(self._topics)))

    def producer(self, producer_id: str) -> Producer:
        """A producer; the id serves Kafka's log only."""
        return SqliteProducer(self)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
    ) -> Consumer:
        """A group's one member; it is never asked to give a partition back, so `on_revoked` stays silent."""
        return SqliteConsumer(self, group, topics, on_assigned)

    async def trim(self) -> int:
        """Deletes expired and superseded records; returns how many."""
        total = 0
        now_ms = self._clock.now_us() // 1000
        for _ in range(TRIM_PASSES_MAX):
            removed: int = await self.call(lambda store: store.trim(self._topics, now_ms))
            total += removed
            if not removed:
                break
        if total:
            self.tail.clear()
        return total

    async def append(self, records: Sequence[OutRecord]) -> None:
        """Stores records as one batch, all or none."""
        for record in records:
            record.check()
            if TopicPartition(record.topic, 0) not in self.ends:
                raise LogUnavailable(f"there is no topic {record.topic}")
        if records:
            await self._submit(write=Append(records, self._clock.now_us() // 1000))

    async def commit(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        """Stores a group's next offsets."""
        await self._submit(write=Commit(group, dict(positions)))

    async def call(self, function: Callable[[SqliteStore], Any]) -> Any:
        """Runs a function on the log's thread."""
        return await self._submit(call=function)

    async def _submit(self, *, write: Write | None = None, call: Callable[[SqliteStore], Any] | None = None) -> Any:
        if self._thread is None:
            raise LogUnavailable("the event log is stopped")
        if self._jobs.qsize() >= PENDING_MAX:
            raise LogUnavailable("the event log is overloaded")
        job = _Job(asyncio.get_running_loop().create_future(), write, call)
        self._jobs.put(job)
        try:
            return await job.future
        except sqlite3.Error as error:
            raise LogUnavailable("the event log's file refused the operation") from error

    async def _trim_forever(self) -> None:
        while True:
            await asyncio.sleep(TRIM_INTERVAL_S)
            try:
                await self.trim()
            except LogUnavailable as error:
                log.warning("the log could not be trimmed", extra={"code": error.code})

    def _run(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[dict[TopicPartition, int]]) -> None:
        """The thread: opens the store, serves jobs until the sentinel, closes."""
        try:
            store = SqliteStore(self._path)
        except Exception as error:  # whoever waits for the start must learn of it
            loop.call_soon_threadsafe(opened.set_exception, error)
            return
        loop.call_soon_threadsafe(opened.set_result, dict(store.ends))
        running = True
        while running:
            jobs: list[_Job] = []
            job = self._jobs.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) >= GROUP_COMMIT_MAX or self._jobs.empty():
                    break
                job = self._jobs.get()
            running = job is not None
            writes = [job for job in jobs if job.write is not None]
            if writes:
                self._serve_writes(loop, store, writes)
            for job in jobs:
                if job.call is not None:
                    self._serve_call(loop, store, job, job.call)
        store.close()

    def _serve_writes(self, loop: asyncio.AbstractEventLoop, store: SqliteStore, jobs: Sequence[_Job]) -> None:
        try:
            written = store.write([job.write for job in jobs if job.write is not None])
        except Exception as error:  # the thread must outlive any one batch; its callers get the error
            loop.call_soon_threadsafe(self._failed, [job.future for job in jobs], error)
        else:
            loop.call_soon_threadsafe(self._written, [job.future for job in jobs], written)

    def _serve_call(
        self, loop: asyncio.AbstractEventLoop, store: SqliteStore, job: _Job, call: Callable[[SqliteStore], Any]
    ) -> None:
        try:
            result = call(store)
        except Exception as error:  # as above
            loop.call_soon_threadsafe(self._failed, [job.future], error)
        else:
            loop.call_soon_threadsafe(self._answered, job.future, result)

    def _written(self, futures: Sequence[asyncio.Future[Any]], written: Written) -> None:
        self.ends.update(written.ends)
        self.tail.add(written.records)
        topics = {partition.topic for partition in written.ends}
        for member in self.members.values():
            if not topics.isdisjoint(member.topics):
                member.wake.set()
        for future in futures:
            self._answered(future, None)

    @staticmethod
    def _answered(future: asyncio.Future[Any], result: Any) -> None:
        if not future.done():
            future.set_result(result)

    @staticmethod
    def _failed(futures: Sequence[asyncio.Future[Any]], error: Exception) -> None:
        for future in futures:
            if not future.done():
                future.set_exception(error)


class SqliteProducer:
    """Appends a batch per send; a batch whose commit was in doubt is looked up, not stored twice."""

    def __init__(self, owner: SqliteEventLog) -> None:
        self._owner = owner

    async def start(self) -> None:
        """Nothing to connect."""

    async def stop(self) -> None:
        """Nothing to flush: `send` returns when the records are durable."""

    async def send(self, records: Sequence[OutRecord]) -> None:
        """All records or none."""
        await self._owner.append(records)


class SqliteConsumer:
    """The one member of a group; it reads every partition of its topics."""

    def __init__(self, owner: SqliteEventLog, group: str, topics: Sequence[str], on_assigned: Rebalance | None) -> None:
        self._owner = owner
        self._group = group
        self.topics = frozenset(topics)
        self.wake = asyncio.Event()
        self._on_assigned = on_assigned
        self._positions: dict[TopicPartition, int] = {}
        self._turn = 0

    async def start(self) -> None:
        """Joins at the committed offsets. Raises GroupTaken, LogUnavailable."""
        if self._owner.members.setdefault(self._group, self) is not self:
            raise GroupTaken(f"group {self._group} already has its member: the embedded log admits one")
        try:
            topics = tuple(self.topics)
            committed = await self._owner.call(lambda store: store.committed(self._group, topics))
            mine = [partition for partition in self._owner.ends if partition.topic in self.topics]
            self._positions = {partition: committed.get(partition, 0) for partition in mine}
            if self._on_assigned is not None:
                await self._on_assigned(self.assignment())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Leaves; another member may join and resumes at the last commit."""
        self._positions = {}
        if self._owner.members.get(self._group) is self:
            del self._owner.members[self._group]
        self.wake.set()

    async def poll(self, max_records: int, timeout_s: float) -> list[ConsumedRecord]:
        """At most `max_records`, or what 16 MiB hold; returns as soon as there is one."""
        if self._owner.members.get(self._group) is not self:
            raise LogUnavailable("this consumer is not started")
        try:
            async with asyncio.timeout(timeout_s if timeout_s > 0 else None):
                while True:
                    self.wake.clear()
                    wanted = self._pending()
                    if wanted and (records := await self._read(wanted, max_records)):
                        return records
                    if not wanted:
                        if timeout_s <= 0:
                            return []
                        await self.wake.wait()
                        if self._owner.stopped:
                            raise LogUnavailable("the event log is stopped")
        except TimeoutError:
            return []

    def _pending(self) -> list[tuple[TopicPartition, int]]:
        """Partitions with something to read; the first one rotates so that a busy partition starves none."""
        ends = self._owner.ends
        wanted = [(partition, at) for partition, at in self._positions.items() if at < ends[partition]]
        if wanted:
            self._turn = (self._turn + 1) % len(wanted)
        return wanted[self._turn :] + wanted[: self._turn] if wanted else []

    async def _read(self, wanted: list[tuple[TopicPartition, int]], max_records: int) -> list[ConsumedRecord]:
        held = self._owner.tail.read(wanted, max_records)
        if held:
            self._positions.update({TopicPartition(r.topic, r.partition): r.offset + 1 for r in held})
            return held
        records, moved = await self._owner.call(lambda store: store.read(wanted, max_records))
        started_at = dict(wanted)
        # A seek while the read was under way wins: its partition keeps the new position.
        stale = {partition for partition in moved if self._positions.get(partition) != started_at[partition]}
        self._positions.update({partition: at for partition, at in moved.items() if partition not in stale})
        if not stale:
            return list(records)
        return [record for record in records if TopicPartition(record.topic, record.partition) not in stale]

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Durable when it returns."""
        self._check(positions)
        if positions:
            await self._owner.commit(self._group, positions)

    async def committed(self, partition: TopicPartition) -> int | None:
        """The group's next offset, None before its first commit."""
        topics = (partition.topic,)
        stored = await self._owner.call(lambda store: store.committed(self._group, topics))
        offset: int | None = stored.get(partition)
        return offset

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """The next poll reads from this offset."""
        self._check((partition,))
        if offset < 0:
            raise ValueError("an offset is not negative")
        self._positions[partition] = offset
        self.wake.set()

    def assignment(self) -> frozenset[TopicPartition]:
        """All partitions of the topics, none before `start` and after `stop`."""
        return frozenset(self._positions)

    def lag(self) -> int:
        """Records past the position, over all partitions."""
        ends = self._owner.ends
        return sum(max(0, ends[partition] - at) for partition, at in self._positions.items())

    def _check(self, partitions: Mapping[TopicPartition, int] | tuple[TopicPartition, ...]) -> None:
        if missing := [partition for partition in partitions if partition not in self._positions]:
            raise NotAssigned(f"{missing[0].topic}[{missing[0].partition}] is not assigned to group {self._group}")
