"""Counted once on a real broker: members that come, go, die at each step, or write after losing their partitions.

chDB admits one process, so that both members live in this one, each with a consumer, a writer and bounds of its own.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from orca.events.v1.events_pb2 import Envelope
from services.allinone.kafka_log import KafkaEventLog
from services.analytics.consumers import EventConsumer
from services.analytics.events import TABLES
from services.analytics.storage.blocks import BlockStore
from services.analytics.writer import BlockWriter
from services.common.clock import SystemClock
from services.common.eventlog.ports import Consumer, EventLog, OutRecord, Rebalance, TopicPartition
from tests.support.kafka import KafkaBroker, require_jars
from tests.unit.analytics.builders import NOW_US, TOPIC_OF, firewall, request, spend
from tests.unit.analytics.conftest import Fixture
from tests.unit.analytics.test_delivery import Crash, CrashingStore

WAIT_S = 60.0
LOOK_S = 0.1
LOOKS_MAX = 600
KEYS = 12


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Any:
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"), require_jars())
    try:
        yield broker.start()
    finally:
        broker.stop()


class Store:
    """The real column store, for what a test does not bend."""

    def __init__(self, orca: Fixture) -> None:
        self._store = orca.store

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        return await self._store.query(sql, parameters)


class DyingStore(Store):
    """Dies before or after its second insert reached the store."""

    def __init__(self, orca: Fixture, *, when: str) -> None:
        super().__init__(orca)
        self.insert = CrashingStore(orca.store, when=when, after=1).insert


class KeptLog:
    """Kafka, and the consumer it handed out: to end a membership behind its loop's back, or to die at its commit."""

    def __init__(self, bootstrap: str, *, dies_at_commit: bool = False) -> None:
        self._log = KafkaEventLog(bootstrap, session_timeout_ms=6_000)
        self._dies_at_commit = dies_at_commit
        self.handed: Consumer | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        *,
        on_assigned: Rebalance | None = None,
        on_revoked: Rebalance | None = None,
    ) -> Consumer:
        self.handed = self._log.consumer(group, topics, on_assigned=on_assigned, on_revoked=on_revoked)
        if self._dies_at_commit:

            async def commit(positions: Mapping[TopicPartition, int]) -> None:
                raise Crash

            self.handed.commit = commit  # type: ignore[method-assign]
        return self.handed


