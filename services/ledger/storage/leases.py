"""Renewals and closes of leases; `granting.py` has their beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from services.common.clock import Clock
from services.common.storage import Database
from services.ledger.domain.model import Amounts, Kind, Lease
from services.ledger.domain.settlement import close
from services.ledger.events import Movement
from services.ledger.storage.rows import chunks, lease_of, lock_leases, move_amounts, publish, store_leases
from services.ledger.storage.tables import LEASES


class LeaseStore:
    """All statements on leases except settlement."""

    def __init__(self, database: Database, clock: Clock, ttl_s: float) -> None:
        self._database = database
        self._clock = clock
        self._ttl_us = round(ttl_s * 1_000_000)

    async def renew(self, replica_id: str, lease_ids: Sequence[str]) -> tuple[list[Any], list[str], list[str]]:
        """(leases that live on, recalled ids, unknown ids). A recalled lease's life is extended too: its replica
        is alive and finishing what is in flight. Only a lease past half its life is written."""
        known: dict[str, Any] = {}
        async with self._database.read() as conn:
            for part in chunks(lease_ids):
                mine = (LEASES.c.id.in_(part), LEASES.c.replica_id == replica_id, LEASES.c.state == "open")
                known |= {row.id: row for row in await conn.execute(sa.select(LEASES).where(*mine))}
        half_over_us = self._clock.now_us() + self._ttl_us // 2
        due = [row.id for row in known.values() if row.expires_at_us < half_over_us]
        if due:
            for lease_id, row in (await self._extended(due)).items():
                if row is None:
                    # Forfeited in between.
                    del known[lease_id]
                else:
                    known[lease_id] = row
        recalled = [row.id for row in known.values() if row.recalled]
        alive = [row for row in known.values() if not row.recalled]
        return alive, recalled, [lease_id for lease_id in lease_ids if lease_id not in known]

    async def _extended(self, lease_ids: Sequence[str]) -> dict[str, Any]:
        """The leases with a new expiry; None for those that are not open any more."""
        expires_at_us = self._clock.now_us() + self._ttl_us
        found: dict[str, Any] = dict.fromkeys(lease_ids)
        async with self._database.write() as tx:
            still = [row.id for row in (await lock_leases(tx, lease_ids)).values() if row.state == "open"]
            for part in chunks(still):
                extend = LEASES.update().where(LEASES.c.id.in_(part)).values(expires_at_us=expires_at_us)
                found |= {row.id: row for row in await tx.execute(extend.returning(LEASES))}
        return found

    async def release(self, replica_id: str, finals: Mapping[str, int]) -> list[str]:
        """Closes leases with their final use; ids now closed, those the ledger never knew included."""
        async with self._database.write() as tx:
            rows = await lock_leases(tx, finals)
            closed = [lease_id for lease_id in finals if lease_id not in rows]
            leases: dict[str, Lease] = {}
            changes: dict[tuple[Kind, str], Amounts] = {}
            movements: list[Movement] = []
            for row in rows.values():
                if row.replica_id != replica_id:
                    continue
                closed.append(row.id)
                before = lease_of(row)
                lease, change = close(before, finals[row.id])
                if lease != before:
                    leases[row.id] = lease
                    account = (lease.kind, row.account_id)
                    changes[account] = changes.get(account, Amounts()) + change
                    movements.append(close_movement(row, before, lease))
            await store_leases(tx, leases)
            await move_amounts(tx, changes)
            await publish(tx, self._clock, movements)
        return closed


def close_movement(row: Any, before: Lease, after: Lease) -> Movement:
    """A lease was closed, or a deferred close came through."""
    return Movement(
        "close",
        row.workspace_id,
        row.account_id,
        row.kind,
        amount=after.returned - before.returned,
        key_id=row.key_id,
        lease_id=row.id,
        replica_id=row.replica_id,
        fence=row.fence,
        returned=after.returned,
        final_used=after.final_used,
    )
