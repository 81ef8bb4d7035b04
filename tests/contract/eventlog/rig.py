"""What the tests of both logs share: a log with a topic of its own, and reading helpers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.eventlog.ports import ConsumedRecord, Consumer, EventLog, OutRecord, TopicPartition

POLL_S = 5.0
POLLS_MAX = 50


@dataclass
class Rig:
    """A log and a topic of its own with four partitions."""

    kind: str
    log: EventLog
    topic: str
    group: str

    def records(self, keys: Sequence[str], first: int = 0) -> list[OutRecord]:
        """One record a key, with a running number as value."""
        return [OutRecord(self.topic, key.encode(), b"%d" % (first + n)) for n, key in enumerate(keys)]

    async def send(self, records: Sequence[OutRecord]) -> None:
        producer = self.log.producer("test")
        await producer.start()
        await producer.send(records)
        await producer.stop()

    async def joined(self, group: str | None = None) -> Consumer:
        consumer = self.log.consumer(group or self.group, [self.topic])
        await consumer.start()
        return consumer


async def drained(consumer: Consumer, count: int, batch: int = 100) -> list[ConsumedRecord]:
    """Polls until `count` records came; fails with what came when the log has no more."""
    records: list[ConsumedRecord] = []
    for _ in range(POLLS_MAX):
        if len(records) >= count:
            break
        records += await consumer.poll(batch, POLL_S)
    assert len(records) == count, [record.value for record in records]
    return records


def next_offsets(records: Sequence[ConsumedRecord]) -> dict[TopicPartition, int]:
    """What to commit after these."""
    return {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}


def values_by_key(records: Sequence[ConsumedRecord]) -> dict[str, list[int]]:
    """Values in the order of arrival."""
    found: dict[str, list[int]] = {}
    for record in records:
        found.setdefault(record.key.decode(), []).append(int(record.value))
    return found
