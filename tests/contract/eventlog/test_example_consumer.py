"""The consumer that docs/events.md shows, run as it stands against a broker."""

from __future__ import annotations

import asyncio
import sys

from orca.events.v1.events_pb2 import Envelope, RequestCompleted
from services.allinone.kafka_log import KafkaEventLog
from services.common.eventlog import topics
from services.common.eventlog.envelope import record_of
from tests.support.kafka import KafkaBroker
from tests.support.process import ROOT

SENDS_MAX = 60


async def test_the_documented_consumer_reads_requests(broker: KafkaBroker) -> None:
    log = KafkaEventLog(broker.bootstrap)
    await log.ensure_topics()
    producer = log.producer("example")
    await producer.start()
    event = Envelope(event_id="ev_1", key_id="key_1", request=RequestCompleted(model="orca/echo", cost_nano_usd=1500))
    example = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "docs" / "examples" / "consume_events.py"), broker.bootstrap,
        stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(ROOT / "protos")},
    )  # fmt: skip
    assert example.stdout is not None
    line = asyncio.ensure_future(example.stdout.readline())
    try:
        # It begins with what comes after it joined, so events are sent until it has.
        for _ in range(SENDS_MAX):
            await producer.send([record_of(topics.REQUESTS, b"key_1", event)])
            done, _pending = await asyncio.wait([line], timeout=0.5)
            if done:
                break
        assert line.done()
        assert line.result().decode().split() == ["key_1", "orca/echo", "1500"]
    finally:
        line.cancel()
        example.kill()
        await example.wait()
        await producer.stop()
        await log.stop()
