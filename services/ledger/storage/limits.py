"""Accounts come into being and get their limits; whatever lowers one recalls the leases on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import Invalid, NotFound
from services.common.storage import Database, insert_for
from services.ledger.domain.model import Kind, blocked_account
from services.ledger.events import Movement
from services.ledger.storage.rows import chunks, publish
from services.ledger.storage.tables import ACCOUNTS, KEYS, LEASES, LIVING


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What the ledger knows of a key: its account, and the limit as of `version` (nano-USD, None = unlimited)."""

    key_id: str
    workspace_id: str
    account_id: str
    limit: int | None
    version: int
    blocked_limit: int | None = None
    """Ceiling on refused answers' cost."""


async def ensure_account(tx: AsyncConnection, account_id: str, workspace_id: str, kind: Kind) -> None:
    """Creates the account, unlimited until a key record says otherwise, unless it exists."""
    values = {"id": account_id, "workspace_id": workspace_id, "kind": kind.value}
    await tx.execute(insert_for(tx)(ACCOUNTS).values(values).on_conflict_do_nothing())


async def recall(tx: AsyncConnection, condition: sa.ColumnElement[bool]) -> None:
    """Tells relays, at their next renewal, to stop admitting on these leases.

    Call it before touching accounts: leases are locked first, in id order, everywhere.
    """
    living = (sa.text(f"({LIVING})"), LEASES.c.state == "open", LEASES.c.recalled.is_(sa.false()))
    query = sa.select(LEASES.c.id).where(*living, condition).order_by(LEASES.c.id)
    for part in chunks((await tx.execute(query.with_for_update())).scalars()):
        await tx.execute(LEASES.update().where(LEASES.c.id.in_(part)).values(recalled=True))


async def apply_key(tx: AsyncConnection, clock: Clock, key: KeyRecord) -> None:
    """Makes key and accounts known and the limit current; an older version changes nothing.

    Raises NotFound when the account is another workspace's.
    """
    row = (await tx.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id == key.account_id))).first()
    if row is None:
        await ensure_account(tx, key.account_id, key.workspace_id, Kind.KEY)
        await ensure_account(tx, key.workspace_id, key.workspace_id, Kind.WORKSPACE)
        row = (await tx.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id == key.account_id))).one()
    if row.workspace_id != key.workspace_id or row.kind != Kind.KEY:
        raise NotFound("no such account in this workspace")
    remembered = await _remember(tx, key)
    blocked_id = blocked_account(key.account_id)
    await ensure_account(tx, blocked_id, key.workspace_id, Kind.BLOCKED)
    for kind, account_id, limit in (
        (Kind.KEY, key.account_id, key.limit),
        (Kind.BLOCKED, blocked_id, key.blocked_limit),
    ):
        # Also where only the version rose: the topic alone must tell which limit is the newest.
        if await _set_limit(tx, account_id, limit, key.version) or (remembered and kind is Kind.KEY):
            movement = Movement(
                "limit",
                key.workspace_id,
                account_id,
                kind.value,
                key_id=key.key_id,
                limit=limit,
                key_version=key.version,
            )
            await publish(tx, clock, [movement])


async def _set_limit(tx: AsyncConnection, account_id: str, limit: int | None, version: int) -> bool:
    """Sets a newer limit; a lower one recalls the account's leases."""
    row = (await tx.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id == account_id))).one()
    if _lowered(row.limit_nano_usd, limit) and row.limit_version < version:
        await recall(tx, LEASES.c.account_id == account_id)
    newer = ACCOUNTS.update().where(ACCOUNTS.c.id == account_id, ACCOUNTS.c.limit_version < version)
    changed = await tx.execute(newer.values(limit_nano_usd=limit, limit_version=version))
    return bool(changed.rowcount == 1)


def _lowered(before: int | None, after: int | None) -> bool:
    return after is not None and (before is None or after < before)


async def _remember(tx: AsyncConnection, key: KeyRecord) -> bool:
    """Notes which account the key draws on; whether that was news."""
    known = (await tx.execute(sa.select(KEYS).where(KEYS.c.id == key.key_id))).first()
    if known is not None and known.version >= key.version:
        return False
    insert = insert_for(tx)(KEYS).values(
        id=key.key_id, workspace_id=key.workspace_id, account_id=key.account_id, version=key.version
    )
    newer = {"account_id": insert.excluded.account_id, "version": insert.excluded.version}
    stored = await tx.execute(
        insert.on_conflict_do_update(
            index_elements=[KEYS.c.id],
            set_=newer,
            where=sa.and_(KEYS.c.version < insert.excluded.version, KEYS.c.workspace_id == key.workspace_id),
        )
    )
    return bool(stored.rowcount == 1)


async def recall_key(database: Database, key_id: str) -> None:
    """A disabled or deleted key's leases."""
    async with database.write() as tx:
        await recall(tx, LEASES.c.key_id == key_id)


async def set_workspace_limit(tx: AsyncConnection, clock: Clock, workspace_id: str, limit: int | None) -> Any:
    """Sets the workspace's limit (nano-USD, None = unlimited); returns the account's row."""
    await ensure_account(tx, workspace_id, workspace_id, Kind.WORKSPACE)
    before = (await tx.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id == workspace_id))).one()
    if _lowered(before.limit_nano_usd, limit):
        await recall(tx, LEASES.c.account_id == workspace_id)
    values = {"limit_nano_usd": limit, "limit_version": ACCOUNTS.c.limit_version + 1}
    await tx.execute(ACCOUNTS.update().where(ACCOUNTS.c.id == workspace_id).values(values))
    row = await _workspace_row(tx, workspace_id)
    await publish(tx, clock, [_workspace_movement("limit", row)])
    return row


async def add_workspace_credit(tx: AsyncConnection, clock: Clock, workspace_id: str, amount: int) -> Any:
    """Raises the workspace's limit by an amount. Raises Invalid when it is unlimited or becomes too large."""
    await ensure_account(tx, workspace_id, workspace_id, Kind.WORKSPACE)
    before = await _workspace_row(tx, workspace_id)
    if before.limit_nano_usd is None:
        raise Invalid("add_usd: the workspace is unlimited; set limit_usd first", param="add_usd")
    limit = before.limit_nano_usd + amount
    if limit >= 2**62:
        raise Invalid("add_usd: is too large", param="add_usd")
    values = {"limit_nano_usd": limit, "limit_version": ACCOUNTS.c.limit_version + 1}
    await tx.execute(ACCOUNTS.update().where(ACCOUNTS.c.id == workspace_id).values(values))
    row = await _workspace_row(tx, workspace_id)
    await publish(tx, clock, [_workspace_movement("credit", row, amount)])
    return row


def _workspace_movement(kind: str, row: Any, amount: int = 0) -> Movement:
    return Movement(
        kind,
        row.id,
        row.id,
        Kind.WORKSPACE.value,
        amount=amount,
        limit=row.limit_nano_usd,
        key_version=row.limit_version,
    )


async def _workspace_row(tx: AsyncConnection, workspace_id: str) -> Any:
    query = sa.select(ACCOUNTS).where(ACCOUNTS.c.id == workspace_id).with_for_update()
    return (await tx.execute(query)).one()
