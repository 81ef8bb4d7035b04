"""What only several members and a failing broker can show."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid

import pytest

from services.allinone import kafka_log
from services.allinone.kafka_log import KafkaEventLog
from services.common.eventlog.ports import (
    ConsumedRecord,
    Consumer,
    LogUnavailable,
    NotAssigned,
    OutRecord,
    Producer,
    TopicPartition,
)
from services.common.eventlog.topics import TOPICS, Topic
from tests.contract.eventlog.rig import drained, next_offsets, values_by_key
from tests.support.kafka import KafkaBroker
from tests.support.process import ROOT, free_port

ROUNDS_MAX = 200
SENDS_MAX = 12
READER = """
import asyncio, sys
from services.allinone.kafka_log import KafkaEventLog
from services.common.eventlog.ports import TopicPartition

async def main():
    bootstrap, topic = sys.argv[1:]
    consumer = KafkaEventLog(bootstrap, session_timeout_ms=2_000).consumer("g-" + topic, [topic])
    await consumer.start()
    records = await consumer.poll(5, 10)
    await consumer.commit({TopicPartition(r.topic, r.partition): r.offset + 1 for r in records})
    await consumer.poll(5, 10)
    print(len(records), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def _log(broker: KafkaBroker) -> tuple[KafkaEventLog, str]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    log = KafkaEventLog(broker.bootstrap, topics=(Topic(name, 4, None),), session_timeout_ms=2_000)
    await log.ensure_topics()
    return log, name


def _records(topic: str, count: int, first: int = 0) -> list[OutRecord]:
    return [OutRecord(topic, b"key-%d" % (n % 7), b"%d" % n) for n in range(first, first + count)]


async def _sent(producer: Producer, records: list[OutRecord]) -> None:
    """Sends as every caller must: the same records again while the log is unavailable."""
    for _ in range(SENDS_MAX):
        try:
            return await producer.send(records)
        except LogUnavailable:
            continue
    raise AssertionError("the log stayed unavailable")


async def _shared(one: Consumer, two: Consumer) -> None:
    """Polls both until each holds half of the four partitions."""
    for _ in range(ROUNDS_MAX):
        if len(one.assignment()) == len(two.assignment()) == 2:
            return
        await asyncio.gather(one.poll(1, 0.05), two.poll(1, 0.05))
    raise AssertionError((one.assignment(), two.assignment()))


async def test_two_members_share_the_partitions_and_the_leaver_hands_over(broker: KafkaBroker) -> None:
    log, topic = await _log(broker)
    everything = {TopicPartition(topic, n) for n in range(4)}
    revoked: list[frozenset[TopicPartition]] = []

    async def on_revoked(partitions: frozenset[TopicPartition]) -> None:
        revoked.append(partitions)

    one = log.consumer("g-" + topic, [topic], on_revoked=on_revoked)
    two = log.consumer("g-" + topic, [topic])
    await one.start()
    assert one.assignment() == everything
    joining = asyncio.create_task(two.start())
    while not joining.done():
        await one.poll(1, 0.05)
    await joining
    await _shared(one, two)
    assert revoked == [everything]
    assert one.assignment() | two.assignment() == everything
    lost = next(iter(two.assignment()))
    with pytest.raises(NotAssigned):
        await one.commit({lost: 1})

    producer = log.producer("test")
    await producer.send(_records(topic, 70))
    await producer.stop()
    seen: list[ConsumedRecord] = []
    while len(seen) < 70:
        for member in (one, two):
            records = await member.poll(100, 0.1)
            await member.commit(next_offsets(records))
            seen += records
    assert values_by_key(seen) == {f"key-{k}": list(range(k, 70, 7)) for k in range(7)}

    await one.stop()
    for _ in range(ROUNDS_MAX):
        if two.assignment() == everything:
            break
        await two.poll(1, 0.05)
    assert two.assignment() == everything
    assert await two.poll(100, 0.2) == []
    await two.stop()


async def test_a_broker_killed_between_sends_loses_and_doubles_nothing(broker: KafkaBroker) -> None:
    log, topic = await _log(broker)
    producer = log.producer("test")
    await producer.send(_records(topic, 70))
    broker.kill()
    sending = asyncio.create_task(_sent(producer, _records(topic, 70, first=70)))
    await asyncio.to_thread(broker.start)
    await sending
    await producer.stop()
    consumer = log.consumer("g-" + topic, [topic])
    await consumer.start()
    records = await drained(consumer, 140)
    await consumer.stop()
    assert values_by_key(records) == {f"key-{k}": list(range(k, 140, 7)) for k in range(7)}


async def test_a_send_that_timed_out_is_not_doubled_by_its_repetition(
    broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_log, "SEND_TIMEOUT_S", 0.3)
    log, topic = await _log(broker)
    producer = log.producer("test")
    await producer.send(_records(topic, 7))
    broker.pause()
    try:
        for _ in range(2):
            with pytest.raises(LogUnavailable):
                await producer.send(_records(topic, 7, first=7))
    finally:
        broker.resume()
    monkeypatch.setattr(kafka_log, "SEND_TIMEOUT_S", 30.0)
    await producer.send(_records(topic, 14, first=7))
    await producer.stop()
    consumer = log.consumer("g-" + topic, [topic])
    await consumer.start()
    records = await drained(consumer, 21)
    assert await consumer.poll(10, 0.2) == []
    await consumer.stop()
    assert values_by_key(records) == {f"key-{k}": [k, k + 7, k + 14] for k in range(7)}


async def test_a_consumer_goes_on_after_the_broker_was_killed(broker: KafkaBroker) -> None:
    log, topic = await _log(broker)
    producer = log.producer("test")
    await producer.send(_records(topic, 7))
    consumer = log.consumer("g-" + topic, [topic])
    await consumer.start()
    await consumer.commit(next_offsets(await drained(consumer, 7)))
    broker.kill()
    await asyncio.to_thread(broker.start)
    await _sent(producer, _records(topic, 7, first=7))
    assert {int(record.value) for record in await drained(consumer, 7)} == set(range(7, 14))
    await consumer.stop()
    await producer.stop()


async def test_what_a_killed_member_did_not_commit_is_delivered_again(broker: KafkaBroker) -> None:
    log, topic = await _log(broker)
    producer = log.producer("test")
    await producer.send(_records(topic, 70))
    await producer.stop()
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, broker.bootstrap, topic, cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
    )  # fmt: skip
    assert reader.stdout is not None
    committed = int(await reader.stdout.readline())
    reader.kill()
    await reader.wait()
    successor = log.consumer("g-" + topic, [topic])
    await successor.start()
    assert len(await drained(successor, 70 - committed)) == 70 - committed
    assert await successor.poll(10, 0.2) == []
    await successor.stop()


