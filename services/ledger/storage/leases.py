"""Grants, renewals and closes.

A grant is one conditional UPDATE per account, the key's before the workspace's, in one transaction; its row
count is the answer, so replicas racing for the last of a cap cannot both get it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import Conflict, NotFound
from services.common.ids import new_id
from services.common.storage import Database, insert_for
from services.ledger.domain.granting import Ask, Reason, Refused, Unlimited, decide
from services.ledger.domain.model import Amounts, Kind, Lease, blocked_account
from services.ledger.domain.settlement import close
from services.ledger.events import Movement
from services.ledger.storage.limits import KeyRecord, apply_key, ensure_account
from services.ledger.storage.rows import account_of, lease_of, lock_leases, move_amounts, publish, store_leases
from services.ledger.storage.tables import ACCOUNTS, ACQUIRES, LEASES

GRANT_ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True)
class Acquire:
    """What one relay wants; an absent ask wants no lease on that account."""

    acquire_id: str
    replica_id: str
    key: KeyRecord
    key_ask: Ask | None
    workspace_ask: Ask | None
    blocked_ask: Ask | None = None


@dataclass(frozen=True, slots=True)
class Acquired:
    """Lease rows granted, or the refusal and whose account refused."""

    key_lease: Any = None
    workspace_lease: Any = None
    blocked_lease: Any = None
    refused: tuple[Kind, Refused] | None = None
    workspace_unlimited: bool = False
    key_blocked: int = 0


class _Abandon(Exception):
    """Rolls the transaction back; carries the answer, None when another call with this id came first."""

    def __init__(self, answer: Acquired | None) -> None:
        super().__init__()
        self.answer = answer


class LeaseStore:
    """All statements on leases except settlement."""

    def __init__(self, database: Database, clock: Clock, ttl_s: float) -> None:
        self._database = database
        self._clock = clock
        self._ttl_us = round(ttl_s * 1_000_000)

    async def acquire(self, ask: Acquire) -> Acquired:
        """Grants all leases asked for or none. Raises NotFound for another workspace's account."""
        await self._prepare(ask)
        try:
            async with self._database.write() as tx:
                stored = await self._stored(tx, ask)
                return stored or await self._grant_all(tx, ask)
        except _Abandon as abandoned:
            if abandoned.answer is not None:
                return abandoned.answer
        async with self._database.write() as tx:
            stored = await self._stored(tx, ask)
        if stored is None:
            raise Conflict("the acquire id was taken and is gone; mint a new one")
        return stored

    async def _prepare(self, ask: Acquire) -> None:
        """Accounts exist and the key's limit is as current as the relay's. Writes only when something changed."""
        key = ask.key
        async with self._database.read() as conn:
            query = sa.select(ACCOUNTS).where(ACCOUNTS.c.id.in_([key.account_id, key.workspace_id]))
            rows = {row.id: row for row in await conn.execute(query)}
        account, workspace = rows.get(key.account_id), rows.get(key.workspace_id)
        if account is not None and (account.workspace_id != key.workspace_id or account.kind != Kind.KEY):
            raise NotFound("no such account in this workspace")
        if account is not None and workspace is not None and account.limit_version >= key.version:
            return
        async with self._database.write() as tx:
            await apply_key(tx, self._clock, key)
            await ensure_account(tx, key.workspace_id, key.workspace_id, Kind.WORKSPACE)

    async def _stored(self, tx: AsyncConnection, ask: Acquire) -> Acquired | None:
        row = (await tx.execute(sa.select(ACQUIRES).where(ACQUIRES.c.id == ask.acquire_id))).first()
        if row is None:
            return None
        ids = [i for i in (row.key_lease_id, row.workspace_lease_id, row.blocked_lease_id) if i]
        leases = {lease.id: lease for lease in await tx.execute(sa.select(LEASES).where(LEASES.c.id.in_(ids)))}
        key, workspace = await self._accounts(tx, ask)
        return Acquired(
            leases.get(row.key_lease_id),
            leases.get(row.workspace_lease_id),
            leases.get(row.blocked_lease_id),
            workspace_unlimited=workspace.limit_nano_usd is None,
            key_blocked=key.blocked,
        )

    async def _accounts(self, tx: AsyncConnection, ask: Acquire) -> tuple[Any, Any]:
        query = sa.select(ACCOUNTS).where(ACCOUNTS.c.id.in_([ask.key.account_id, ask.key.workspace_id]))
        rows = {row.id: row for row in await tx.execute(query)}
        return rows[ask.key.account_id], rows[ask.key.workspace_id]

    async def _grant_all(self, tx: AsyncConnection, ask: Acquire) -> Acquired:
        # The order in which accounts are locked, everywhere.
        granted = [
            None if wanted is None else await self._grant(tx, ask, account_id, wanted)
            for account_id, wanted in (
                (ask.key.account_id, ask.key_ask),
                (blocked_account(ask.key.account_id), ask.blocked_ask),
                (ask.key.workspace_id, ask.workspace_ask),
            )
        ]
        key_lease, blocked_lease, workspace_lease = granted
        leases = [row for row in granted if row is not None]
        key, workspace = await self._accounts(tx, ask)
        if leases:
            taken = {
                "id": ask.acquire_id,
                "key_lease_id": key_lease.id if key_lease is not None else None,
                "workspace_lease_id": workspace_lease.id if workspace_lease is not None else None,
                "blocked_lease_id": blocked_lease.id if blocked_lease is not None else None,
                "expires_at_us": self._clock.now_us() + self._ttl_us,
            }
            inserted = await tx.execute(insert_for(tx)(ACQUIRES).values(taken).on_conflict_do_nothing())
            if inserted.rowcount != 1:
                raise _Abandon(None)
            await publish(tx, self._clock, [_grant_movement(row) for row in leases])
        return Acquired(
            key_lease,
            workspace_lease,
            blocked_lease,
            workspace_unlimited=workspace.limit_nano_usd is None,
            key_blocked=key.blocked,
        )

    async def _grant(self, tx: AsyncConnection, ask: Acquire, account_id: str, wanted: Ask) -> Any | None:
        """The new lease's row, None when unlimited; raises _Abandon with the refusal."""
        account = await self._account(tx, account_id)
        refused = Refused(Reason.HELD, 0, 0)
        for attempt in range(GRANT_ATTEMPTS_MAX):
            decision = decide(account_of(account), wanted)
            if isinstance(decision, Unlimited):
                return None
            if isinstance(decision, Refused):
                refused = decision
                break
            # After a lost race the least useful grant is likelier to fit than a share of what was there.
            amount = decision.amount if attempt == 0 else wanted.minimum
            fence = await take(tx, account_id, amount)
            if fence is not None:
                return await self._insert(tx, ask, account, amount, fence)
            account = await self._account(tx, account_id)
        key, workspace = await self._accounts(tx, ask)
        raise _Abandon(
            Acquired(
                refused=(Kind(account.kind), refused),
                workspace_unlimited=workspace.limit_nano_usd is None,
                key_blocked=key.blocked,
            )
        )

    async def _account(self, tx: AsyncConnection, account_id: str) -> Any:
        return (await tx.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id == account_id))).one()

    async def _insert(self, tx: AsyncConnection, ask: Acquire, account: Any, amount: int, fence: int) -> Any:
        values = {
            "id": new_id("lease"),
            "account_id": account.id,
            "workspace_id": account.workspace_id,
            "key_id": ask.key.key_id,
            "kind": account.kind,
            "replica_id": ask.replica_id,
            "fence": fence,
            "state": "open",
            "granted": amount,
            "outstanding": amount,
            "expires_at_us": self._clock.now_us() + self._ttl_us,
        }
        return (await tx.execute(LEASES.insert().values(values).returning(LEASES))).one()

    async def renew(self, replica_id: str, lease_ids: Sequence[str]) -> tuple[list[Any], list[str], list[str]]:
        """(leases that live on, recalled ids, unknown ids). A recalled lease's life is extended too: its replica
        is alive and finishing what is in flight."""
        if not lease_ids:
            return [], [], []
        async with self._database.write() as tx:
            mine = [
                row
                for row in (await lock_leases(tx, lease_ids)).values()
                if row.replica_id == replica_id and row.state == "open"
            ]
            ids = [row.id for row in mine]
            expires_at_us = self._clock.now_us() + self._ttl_us
            if ids:
                await tx.execute(LEASES.update().where(LEASES.c.id.in_(ids)).values(expires_at_us=expires_at_us))
        known = set(ids)
        recalled = [row.id for row in mine if row.recalled]
        alive = [row for row in mine if not row.recalled]
        return alive, recalled, [lease_id for lease_id in lease_ids if lease_id not in known]

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

    @property
    def ttl_us(self) -> int:
        """Life of a lease between renewals."""
        return self._ttl_us


