"""What only the embedded log promises: a file that survives kill -9, one member, one process, trimming."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from services.allinone.sqlite_log import SqliteEventLog
from services.allinone.sqlite_store import SqliteStore
from services.common.eventlog.ports import GroupTaken, LogUnavailable, OutRecord, TopicPartition
from services.common.eventlog.topics import TOPICS, Topic
from tests.contract.eventlog.rig import drained, next_offsets
from tests.support.clock import ManualClock
from tests.support.process import ROOT

DAY_MS = 86_400_000
PLAIN = Topic("plain", 4, None)
SHORT = Topic("short", 1, DAY_MS)
COMPACT = Topic("compact", 1, None, compacted=True)
KILL_AFTER = 40

WRITER = """
import asyncio, sys
from pathlib import Path
from services.common.clock import SystemClock
from services.common.eventlog.ports import OutRecord, TopicPartition
from services.allinone.sqlite_log import SqliteEventLog
from services.common.eventlog.topics import SPEND

async def main():
    log = SqliteEventLog(Path(sys.argv[1]), SystemClock())
    await log.start()
    await log.ensure_topics()
    producer, consumer = log.producer("p"), log.consumer("g", [SPEND])
    await consumer.start()
    number = 0
    while True:
        await producer.send([OutRecord(SPEND, b"k", b"%d" % (number + n)) for n in range(10)])
        number += 10
        records = await consumer.poll(100, 1)
        await consumer.commit({TopicPartition(r.topic, r.partition): r.offset + 1 for r in records})
        print(number, flush=True)

