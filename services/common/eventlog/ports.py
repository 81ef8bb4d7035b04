"""The event log's vocabulary: an offset is always the next one to read.

Records of one key stay in order within their partition; delivery is at least once; a group has one
committed offset per partition. Both adapters (embedded SQLite, Kafka) pass one contract suite.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from services.common.errors import Conflict, Unavailable

RECORD_BYTES_MAX = 1_000_000
"""Key, value and headers of one record; a larger one is a bug of its producer (ValueError)."""


class LogUnavailable(Unavailable):
    """The log cannot take or give records now; nothing was lost, try again."""

    default_code = "event_log_unavailable"


class GroupTaken(Conflict):
    """The embedded log admits one member per group and this group has one."""

    default_code = "group_taken"


class NotAssigned(Conflict):
    """This member does not (any longer) read that partition; its new owner decides."""

    default_code = "partition_not_assigned"


# Six of each are made a request: a struct costs a tenth of a frozen dataclass, and none refers back to anything.
class OutRecord(msgspec.Struct, frozen=True, gc=False):
    """A record to append; the key picks its partition."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    def check(self) -> None:
        """Raises ValueError when larger than RECORD_BYTES_MAX."""
        size = len(self.key) + len(self.value)
        for name, value in self.headers:
            size += len(name) + len(value)
        if size > RECORD_BYTES_MAX:
            raise ValueError(f"a record for {self.topic} exceeds {RECORD_BYTES_MAX} bytes")


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, the same in both logs; never changed, since order per key rests on it."""
    return zlib.crc32(key) % partitions


class TopicPartition(NamedTuple):
    """One ordered sequence of records."""

    topic: str
    partition: int


class ConsumedRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as read."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int


Rebalance = Callable[[frozenset[TopicPartition]], Awaitable[None]]


class Producer(Protocol):
    """Appends records; idempotent against its own retries."""

    async def start(self) -> None:
        """Connects. Does not fail when the log is down; sending does."""

    async def stop(self) -> None:
        """Flushes and closes."""

    async def send(self, records: Sequence[OutRecord]) -> None:
        """Returns when all are durable, in order per key.

        Raises LogUnavailable: the caller sends the same records again, in the same order. Part of them may
        have been stored, so consumers tell repetitions by the envelope's producer id and sequence.
        """


class Consumer(Protocol):
    """A member of a group."""

    async def start(self) -> None:
        """Joins the group. Raises LogUnavailable, GroupTaken."""

    async def stop(self) -> None:
        """Leaves the group without committing."""

    async def poll(self, max_records: int, timeout_s: float) -> list[ConsumedRecord]:
        """Next records in partition order; empty after the timeout. Raises LogUnavailable."""

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Stores next offsets for the group. Raises LogUnavailable, NotAssigned."""

    async def committed(self, partition: TopicPartition) -> int | None:
        """The group's next offset, None before its first commit. Raises LogUnavailable."""

    async def seek(self, partition: TopicPartition, offset: int) -> None:
        """The next poll reads from this offset. Allowed in `on_assigned`. Raises NotAssigned."""

    def assignment(self) -> frozenset[TopicPartition]:
        """Partitions this member reads now."""

    def lag(self) -> int:
        """Records known to exist that this member has not polled yet. Local knowledge, no I/O."""


class EventLog(Protocol):
    """A log and its topics."""

    async def start(self) -> None:
        """Opens the log."""

    async def stop(self) -> None:
        """Closes it."""

    async def ensure_topics(self) -> None:
        """Creates missing topics as declared."""

    def producer(self, producer_id: str) -> Producer:
        """A producer, not yet started."""

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
    ) -> Consumer:
        """A consumer, not yet started; a group without commits begins at the oldest record.

        `on_assigned` runs before the first poll of the partitions, `on_revoked` before another member gets
        them (time to commit); neither runs at `stop`.
        """
