"""Forfeits by the sweeper, and reversals by an Admin: what was charged without proof, and its undoing."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import Conflict, NotFound
from services.common.ids import new_id
from services.common.storage import Database, audit_envelope, outbox_add
from services.ledger.domain.model import Amounts, Kind, Lease
from services.ledger.domain.settlement import forfeit, reverse_forfeit
from services.ledger.events import AUDIT, SERVICE, Movement
from services.ledger.storage.rows import lease_of, lock_leases, move_amounts, publish, store_leases
from services.ledger.storage.tables import ACCOUNTS, ACQUIRES, ENTRIES, FROZEN, LEASES, OUTBOX, TIED_UP

SWEEP_MAX = 500
"""Leases forfeited in one transaction."""


class ReversalStore:
    """All statements of forfeits and reversals."""

    def __init__(self, database: Database, clock: Clock, grace_s: float) -> None:
        self._database = database
        self._clock = clock
        self._grace_us = round(grace_s * 1_000_000)

    async def troubles(self) -> tuple[int, int]:
        """(leases whose close a gap holds up, frozen accounts), for alerts."""
        gap = sa.and_(
            sa.text(f"({TIED_UP})"), LEASES.c.final_used.is_not(None), LEASES.c.running_total > LEASES.c.reported
        )
        async with self._database.read() as conn:
            gaps = (await conn.execute(sa.select(sa.func.count()).select_from(LEASES).where(gap))).scalar_one()
            frozen = sa.select(sa.func.count()).select_from(ACCOUNTS).where(sa.text(FROZEN))
            return int(gaps), int((await conn.execute(frozen)).scalar_one())

    async def sweep(self) -> tuple[int, int]:
        """(leases, nano-USD) forfeited: those past expiry and grace that still hold something.

        At most SWEEP_MAX; the caller repeats while that many come back.
        """
        before_us = self._clock.now_us() - self._grace_us
        expired = sa.and_(sa.text(f"({TIED_UP})"), LEASES.c.expires_at_us < before_us)
        async with self._database.read() as conn:
            ids = list((await conn.execute(sa.select(LEASES.c.id).where(expired).limit(SWEEP_MAX))).scalars())
        if not ids:
            return 0, 0
        async with self._database.write() as tx:
            rows = await lock_leases(tx, ids)
            # A renewal may have come between the two reads.
            lost = [row for row in rows.values() if row.expires_at_us < before_us]
            amount = await self._forfeit(tx, lost)
            await tx.execute(ACQUIRES.delete().where(ACQUIRES.c.expires_at_us < before_us))
        return len(lost), amount

    async def _forfeit(self, tx: AsyncConnection, rows: list[Any]) -> int:
        leases = {}
        changes: dict[tuple[Kind, str], Amounts] = {}
        entries: list[dict[str, Any]] = []
        movements: list[Movement] = []
        for row in rows:
            lease, change = forfeit(lease_of(row))
            if change == Amounts():
                continue
            leases[row.id] = lease
            account = (Kind(row.kind), row.account_id)
            changes[account] = changes.get(account, Amounts()) + change
            entry = self._entry("forfeit", row, change.forfeited)
            entries.append(entry)
            movements.append(_movement("forfeit", row, lease, entry["id"], entry))
        await store_leases(tx, leases)
        await move_amounts(tx, changes)
        if entries:
            await tx.execute(ENTRIES.insert(), entries)
        await publish(tx, self._clock, movements)
        return sum(entry["amount"] for entry in entries)

    async def reverse(self, workspace_id: str, entry_id: str, actor_id: str) -> int:
        """Gives back an entry's unconfirmed part, or a forfeit's rest; the amount in nano-USD.

        Raises NotFound, and Conflict when the entry has nothing to reverse or was reversed.
        """
        async with self._database.write() as tx:
            here = sa.and_(ENTRIES.c.id == entry_id, ENTRIES.c.workspace_id == workspace_id)
            entry = (await tx.execute(sa.select(ENTRIES).where(here))).first()
            if entry is None:
                raise NotFound("no such entry in this workspace")
            once = ENTRIES.update().where(here, ENTRIES.c.reversed.is_(sa.false())).values(reversed=True)
            if (await tx.execute(once)).rowcount != 1:
                raise Conflict("the entry was reversed already")
            if entry.kind == "spend" and (entry.unconfirmed or entry.workspace_unconfirmed):
                amount = await self._reverse_spend(tx, entry)
            elif entry.kind == "forfeit":
                amount = await self._reverse_forfeit(tx, entry)
            else:
                raise Conflict("the entry has nothing to reverse: only forfeits and unconfirmed spend can be")
            audit = audit_envelope(
                workspace_id=workspace_id,
                actor_id=actor_id,
                verb="ledger_reverse",
                target_type="ledger_entry",
                target_id=entry_id,
                metadata={"kind": entry.kind, "amount_nano_usd": amount, "account_id": entry.account_id},
                service=SERVICE,
                clock=self._clock,
            )
            await outbox_add(tx, OUTBOX, topic=AUDIT, key=workspace_id, envelope=audit)
        return amount

    async def _reverse_spend(self, tx: AsyncConnection, entry: Any) -> int:
        parts = (
            (Kind.KEY, entry.account_id, int(entry.unconfirmed)),
            (Kind.WORKSPACE, entry.workspace_id, int(entry.workspace_unconfirmed)),
        )
        await move_amounts(tx, {(kind, account_id): Amounts(unconfirmed=-amount) for kind, account_id, amount in parts})
        taken = {"unconfirmed": -parts[0][2], "workspace_unconfirmed": -parts[1][2]}
        made = await self._record(tx, entry, parts[0][2], taken)
        movement = Movement(
            "reversal",
            entry.workspace_id,
            entry.account_id,
            Kind.KEY.value,
            amount=parts[0][2],
            workspace_amount=parts[1][2],
            key_id=entry.key_id,
            entry_id=entry.id,
            made_entry_id=made["id"],
            occurred_at_us=made["occurred_at_us"],
        )
        await publish(tx, self._clock, [movement])
        return parts[0][2]

    async def _reverse_forfeit(self, tx: AsyncConnection, entry: Any) -> int:
        row = (await lock_leases(tx, [entry.lease_id])).get(entry.lease_id)
        if row is None:
            raise NotFound("no such lease")
        lease, change = reverse_forfeit(lease_of(row))
        if change.forfeited == 0:
            raise Conflict("nothing is left of the forfeit: its spend arrived or its replica closed it")
        await store_leases(tx, {row.id: lease})
        await move_amounts(tx, {(lease.kind, row.account_id): change})
        made = await self._record(tx, entry, -change.forfeited, {})
        reversal = _movement("reversal", row, lease, entry.id, made)
        await publish(tx, self._clock, [reversal])
        return -change.forfeited

    async def _record(self, tx: AsyncConnection, entry: Any, amount: int, parts: dict[str, int]) -> dict[str, Any]:
        values = {
            "id": new_id("ent"),
            "kind": "reversal",
            "workspace_id": entry.workspace_id,
            "account_id": entry.account_id,
            "key_id": entry.key_id,
            "occurred_at_us": self._clock.now_us(),
            "lease_id": entry.lease_id if entry.kind == "forfeit" else "",
            "refers_to": entry.id,
            "amount": amount,
            **parts,
        }
        await tx.execute(ENTRIES.insert().values(values))
        return values

    def _entry(self, kind: str, row: Any, amount: int) -> dict[str, Any]:
        return {
            "id": new_id("ent"),
            "kind": kind,
            "workspace_id": row.workspace_id,
            "account_id": row.account_id,
            "key_id": row.key_id,
            "occurred_at_us": self._clock.now_us(),
            "lease_id": row.id,
            "amount": amount,
        }


def _movement(kind: str, row: Any, after: Lease, about: str, made: dict[str, Any]) -> Movement:
    return Movement(
        kind,
        row.workspace_id,
        row.account_id,
        row.kind,
        amount=made["amount"],
        key_id=row.key_id,
        lease_id=row.id,
        replica_id=row.replica_id,
        fence=row.fence,
        returned=after.returned,
        entry_id=about,
        made_entry_id=made["id"],
        occurred_at_us=made["occurred_at_us"],
    )
