"""Composition root of analytics."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from fastapi import FastAPI

from orca.analytics.v1 import analytics_pb2_grpc
from orca.auth.v1 import auth_pb2_grpc
from orca.ledger.v1 import ledger_pb2_grpc
from services.analytics.anomalies.calls import Calls
from services.analytics.anomalies.job import AnomalyJob
from services.analytics.anomalies.rates import Rates
from services.analytics.auditing import Audit, Auditor
from services.analytics.clickhouse.client import ClickHouseStore
from services.analytics.configuration import ConfigConsumer, Workspaces
from services.analytics.consumers import EventConsumer
from services.analytics.erasing import Erased, Eraser, Erasures
from services.analytics.feeds import Feeds
from services.analytics.fresh import FreshReads
from services.analytics.grpc_server import AnalyticsServicer
from services.analytics.http_api import build_api
from services.analytics.replay import Replayed, replay
from services.analytics.settings import AnalyticsSettings
from services.analytics.storage.blocks import BlockStore
from services.analytics.storage.episodes import EpisodeStore
from services.analytics.storage.tables import BLOCKS, MIGRATIONS, OUTBOX
from services.analytics.storage.workspaces import WorkspaceStore
from services.analytics.writer import BlockWriter
from services.common.clock import Clock, SystemClock
from services.common.errors import Unavailable
from services.common.eventlog.ports import EventLog
from services.common.http import Authenticator, GrpcAuthenticator
from services.common.ids import new_id
from services.common.storage import Database, OutboxPublisher
from services.common.tasks import end_task

log = logging.getLogger("orca.analytics")

RETRY_S = 2.0
_LOCK_KEY = 0x0CA_C11C


class Part(Protocol):
    """Something that runs while the service does."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class App:
    """The running service."""

    name = "analytics"

    def __init__(
        self, database: Database, store: ClickHouseStore, consumer: EventConsumer, asgi: FastAPI,
        servicer: AnalyticsServicer, parts: Sequence[Part], eraser: Eraser, auditor: Auditor,
    ) -> None:  # fmt: skip
        self.asgi = asgi
        self._database = database
        self._store = store
        self._consumer = consumer
        self._servicer = servicer
        self._parts = parts
        self._eraser = eraser
        self._auditor = auditor
        self._opened = False
        self._opener: asyncio.Task[None] | None = None

    def register(self, server: Any) -> None:
        """Adds `analytics.v1`."""
        analytics_pb2_grpc.add_AnalyticsServiceServicer_to_server(self._servicer, server)

    async def start(self) -> None:
        """Opens the store and reads on. A store that is down is tried again in the background: the data plane
        does not depend on it, and nothing is read from the log before it answers."""
        try:
            await self._open()
        except Unavailable as error:
            log.warning("the analytics store is not there yet", extra={"error_class": type(error).__name__})
            self._opener = asyncio.create_task(self._open_later(), name="analytics-open")

    async def stop(self) -> None:
        """Finishes the write under way, then closes everything."""
        await end_task(self._opener)
        if self._opened:
            await self._consumer.stop()
            for part in reversed(self._parts):
                await part.stop()
        await self._store.close()
        await self._database.close()

    def ready(self) -> Mapping[str, bool]:
        """Whether feeds can be read, and whether they grow."""
        health = self._consumer.health
        return {"store": self._opened, "consumer": health.running and health.error is None}

    async def erase(self, subject: str, subject_id: str) -> Erased:
        """Removes a user's or a key's personal data from every table. Raises Invalid, Unavailable."""
        return await self._eraser.erase(subject, subject_id)

    async def audit(self) -> Audit:
        """Raw rows, roll-ups and ledger against each other, now. Raises Unavailable."""
        return await self._auditor.audit()

    async def migrate(self) -> None:
        """Opens the column store and applies its migrations, one replica at a time. Raises Unavailable."""
        async with self._database.write() as tx:
            # Several replicas must not migrate the column store at once; the relational one has locks.
            if self._database.dialect == "postgresql":
                await tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
                # Nor may replicas of the release before begin a block while a table changes places with its successor.
                await tx.execute(sa.text(f"LOCK TABLE {BLOCKS.name} IN EXCLUSIVE MODE"))
            await self._store.open()

    async def _open(self) -> None:
        await self.migrate()
        await self._consumer.start()
        for part in self._parts:
            await part.start()
        self._opened = True

    async def _open_later(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(Unavailable):
                await self._open()
                return


async def rebuild(
    settings: AnalyticsSettings, *, log: EventLog, database_url: str, clock: Clock, quiet_s: float
) -> Replayed:
    """`orca replay analytics`: every table from the topics; the service must be stopped. Raises Unavailable."""
    database = await Database.open(database_url, service="analytics")
    store = _store(settings)
    try:
        await database.migrate(MIGRATIONS)
        await store.open()
        workspaces = Workspaces(WorkspaceStore(database), clock, retention_days=settings.analytics_retention_days)
        eraser = Eraser(database, store, clock)
        return await replay(log, store, database, workspaces, eraser, clock, quiet_s=quiet_s)
    finally:
        await store.close()
        await database.close()


def _store(settings: AnalyticsSettings) -> ClickHouseStore:
    return ClickHouseStore(
        url=settings.clickhouse_url,
        path=Path(settings.home) / "chdb",
        query_timeout_s=settings.analytics_query_timeout_s,
    )


async def build(
    settings: AnalyticsSettings,
    *,
    channels: Callable[[str], Any],
    log: EventLog,
    database_url: str,
    clock: Clock | None = None,
    authenticator: Authenticator | None = None,
) -> App:
    """Wires the service; opens and migrates its relational database. Raises Unavailable."""
    clock = clock or SystemClock()
    database = await Database.open(database_url, service="analytics")
    await database.migrate(MIGRATIONS)
    store = _store(settings)
    replica = settings.replica_id or new_id("analytics")
    workspaces = Workspaces(WorkspaceStore(database), clock, retention_days=settings.analytics_retention_days)
    writer = BlockWriter(BlockStore(database, replica, clock), store)
    erasures = Erasures(database, clock)
    consumer = EventConsumer(
        log,
        writer,
        clock,
        flush_s=settings.analytics_flush_ms / 1000,
        flush_max_s=settings.analytics_flush_max_ms / 1000,
        # With a server of its own other replicas may serve the readers, unseen from here.
        flush_idle_s=settings.analytics_flush_idle_ms / 1000 if settings.clickhouse_url is None else None,
        workspaces=workspaces,
        erasures=erasures,
    )
    reads = FreshReads(store, consumer.fresh)
    if authenticator is None:
        authenticator = GrpcAuthenticator(auth_pb2_grpc.AuthServiceStub(channels("auth")))
    publisher = OutboxPublisher(database, OUTBOX, log.producer(replica), clock)
    learning_us = int(settings.analytics_learning_hours * 3_600_000_000)
    job = AnomalyJob(
        Rates(store, workspaces), Calls(store, learning_us=learning_us), EpisodeStore(database, clock, replica),
        workspaces, publisher, clock,
    )  # fmt: skip
    eraser = Eraser(database, store, clock, erasures, consumer.settle)
    auditor = Auditor(reads, ledger_pb2_grpc.LedgerServiceStub(channels("ledger")))
    parts = (publisher, ConfigConsumer(log, workspaces, store, clock), job, eraser, auditor)
    return App(
        database,
        store,
        consumer,
        build_api(Feeds(reads), authenticator),
        AnalyticsServicer(reads),
        parts,
        eraser,
        auditor,
    )
