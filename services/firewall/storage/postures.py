"""Autonomy levels that were applied, what each changed, and what the guardrail has yet to be told.

`pending` is the call that still has to reach the guardrail: `commit`, `undo`, or nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.storage import upsert
from services.firewall.storage.tables import metadata

ACTIVE, UNDONE = "active", "undone"
COMMIT, UNDO = "commit", "undo"

postures = sa.Table(
    "postures",
    metadata,
    sa.Column("stage_id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("replacing", sa.Boolean, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("kept", sa.Boolean, nullable=False),
    sa.Column("guardrail_kept", sa.Boolean, nullable=False),
    sa.Column("guardrail_id", sa.Text, nullable=False),
    sa.Column("pending", sa.Text, nullable=False),
    # Observe mode before and after, as JSON.
    sa.Column("settings_json", sa.Text, nullable=False),
    sa.Column("managed_id", sa.Text, nullable=False),
    # [{id, before: fields or null, version: after the level}], in the order they were changed.
    sa.Column("touched_json", sa.Text, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
)
sa.Index("postures_workspace", postures.c.workspace_id, postures.c.created_at_us)


@dataclass(frozen=True, slots=True)
class Posture:
    """One application of a level."""

    stage_id: str
    workspace_id: str
    level: str
    replacing: bool
    actor_id: str
    state: str = ACTIVE
    kept: bool = False
    guardrail_kept: bool = False
    guardrail_id: str = ""
    pending: str = ""
    managed_id: str = ""
    touched: Sequence[Mapping[str, Any]] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    created_at_us: int = 0


def _posture(row: Any) -> Posture:
    return Posture(
        stage_id=row.stage_id,
        workspace_id=row.workspace_id,
        level=row.level,
        replacing=row.replacing,
        actor_id=row.actor_id,
        state=row.state,
        kept=row.kept,
        guardrail_kept=row.guardrail_kept,
        guardrail_id=row.guardrail_id,
        pending=row.pending,
        managed_id=row.managed_id,
        touched=json.loads(row.touched_json),
        settings=json.loads(row.settings_json),
        created_at_us=row.created_at_us,
    )


async def find(conn: AsyncConnection, stage_id: str) -> Posture | None:
    """One application."""
    row = (await conn.execute(sa.select(postures).where(postures.c.stage_id == stage_id))).first()
    return None if row is None else _posture(row)


async def latest(conn: AsyncConnection, workspace_id: str) -> Posture | None:
    """The last application that is in force."""
    query = (
        sa.select(postures)
        .where(postures.c.workspace_id == workspace_id, postures.c.state == ACTIVE)
        .order_by(postures.c.created_at_us.desc(), postures.c.stage_id.desc())
        .limit(1)
    )
    row = (await conn.execute(query)).first()
    return None if row is None else _posture(row)


async def undone_pending(conn: AsyncConnection, workspace_id: str) -> bool:
    """True while the guardrail has yet to undo something in the workspace."""
    query = sa.select(postures.c.stage_id).where(
        postures.c.workspace_id == workspace_id, postures.c.state == UNDONE, postures.c.pending == UNDO
    )
    return (await conn.execute(query.limit(1))).first() is not None


async def pending(conn: AsyncConnection, limit: int) -> list[Posture]:
    """Applications that the guardrail has yet to be told about, oldest first."""
    query = sa.select(postures).where(postures.c.pending != "").order_by(postures.c.created_at_us).limit(limit)
    return [_posture(row) for row in (await conn.execute(query)).all()]


async def put(tx: AsyncConnection, posture: Posture) -> None:
    """Inserts or overwrites."""
    values = {
        "stage_id": posture.stage_id,
        "workspace_id": posture.workspace_id,
        "level": posture.level,
        "replacing": posture.replacing,
        "actor_id": posture.actor_id,
        "state": posture.state,
        "kept": posture.kept,
        "guardrail_kept": posture.guardrail_kept,
        "guardrail_id": posture.guardrail_id,
        "pending": posture.pending,
        "managed_id": posture.managed_id,
        "touched_json": json.dumps(posture.touched, separators=(",", ":")),
        "settings_json": json.dumps(posture.settings, separators=(",", ":")),
        "created_at_us": posture.created_at_us,
    }
    await upsert(tx, postures, values)
