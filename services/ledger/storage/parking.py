"""Spend records that cannot be booked: kept, their key's account frozen until an Admin says otherwise.

Unfreezing books nothing and gives nothing back: what a parked record stands for stays tied up in its lease, which a
gap keeps from closing, until it is forfeited; that an Admin may reverse. It is in the topic, so a replay ends alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import Conflict
from services.common.storage import Database, audit_envelope, insert_for, outbox_add
from services.ledger.domain.model import Kind
from services.ledger.events import AUDIT, SERVICE, Movement
from services.ledger.storage.limits import recall
from services.ledger.storage.rows import publish
from services.ledger.storage.tables import ACCOUNTS, KEYS, LEASES, OUTBOX, PARKED


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that cannot be booked; its key's account freezes."""

    topic: str
    partition: int
    offset: int
    key_id: str
    reason: str
    value: bytes


async def park(tx: AsyncConnection, item: Parked) -> int:
    """Keeps the record and freezes its key's account; other keys go on. Returns accounts frozen."""
    if not await keep_parked(tx, item):
        return 0
    account = sa.select(KEYS.c.account_id).where(KEYS.c.id == item.key_id).scalar_subquery()
    await recall(tx, LEASES.c.account_id == account)
    frozen = await tx.execute(ACCOUNTS.update().where(ACCOUNTS.c.id == account).values(frozen=True))
    return frozen.rowcount


async def keep_parked(tx: AsyncConnection, item: Parked, *, resolved: bool = False) -> bool:
    """Keeps a record that cannot be booked; whether it is news."""
    row = {
        "topic": item.topic,
        "partition": item.partition,
        "record_offset": item.offset,
        "key_id": item.key_id,
        "reason": item.reason,
        "value": item.value,
        "resolved": resolved,
    }
    return bool((await tx.execute(insert_for(tx)(PARKED).values(row).on_conflict_do_nothing())).rowcount == 1)


class ParkingStore:
    """What an Admin does about parked records."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def unfreeze(self, workspace_id: str, account_id: str, key_id: str, actor_id: str) -> int:
        """Lets a key's account draw credit again; how many records stay unbooked for it. Raises Conflict."""
        of_account = PARKED.c.key_id.in_(sa.select(KEYS.c.id).where(KEYS.c.account_id == account_id))
        async with self._database.write() as tx:
            here = sa.and_(ACCOUNTS.c.id == account_id, ACCOUNTS.c.workspace_id == workspace_id, ACCOUNTS.c.frozen)
            if (await tx.execute(ACCOUNTS.update().where(here).values(frozen=False))).rowcount != 1:
                raise Conflict("the account is not frozen")
            waiting = sa.and_(of_account, PARKED.c.resolved.is_(sa.false()))
            rows = (await tx.execute(sa.select(PARKED).where(waiting))).all()
            await tx.execute(PARKED.update().where(waiting).values(resolved=True))
            movements = [
                Movement("unfreeze", workspace_id, account_id, Kind.KEY.value, key_id=key_id, entry_id=place(row))
                for row in rows
            ]
            await publish(tx, self._clock, movements)
            audit = audit_envelope(
                workspace_id=workspace_id,
                actor_id=actor_id,
                verb="ledger_unfreeze",
                target_type="token",
                target_id=key_id,
                metadata={"account_id": account_id, "records": len(rows)},
                service=SERVICE,
                clock=self._clock,
            )
            await outbox_add(tx, OUTBOX, topic=AUDIT, key=workspace_id, envelope=audit)
        return len(rows)


def place(row: Parked | sa.Row[tuple[object, ...]]) -> str:
    """A parked record's place in the topic, as movements name it."""
    offset = row.offset if isinstance(row, Parked) else row.record_offset
    return f"{row.topic}/{row.partition}/{offset}"
