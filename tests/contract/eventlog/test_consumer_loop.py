"""The consumer loop over a real embedded log: commits, outages, poison and its limits, clean stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orca.events.v1.events_pb2 import DeadLetter, Envelope
from services.allinone.sqlite_log import SqliteEventLog
from services.common.errors import Unavailable
from services.common.eventlog.engine import ConsumerLoop, Handler, Health, Poison, PoisonLimits, TooMuchPoison
from services.common.eventlog.ports import ConsumedRecord, GroupTaken, OutRecord, TopicPartition
from services.common.eventlog.topics import DLQ, Topic
from tests.support.clock import ManualClock

TOPIC = Topic("work", 1, None)
TIMEOUT_S = 10


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteEventLog]:
    log = SqliteEventLog(tmp_path / "events.db", ManualClock(), (TOPIC, Topic(DLQ, 1, None)))
    await log.start()
    await log.ensure_topics()
    yield log
    await log.stop()


class Work:
    """Collects what was handled; refuses the values it is told to, a number of times or for ever."""

    def __init__(self, expected: int, poison: frozenset[int] = frozenset(), outages: int = 0) -> None:
        self.values: list[int] = []
        self.calls = 0
        self.done = asyncio.Event()
        self._expected = expected
        self._poison = poison
        self._outages = outages
        if not expected:
            self.done.set()

    async def __call__(self, records: list[ConsumedRecord]) -> None:
        self.calls += 1
        if self._outages:
            self._outages -= 1
            raise Unavailable("down")
        for record in records:
            if int(record.value) in self._poison:
                raise Poison(record, f"field {int(record.value)} is wrong")
        self.values += [int(record.value) for record in records]
        if len(self.values) >= self._expected:
            self.done.set()


async def _fill(log: SqliteEventLog, count: int) -> None:
    await log.producer("p").send([OutRecord(TOPIC.name, b"k", b"%d" % n) for n in range(count)])


async def _run(log: SqliteEventLog, work: Work, **options: object) -> ConsumerLoop:
    """Runs a loop until the work is done and it was stopped."""
    loop = _loop(log, work, **options)
    await loop.start()
    await asyncio.wait_for(work.done.wait(), TIMEOUT_S)
    await loop.stop()
    return loop


def _loop(log: SqliteEventLog, handler: Handler, **options: object) -> ConsumerLoop:
    return ConsumerLoop(log, "g", [TOPIC.name], handler, ManualClock(), poll_s=0.05, **options)  # type: ignore[arg-type]


async def _committed(log: SqliteEventLog) -> int | None:
    consumer = log.consumer("g", [TOPIC.name])
    await consumer.start()
    offset = await consumer.committed(TopicPartition(TOPIC.name, 0))
    await consumer.stop()
    return offset


async def _dead_letters(log: SqliteEventLog) -> list[DeadLetter]:
    consumer = log.consumer("dead", [DLQ])
    await consumer.start()
    records = await consumer.poll(1_000, 0)
    await consumer.stop()
    return [Envelope.FromString(record.value).dead_letter for record in records]


def _letter(offset: int) -> DeadLetter:
    return DeadLetter(
        topic=TOPIC.name, partition=0, offset=offset, group="g", error=f"field {offset} is wrong", value=b"%d" % offset
    )


async def test_batches_are_handled_in_order_and_committed(log: SqliteEventLog) -> None:
    await _fill(log, 10)
    work = Work(10)
    loop = await _run(log, work, batch_max=4)
    assert (work.values, work.calls) == (list(range(10)), 3)
    assert await _committed(log) == 10
    assert loop.health == Health(running=False, lag=0, handled=10, dead_lettered=0, error=None)


async def test_an_outage_is_retried_with_growing_backoff(log: SqliteEventLog) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    await _fill(log, 3)
    work = Work(3, outages=9)
    await _run(log, work, sleep=sleep)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert work.values == [0, 1, 2]
    assert await _committed(log) == 3


async def test_stopping_in_an_outage_commits_nothing(log: SqliteEventLog) -> None:
    await _fill(log, 3)
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    loop = _loop(log, Work(3, outages=100), sleep=sleep)
    await loop.start()
    await asyncio.wait_for(waiting.wait(), TIMEOUT_S)
    assert loop.health == Health(running=True, lag=0, handled=0, dead_lettered=0, error="Unavailable")
    await asyncio.wait_for(loop.stop(), TIMEOUT_S)
    assert await _committed(log) is None


async def test_poison_goes_to_the_dead_letters_and_the_rest_is_handled(log: SqliteEventLog) -> None:
    await _fill(log, 6)
    work = Work(4, poison=frozenset({1, 4}))
    loop = await _run(log, work)
    assert work.values == [0, 2, 3, 5]
    assert await _dead_letters(log) == [_letter(1), _letter(4)]
    assert await _committed(log) == 6
    assert loop.health == Health(running=False, lag=0, handled=4, dead_lettered=2, error=None)


async def test_the_consecutive_limit_stops_the_loop_before_the_commit(log: SqliteEventLog) -> None:
    await _fill(log, 6)
    loop = _loop(log, Work(0, poison=frozenset(range(2, 6))), limits=PoisonLimits(consecutive=3))
    await loop.start()
    with pytest.raises(TooMuchPoison):
        await asyncio.wait_for(loop.wait(), TIMEOUT_S)
    assert loop.health.error == "TooMuchPoison"
    await loop.stop()
    assert await _committed(log) is None
    assert await _dead_letters(log) == []


async def test_a_run_of_poison_is_counted_across_batches(log: SqliteEventLog) -> None:
    await _fill(log, 6)
    loop = _loop(log, Work(0, poison=frozenset(range(6))), limits=PoisonLimits(consecutive=3), batch_max=2)
    await loop.start()
    with pytest.raises(TooMuchPoison):
        await asyncio.wait_for(loop.wait(), TIMEOUT_S)
    await loop.stop()
    assert await _committed(log) == 2
    assert await _dead_letters(log) == [_letter(0), _letter(1)]


async def test_scattered_poison_is_no_run_but_has_a_ratio(log: SqliteEventLog) -> None:
    await _fill(log, 40)
    every_other = frozenset(range(0, 40, 2))
    work = Work(20, poison=every_other)
    await _run(log, work, limits=PoisonLimits(consecutive=1))
    assert work.values == list(range(1, 40, 2))


async def test_the_ratio_limit_stops_the_loop(log: SqliteEventLog) -> None:
    await _fill(log, 40)
    limits = PoisonLimits(consecutive=50, ratio=0.2, window=10)
    loop = _loop(log, Work(0, poison=frozenset(range(0, 40, 2))), limits=limits, batch_max=1)
    await loop.start()
    with pytest.raises(TooMuchPoison):
        await asyncio.wait_for(loop.wait(), TIMEOUT_S)
    await loop.stop()
    assert await _committed(log) == 10


async def test_a_bug_stops_the_loop_without_a_commit(log: SqliteEventLog) -> None:
    async def broken(records: list[ConsumedRecord]) -> None:
        raise KeyError("bug")

    await _fill(log, 1)
    loop = _loop(log, broken)
    await loop.start()
    with pytest.raises(KeyError):
        await asyncio.wait_for(loop.wait(), TIMEOUT_S)
    assert (loop.health.running, loop.health.error) == (False, "KeyError")
    await loop.stop()
    assert await _committed(log) is None


async def test_stop_finishes_and_commits_the_batch_under_way(log: SqliteEventLog) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(records: list[ConsumedRecord]) -> None:
        entered.set()
        await leave.wait()

    await _fill(log, 3)
    loop = _loop(log, slow)
    await loop.start()
    await asyncio.wait_for(entered.wait(), TIMEOUT_S)
    stopping = asyncio.create_task(loop.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    leave.set()
    await asyncio.wait_for(stopping, TIMEOUT_S)
    assert await _committed(log) == 3


async def test_a_second_loop_of_a_group_stops_loudly(log: SqliteEventLog) -> None:
    await _fill(log, 1)
    work = Work(1)
    first, second = _loop(log, work), _loop(log, work)
    await first.start()
    await asyncio.wait_for(work.done.wait(), TIMEOUT_S)
    await second.start()
    with pytest.raises(GroupTaken):
        await asyncio.wait_for(second.wait(), TIMEOUT_S)
    await second.stop()
    await first.stop()