class Broker:
    """Events of one test's own workspace onto the product's topics, and what the tables say of them."""

    def __init__(self, orca: Fixture, bootstrap: str) -> None:
        self._orca = orca
        self._bootstrap = bootstrap
        self.workspace = f"ws_{uuid.uuid4().hex[:8]}"
        self._sent = 0
        self._since_s = time.time() - NOW_US / 1_000_000 - 60
        self._members: list[EventConsumer] = []

    def events(self, count: int) -> list[Envelope]:
        """A request, its spend and a tool's evaluation each; each producer's numbers rise."""
        found: list[Envelope] = []
        for number in range(self._sent, self._sent + count):
            key = f"key_{number % KEYS}"
            ids: dict[str, Any] = {
                "workspace_id": self.workspace, "key_id": key, "run_id": f"run_{key}",
                "producer_id": f"{self.workspace}-{key}", "producer_seq": number + 1,
            }  # fmt: skip
            moment = self._since_s + number / 1_000
            found += [
                request(moment, **ids), spend(moment, **ids),
                firewall(moment, id=f"{self.workspace}_{number}", payload={"surface": "mcp"}, **ids),
            ]  # fmt: skip
        self._sent += count
        return found

    async def send(self, events: Sequence[Envelope]) -> None:
        producer = KafkaEventLog(self._bootstrap).producer("test")
        await producer.start()
        await producer.send(
            [
                OutRecord(TOPIC_OF[event.WhichOneof("payload") or ""], event.key_id.encode(), event.SerializeToString())
                for event in events
            ]
        )
        await producer.stop()

    def log(self, **options: Any) -> KeptLog:
        return KeptLog(self._bootstrap, **options)

    async def member(self, owner: str, *, log: KeptLog | None = None, store: Any = None) -> EventConsumer:
        clock = SystemClock()
        member = EventConsumer(
            cast(EventLog, log or self.log()),
            BlockWriter(BlockStore(self._orca.database, owner, clock), store or self._orca.store),
            clock,
            flush_s=0.01,
            flush_max_s=0.02,
            flush_idle_s=None,
            workspaces=self._orca.workspaces,
            erasures=self._orca.erasures,
        )
        await member.start()
        self._members.append(member)
        return member

    async def stop(self) -> None:
        await asyncio.gather(*(member.stop() for member in self._members))

    async def books(self) -> dict[str, int]:
        """Raw rows, distinct events and roll-ups of this workspace."""
        questions = {
            "requests": "SELECT count() FROM requests WHERE {ws}",
            "spend": "SELECT count() FROM spend WHERE {ws}",
            "calls": "SELECT count() FROM firewall_events WHERE {ws}",
            "distinct": "SELECT uniqExact(event_id) FROM requests WHERE {ws}",
            "run requests": "SELECT sum(requests) FROM runs WHERE {ws}",
            "run verdicts": "SELECT sum(allow) FROM runs WHERE {ws}",
            "hourly requests": "SELECT sum(value) FROM activity_hourly WHERE {ws} AND metric = 'requests'",
            "minutely calls": "SELECT sum(value) FROM activity_minutely WHERE {ws} AND metric = 'calls'",
            "hourly cost": "SELECT intDiv(sum(value), 1500) FROM activity_hourly WHERE {ws} AND metric = 'cost'",
        }
        return {
            name: int(await self._orca.scalar(sql.replace("{ws}", f"workspace_id = '{self.workspace}'")))
            for name, sql in questions.items()
        }

    async def counted(self, count: int) -> None:
        """Returns when all books say `count`, and still do a while later; fails with what they say."""
        expected = dict.fromkeys(await self.books(), count)
        await until(self._agrees(expected))
        await asyncio.sleep(1)
        assert await self.books() == expected

    def _agrees(self, expected: Mapping[str, int]) -> Callable[[], Awaitable[bool]]:
        async def agrees() -> bool:
            return await self.books() == expected

        return agrees


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Asks until it holds; gives up quietly, so that the assertion that follows can tell."""
    for _ in range(LOOKS_MAX):
        if await condition():
            return
        await asyncio.sleep(LOOK_S)


@pytest.fixture
async def kafka(orca: Fixture, broker: KafkaBroker) -> AsyncIterator[Broker]:
    await KafkaEventLog(broker.bootstrap).ensure_topics()
    held = Broker(orca, broker.bootstrap)
    yield held
    await held.stop()


async def test_members_that_come_and_go_count_each_event_once(kafka: Broker) -> None:
    first = await kafka.member("a")
    early = kafka.events(200)
    await kafka.send(early)
    log = kafka.log()
    await kafka.member("b", log=log)
    await kafka.send(kafka.events(200))

    async def shared() -> bool:
        return bool(log.handed and log.handed.assignment())

    await until(shared)
    # Produced twice, at two offsets; and more while one leaves.
    await kafka.send([*early[:90], *kafka.events(200)])
    await asyncio.gather(first.stop(), kafka.send(kafka.events(100)))
    await kafka.counted(700)


@pytest.mark.parametrize("point", ["bounds", "view", "rows", "confirmed"])
async def test_a_member_that_died_at_any_step_is_succeeded(orca: Fixture, kafka: Broker, point: str) -> None:
    store: Any = orca.store
    if point != "confirmed":
        store = DyingStore(orca, when="before" if point == "bounds" else "after")
    if point == "view":
        await orca.store.command("DETACH TABLE activity_hourly_from_requests_v1")
    try:
        dying = await kafka.member("dying", log=kafka.log(dies_at_commit=point == "confirmed"), store=store)
        await kafka.send(kafka.events(150))
        with pytest.raises(Crash):
            async with asyncio.timeout(WAIT_S):
                await dying.wait()
    finally:
        if point == "view":
            await orca.store.command("ATTACH TABLE activity_hourly_from_requests_v1")
    await dying.stop()
    await kafka.member("next")
    await kafka.send(kafka.events(50))
    await kafka.counted(200)


class StuckStore(Store):
    """Its first insert waits until it is told to go on."""

    def __init__(self, orca: Fixture) -> None:
        super().__init__(orca)
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]], token: str) -> None:
        if not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()
        await self._store.insert(table, columns, values, token)


async def test_a_member_that_writes_after_losing_its_partitions_changes_nothing(orca: Fixture, kafka: Broker) -> None:
    stuck, log = StuckStore(orca), kafka.log()
    zombie = await kafka.member("zombie", log=log, store=stuck)
    await kafka.send(kafka.events(150))
    async with asyncio.timeout(WAIT_S):
        await stuck.reached.wait()
    assert log.handed is not None and {place.topic for place in log.handed.assignment()} == set(TABLES)
    await log.handed.stop()
    await kafka.member("owner")
    await kafka.send(kafka.events(150))
    await kafka.counted(300)
    stuck.go_on.set()
    await kafka.counted(300)
    await zombie.stop()
    await kafka.counted(300)