async def test_nothing_listens_is_unavailable_and_closes_cleanly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_log, "CONNECT_TIMEOUT_S", 2.0)
    log = KafkaEventLog(f"127.0.0.1:{free_port()}")
    producer, consumer = log.producer("test"), log.consumer("g", ["t"])
    await producer.start()
    with pytest.raises(LogUnavailable):
        await producer.send([OutRecord("t", b"k", b"v")])
    with pytest.raises(LogUnavailable):
        await consumer.start()
    with pytest.raises(LogUnavailable):
        await log.ensure_topics()
    await producer.stop()
    await consumer.stop()


async def test_stopping_is_bounded_while_the_broker_is_down(
    broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_log, "SEND_TIMEOUT_S", 0.3)
    monkeypatch.setattr(kafka_log, "CLOSE_TIMEOUT_S", 0.5)
    log, topic = await _log(broker)
    producer, consumer = log.producer("test"), log.consumer("g-" + topic, [topic])
    await producer.send(_records(topic, 7))
    await consumer.start()
    broker.kill()
    try:
        with pytest.raises(LogUnavailable):
            await producer.send(_records(topic, 7, first=7))
        async with asyncio.timeout(10):
            await producer.stop()
            await consumer.stop()
    finally:
        await asyncio.to_thread(broker.start)


async def test_the_products_topics_are_created_as_declared(broker: KafkaBroker) -> None:
    log = KafkaEventLog(broker.bootstrap)
    await log.ensure_topics()
    await log.ensure_topics()
    consumer = log.consumer("g-" + uuid.uuid4().hex, [topic.name for topic in TOPICS])
    await consumer.start()
    assert consumer.assignment() == {TopicPartition(t.name, n) for t in TOPICS for n in range(t.partitions)}
    await consumer.stop()
