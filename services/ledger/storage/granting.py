"""Grants: credit moves into `held`, and a lease says who may spend it.

A grant is one conditional UPDATE per account, the key's before the workspace's, in one transaction; its row
count is the answer, so replicas racing for the last of a cap cannot both get it. Asks that come at the same time
share the transaction (gathering.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import Conflict, NotFound
from services.common.ids import new_id
from services.common.storage import Database, insert_for
from services.ledger.domain.granting import Ask, Granted, Reason, Refused, Unlimited, decide
from services.ledger.domain.model import Account, Amounts, Kind, blocked_account
from services.ledger.events import Movement
from services.ledger.storage.gathering import Gathering
from services.ledger.storage.limits import KeyRecord, apply_key, ensure_account
from services.ledger.storage.rows import account_of, arrays, chunks, publish
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

    @property
    def workspace_id(self) -> str:
        """Whose accounts it is about."""
        return self.key.workspace_id

    def wants(self) -> tuple[tuple[str, Ask | None], ...]:
        """(account, what is wanted of it), in the order in which accounts are locked, everywhere: the workspace's,
        which all its keys share, comes last."""
        return (
            (self.key.account_id, self.key_ask),
            (blocked_account(self.key.account_id), self.blocked_ask),
            (self.key.workspace_id, self.workspace_ask),
        )


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


class GrantStore:
    """Grants and what they leave in the tables."""

    def __init__(self, database: Database, clock: Clock, ttl_s: float) -> None:
        self._database = database
        self._clock = clock
        self._ttl_us = round(ttl_s * 1_000_000)
        self._gathering: Gathering[Acquire, Acquired] = Gathering(self._together, self._alone)

    async def acquire(self, ask: Acquire) -> Acquired:
        """Grants all leases asked for or none. Raises NotFound for another workspace's account."""
        return await self._gathering.ask(ask)

    async def idle(self) -> None:
        """Returns when no transaction is under way."""
        await self._gathering.idle()

    async def _alone(self, ask: Acquire) -> Acquired:
        """One ask in a transaction of its own."""
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
        ids = (row.key_lease_id, row.blocked_lease_id, row.workspace_lease_id)
        leases = {lease.id: lease for lease in await tx.execute(_in(LEASES, [i for i in ids if i]))}
        return _acquired(ask, await _accounts(tx, ask), [leases.get(lease_id) for lease_id in ids])

    async def _grant_all(self, tx: AsyncConnection, ask: Acquire, accounts: Mapping[str, Any]) -> Acquired:
        granted = [
            None if least is None else await self._grant(tx, ask, accounts, account_id, least)
            for account_id, least in ask.wants()
        ]
        leases = [lease for lease in granted if lease is not None]
        if leases:
            taken = self.taken(ask, granted)
            inserted = await tx.execute(insert_for(tx)(ACQUIRES).values(taken).on_conflict_do_nothing())
            if inserted.rowcount != 1:
                raise _Abandon(None)
            await tx.execute(LEASES.insert(), [vars(lease) for lease in leases])
            await publish(tx, self._clock, [_grant_movement(lease) for lease in leases])
        return _acquired(ask, accounts, granted)

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
                return self.lease(ask, account, amount, fence)
            account = (await _accounts(tx, ask))[account_id]
        raise _Abandon(_acquired(ask, accounts, (), refused=(Kind(account.kind), refused)))

    def lease(self, ask: Acquire, account: Any, amount: int, fence: int) -> SimpleNamespace:
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

    async def _together(self, asks: Sequence[Acquire], wait: bool) -> list[Acquired | None]:
        """All asks in one transaction, each granted as if it came after those before it; None where one has to be
        asked otherwise: rows held by others (unless it waits for them), a new key, an id that was seen before.

        The rows that change are locked before anything is decided, so the conditional UPDATE must take them all; a
        row that it does not take ends the transaction, and everyone is asked again.
        """
        async with self._database.write() as tx:
            ids = sorted({account_id for ask in asks for account_id, _ in ask.wants()})
            accounts = {row.id: row for part in chunks(ids) for row in await tx.execute(_in(ACCOUNTS, part))}
            seen = {row.id for row in await tx.execute(_in(ACQUIRES, [ask.acquire_id for ask in asks]))}
            accounts |= await _lock(tx, accounts, asks, wait)
            shared = _Shared(self, accounts)
            answers = [None if ask.acquire_id in seen else shared.grant(ask) for ask in asks]
            if shared.taken:
                await take_all(tx, shared.sums)
                await tx.execute(ACQUIRES.insert(), shared.taken)
                await tx.execute(LEASES.insert(), [vars(lease) for lease in shared.leases])
                await publish(tx, self._clock, [_grant_movement(lease) for lease in shared.leases])
        return answers

    def taken(self, ask: Acquire, granted: Sequence[SimpleNamespace | None]) -> dict[str, Any]:
        """A row of `acquires`; leases in the order of `wants`."""
        key_id, blocked_id, workspace_id = (lease.id if lease is not None else None for lease in granted)
        return {
            "id": ask.acquire_id,
            "key_lease_id": key_id,
            "workspace_lease_id": workspace_id,
            "blocked_lease_id": blocked_id,
            "expires_at_us": self._clock.now_us() + self._ttl_us,
        }


