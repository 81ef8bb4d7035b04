"""Every query of the service. None commits: the caller's transaction does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.storage import insert_for
from services.firewall.domain.drafts import rule_from_json, rule_json
from services.firewall.domain.model import Policy, Settings, Verdict
from services.firewall.storage.tables import history, policies, settings

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A policy with what only its table knows. Times in Unix microseconds."""

    policy: Policy
    created_at_us: int
    updated_at_us: int
    revision: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """A workspace's settings; version 0 when never written."""

    workspace_id: str
    settings: Settings
    version: int = 0
    webhook_url: str = ""
    webhook_secret: bytes | None = None
    """Sealed; only the webhook sender and the callback open it."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One version of a policy."""

    version: int
    operation: str
    author_id: str
    occurred_at_us: int
    snapshot: Mapping[str, Any]


def _stored(row: Any) -> Stored:
    policy = Policy(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        version=row.version,
        enabled=row.enabled,
        is_default=row.is_default,
        default_verdict=Verdict(row.default_verdict),
        shadow_mode=row.shadow_mode,
        rules=tuple(map(rule_from_json, json.loads(row.rules_json))),
    )
    return Stored(policy, row.created_at_us, row.updated_at_us, row.revision, row.deleted)


def _stored_settings(row: Any) -> StoredSettings:
    settings = Settings(row.observe_mode, row.approval_ttl_s)
    return StoredSettings(row.workspace_id, settings, row.version, row.webhook_url, row.webhook_secret)


async def changed_since(conn: AsyncConnection, after: int, upto: int) -> list[Stored]:
    """Policies and tombstones changed after one revision, up to another, in order of change."""
    changed = policies.c.revision.between(after + 1, upto)
    query = sa.select(policies).where(changed).order_by(policies.c.revision)
    return [_stored(row) for row in (await conn.execute(query)).all()]


async def settings_changed_since(conn: AsyncConnection, after: int, upto: int) -> list[StoredSettings]:
    """Settings changed after one revision, up to another."""
    query = sa.select(settings).where(settings.c.revision.between(after + 1, upto))
    return [_stored_settings(row) for row in (await conn.execute(query)).all()]


async def find(conn: AsyncConnection, workspace_id: str, policy_id: str) -> Stored | None:
    """A living policy of the workspace."""
    # Ids are minted here; other text (a NUL, which PostgreSQL cannot carry) names nothing.
    if _ID.fullmatch(policy_id) is None:
        return None
    query = sa.select(policies).where(
        policies.c.workspace_id == workspace_id, policies.c.id == policy_id, policies.c.deleted.is_(sa.false())
    )
    row = (await conn.execute(query)).first()
    return None if row is None else _stored(row)


async def page(conn: AsyncConnection, workspace_id: str, after: str, limit: int) -> list[Stored]:
    """Living policies by id, which is by creation."""
    query = (
        sa.select(policies)
        .where(policies.c.workspace_id == workspace_id, policies.c.deleted.is_(sa.false()), policies.c.id > after)
        .order_by(policies.c.id)
        .limit(limit)
    )
    return [_stored(row) for row in (await conn.execute(query)).all()]


async def count(conn: AsyncConnection, workspace_id: str) -> int:
    """Living policies of the workspace."""
    query = (
        sa.select(sa.func.count())
        .select_from(policies)
        .where(policies.c.workspace_id == workspace_id, policies.c.deleted.is_(sa.false()))
    )
    return int((await conn.execute(query)).scalar_one())


async def name_taken(conn: AsyncConnection, workspace_id: str, name: str, but: str) -> bool:
    """True when another living policy of the workspace has the name."""
    query = sa.select(policies.c.id).where(
        policies.c.workspace_id == workspace_id,
        policies.c.name == name,
        policies.c.id != but,
        policies.c.deleted.is_(sa.false()),
    )
    return (await conn.execute(query)).first() is not None


async def other_default(conn: AsyncConnection, workspace_id: str, but: str) -> Stored | None:
    """The workspace's default, unless it is `but`."""
    query = sa.select(policies).where(
        policies.c.workspace_id == workspace_id,
        policies.c.is_default.is_(sa.true()),
        policies.c.id != but,
        policies.c.deleted.is_(sa.false()),
    )
    row = (await conn.execute(query)).first()
    return None if row is None else _stored(row)


async def put(tx: AsyncConnection, stored: Stored, *, new: bool) -> None:
    """Inserts or overwrites the row."""
    policy = stored.policy
    values = {
        "workspace_id": policy.workspace_id,
        "name": policy.name,
        "version": policy.version,
        "enabled": policy.enabled,
        "is_default": policy.is_default,
        "default_verdict": policy.default_verdict.value,
        "shadow_mode": policy.shadow_mode,
        "rules_json": json.dumps(list(map(rule_json, policy.rules)), separators=(",", ":")),
        "created_at_us": stored.created_at_us,
        "updated_at_us": stored.updated_at_us,
        "revision": stored.revision,
        "deleted": stored.deleted,
    }
    if new:
        await tx.execute(policies.insert().values(id=policy.id, **values))
    else:
        await tx.execute(policies.update().where(policies.c.id == policy.id).values(**values))


async def add_history(
    tx: AsyncConnection, policy: Policy, operation: str, author_id: str, snapshot: Mapping[str, Any], now_us: int
) -> None:
    """Appends a version."""
    await tx.execute(
        history.insert().values(
            policy_id=policy.id,
            version=policy.version,
            workspace_id=policy.workspace_id,
            operation=operation,
            author_id=author_id,
            occurred_at_us=now_us,
            snapshot_json=json.dumps(dict(snapshot), separators=(",", ":")),
        )
    )


async def history_page(
    conn: AsyncConnection, workspace_id: str, policy_id: str, before: int | None, limit: int
) -> list[HistoryRow]:
    """Versions, newest first."""
    query = sa.select(history).where(history.c.workspace_id == workspace_id, history.c.policy_id == policy_id)
    if before is not None:
        query = query.where(history.c.version < before)
    rows = (await conn.execute(query.order_by(history.c.version.desc()).limit(limit))).all()
    return [_history(row) for row in rows]


async def history_version(conn: AsyncConnection, workspace_id: str, policy_id: str, version: int) -> HistoryRow | None:
    """One version."""
    query = sa.select(history).where(
        history.c.workspace_id == workspace_id, history.c.policy_id == policy_id, history.c.version == version
    )
    row = (await conn.execute(query)).first()
    return None if row is None else _history(row)


def _history(row: Any) -> HistoryRow:
    return HistoryRow(row.version, row.operation, row.author_id, row.occurred_at_us, json.loads(row.snapshot_json))


async def read_settings(conn: AsyncConnection, workspace_id: str) -> StoredSettings:
    """The workspace's settings, or the defaults."""
    row = (await conn.execute(sa.select(settings).where(settings.c.workspace_id == workspace_id))).first()
    return StoredSettings(workspace_id, Settings()) if row is None else _stored_settings(row)


async def put_settings(tx: AsyncConnection, stored: StoredSettings, revision: int, now_us: int) -> None:
    """Inserts or overwrites the settings."""
    values = {
        "observe_mode": stored.settings.observe_mode,
        "approval_ttl_s": stored.settings.approval_ttl_s,
        "webhook_url": stored.webhook_url,
        "webhook_secret": stored.webhook_secret,
        "version": stored.version,
        "updated_at_us": now_us,
        "revision": revision,
    }
    statement = insert_for(tx)(settings).values(workspace_id=stored.workspace_id, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=["workspace_id"], set_=values))