def counted() -> sa.ColumnElement[int]:
    """What counts against an account's limit, in SQL: `Account.committed` of the domain."""
    blocked = sa.case((ACCOUNTS.c.kind == Kind.WORKSPACE.value, ACCOUNTS.c.blocked), else_=0)
    return ACCOUNTS.c.settled + ACCOUNTS.c.held + ACCOUNTS.c.unconfirmed + ACCOUNTS.c.forfeited + blocked


async def take(tx: AsyncConnection, account_id: str, amount: int) -> int | None:
    """Moves an amount into `held` if the account's limit allows it: the lease's fence, else None."""
    fits = sa.and_(
        ACCOUNTS.c.id == account_id,
        ACCOUNTS.c.frozen.is_(sa.false()),
        counted() + amount <= ACCOUNTS.c.limit_nano_usd,
    )
    grant = ACCOUNTS.update().where(fits).values(held=ACCOUNTS.c.held + amount, fence=ACCOUNTS.c.fence + 1)
    row = (await tx.execute(grant.returning(ACCOUNTS.c.fence))).first()
    return None if row is None else int(row.fence)


def _grant_movement(row: Any) -> Movement:
    return Movement(
        "grant",
        row.workspace_id,
        row.account_id,
        row.kind,
        amount=row.granted,
        key_id=row.key_id,
        lease_id=row.id,
        replica_id=row.replica_id,
        fence=row.fence,
        expires_at_us=row.expires_at_us,
    )


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
