"""Every query on approvals and their webhooks. None commits: the caller's transaction does.

States move by conditional updates alone, so the first writer wins whichever replica it speaks to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.firewall.storage.tables import approvals, webhooks

PENDING, APPROVED, REJECTED, USED, WITHDRAWN, EXPIRED = (
    "pending",
    "approved",
    "rejected",
    "used",
    "withdrawn",
    "expired",
)
STATES = (PENDING, APPROVED, REJECTED, USED, EXPIRED)
ID = re.compile(r"[0-9a-f]{24}")
_LOCK_SPACE = 0x0CB


@dataclass(frozen=True, slots=True)
class HeldCall:
    """One call that waits for the reviewer."""

    tool_name: str
    args_hash: str
    args_summary: str


@dataclass(frozen=True, slots=True)
class Approval:
    """One record. Times in Unix microseconds; `resolved_at_us` 0 = open."""

    id: str
    workspace_id: str
    key_id: str
    run_id: str
    request_id: str
    surface: str
    calls: tuple[HeldCall, ...]
    policy_id: str
    policy_name: str
    policy_version: int
    rule_id: str
    rule_label: str
    state: str
    created_at_us: int
    expires_at_us: int
    reason: str = ""
    resolved_by: str = ""
    resolved_at_us: int = 0
    body_hash: bytes | None = None
    account_id: str = ""
    cost_nano_usd: int = 0

    def state_at(self, now_us: int) -> str:
        """The state as anyone sees it: what was not used in time is expired."""
        return EXPIRED if self.state in (PENDING, APPROVED) and self.expires_at_us <= now_us else self.state


def _approval(row: Any) -> Approval:
    return Approval(
        id=row.id,
        workspace_id=row.workspace_id,
        key_id=row.key_id,
        run_id=row.run_id,
        request_id=row.request_id,
        surface=row.surface,
        calls=tuple(HeldCall(*item) for item in json.loads(row.calls_json)),
        policy_id=row.policy_id,
        policy_name=row.policy_name,
        policy_version=row.policy_version,
        rule_id=row.rule_id,
        rule_label=row.rule_label,
        state=row.state,
        created_at_us=row.created_at_us,
        expires_at_us=row.expires_at_us,
        reason=row.reason,
        resolved_by=row.resolved_by,
        resolved_at_us=row.resolved_at_us,
        body_hash=row.body_hash,
        account_id=row.account_id,
        cost_nano_usd=row.cost_nano_usd,
    )


_SHOWN = [column for column in approvals.c if column.name != "held"]


async def serialise(tx: AsyncConnection, workspace_id: str) -> None:
    """Makes writers of one workspace take turns until commit, so that counting and inserting are one step."""
    if tx.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(:space, hashtext(:workspace))")
        await tx.execute(lock, {"space": _LOCK_SPACE, "workspace": workspace_id})


async def pending(tx: AsyncConnection, workspace_id: str, key_id: str, now_us: int) -> tuple[int, int]:
    """Open approvals of the key, and of the workspace."""
    query = sa.select(
        sa.func.count(sa.case((approvals.c.key_id == key_id, 1))),
        sa.func.count(),
    ).where(approvals.c.workspace_id == workspace_id, approvals.c.state == PENDING, approvals.c.expires_at_us > now_us)
    row = (await tx.execute(query)).one()
    return int(row[0]), int(row[1])


async def insert(tx: AsyncConnection, approval: Approval) -> None:
    """Adds the record."""
    first = approval.calls[0]
    await tx.execute(
        approvals.insert().values(
            id=approval.id,
            workspace_id=approval.workspace_id,
            key_id=approval.key_id,
            run_id=approval.run_id,
            request_id=approval.request_id,
            surface=approval.surface,
            tool_name=first.tool_name,
            args_hash=first.args_hash,
            args_summary=first.args_summary,
            calls_json=json.dumps([[c.tool_name, c.args_hash, c.args_summary] for c in approval.calls]),
            policy_id=approval.policy_id,
            policy_name=approval.policy_name,
            policy_version=approval.policy_version,
            rule_id=approval.rule_id,
            rule_label=approval.rule_label,
            state=approval.state,
            reason="",
            resolved_by="",
            created_at_us=approval.created_at_us,
            expires_at_us=approval.expires_at_us,
            resolved_at_us=0,
            account_id="",
            cost_nano_usd=0,
        )
    )


async def find(conn: AsyncConnection, workspace_id: str, approval_id: str) -> Approval | None:
    """A record of the workspace."""
    if ID.fullmatch(approval_id) is None:
        return None
    query = sa.select(*_SHOWN).where(approvals.c.workspace_id == workspace_id, approvals.c.id == approval_id)
    row = (await conn.execute(query)).first()
    return None if row is None else _approval(row)


async def find_anywhere(conn: AsyncConnection, approval_id: str) -> Approval | None:
    """A record by its id alone: for the signed callback, which names no workspace."""
    if ID.fullmatch(approval_id) is None:
        return None
    row = (await conn.execute(sa.select(*_SHOWN).where(approvals.c.id == approval_id))).first()
    return None if row is None else _approval(row)


async def held(conn: AsyncConnection, workspace_id: str, approval_id: str) -> bytes | None:
    """The held answer, sealed."""
    query = sa.select(approvals.c.held).where(approvals.c.workspace_id == workspace_id, approvals.c.id == approval_id)
    value: bytes | None = (await conn.execute(query)).scalar_one_or_none()
    return value


async def page(
    conn: AsyncConnection, workspace_id: str, state: str | None, before: str, limit: int, now_us: int
) -> list[Approval]:
    """Records, newest first; `state` as `Approval.state_at` tells it."""
    query = sa.select(*_SHOWN).where(approvals.c.workspace_id == workspace_id, approvals.c.state != WITHDRAWN)
    open_states = (PENDING, APPROVED)
    if state == EXPIRED:
        query = query.where(approvals.c.state.in_(open_states), approvals.c.expires_at_us <= now_us)
    elif state is not None:
        query = query.where(approvals.c.state == state)
        if state in open_states:
            query = query.where(approvals.c.expires_at_us > now_us)
    if before:
        query = query.where(approvals.c.id < before)
    return [_approval(row) for row in (await conn.execute(query.order_by(approvals.c.id.desc()).limit(limit))).all()]


async def keep(
    tx: AsyncConnection, approval_id: str, key_id: str, *, body_hash: bytes, sealed: bytes, account_id: str
) -> bool:
    """Attaches the held answer to a pending record that has none."""
    done = await tx.execute(
        approvals.update()
        .where(
            approvals.c.id == approval_id,
            approvals.c.key_id == key_id,
            approvals.c.state == PENDING,
            approvals.c.held.is_(None),
        )
        .values(body_hash=body_hash, held=sealed, account_id=account_id)
    )
    return bool(done.rowcount)


async def move(
    tx: AsyncConnection, approval_id: str, start: str, to: str, now_us: int, *, by: str | None = None, reason: str = ""
) -> bool:
    """From one state to another, once, while it has not expired; False when another writer was first."""
    values: dict[str, Any] = {"state": to}
    if by is not None:
        values |= {"resolved_by": by, "reason": reason, "resolved_at_us": now_us}
    if to in (REJECTED, USED, WITHDRAWN):
        values["held"] = None
    done = await tx.execute(
        approvals.update()
        .where(approvals.c.id == approval_id, approvals.c.state == start, approvals.c.expires_at_us > now_us)
        .values(**values)
    )
    return bool(done.rowcount)


async def sweep(tx: AsyncConnection, now_us: int, forget_before_us: int) -> None:
    """Drops answers that nobody can redeem any more, and records past their retention."""
    await tx.execute(
        approvals.update().where(approvals.c.expires_at_us <= now_us, approvals.c.held.is_not(None)).values(held=None)
    )
    await tx.execute(approvals.delete().where(approvals.c.expires_at_us <= forget_before_us))


@dataclass(frozen=True, slots=True)
class Webhook:
    """One delivery that is due or will be."""

    id: str
    workspace_id: str
    event: str
    body: str
    attempts: int


async def add_webhook(tx: AsyncConnection, webhook: Webhook, now_us: int) -> None:
    """Queues a delivery with the change it tells of."""
    await tx.execute(
        webhooks.insert().values(
            id=webhook.id,
            workspace_id=webhook.workspace_id,
            event=webhook.event,
            body=webhook.body,
            attempts=0,
            next_at_us=now_us,
        )
    )


async def claim_webhooks(tx: AsyncConnection, now_us: int, lease_us: int, limit: int) -> Sequence[Webhook]:
    """Deliveries that are due; claimed for `lease_us`, so that replicas do not send the same one at once."""
    due = (
        sa.select(webhooks).where(webhooks.c.next_at_us <= now_us).order_by(webhooks.c.next_at_us).limit(limit)
    ).with_for_update(skip_locked=True)
    rows = (await tx.execute(due)).all()
    if rows:
        ids = [row.id for row in rows]
        await tx.execute(webhooks.update().where(webhooks.c.id.in_(ids)).values(next_at_us=now_us + lease_us))
    return [Webhook(row.id, row.workspace_id, row.event, row.body, row.attempts) for row in rows]


async def webhook_due(conn: AsyncConnection, now_us: int) -> bool:
    """True when there is something to claim."""
    query = sa.select(webhooks.c.id).where(webhooks.c.next_at_us <= now_us).limit(1)
    return (await conn.execute(query)).first() is not None


async def webhook_done(tx: AsyncConnection, webhook_id: str) -> None:
    """Delivered, or given up."""
    await tx.execute(webhooks.delete().where(webhooks.c.id == webhook_id))


async def webhook_failed(tx: AsyncConnection, webhook_id: str, attempts: int, next_at_us: int) -> None:
    """To be sent again later."""
    await tx.execute(
        webhooks.update().where(webhooks.c.id == webhook_id).values(attempts=attempts, next_at_us=next_at_us)
    )