class _Shared:
    """One transaction's grants: what earlier asks take counts for later ones."""

    def __init__(self, store: GrantStore, rows: Mapping[str, Any]) -> None:
        """`rows`: accounts by id; None: held by others."""
        self._store = store
        self._rows = rows
        self._accounts: dict[str, Account] = {}
        self.sums: dict[str, tuple[int, int]] = {}
        """Account → (amount, leases), in the order of locks."""
        self.leases: list[SimpleNamespace] = []
        self.taken: list[dict[str, Any]] = []

    def grant(self, ask: Acquire) -> Acquired | None:
        """All leases or none; None when this ask has to be asked otherwise."""
        try:
            if any(self._rows.get(account_id) is None for account_id, _ in ask.wants()) or not _current(
                self._rows, ask
            ):
                return None
        except NotFound:
            return None
        amounts: list[int | None] = []
        for account_id, least in ask.wants():
            decision = decide(self._account(account_id), least) if least is not None else Unlimited()
            if isinstance(decision, Refused):
                return _acquired(ask, self._rows, (), refused=(Kind(self._rows[account_id].kind), decision))
            amounts.append(decision.amount if isinstance(decision, Granted) else None)
        granted = [
            None if amount is None else self._take(ask, account_id, amount)
            for (account_id, _), amount in zip(ask.wants(), amounts, strict=True)
        ]
        leases = [lease for lease in granted if lease is not None]
        if leases:
            self.leases += leases
            self.taken.append(self._store.taken(ask, granted))
        return _acquired(ask, self._rows, granted)

    def _account(self, account_id: str) -> Account:
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = account_of(self._rows[account_id])
        return account

    def _take(self, ask: Acquire, account_id: str, amount: int) -> SimpleNamespace:
        account = self._account(account_id)
        self._accounts[account_id] = replace(account, amounts=account.amounts + Amounts(held=amount))
        total, leases = self.sums.get(account_id, (0, 0))
        self.sums[account_id] = (total + amount, leases + 1)
        row = self._rows[account_id]
        return self._store.lease(ask, row, amount, row.fence + leases + 1)


def _in(table: sa.Table, ids: Sequence[str]) -> sa.Select[Any]:
    return sa.select(table).where(table.c.id.in_(ids))


async def _lock(
    tx: AsyncConnection, accounts: Mapping[str, Any], asks: Sequence[Acquire], wait: bool
) -> dict[str, Any]:
    """Locks, of the accounts read, those that a grant would change; they are as they are now.

    One that somebody else holds is None unless it is waited for, and so counts as not there.
    """
    limited = {
        account_id
        for ask in asks
        for account_id, least in ask.wants()
        if least is not None and account_id in accounts and accounts[account_id].limit_nano_usd is not None
    }
    locked: dict[str, Any] = {}
    for on_workspaces in (False, True):
        ids = [i for i in sorted(limited) if (accounts[i].kind == Kind.WORKSPACE.value) is on_workspaces]
        for part in chunks(ids):
            query = _in(ACCOUNTS, part).order_by(ACCOUNTS.c.id).with_for_update(skip_locked=not wait)
            locked |= {row.id: row for row in await tx.execute(query)}
    return {account_id: locked.get(account_id) for account_id in limited}


def _acquired(
    ask: Acquire,
    accounts: Mapping[str, Any],
    granted: Sequence[Any],
    refused: tuple[Kind, Refused] | None = None,
) -> Acquired:
    """The answer; leases in the order of `wants`, none for a refusal."""
    key_lease, blocked_lease, workspace_lease = granted or (None, None, None)
    return Acquired(
        key_lease,
        workspace_lease,
        blocked_lease,
        refused=refused,
        workspace_unlimited=accounts[ask.key.workspace_id].limit_nano_usd is None,
        key_blocked=accounts[ask.key.account_id].blocked,
    )


async def _accounts(tx: AsyncConnection, ask: Acquire) -> dict[str, Any]:
    """The accounts an Acquire is about, by id."""
    ids = [account_id for account_id, _ in ask.wants()]
    return {row.id: row for row in await tx.execute(_in(ACCOUNTS, ids))}


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


async def take(tx: AsyncConnection, account_id: str, amount: int, leases: int = 1) -> int | None:
    """Moves an amount into `held` if the account's limit allows it: the (last) lease's fence, else None."""
    fits = sa.and_(
        ACCOUNTS.c.id == account_id,
        ACCOUNTS.c.frozen.is_(sa.false()),
        counted() + amount <= ACCOUNTS.c.limit_nano_usd,
    )
    grant = ACCOUNTS.update().where(fits).values(held=ACCOUNTS.c.held + amount, fence=ACCOUNTS.c.fence + leases)
    row = (await tx.execute(grant.returning(ACCOUNTS.c.fence))).first()
    return None if row is None else int(row.fence)


class LostRace(Exception):
    """An account did not take what was decided from it."""


async def take_all(tx: AsyncConnection, sums: Mapping[str, tuple[int, int]]) -> None:
    """`take` for many locked accounts, account → (amount, leases). Raises LostRace unless all take theirs."""
    if tx.dialect.name == "postgresql":
        columns = arrays([(account_id, amount, leases) for account_id, (amount, leases) in sums.items()])
        taken = len((await tx.exec_driver_sql(_TAKE_PG, columns)).all())
    else:
        taken = sum([await take(tx, account_id, *sums[account_id]) is not None for account_id in sums])
    if taken != len(sums):
        raise LostRace


_TAKE_PG = """
    UPDATE accounts SET held = held + u.amount, fence = fence + u.leases
    FROM unnest($1::text::text[], $2::text::bigint[], $3::text::bigint[]) AS u(id, amount, leases)
    WHERE accounts.id = u.id AND NOT frozen
        AND settled + held + unconfirmed + forfeited + CASE WHEN kind = 'workspace' THEN blocked ELSE 0 END
            + u.amount <= limit_nano_usd
    RETURNING accounts.id
"""


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