asyncio.run(main())
"""


async def _open(path: Path, clock: ManualClock | None = None, *topics: Topic) -> SqliteEventLog:
    log = SqliteEventLog(path, clock or ManualClock(), topics or (PLAIN, SHORT, COMPACT))
    await log.start()
    await log.ensure_topics()
    return log


def _records(topic: str, first: int, last: int, key: bytes = b"k") -> list[OutRecord]:
    return [OutRecord(topic, key, b"%d" % n) for n in range(first, last)]


async def _values(log: SqliteEventLog, topic: str, group: str = "reader") -> list[int]:
    consumer = log.consumer(group, [topic])
    await consumer.start()
    values: list[int] = []
    while records := await consumer.poll(7, 0):
        values += [int(record.value) for record in records]
    await consumer.stop()
    return values


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"},
    )  # fmt: skip
    assert writer.stdout is not None
    acknowledged = 0
    for _ in range(KILL_AFTER):
        acknowledged = int(await writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    acknowledged = max([acknowledged, *(int(line) for line in (await writer.stdout.read()).split(b"\n")[:-1] if line)])
    await writer.wait()

    log = await _open(path, None, *TOPICS)
    values = await _values(log, "orca.spend.v1")
    assert len(values) >= acknowledged
    assert values == list(range(len(values)))
    assert len(values) % 10 == 0
    resumed = await _values(log, "orca.spend.v1", group="g")
    assert resumed == values[len(values) - len(resumed) :]
    assert len(values) - len(resumed) >= acknowledged
    await log.stop()


async def test_a_group_admits_one_member(tmp_path: Path) -> None:
    log = await _open(tmp_path / "events.db")
    first, second = log.consumer("g", ["plain"]), log.consumer("g", ["plain"])
    await first.start()
    with pytest.raises(GroupTaken):
        await second.start()
    await second.stop()
    await log.producer("p").send(_records("plain", 0, 1))
    assert [r.value for r in await first.poll(1, 0)] == [b"0"]
    await first.stop()
    await second.start()
    assert [r.value for r in await second.poll(1, 0)] == [b"0"]
    await second.stop()
    await log.stop()


async def test_a_second_log_on_the_file_is_refused(tmp_path: Path) -> None:
    log = await _open(tmp_path / "events.db")
    other = SqliteEventLog(tmp_path / "events.db", ManualClock())
    with pytest.raises(LogUnavailable):
        await other.start()
    await other.stop()
    await log.stop()
    again = await _open(tmp_path / "events.db")
    await again.stop()


async def test_records_and_commits_survive_a_reopening(tmp_path: Path) -> None:
    log = await _open(tmp_path / "events.db")
    await log.producer("p").send(_records("plain", 0, 10))
    consumer = log.consumer("g", ["plain"])
    await consumer.start()
    await consumer.commit(next_offsets(await drained(consumer, 6, batch=6)))
    await consumer.stop()
    await log.stop()
    log = await _open(tmp_path / "events.db")
    await log.producer("p").send(_records("plain", 10, 12))
    assert await _values(log, "plain", group="g") == [6, 7, 8, 9, 10, 11]
    await log.stop()


@pytest.mark.parametrize("stored", [True, False])
async def test_a_commit_in_doubt_is_looked_up(tmp_path: Path, stored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    log = await _open(tmp_path / "events.db")
    producer = log.producer("p")
    await producer.send(_records("plain", 0, 2))
    finish = SqliteStore._finish

    def doubtful(store: SqliteStore) -> None:
        if stored:
            finish(store)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(SqliteStore, "_finish", doubtful)
    if stored:
        await producer.send(_records("plain", 2, 4))
    else:
        with pytest.raises(LogUnavailable):
            await producer.send(_records("plain", 2, 4))
    monkeypatch.undo()
    if not stored:
        await producer.send(_records("plain", 2, 4))
    assert await _values(log, "plain") == [0, 1, 2, 3]
    await log.stop()


async def test_an_unknown_topic_and_a_stopped_log_are_unavailable(tmp_path: Path) -> None:
    log = await _open(tmp_path / "events.db")
    with pytest.raises(LogUnavailable):
        await log.producer("p").send(_records("other", 0, 1))
    await log.stop()
    with pytest.raises(LogUnavailable):
        await log.producer("p").send(_records("plain", 0, 1))


async def test_stopping_the_log_ends_a_waiting_poll(tmp_path: Path) -> None:
    log = await _open(tmp_path / "events.db")
    consumer = log.consumer("g", ["plain"])
    await consumer.start()
    waiting = asyncio.create_task(consumer.poll(1, 30))
    await asyncio.sleep(0)
    await log.stop()
    with pytest.raises(LogUnavailable):
        await waiting
    await consumer.stop()


async def test_expired_records_are_trimmed_and_offsets_go_on(tmp_path: Path) -> None:
    clock = ManualClock()
    log = await _open(tmp_path / "events.db", clock)
    producer = log.producer("p")
    await producer.send(_records("short", 0, 6_000))
    await producer.send(_records("plain", 0, 3))
    clock.advance(DAY_MS / 1000)
    await producer.send(_records("short", 6_000, 6_003))
    assert await log.trim() == 0
    clock.advance(1)
    assert await log.trim() == 6_000
    assert await _values(log, "short", group="late") == [6_000, 6_001, 6_002]
    assert await _values(log, "plain", group="late") == [0, 1, 2]
    clock.advance(2 * DAY_MS / 1000)
    assert await log.trim() == 3
    assert await _values(log, "short", group="later") == []
    await producer.send(_records("short", 7_000, 7_001))
    consumer = log.consumer("latest", ["short"])
    await consumer.start()
    assert [(r.offset, r.value) for r in await consumer.poll(10, 0)] == [(6_003, b"7000")]
    await consumer.stop()
    await log.stop()


async def test_a_compacted_topic_keeps_the_last_record_of_a_key(tmp_path: Path) -> None:
    log = await _open(tmp_path / "events.db")
    producer = log.producer("p")
    await producer.send([*_records("compact", 0, 5, b"a"), *_records("compact", 5, 8, b"b")])
    assert await log.trim() == 6
    assert await _values(log, "compact") == [4, 7]
    await log.stop()


async def test_an_existing_topic_keeps_its_partition_count(tmp_path: Path) -> None:
    log = await _open(tmp_path / "events.db", None, Topic("plain", 4, None))
    await log.stop()
    log = await _open(tmp_path / "events.db", None, Topic("plain", 9, None), Topic("new", 2, None))
    consumer = log.consumer("g", ["plain", "new"])
    await consumer.start()
    assert consumer.assignment() == {
        *(TopicPartition("plain", n) for n in range(4)),
        *(TopicPartition("new", n) for n in range(2)),
    }
    await consumer.stop()
    await log.stop()


async def test_a_busy_partition_does_not_starve_the_others(tmp_path: Path) -> None:
    log = await _open(tmp_path / "events.db")
    producer = log.producer("p")
    for key in (b"a", b"b", b"c", b"d", b"e", b"f"):
        await producer.send(_records("plain", 0, 50, key))
    consumer = log.consumer("g", ["plain"])
    await consumer.start()
    served = {record.partition for _ in range(4) for record in await consumer.poll(1, 0)}
    assert served == {partition.partition for partition in next_offsets(await drained(consumer, 296))}
    await consumer.stop()
    await log.stop()
