"""Transactional outbox: a state change and its event are one transaction; a publisher drains the table in order.

At-least-once: a row is deleted only after the log acknowledged it, and its event id was minted with the
change, so consumers can tell a repetition. Log down: rows stay, the change is not lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orca.events.v1.events_pb2 import AuditRecord, Envelope
from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.eventlog.envelope import record_of
from services.common.eventlog.ports import Producer
from services.common.ids import new_id
from services.common.storage.database import Database

log = logging.getLogger("orca.outbox")

BATCH_MAX = 500
POLL_S = 0.25
SCHEMA_VERSION = 1


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """The outbox of one service; rows are read in `seq` order."""
    return sa.Table(
        "outbox",
        metadata,
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("record_key", sa.LargeBinary, nullable=False),
        sa.Column("envelope", sa.LargeBinary, nullable=False),
    )


async def outbox_add(tx: AsyncConnection, table: sa.Table, *, topic: str, key: str, envelope: Envelope) -> None:
    """Adds an event to the change's transaction; mints its id where empty."""
    if not envelope.event_id:
        envelope.event_id = new_id("ev")
    envelope.schema_version = SCHEMA_VERSION
    await tx.execute(table.insert().values(topic=topic, record_key=key.encode(), envelope=envelope.SerializeToString()))


def audit_envelope(
    *,
    workspace_id: str,
    actor_id: str,
    verb: str,
    target_type: str,
    target_id: str,
    metadata: Mapping[str, object],
    service: str,
    clock: Clock,
) -> Envelope:
    """One audit row for `orca.audit.v1` (record key: the workspace). Metadata must be safe to show."""
    return Envelope(
        event_id=new_id("ev"),
        producer_id=service,
        occurred_at_unix_us=clock.now_us(),
        workspace_id=workspace_id,
        audit=AuditRecord(
            id=new_id("aud"),
            actor_id=actor_id,
            verb=verb,
            target_type=target_type,
            target_id=target_id,
            metadata_json=json.dumps(dict(metadata), sort_keys=True, separators=(",", ":")),
            service=service,
        ),
    )


class OutboxPublisher:
    """Drains one outbox. With several replicas, PostgreSQL's row locks make them take turns."""

    def __init__(self, database: Database, table: sa.Table, producer: Producer, clock: Clock) -> None:
        self._database = database
        self._table = table
        self._producer = producer
        self._clock = clock
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the producer and the drain."""
        await self._producer.start()
        self._task = asyncio.create_task(self._run(), name="outbox")

    async def stop(self) -> None:
        """Drains once more, then stops."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._producer.stop()

    def notify(self) -> None:
        """A change was committed; publish it now rather than at the next poll."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            stopping = self._stopping
            self._wake.clear()
            try:
                while await self.drain() == BATCH_MAX:
                    pass
            except Unavailable as error:
                log.warning("outbox is waiting", extra={"error_class": type(error).__name__, "code": error.code})
            if stopping:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()

    async def drain(self) -> int:
        """Publishes one batch; returns its size."""
        table = self._table
        async with self._database.read() as conn:
            if (await conn.execute(sa.select(table.c.seq).limit(1))).first() is None:
                return 0
        async with self._database.write() as tx:
            query = sa.select(table).order_by(table.c.seq).limit(BATCH_MAX).with_for_update()
            rows = (await tx.execute(query)).all()
            if not rows:
                return 0
            records = []
            for row in rows:
                envelope = Envelope.FromString(row.envelope)
                records.append(record_of(row.topic, row.record_key, envelope))
            await self._producer.send(records)
            await tx.execute(table.delete().where(table.c.seq.in_([row.seq for row in rows])))
            return len(rows)
