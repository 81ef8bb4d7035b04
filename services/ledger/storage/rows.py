"""Rows ↔ domain, and the two statements every other module uses: change amounts, publish movements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.ledger.domain.model import Account, Amounts, Kind, Lease, LeaseState
from services.ledger.events import SPEND, Movement
from services.ledger.storage.tables import ACCOUNTS, LEASES, OUTBOX

CHUNK_MAX = 500
"""Values of one IN list; SQLite's parameter limit is far above."""


def account_of(row: Any) -> Account:
    """The domain's account of a row."""
    amounts = Amounts(row.settled, row.held, row.unconfirmed, row.forfeited, row.blocked, row.overrun)
    return Account(Kind(row.kind), row.limit_nano_usd, amounts, row.frozen)


def lease_of(row: Any) -> Lease:
    """The domain's lease of a row."""
    return Lease(
        Kind(row.kind),
        row.granted,
        row.returned,
        row.reported,
        row.running_total,
        row.final_used,
        LeaseState(row.state),
    )


def chunks(values: Iterable[str]) -> Iterable[list[str]]:
    """Sorted, so that transactions lock rows in one order and cannot deadlock."""
    ordered = sorted(set(values))
    for start in range(0, len(ordered), CHUNK_MAX):
        yield ordered[start : start + CHUNK_MAX]


async def lock_leases(tx: AsyncConnection, lease_ids: Iterable[str]) -> dict[str, Any]:
    """Lease rows by id, locked in id order. Leases are locked before accounts, everywhere."""
    found: dict[str, Any] = {}
    for part in chunks(lease_ids):
        query = sa.select(LEASES).where(LEASES.c.id.in_(part)).order_by(LEASES.c.id).with_for_update()
        found |= {row.id: row for row in await tx.execute(query)}
    return found


_STORE_LEASE = (
    LEASES.update()
    .where(LEASES.c.id == sa.bindparam("row_id"))
    .values(
        {
            name: sa.bindparam(f"new_{name}")
            for name in ("returned", "reported", "running_total", "final_used", "state", "outstanding")
        }
    )
)


async def store_leases(tx: AsyncConnection, leases: Mapping[str, Lease]) -> None:
    """Writes leases back, in one batch."""
    if not leases:
        return
    values = [
        {
            "row_id": lease_id,
            "new_returned": lease.returned,
            "new_reported": lease.reported,
            "new_running_total": lease.running_total,
            "new_final_used": lease.final_used,
            "new_state": lease.state.value,
            "new_outstanding": lease.outstanding,
        }
        for lease_id, lease in sorted(leases.items())
    ]
    await tx.execute(_STORE_LEASE, values)


_AMOUNTS = ("settled", "held", "unconfirmed", "forfeited", "blocked", "overrun")
_MOVE = (
    ACCOUNTS.update()
    .where(ACCOUNTS.c.id == sa.bindparam("row_id"))
    .values({name: ACCOUNTS.c[name] + sa.bindparam(f"by_{name}") for name in _AMOUNTS})
)


async def move_amounts(tx: AsyncConnection, changes: Mapping[tuple[Kind, str], Amounts]) -> None:
    """Adds changes to accounts: key accounts before workspace accounts, each in id order, as Acquire does."""
    order = sorted(changes.items(), key=lambda item: (item[0][0] is Kind.WORKSPACE, item[0][1]))
    values = [
        {"row_id": account_id, **{f"by_{name}": getattr(change, name) for name in _AMOUNTS}}
        for (_, account_id), change in order
        if change != Amounts()
    ]
    if values:
        await tx.execute(_MOVE, values)


async def publish(tx: AsyncConnection, clock: Clock, movements: Sequence[Movement]) -> None:
    """Puts movements into the outbox, in order."""
    if not movements:
        return
    values = [
        {
            "topic": SPEND,
            "record_key": movement.record_key.encode(),
            "envelope": movement.envelope(clock).SerializeToString(),
        }
        for movement in movements
    ]
    await tx.execute(OUTBOX.insert(), values)
