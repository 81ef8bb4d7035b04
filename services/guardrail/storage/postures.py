"""Autonomy levels that were applied, and what each changed, so that it can be undone exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.storage import upsert
from services.guardrail.storage.tables import metadata

STAGED, ACTIVE, UNDONE = "staged", "active", "undone"

postures = sa.Table(
    "postures",
    metadata,
    sa.Column("stage_id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("kept", sa.Boolean, nullable=False),
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
    state: str
    kept: bool
    managed_id: str
    touched: Sequence[Mapping[str, Any]]
    created_at_us: int


def _posture(row: Any) -> Posture:
    return Posture(
        row.stage_id,
        row.workspace_id,
        row.state,
        row.kept,
        row.managed_id,
        json.loads(row.touched_json),
        row.created_at_us,
    )


async def find(conn: AsyncConnection, workspace_id: str, stage_id: str) -> Posture | None:
    """One application."""
    query = sa.select(postures).where(postures.c.workspace_id == workspace_id, postures.c.stage_id == stage_id)
    row = (await conn.execute(query)).first()
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


async def put(tx: AsyncConnection, posture: Posture) -> None:
    """Inserts or overwrites."""
    values = {
        "stage_id": posture.stage_id,
        "workspace_id": posture.workspace_id,
        "state": posture.state,
        "kept": posture.kept,
        "managed_id": posture.managed_id,
        "touched_json": json.dumps(posture.touched, separators=(",", ":")),
        "created_at_us": posture.created_at_us,
    }
    await upsert(tx, postures, values)


async def drop_undecided(tx: AsyncConnection, before_us: int) -> None:
    """Forgets stages that nobody decided on."""
    await tx.execute(postures.delete().where(postures.c.state == STAGED, postures.c.created_at_us < before_us))
