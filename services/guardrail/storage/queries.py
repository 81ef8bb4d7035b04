"""Every query of the service. None commits: the caller's transaction does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.guardrail.domain.drafts import admit_rules, rule_json
from services.guardrail.domain.model import Guardrail, Rule
from services.guardrail.storage.tables import guardrails, history


@dataclass(frozen=True, slots=True)
class Stored:
    """A guardrail with what only its table knows. Times in Unix microseconds."""

    guardrail: Guardrail
    created_at_us: int
    updated_at_us: int
    revision: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One version of a guardrail."""

    version: int
    operation: str
    author_id: str
    occurred_at_us: int
    snapshot: Mapping[str, Any]


def rules_to_json(rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    """The rules as stored, ids included."""
    return [rule_json(rule) for rule in rules]


def rules_from_json(raw: list[dict[str, Any]]) -> tuple[Rule, ...]:
    """The stored rules. They were admitted when written; a failure here is a bug."""
    rules: list[Rule] = []
    for item in raw:
        bare = {name: value for name, value in item.items() if name != "id"}
        rules.extend(admit_rules([bare], partial(str, item["id"])))
    return tuple(rules)


def _stored(row: Any) -> Stored:
    guardrail = Guardrail(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        version=row.version,
        enabled=row.enabled,
        is_default=row.is_default,
        log_raw_content=row.log_raw_content,
        rules=rules_from_json(json.loads(row.rules_json)),
    )
    return Stored(guardrail, row.created_at_us, row.updated_at_us, row.revision, row.deleted)


async def changed_since(conn: AsyncConnection, after: int, upto: int) -> list[Stored]:
    """Guardrails and tombstones changed after one revision, up to another, in order of change."""
    query = (
        sa.select(guardrails)
        .where(guardrails.c.revision > after, guardrails.c.revision <= upto)
        .order_by(guardrails.c.revision)
    )
    return [_stored(row) for row in (await conn.execute(query)).all()]


async def find(conn: AsyncConnection, workspace_id: str, guardrail_id: str) -> Stored | None:
    """A living guardrail of the workspace."""
    query = sa.select(guardrails).where(
        guardrails.c.workspace_id == workspace_id, guardrails.c.id == guardrail_id, guardrails.c.deleted.is_(sa.false())
    )
    row = (await conn.execute(query)).first()
    return None if row is None else _stored(row)


async def page(conn: AsyncConnection, workspace_id: str, after: str, limit: int) -> list[Stored]:
    """Living guardrails by id, which is by creation."""
    query = (
        sa.select(guardrails)
        .where(guardrails.c.workspace_id == workspace_id, guardrails.c.deleted.is_(sa.false()), guardrails.c.id > after)
        .order_by(guardrails.c.id)
        .limit(limit)
    )
    return [_stored(row) for row in (await conn.execute(query)).all()]


async def name_taken(conn: AsyncConnection, workspace_id: str, name: str, but: str) -> bool:
    """True when another living guardrail of the workspace has the name."""
    query = sa.select(guardrails.c.id).where(
        guardrails.c.workspace_id == workspace_id,
        guardrails.c.name == name,
        guardrails.c.id != but,
        guardrails.c.deleted.is_(sa.false()),
    )
    return (await conn.execute(query)).first() is not None


async def other_default(conn: AsyncConnection, workspace_id: str, but: str) -> Stored | None:
    """The workspace's default, unless it is `but`."""
    query = sa.select(guardrails).where(
        guardrails.c.workspace_id == workspace_id,
        guardrails.c.is_default.is_(sa.true()),
        guardrails.c.id != but,
        guardrails.c.deleted.is_(sa.false()),
    )
    row = (await conn.execute(query)).first()
    return None if row is None else _stored(row)


async def put(tx: AsyncConnection, stored: Stored, *, new: bool) -> None:
    """Inserts or overwrites the row."""
    guardrail = stored.guardrail
    values = {
        "workspace_id": guardrail.workspace_id,
        "name": guardrail.name,
        "version": guardrail.version,
        "enabled": guardrail.enabled,
        "is_default": guardrail.is_default,
        "log_raw_content": guardrail.log_raw_content,
        "rules_json": json.dumps(rules_to_json(guardrail.rules), separators=(",", ":")),
        "created_at_us": stored.created_at_us,
        "updated_at_us": stored.updated_at_us,
        "revision": stored.revision,
        "deleted": stored.deleted,
    }
    if new:
        await tx.execute(guardrails.insert().values(id=guardrail.id, **values))
    else:
        await tx.execute(guardrails.update().where(guardrails.c.id == guardrail.id).values(**values))


async def add_history(
    tx: AsyncConnection, guardrail: Guardrail, operation: str, author_id: str, snapshot: Mapping[str, Any], now_us: int
) -> None:
    """Appends a version."""
    await tx.execute(
        history.insert().values(
            guardrail_id=guardrail.id,
            version=guardrail.version,
            workspace_id=guardrail.workspace_id,
            operation=operation,
            author_id=author_id,
            occurred_at_us=now_us,
            snapshot_json=json.dumps(dict(snapshot), separators=(",", ":")),
        )
    )


async def history_page(
    conn: AsyncConnection, workspace_id: str, guardrail_id: str, before: int | None, limit: int
) -> list[HistoryRow]:
    """Versions, newest first."""
    query = sa.select(history).where(history.c.workspace_id == workspace_id, history.c.guardrail_id == guardrail_id)
    if before is not None:
        query = query.where(history.c.version < before)
    rows = (await conn.execute(query.order_by(history.c.version.desc()).limit(limit))).all()
    return [_history(row) for row in rows]


async def history_version(
    conn: AsyncConnection, workspace_id: str, guardrail_id: str, version: int
) -> HistoryRow | None:
    """One version."""
    query = sa.select(history).where(
        history.c.workspace_id == workspace_id, history.c.guardrail_id == guardrail_id, history.c.version == version
    )
    row = (await conn.execute(query)).first()
    return None if row is None else _history(row)


def _history(row: Any) -> HistoryRow:
    return HistoryRow(row.version, row.operation, row.author_id, row.occurred_at_us, json.loads(row.snapshot_json))
