"""Appends audit events to one hash chain per workspace, in log order; a repeated event changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa
from google.protobuf.message import DecodeError
from sqlalchemy.exc import IntegrityError

from orca.events.v1.events_pb2 import Envelope
from services.auth.domain.audit import GENESIS, row_hash
from services.auth.storage.tables import AUDIT
from services.common.errors import Unavailable
from services.common.eventlog.engine import Poison
from services.common.eventlog.ports import ConsumedRecord
from services.common.storage import Database

GROUP = "auth-audit"


class AuditChain:
    """The consumer's handler."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, records: Sequence[ConsumedRecord]) -> None:
        """One transaction per batch. Raises Poison, or Unavailable where another member was faster."""
        try:
            await self._append(records)
        except IntegrityError:
            # During a rebalance two members may hold one batch; the slower one reads again and finds it done.
            raise Unavailable("the audit chain grew meanwhile") from None

    async def _append(self, records: Sequence[ConsumedRecord]) -> None:
        async with self._database.write() as tx:
            for record in records:
                envelope, metadata = _parse(record)
                known = sa.select(AUDIT.c.number).where(AUDIT.c.event_id == envelope.event_id)
                if (await tx.execute(known)).first() is not None:
                    continue
                workspace_id = envelope.workspace_id
                last = sa.select(AUDIT.c.number, AUDIT.c.hash).where(AUDIT.c.workspace_id == workspace_id)
                row = (await tx.execute(last.order_by(AUDIT.c.number.desc()).limit(1))).first()
                previous = row.hash if row is not None else GENESIS
                audit = envelope.audit
                content = {
                    "id": audit.id,
                    "occurred_at_us": envelope.occurred_at_unix_us,
                    "workspace_id": workspace_id,
                    "actor_id": audit.actor_id,
                    "verb": audit.verb,
                    "target_type": audit.target_type,
                    "target_id": audit.target_id,
                    "metadata": metadata,
                    "service": audit.service,
                }
                await tx.execute(
                    AUDIT.insert().values(
                        workspace_id=workspace_id,
                        number=row.number + 1 if row is not None else 1,
                        event_id=envelope.event_id,
                        previous=previous,
                        hash=row_hash(previous, content),
                        content=content,
                    )
                )


def _parse(record: ConsumedRecord) -> tuple[Envelope, object]:
    try:
        envelope = Envelope.FromString(record.value)
        metadata = json.loads(envelope.audit.metadata_json or "{}")
    except (DecodeError, ValueError):
        raise Poison(record, "not an envelope with JSON metadata") from None
    if envelope.WhichOneof("payload") != "audit":
        raise Poison(record, "not an audit record")
    return envelope, metadata
