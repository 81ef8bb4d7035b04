"""Real chDB (one engine and one path per process), a fake log, a fake authenticator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request

from orca.events.v1.events_pb2 import Envelope
from services.analytics.anomalies.calls import Calls
from services.analytics.anomalies.job import AnomalyJob
from services.analytics.anomalies.rates import Rates
from services.analytics.clickhouse.client import ClickHouseStore
from services.analytics.configuration import ConfigConsumer, Workspaces
from services.analytics.consumers import EventConsumer
from services.analytics.domain.blocks import Records
from services.analytics.erasing import Erasures
from services.analytics.events import TABLES as TABLES_BY_TOPIC
from services.analytics.feeds import Feeds
from services.analytics.http_api import build_api
from services.analytics.processors import collect
from services.analytics.storage.blocks import BlockStore
from services.analytics.storage.episodes import EpisodeStore
from services.analytics.storage.tables import MIGRATIONS, OUTBOX
from services.analytics.storage.workspaces import WorkspaceStore
from services.analytics.writer import BlockWriter
from services.common.errors import Unauthorized
from services.common.eventlog import topics
from services.common.eventlog.ports import ConsumedRecord
from services.common.http import Principal, Role
from services.common.storage import Database, OutboxPublisher
from tests.support.clock import ManualClock
from tests.unit.analytics.builders import FakeLog

TABLES = (
    "decisions", "matches", "firewall_events", "requests", "spend", "runs", "activity_hourly", "activity_minutely",
    "tool_transitions", "key_hosts", "request_bodies", "anomalies", "suppressions",
)  # fmt: skip


class HeaderAuthenticator:
    """`Authorization: ROLE`, `X-Workspace-Id`."""

    async def authenticate(self, request: Request, *, no_workspace: bool) -> Principal:
        del no_workspace
        role = request.headers.get("authorization")
        if role is None:
            raise Unauthorized("no credential")
        return Principal("user_1", False, request.headers.get("x-workspace-id", "ws_1"), Role[role], "session")


@dataclass
class Fixture:
    """One analytics service over the session's chDB."""

    store: ClickHouseStore
    database: Database
    log: FakeLog = field(default_factory=FakeLog)
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.erasures = Erasures(self.database, self.clock)
        self.workspaces = Workspaces(WorkspaceStore(self.database), self.clock, retention_days=30)

    def writer(self, owner: str = "a", store: Any = None) -> BlockWriter:
        return BlockWriter(BlockStore(self.database, owner, self.clock), store or self.store)

    def consumer(self, owner: str = "a", store: Any = None, flush_idle_s: float | None = None) -> EventConsumer:
        return EventConsumer(
            self.log,
            self.writer(owner, store),
            self.clock,
            flush_s=0.001,
            flush_max_s=0.002,
            flush_idle_s=flush_idle_s,
            workspaces=self.workspaces,
            erasures=self.erasures,
        )

    def records(self, topic: str, first: int = 0, last: int | None = None) -> Records:
        """The log's records of a topic, as the consumer holds them."""
        batch = self.log.read(topic, first, last)
        return collect(TABLES_BY_TOPIC[topic], batch, self.workspaces.retention_days, self.workspaces.consents)

    async def consume(self, *envelopes: Envelope, owner: str = "a", store: Any = None) -> None:
        """Adds events and runs a fresh consumer to the end of the log; raises what stopped it."""
        self.log.add(*envelopes)
        consumer = self.consumer(owner, store)
        self.log.idle.clear()
        await consumer.start()
        stopped = asyncio.create_task(consumer.wait())
        idle = asyncio.create_task(self.log.idle.wait())
        async with asyncio.timeout(30):
            await asyncio.wait([stopped, idle], return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        await consumer.stop()
        await stopped

    def job(self, learning_us: int = 0) -> AnomalyJob:
        publisher = OutboxPublisher(self.database, OUTBOX, self.log.producer("job"), self.clock)
        return AnomalyJob(
            Rates(self.store, self.workspaces), Calls(self.store, learning_us=learning_us),
            EpisodeStore(self.database, self.clock, "a"), self.workspaces, publisher, self.clock,
        )  # fmt: skip

    async def told(self) -> list[Envelope]:
        """Drains the outbox into the log, as the publisher would; returns the events."""
        publisher = OutboxPublisher(self.database, OUTBOX, self.log.producer("job"), self.clock)
        await publisher.drain()
        sent, self.log.sent = self.log.sent, []
        events = [Envelope.FromString(record.value) for record in sent]
        self.log.add(*events)
        return events

    async def configure(self, *envelopes: Envelope) -> None:
        """Hands configuration changes to their consumer."""
        consumer = ConfigConsumer(self.log, self.workspaces, self.store, self.clock)
        await consumer.handle(
            [
                ConsumedRecord(topics.CONFIG, 0, offset, b"", item.SerializeToString(), (), 0)
                for offset, item in enumerate(envelopes)
            ]
        )

    async def count(self, table: str) -> int:
        return int((await self.store.query(f"SELECT count() FROM {table}", {}))[0][0])

    async def scalar(self, sql: str) -> Any:
        return (await self.store.query(sql, {}))[0][0]

    def client(self, role: str = "DEVELOPER", workspace: str = "ws_1") -> httpx.AsyncClient:
        api = build_api(Feeds(self.store), HeaderAuthenticator())
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(api),
            base_url="http://t",
            headers={"authorization": role, "x-workspace-id": workspace},
        )

    async def get(self, path: str, *, role: str = "DEVELOPER", workspace: str = "ws_1", **params: Any) -> Any:
        async with self.client(role, workspace) as client:
            answer = await client.get(path, params=params)
        body = answer.json()
        assert body["success"] == (answer.status_code == 200)
        return body["data"] if body["success"] else (answer.status_code, body["code"])


@pytest.fixture(scope="session")
def chdb_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory whose `chdb` every store of this process uses."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def session_store(chdb_home: Path) -> Iterator[ClickHouseStore]:
    store = ClickHouseStore(url=None, path=chdb_home / "chdb", query_timeout_s=30)
    asyncio.run(store.open())
    yield store
    asyncio.run(store.close())


@pytest.fixture
async def orca(session_store: ClickHouseStore, tmp_path: Path) -> AsyncIterator[Fixture]:
    for table in TABLES:
        # TRUNCATE also forgets deduplication tokens, so that tests do not see each other's blocks.
        await session_store.command(f"TRUNCATE TABLE {table}")
    database = await Database.open(f"sqlite:///{tmp_path / 'analytics.db'}", service="analytics")
    await database.migrate(MIGRATIONS)
    yield Fixture(session_store, database)
    await database.close()
