"""Queries of webhooks' sealed secrets, by rule. None commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.storage import upsert
from services.guardrail.storage.tables import rule_secrets


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
        await upsert(tx, rule_secrets, {"guardrail_id": guardrail_id, "rule_id": rule_id, "sealed": value})


async def drop_secrets(tx: AsyncConnection, guardrail_id: str) -> None:
    """Forgets the secrets of a deleted guardrail."""
    await tx.execute(rule_secrets.delete().where(rule_secrets.c.guardrail_id == guardrail_id))
