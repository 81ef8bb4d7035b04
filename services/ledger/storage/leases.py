"""Grants, renewals and closes.

A grant is one conditional UPDATE per account, the key's before the workspace's, in one transaction; its row
count is the answer, so replicas racing for the last of a cap cannot both get it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
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
from services.ledger.storage.rows import account_of, chunks, lease_of, lock_leases, move_amounts, publish, store_leases
from services.ledger.storage.tables import ACCOUNTS, ACQUIRES, LEASES

GRANT_ATTEMPTS_MAX = 3
ACQUIRE_ATTEMPTS_MAX = 3


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
        for _ in range(ACQUIRE_ATTEMPTS_MAX):
            try:
                async with self._database.write() as tx:
                    stored = await self._stored(tx, ask)
                    if stored is not None:
                        return stored
                    accounts = await _accounts(tx, ask)
                    if _current(accounts, ask):
                        return await self._grant_all(tx, ask, accounts)
            except _Abandon as abandoned:
                if abandoned.answer is not None:
                    return abandoned.answer
                # Another call with this id came first; its answer is this one's too.
                continue
            # A key, or a limit, that the ledger does not know yet; a transaction of its own, which locks leases.
            async with self._database.write() as tx:
                await apply_key(tx, self._clock, ask.key)
                await ensure_account(tx, ask.key.workspace_id, ask.key.workspace_id, Kind.WORKSPACE)
        raise Conflict("the acquire id was taken and is gone; mint a new one")

    async def _stored(self, tx: AsyncConnection, ask: Acquire) -> Acquired | None:
        row = (await tx.execute(sa.select(ACQUIRES).where(ACQUIRES.c.id == ask.acquire_id))).first()
        if row is None:
            return None
        ids = [i for i in (row.key_lease_id, row.workspace_lease_id, row.blocked_lease_id) if i]
        leases = {lease.id: lease for lease in await tx.execute(sa.select(LEASES).where(LEASES.c.id.in_(ids)))}
        accounts = await _accounts(tx, ask)
        return Acquired(
            leases.get(row.key_lease_id),
            leases.get(row.workspace_lease_id),
            leases.get(row.blocked_lease_id),
            workspace_unlimited=accounts[ask.key.workspace_id].limit_nano_usd is None,
            key_blocked=accounts[ask.key.account_id].blocked,
        )

    async def _grant_all(self, tx: AsyncConnection, ask: Acquire, accounts: Mapping[str, Any]) -> Acquired:
        # The order in which accounts are locked, everywhere: the workspace's, which all its keys share, comes last.
        wanted = (
            (ask.key.account_id, ask.key_ask),
            (blocked_account(ask.key.account_id), ask.blocked_ask),
            (ask.key.workspace_id, ask.workspace_ask),
        )
        granted = [
            None if least is None else await self._grant(tx, ask, accounts, account_id, least)
            for account_id, least in wanted
        ]
        key_lease, blocked_lease, workspace_lease = granted
        leases = [lease for lease in granted if lease is not None]
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
            await tx.execute(LEASES.insert(), [vars(lease) for lease in leases])
            await publish(tx, self._clock, [_grant_movement(lease) for lease in leases])
        return Acquired(
            key_lease,
            workspace_lease,
            blocked_lease,
            workspace_unlimited=accounts[ask.key.workspace_id].limit_nano_usd is None,
            key_blocked=accounts[ask.key.account_id].blocked,
        )

    async def _grant(
        self, tx: AsyncConnection, ask: Acquire, accounts: Mapping[str, Any], account_id: str, wanted: Ask
    ) -> SimpleNamespace | None:
        """The new lease's row, None when unlimited; raises _Abandon with the refusal."""
        account = accounts[account_id]
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
                return self._lease(ask, account, amount, fence)
            account = (await _accounts(tx, ask))[account_id]
        raise _Abandon(
            Acquired(
                refused=(Kind(account.kind), refused),
                workspace_unlimited=accounts[ask.key.workspace_id].limit_nano_usd is None,
                key_blocked=accounts[ask.key.account_id].blocked,
            )
        )

    def _lease(self, ask: Acquire, account: Any, amount: int, fence: int) -> SimpleNamespace:
        """A row of `leases`."""
        return SimpleNamespace(
            id=new_id("lease"),
            account_id=account.id,
            workspace_id=account.workspace_id,
            key_id=ask.key.key_id,
            kind=account.kind,
            replica_id=ask.replica_id,
            fence=fence,
            state="open",
            granted=amount,
            outstanding=amount,
            expires_at_us=self._clock.now_us() + self._ttl_us,
        )

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


async def _accounts(tx: AsyncConnection, ask: Acquire) -> dict[str, Any]:
    """The accounts an Acquire is about, by id."""
    ids = [ask.key.account_id, blocked_account(ask.key.account_id), ask.key.workspace_id]
    return {row.id: row for row in await tx.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id.in_(ids)))}


def _current(accounts: Mapping[str, Any], ask: Acquire) -> bool:
    """All accounts exist, and their limits are at least as new as the relay's. Raises NotFound."""
    key = ask.key
    account = accounts.get(key.account_id)
    if account is not None and (account.workspace_id != key.workspace_id or account.kind != Kind.KEY):
        raise NotFound("no such account in this workspace")
    refused = accounts.get(blocked_account(key.account_id))
    return (
        account is not None
        and refused is not None
        and key.workspace_id in accounts
        and min(account.limit_version, refused.limit_version) >= key.version
    )


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
