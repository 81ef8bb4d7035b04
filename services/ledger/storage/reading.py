"""What the routes and Balance read. Every query is filtered by workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.common.errors import NotFound
from services.common.storage import Database
from services.ledger.domain.model import Account, Kind
from services.ledger.storage.rows import account_of
from services.ledger.storage.tables import ACCOUNTS, ENTRIES, KEYS, LEASES, LIVING

NEW_KEY_PAUSES_S = (0.05, 0.15, 0.3)
LEASES_MAX = 1_000
"""Leases shown of one account, newest first."""


class Reader:
    """Reads accounts, leases and entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def account_id_of(self, workspace_id: str, key_id: str) -> str:
        """The account of a key. Raises NotFound for unknown keys and other workspaces'.

        A key that was created a moment ago is on its way through the log: a stranger is looked for again.
        """
        query = sa.select(KEYS).where(KEYS.c.id == key_id)
        for pause_s in (*NEW_KEY_PAUSES_S, None):
            async with self._database.read() as conn:
                row = (await conn.execute(query)).first()
            if row is not None or pause_s is None:
                break
            await asyncio.sleep(pause_s)
        if row is None or row.workspace_id != workspace_id:
            raise NotFound("no such key in this workspace")
        return str(row.account_id)

    async def accounts(self, workspace_id: str, account_ids: Sequence[str]) -> list[Account]:
        """Accounts in the order asked for; unknown ones are empty and unlimited."""
        query = sa.select(ACCOUNTS).where(ACCOUNTS.c.workspace_id == workspace_id, ACCOUNTS.c.id.in_(account_ids))
        async with self._database.read() as conn:
            rows = {row.id: account_of(row) for row in await conn.execute(query)}
        return [
            rows.get(account_id, Account(Kind.WORKSPACE if account_id == workspace_id else Kind.KEY, None))
            for account_id in account_ids
        ]

    async def leases(self, workspace_id: str, account_id: str) -> list[Any]:
        """Leases that still tie something up or may spend, newest first."""
        query = (
            sa.select(LEASES)
            .where(LEASES.c.account_id == account_id, LEASES.c.workspace_id == workspace_id, sa.text(f"({LIVING})"))
            .order_by(LEASES.c.fence.desc())
            .limit(LEASES_MAX)
        )
        async with self._database.read() as conn:
            return list(await conn.execute(query))

    async def limited(self, workspace_ids: Sequence[str]) -> dict[str, bool]:
        """Whether these workspaces have a limit; unknown ones have none."""
        query = sa.select(ACCOUNTS.c.id, ACCOUNTS.c.limit_nano_usd).where(
            ACCOUNTS.c.id.in_(workspace_ids), ACCOUNTS.c.kind == Kind.WORKSPACE.value
        )
        async with self._database.read() as conn:
            known = {row.id: row.limit_nano_usd is not None for row in await conn.execute(query)}
        return {workspace_id: known.get(workspace_id, False) for workspace_id in workspace_ids}

    async def entries(
        self, workspace_id: str, account_id: str | None, limit: int, after: tuple[int, str] | None
    ) -> list[Any]:
        """Entries newest first, at most `limit`, older than `after` (occurred_at_us, id)."""
        query = sa.select(ENTRIES).where(ENTRIES.c.workspace_id == workspace_id)
        if account_id is not None:
            query = query.where(ENTRIES.c.account_id == account_id)
        if after is not None:
            position = sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
            query = query.where(sa.tuple_(ENTRIES.c.occurred_at_us, ENTRIES.c.id) < position)
        query = query.order_by(ENTRIES.c.occurred_at_us.desc(), ENTRIES.c.id.desc()).limit(limit)
        async with self._database.read() as conn:
            return list(await conn.execute(query))
