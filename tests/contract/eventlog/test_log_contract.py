"""What every event log promises, run against the embedded log and a real broker."""

from __future__ import annotations

import asyncio

import pytest

from services.common.eventlog.ports import (
    RECORD_BYTES_MAX,
    LogUnavailable,
    NotAssigned,
    OutRecord,
    TopicPartition,
    partition_of,
)
from tests.contract.eventlog.rig import Rig, drained, next_offsets, values_by_key

KEYS = [f"key-{n % 7}" for n in range(70)]
IN_ORDER = {f"key-{k}": list(range(k, 70, 7)) for k in range(7)}


async def test_records_of_a_key_keep_their_order_and_partition(rig: Rig) -> None:
    await rig.send(rig.records(KEYS[:35]))
    await rig.send(rig.records(KEYS[35:], first=35))
    consumer = await rig.joined()
    records = await drained(consumer, 70, batch=9)
    await consumer.stop()
    assert values_by_key(records) == IN_ORDER
    assert {(r.key, r.partition) for r in records} == {(k.encode(), partition_of(k.encode(), 4)) for k in KEYS}


async def test_offsets_are_contiguous_from_zero_in_each_partition(rig: Rig) -> None:
    await rig.send(rig.records(KEYS))
    consumer = await rig.joined()
    offsets: dict[int, list[int]] = {}
    for record in await drained(consumer, 70):
        offsets.setdefault(record.partition, []).append(record.offset)
    await consumer.stop()
    assert {p: seen == list(range(len(seen))) for p, seen in offsets.items()} == dict.fromkeys(offsets, True)


async def test_key_value_and_headers_arrive_as_sent(rig: Rig) -> None:
    headers = (("event-type", b"spend"), ("schema", b"\x00\xff"), ("event-type", b"again"))
    await rig.send([OutRecord(rig.topic, b"k\x00", b"\xff" * 300_000, headers), OutRecord(rig.topic, b"k\x00", b"")])
    consumer = await rig.joined()
    records = await drained(consumer, 2)
    await consumer.stop()
    assert [(r.topic, r.key, r.value, r.headers) for r in records] == [
        (rig.topic, b"k\x00", b"\xff" * 300_000, headers),
        (rig.topic, b"k\x00", b"", ()),
    ]


async def test_an_empty_send_is_nothing(rig: Rig) -> None:
    await rig.send([])
    consumer = await rig.joined()
    assert await consumer.poll(10, 0) == []
    await consumer.stop()


async def test_a_record_past_the_limit_is_the_callers_bug(rig: Rig) -> None:
    producer = rig.log.producer("test")
    await producer.start()
    with pytest.raises(ValueError, match="exceeds"):
        await producer.send([OutRecord(rig.topic, b"k", b"x" * RECORD_BYTES_MAX)])
    await producer.stop()


async def test_a_group_resumes_at_its_commit(rig: Rig) -> None:
    await rig.send(rig.records(["k"] * 10))
    first = await rig.joined()
    await first.commit(next_offsets(await drained(first, 4, batch=4)))
    await first.poll(3, 5)
    await first.stop()
    second = await rig.joined()
    place = TopicPartition(rig.topic, partition_of(b"k", 4))
    assert await second.committed(place) == 4
    assert [int(r.value) for r in await drained(second, 6)] == [4, 5, 6, 7, 8, 9]
    await second.stop()


async def test_without_a_commit_everything_is_delivered_again(rig: Rig) -> None:
    await rig.send(rig.records(KEYS))
    for _ in range(2):
        consumer = await rig.joined()
        assert await consumer.committed(TopicPartition(rig.topic, 0)) is None
        assert values_by_key(await drained(consumer, 70)) == IN_ORDER
        await consumer.stop()


async def test_groups_do_not_share_positions(rig: Rig) -> None:
    await rig.send(rig.records(KEYS))
    one, two = await rig.joined("one-" + rig.group), await rig.joined("two-" + rig.group)
    await one.commit(next_offsets(await drained(one, 70)))
    assert values_by_key(await drained(two, 70)) == IN_ORDER
    assert await two.committed(TopicPartition(rig.topic, 0)) is None
    await one.stop()
    await two.stop()


async def test_a_poller_wakes_for_a_record(rig: Rig) -> None:
    consumer = await rig.joined()
    waiting = asyncio.create_task(consumer.poll(10, 30))
    await asyncio.sleep(0)
    await rig.send(rig.records(["k"]))
    assert [r.value for r in await waiting] == [b"0"]
    assert consumer.lag() == 0
    await consumer.stop()


async def test_seek_decides_the_next_poll(rig: Rig) -> None:
    await rig.send(rig.records(["k"] * 5))
    consumer = await rig.joined()
    await drained(consumer, 5)
    place = TopicPartition(rig.topic, partition_of(b"k", 4))
    await consumer.seek(place, 3)
    assert consumer.lag() == 2
    assert [int(r.value) for r in await drained(consumer, 2)] == [3, 4]
    await consumer.stop()


async def test_seek_in_on_assigned_overrides_the_commit(rig: Rig) -> None:
    await rig.send(rig.records(["k"] * 5))
    place = TopicPartition(rig.topic, partition_of(b"k", 4))

    async def on_assigned(partitions: frozenset[TopicPartition]) -> None:
        assert partitions == {TopicPartition(rig.topic, n) for n in range(4)}
        await consumer.seek(place, 2)

    consumer = rig.log.consumer(rig.group, [rig.topic], on_assigned=on_assigned)
    await consumer.start()
    assert [int(r.value) for r in await drained(consumer, 3)] == [2, 3, 4]
    await consumer.stop()


async def test_an_unassigned_partition_is_refused(rig: Rig) -> None:
    consumer = await rig.joined()
    elsewhere = TopicPartition(rig.topic, 99)
    with pytest.raises(NotAssigned):
        await consumer.commit({elsewhere: 1})
    with pytest.raises(NotAssigned):
        await consumer.seek(elsewhere, 1)
    await consumer.stop()


async def test_polling_a_stopped_member_gives_nothing_away(rig: Rig) -> None:
    await rig.send(rig.records(["k"]))
    consumer = await rig.joined()
    await consumer.stop()
    assert consumer.assignment() == frozenset()
    with pytest.raises(LogUnavailable):
        await consumer.poll(10, 0)


async def test_creating_topics_again_keeps_their_records(rig: Rig) -> None:
    await rig.send(rig.records(KEYS))
    await rig.log.ensure_topics()
    consumer = await rig.joined()
    assert values_by_key(await drained(consumer, 70)) == IN_ORDER
    await consumer.stop()


async def test_concurrent_sends_keep_each_senders_order(rig: Rig) -> None:
    producer = rig.log.producer("test")
    await producer.start()
    sends = [producer.send(rig.records(["k"] * 5, first=5 * n)) for n in range(20)]
    await asyncio.gather(*sends)
    await producer.stop()
    consumer = await rig.joined()
    assert [int(r.value) for r in await drained(consumer, 100)] == list(range(100))
    await consumer.stop()
