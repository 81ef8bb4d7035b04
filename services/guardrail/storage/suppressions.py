"""Queries of suppressions. None commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.storage import upsert
from services.guardrail.storage.tables import suppressions


@dataclass(frozen=True, slots=True)
class Suppression:
    """One finding marked as a false positive: a fingerprint under a rule, in one workspace."""

    id: str
    workspace_id: str
    guardrail_id: str
    rule_id: str
    fingerprint: str
    match_id: str
    entity: str
    author_id: str
    created_at_us: int
    revision: int
    deleted: bool = False


async def suppressions_since(conn: AsyncConnection, after: int, upto: int) -> list[Suppression]:
    """Suppressions and tombstones changed after one revision, up to another."""
    query = (
        sa.select(suppressions)
        .where(suppressions.c.revision > after, suppressions.c.revision <= upto)
        .order_by(suppressions.c.revision)
    )
    return [_suppression(row) for row in (await conn.execute(query)).all()]


async def suppression_page(conn: AsyncConnection, workspace_id: str, after: str, limit: int) -> list[Suppression]:
    """Living suppressions of the workspace, by id, which is by creation."""
    query = (
        sa.select(suppressions)
        .where(
            suppressions.c.workspace_id == workspace_id,
            suppressions.c.deleted.is_(sa.false()),
            suppressions.c.id > after,
        )
        .order_by(suppressions.c.id)
        .limit(limit)
    )
    return [_suppression(row) for row in (await conn.execute(query)).all()]


async def living_count(conn: AsyncConnection, workspace_id: str) -> int:
    """How many findings the workspace suppresses."""
    query = (
        sa.select(sa.func.count())
        .select_from(suppressions)
        .where(suppressions.c.workspace_id == workspace_id, suppressions.c.deleted.is_(sa.false()))
    )
    return int((await conn.execute(query)).scalar_one())


async def find_suppression(
    conn: AsyncConnection, workspace_id: str, rule_id: str, fingerprint: str
) -> Suppression | None:
    """One suppression, living or not."""
    query = sa.select(suppressions).where(_key(workspace_id, rule_id, fingerprint))
    row = (await conn.execute(query)).first()
    return None if row is None else _suppression(row)


async def put_suppression(tx: AsyncConnection, item: Suppression) -> None:
    """Inserts or replaces the row."""
    await upsert(tx, suppressions, {name: getattr(item, name) for name in Suppression.__slots__})


def _key(workspace_id: str, rule_id: str, fingerprint: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        suppressions.c.workspace_id == workspace_id,
        suppressions.c.rule_id == rule_id,
        suppressions.c.fingerprint == fingerprint,
    )


def _suppression(row: Any) -> Suppression:
    return Suppression(**{name: getattr(row, name) for name in Suppression.__slots__})
