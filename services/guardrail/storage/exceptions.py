"""Queries of what stands beside guardrails: webhooks' secrets and suppressed findings. None commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.guardrail.storage.tables import rule_secrets, suppressions


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


async def secrets_of(conn: AsyncConnection, guardrail_ids: Iterable[str]) -> dict[str, dict[str, bytes]]:
    """Sealed secrets by guardrail and rule."""
    ids = list(guardrail_ids)
    found: dict[str, dict[str, bytes]] = {}
    if ids:
        query = sa.select(rule_secrets).where(rule_secrets.c.guardrail_id.in_(ids))
        for row in (await conn.execute(query)).all():
            found.setdefault(row.guardrail_id, {})[row.rule_id] = row.sealed
    return found


async def put_secrets(tx: AsyncConnection, guardrail_id: str, sealed: Mapping[str, bytes]) -> None:
    """Inserts or replaces the secrets of some rules."""
    for rule_id, value in sealed.items():
        where = sa.and_(rule_secrets.c.guardrail_id == guardrail_id, rule_secrets.c.rule_id == rule_id)
        await tx.execute(rule_secrets.delete().where(where))
        await tx.execute(rule_secrets.insert().values(guardrail_id=guardrail_id, rule_id=rule_id, sealed=value))


async def drop_secrets(tx: AsyncConnection, guardrail_id: str) -> None:
    """Forgets the secrets of a deleted guardrail."""
    await tx.execute(rule_secrets.delete().where(rule_secrets.c.guardrail_id == guardrail_id))


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
    values: dict[str, Any] = {name: getattr(item, name) for name in Suppression.__slots__}
    await tx.execute(suppressions.delete().where(_key(item.workspace_id, item.rule_id, item.fingerprint)))
    await tx.execute(suppressions.insert().values(**values))


def _key(workspace_id: str, rule_id: str, fingerprint: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        suppressions.c.workspace_id == workspace_id,
        suppressions.c.rule_id == rule_id,
        suppressions.c.fingerprint == fingerprint,
    )


def _suppression(row: Any) -> Suppression:
    return Suppression(**{name: getattr(row, name) for name in Suppression.__slots__})
