"""Redeeming a held answer: what it cost moves from `blocked` to `settled`, once, if the key's cap still has room.

The amount is what the held request's entries say, never what a caller says. Its spend may not have arrived yet:
that is an answer of its own, and the caller waits a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import Conflict, NotFound
from services.common.storage import Database
from services.ledger.domain.granting import Reason, Refused, refusal
from services.ledger.domain.model import Amounts, Kind, blocked_account
from services.ledger.events import Movement
from services.ledger.storage.granting import counted
from services.ledger.storage.rows import account_of, move_amounts, publish
from services.ledger.storage.tables import ACCOUNTS, BLOCKED, ENTRIES


@dataclass(frozen=True, slots=True)
class Redemption:
    """Which held answer, and which approval allows it."""

    workspace_id: str
    account_id: str
    key_id: str
    request_id: str
    approval_id: str

    @property
    def entry_id(self) -> str:
        """One entry per approval."""
        return f"redeem_{self.approval_id}"


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The outcome; `booked` False: the request's spend is not here yet. Nano-USD."""

    settled: int = 0
    needed: int = 0
    refused: Refused | None = None
    booked: bool = True


class RedeemStore:
    """All statements of redeeming."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def redeem(self, ask: Redemption) -> Redeemed:
        """Moves the amount, or says why not. Raises NotFound, and Conflict for another approval of the same answer."""
        async with self._database.write() as tx:
            done = (await tx.execute(sa.select(ENTRIES).where(ENTRIES.c.id == ask.entry_id))).first()
            if done is not None:
                return _repeated(ask, done)
            held = await self._held(tx, ask)
            needed = sum(entry.blocked for entry in held)
            if needed == 0:
                return Redeemed(booked=False)
            await self._only_once(tx, ask)
            refused = await self._charge(tx, ask, needed)
            if refused is not None:
                return Redeemed(needed=needed, refused=refused)
            on_workspace = sum(entry.workspace_blocked for entry in held)
            # What a workspace's limit counts does not change: blocked counts there as well.
            moved = Amounts(settled=on_workspace, blocked=-on_workspace)
            counted_amount = sum(entry.blocked_counted for entry in held)
            await move_amounts(
                tx,
                {
                    (Kind.BLOCKED, blocked_account(ask.account_id)): Amounts(settled=-counted_amount),
                    (Kind.WORKSPACE, ask.workspace_id): moved,
                },
            )
            entry = self._entry(ask, held, needed, on_workspace, counted_amount)
            await tx.execute(ENTRIES.insert().values(entry))
            await publish(tx, self._clock, [_movement(ask, entry)])
        return Redeemed(settled=needed, needed=needed)

    async def _held(self, tx: AsyncConnection, ask: Redemption) -> Sequence[Any]:
        """The request's entries with a blocked part, locked: of two approvals for one answer the second waits."""
        query = (
            sa.select(ENTRIES)
            .where(
                sa.text(f"({BLOCKED})"),
                ENTRIES.c.request_id == ask.request_id,
                ENTRIES.c.account_id == ask.account_id,
                ENTRIES.c.workspace_id == ask.workspace_id,
            )
            .order_by(ENTRIES.c.id)
        )
        return (await tx.execute(query.with_for_update())).all()

    async def _only_once(self, tx: AsyncConnection, ask: Redemption) -> None:
        query = sa.select(ENTRIES.c.id).where(
            ENTRIES.c.account_id == ask.account_id,
            ENTRIES.c.kind == "redeem",
            ENTRIES.c.request_id == ask.request_id,
        )
        if (await tx.execute(query)).first() is not None:
            raise Conflict("the answer was redeemed by another approval")

    async def _charge(self, tx: AsyncConnection, ask: Redemption, amount: int) -> Refused | None:
        """The conditional UPDATE on the key's account; the refusal when its limit has no room."""
        table = ACCOUNTS
        fits = sa.or_(table.c.limit_nano_usd.is_(None), counted() + amount <= table.c.limit_nano_usd)
        here = sa.and_(table.c.id == ask.account_id, table.c.workspace_id == ask.workspace_id)
        charge = table.update().where(here, table.c.frozen.is_(sa.false()), fits)
        values = {"settled": table.c.settled + amount, "blocked": table.c.blocked - amount}
        if (await tx.execute(charge.values(values))).rowcount == 1:
            return None
        row = (await tx.execute(sa.select(table).where(here))).first()
        if row is None:
            raise NotFound("no such account in this workspace")
        return refusal(account_of(row), amount) or Refused(Reason.HELD, 0, 0)

    def _entry(
        self, ask: Redemption, held: Sequence[Any], amount: int, on_workspace: int, counted_amount: int
    ) -> dict[str, Any]:
        return {
            "id": ask.entry_id,
            "kind": "redeem",
            "workspace_id": ask.workspace_id,
            "account_id": ask.account_id,
            "key_id": ask.key_id,
            "request_id": ask.request_id,
            "model": held[0].model,
            "refers_to": held[0].id,
            "occurred_at_us": self._clock.now_us(),
            "amount": amount,
            "settled": amount,
            "blocked": -amount,
            "blocked_counted": -counted_amount,
            "workspace_settled": on_workspace,
            "workspace_blocked": -on_workspace,
        }


def _repeated(ask: Redemption, done: Any) -> Redeemed:
    if (done.workspace_id, done.account_id, done.request_id) != (ask.workspace_id, ask.account_id, ask.request_id):
        raise NotFound("no such approval in this workspace")
    return Redeemed(settled=done.amount, needed=done.amount)


def _movement(ask: Redemption, entry: dict[str, Any]) -> Movement:
    return Movement(
        "redeem",
        ask.workspace_id,
        ask.account_id,
        Kind.KEY.value,
        amount=entry["settled"],
        workspace_amount=entry["workspace_settled"],
        blocked_amount=-entry["blocked_counted"],
        key_id=ask.key_id,
        entry_id=entry["refers_to"],
        made_entry_id=ask.entry_id,
        approval_id=ask.approval_id,
        request_id=ask.request_id,
        model=entry["model"],
        occurred_at_us=entry["occurred_at_us"],
    )
