"""Every event is counted once, raw and rolled up, whatever is repeated, cut short or produced twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from orca.events.v1.events_pb2 import Envelope
from services.analytics.clickhouse.client import ClickHouseStore
from services.analytics.consumers import FRESH_S
from services.analytics.fresh import FreshReads
from services.analytics.ports import StoreUnavailable
from services.analytics.storage.blocks import Fenced
from services.analytics.storage.tables import BLOCKS
from services.common.eventlog import topics
from services.common.eventlog.engine import TooMuchPoison
from services.common.eventlog.ports import TopicPartition
from tests.unit.analytics.builders import NOW_US, envelope, firewall, match, request, spend
from tests.unit.analytics.conftest import Fixture

REQUESTS = TopicPartition(topics.REQUESTS, 0)


class Crash(Exception):
    """The process dies here."""


class CrashingStore:
    """Dies before or after an insert reached the real store; `after` inserts go well."""

    def __init__(self, store: ClickHouseStore, *, when: str, after: int = 0) -> None:
        self._store = store
        self._when = when
        self._after = after

    async def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]], token: str) -> None:
        if self._after:
            self._after -= 1
            await self._store.insert(table, columns, values, token)
            return
        if self._when == "before":
            raise Crash
        await self._store.insert(table, columns, values, token)
        raise Crash


class FlakyStore:
    """Unavailable for the first calls."""

    def __init__(self, store: ClickHouseStore, failures: int) -> None:
        self._store = store
        self._failures = failures

    async def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]], token: str) -> None:
        if self._failures:
            self._failures -= 1
            raise StoreUnavailable("down")
        await self._store.insert(table, columns, values, token)


async def rolled_up(orca: Fixture) -> tuple[int, int]:
    return await orca.count("requests"), int(await orca.scalar("SELECT sum(requests) FROM runs"))


async def test_every_topic_fills_its_table(orca: Fixture) -> None:
    decision = envelope(decision={"plane": "guardrail", "outcome": "mask", "latency_us": 40})
    refusals = envelope(refusals={"code": "rate_limit_exceeded", "second_unix_s": 1, "count": 7})
    credit = envelope(credit={"kind": "grant", "account_id": "key_1", "amount_nano_usd": 5, "lease_id": "l1"})
    await orca.consume(decision, refusals, match(id="m"), firewall(id="f"), request(), spend(), credit)
    counts = {
        table: await orca.count(table) for table in ("decisions", "matches", "firewall_events", "requests", "spend")
    }
    assert counts == {"decisions": 2, "matches": 1, "firewall_events": 1, "requests": 1, "spend": 2}
    assert await orca.scalar("SELECT sum(count) FROM decisions WHERE outcome = 'refuse'") == 7
    assert await orca.scalar("SELECT sum(amount_nano_usd) FROM spend WHERE kind = 'grant'") == 5
    positions = await orca.store.query(
        "SELECT _topic, _partition, _offset, retention_days FROM decisions ORDER BY 3", {}
    )
    assert [tuple(row) for row in positions] == [(topics.DECISIONS, 0, 0, 30), (topics.DECISIONS, 0, 1, 30)]


async def test_a_restart_neither_loses_nor_repeats(orca: Fixture) -> None:
    await orca.consume(*(request(n) for n in range(5)))
    orca.log.commits.clear()
    await orca.consume(*(request(n) for n in range(5, 8)), owner="b")
    await orca.consume(owner="c")
    assert await rolled_up(orca) == (8, 8)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_around_the_insert_repeats_the_block_with_the_same_bounds(orca: Fixture, when: str) -> None:
    with pytest.raises(Crash):
        await orca.consume(*(request(n) for n in range(5)), store=CrashingStore(orca.store, when=when))
    await orca.consume(*(request(n) for n in range(5, 9)), owner="b")
    assert await rolled_up(orca) == (9, 9)
    async with orca.database.read() as conn:
        bounds = (await conn.execute(sa.select(BLOCKS.c.first_offset, BLOCKS.c.last_offset, BLOCKS.c.confirmed))).all()
    assert [tuple(row) for row in bounds] == [(0, 4, True), (5, 8, True)]


async def test_a_block_whose_view_failed_is_completed_by_sending_it_again(orca: Fixture) -> None:
    await orca.store.command("DETACH TABLE runs_from_requests_v1")
    try:
        with pytest.raises(Crash):
            await orca.consume(request(1), request(2), store=CrashingStore(orca.store, when="after"))
    finally:
        await orca.store.command("ATTACH TABLE runs_from_requests_v1")
    assert await rolled_up(orca) == (2, 0)
    await orca.consume(owner="b")
    assert await rolled_up(orca) == (2, 2)


async def test_an_outage_delays_and_loses_nothing(orca: Fixture) -> None:
    await orca.consume(*(request(n) for n in range(4)), store=FlakyStore(orca.store, failures=2))
    assert await rolled_up(orca) == (4, 4)


async def test_an_event_produced_twice_is_counted_once_even_across_restarts(orca: Fixture) -> None:
    first = [request(n, producer_id="relay-a", producer_seq=n + 1) for n in range(3)]
    other = request(9, producer_id="relay-b", producer_seq=1)
    await orca.consume(*first, first[1], first[2], other)
    await orca.consume(first[0], first[2], request(10, producer_id="relay-a", producer_seq=4), owner="b")
    assert await rolled_up(orca) == (5, 5)


async def test_records_polled_again_are_dropped(orca: Fixture) -> None:
    orca.log.add(*(request(n) for n in range(4)))
    consumer = orca.consumer()
    await consumer._assigned(frozenset({REQUESTS}))
    await consumer.handle(orca.log.read(topics.REQUESTS, 0, 2))
    orca.clock.advance(1)
    await consumer.handle(orca.log.read(topics.REQUESTS))
    assert await rolled_up(orca) == (4, 4)


async def test_a_zombie_is_fenced(orca: Fixture) -> None:
    orca.log.add(*(request(n) for n in range(6)))
    zombie, owner = orca.writer("zombie"), orca.writer("owner")
    await zombie.acquire(REQUESTS)
    zombie.hold(REQUESTS, orca.records(topics.REQUESTS, 0, 1))
    await zombie.flush()
    assert await owner.acquire(REQUESTS) == 2
    owner.hold(REQUESTS, orca.records(topics.REQUESTS, 2, 4))
    await owner.flush()
    zombie.hold(REQUESTS, orca.records(topics.REQUESTS, 2, 3))
    with pytest.raises(Fenced):
        await zombie.flush()
    zombie.hold(REQUESTS, orca.records(topics.REQUESTS, 4, 5))
    with pytest.raises(Fenced):
        await zombie.flush()
    owner.hold(REQUESTS, orca.records(topics.REQUESTS, 5))
    await owner.flush()
    assert await rolled_up(orca) == (6, 6)


async def test_a_partition_that_is_not_owned_is_not_written(orca: Fixture) -> None:
    orca.log.add(request())
    consumer = orca.consumer()
    await consumer._assigned(frozenset({REQUESTS}))
    await consumer._revoked(frozenset({REQUESTS}))
    await consumer.handle(orca.log.read(topics.REQUESTS))
    assert await rolled_up(orca) == (0, 0)


async def test_months_are_separate_blocks(orca: Fixture) -> None:
    month_us = 31 * 86_400 * 1_000_000
    await orca.consume(spend(1), spend(2), spend(occurred_at_unix_us=NOW_US - month_us), spend(3))
    async with orca.database.read() as conn:
        rows = (await conn.execute(sa.select(BLOCKS.c.first_offset, BLOCKS.c.last_offset))).all()
    assert [tuple(row) for row in rows] == [(0, 1), (2, 2), (3, 3)]
    assert await orca.count("spend") == 4


def bad_records() -> list[tuple[str, bytes, str]]:
    def of(event: Envelope) -> bytes:
        return event.SerializeToString()

    return [
        (topics.REQUESTS, b"\xff\xff", "not an envelope"),
        (topics.REQUESTS, of(match(id="m")), "payload match does not belong to requests"),
        (topics.MATCHES, of(envelope()), "payload none does not belong to matches"),
        (topics.FIREWALL, of(firewall(id="f", workspace_id="")), "workspace_id is empty"),
        (topics.SPEND, of(spend(occurred_at_unix_us=0)), "occurred_at is out of range"),
        (topics.DECISIONS, of(envelope(decision={}, occurred_at_unix_us=2**62)), "occurred_at is out of range"),
    ]


@pytest.mark.parametrize(("topic", "value", "reason"), bad_records())
async def test_poison_goes_to_the_dead_letters_and_the_rest_goes_on(
    orca: Fixture, topic: str, value: bytes, reason: str
) -> None:
    orca.log.add(request(1))
    orca.log.add_raw(topic, value)
    await orca.consume(request(2))
    (letter,) = [Envelope.FromString(record.value).dead_letter for record in orca.log.sent]
    assert (letter.topic, letter.error, letter.value, letter.group) == (topic, reason, value, "analytics")
    assert await rolled_up(orca) == (2, 2)


async def test_a_flood_of_poison_stops_the_consumer(orca: Fixture) -> None:
    for _ in range(80):
        orca.log.add_raw(topics.REQUESTS, b"\xff\xff")
    with pytest.raises(TooMuchPoison):
        await orca.consume(request())
    assert await rolled_up(orca) == (0, 0)


@pytest.mark.parametrize("inserted", [0, 1, 2])
async def test_a_crash_among_several_blocks_of_a_partition_repeats_all_that_are_open(
    orca: Fixture, inserted: int
) -> None:
    month_us = 31 * 86_400 * 1_000_000
    last_month = NOW_US - month_us
    events = [
        spend(1, producer_id="r", producer_seq=1),
        spend(occurred_at_unix_us=last_month, producer_id="r", producer_seq=2),
        spend(2, producer_id="r", producer_seq=3),
    ]
    with pytest.raises(Crash):
        await orca.consume(*events, store=CrashingStore(orca.store, when="before", after=inserted))
    await orca.consume(events[2], spend(3, producer_id="r", producer_seq=4), owner="b")
    assert await orca.count("spend") == 4
    assert await orca.scalar("SELECT sum(value) FROM activity_hourly WHERE metric = 'cost'") == 4 * 1500
    async with orca.database.read() as conn:
        bounds = (await conn.execute(sa.select(BLOCKS.c.first_offset, BLOCKS.c.last_offset, BLOCKS.c.confirmed))).all()
    assert [tuple(row) for row in bounds][-1] == (3, 4, True) and all(row.confirmed for row in bounds)


async def test_a_flush_that_failed_keeps_its_bounds_whatever_is_held_by_then(orca: Fixture) -> None:
    orca.log.add(*(request(n) for n in range(5)))
    writer = orca.writer("a", FlakyStore(orca.store, failures=1))
    await writer.acquire(REQUESTS)
    writer.hold(REQUESTS, orca.records(topics.REQUESTS, 0, 2))
    with pytest.raises(StoreUnavailable):
        await writer.flush()
    writer.hold(REQUESTS, orca.records(topics.REQUESTS, 3))
    assert await writer.flush() == 5
    async with orca.database.read() as conn:
        rows = (await conn.execute(sa.select(BLOCKS.c.first_offset, BLOCKS.c.last_offset))).all()
    assert [tuple(row) for row in rows] == [(0, 2), (3, 4)]
    assert await rolled_up(orca) == (5, 5)


async def test_with_nobody_reading_events_gather_until_a_reader_comes(orca: Fixture) -> None:
    orca.log.add(request(1), request(2))
    consumer = orca.consumer(flush_idle_s=60)
    await consumer._assigned(frozenset({REQUESTS}))
    await consumer.handle(orca.log.read(topics.REQUESTS, 0, 0))
    await consumer.handle(orca.log.read(topics.REQUESTS, 1))
    assert await rolled_up(orca) == (0, 0)
    orca.clock.advance(FRESH_S)
    reader = asyncio.create_task(FreshReads(orca.store, consumer.fresh).query("SELECT count() FROM requests", {}))
    await asyncio.sleep(0)
    await consumer._gather()
    assert await reader == [(2,)]
    assert await rolled_up(orca) == (2, 2)


async def test_a_block_to_repeat_that_is_read_in_parts_keeps_its_reader_waiting(orca: Fixture) -> None:
    orca.log.add(*(request(n) for n in range(5)))
    with pytest.raises(Crash):
        await orca.consume(store=CrashingStore(orca.store, when="before"))
    consumer = orca.consumer("b", flush_idle_s=5)
    await consumer._assigned(frozenset({REQUESTS}))
    await consumer.handle(orca.log.read(topics.REQUESTS, 0, 2))
    orca.clock.advance(5)
    await consumer._gather()
    assert await rolled_up(orca) == (0, 0)
    reader = asyncio.create_task(FreshReads(orca.store, consumer.fresh).query("SELECT count() FROM requests", {}))
    settled = asyncio.create_task(consumer.settle())
    await asyncio.sleep(0)
    assert not reader.done() and not settled.done()
    orca.clock.advance(1)
    await consumer.handle(orca.log.read(topics.REQUESTS, 3))
    assert await reader == [(5,)]
    await settled
    assert await rolled_up(orca) == (5, 5)


async def test_with_nobody_reading_the_longest_wait_is_bounded(orca: Fixture) -> None:
    orca.log.add(request(1))
    consumer = orca.consumer(flush_idle_s=5)
    await consumer._assigned(frozenset({REQUESTS}))
    await consumer.handle(orca.log.read(topics.REQUESTS))
    orca.clock.advance(5)
    await consumer._gather()
    assert await rolled_up(orca) == (1, 1)


async def test_pruning_keeps_what_recovery_reads(orca: Fixture) -> None:
    orca.log.add(*(request(n, producer_id="r", producer_seq=n + 1) for n in range(130)))
    writer = orca.writer()
    await writer.acquire(REQUESTS)
    for offset in range(130):
        writer.hold(REQUESTS, orca.records(topics.REQUESTS, offset, offset))
        await writer.flush()
    async with orca.database.read() as conn:
        stored = (await conn.execute(sa.select(sa.func.count()).select_from(BLOCKS))).scalar_one()
    assert 2 <= stored < 70
    assert await orca.writer("b").acquire(REQUESTS) == 130
    assert await rolled_up(orca) == (130, 130)
