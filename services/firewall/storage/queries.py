"""Policies as they are stored, and the queries on settings. None commits: the caller's transaction does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.storage import PolicyRows, upsert
from services.common.storage import Stored as StoredPolicy
from services.firewall.domain.drafts import rule_from_json, rule_json
from services.firewall.domain.model import Policy, Settings, Verdict
from services.firewall.storage.tables import history, settings
from services.firewall.storage.tables import policies as table

Stored = StoredPolicy[Policy]


def _policy(row: Any) -> Policy:
    return Policy(
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


def _own(policy: Policy) -> dict[str, Any]:
    return {
        "default_verdict": policy.default_verdict.value,
        "shadow_mode": policy.shadow_mode,
        "rules_json": json.dumps(list(map(rule_json, policy.rules)), separators=(",", ":")),
    }


policies = PolicyRows(table, history, _policy, _own)


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """A workspace's settings; version 0 when never written."""

    workspace_id: str
    settings: Settings
    version: int = 0
    webhook_url: str = ""
    webhook_secret: bytes | None = None
    """Sealed; only the webhook sender and the callback open it."""


def _stored_settings(row: Any) -> StoredSettings:
    settings = Settings(row.observe_mode, row.approval_ttl_s)
    return StoredSettings(row.workspace_id, settings, row.version, row.webhook_url, row.webhook_secret)


async def settings_changed_since(conn: AsyncConnection, after: int, upto: int) -> list[StoredSettings]:
    """Settings changed after one revision, up to another."""
    query = sa.select(settings).where(settings.c.revision.between(after + 1, upto))
    return [_stored_settings(row) for row in (await conn.execute(query)).all()]


async def read_settings(conn: AsyncConnection, workspace_id: str) -> StoredSettings:
    """The workspace's settings, or the defaults."""
    row = (await conn.execute(sa.select(settings).where(settings.c.workspace_id == workspace_id))).first()
    return StoredSettings(workspace_id, Settings()) if row is None else _stored_settings(row)


async def put_settings(tx: AsyncConnection, stored: StoredSettings, revision: int, now_us: int) -> None:
    """Inserts or overwrites the settings."""
    values = {
        "workspace_id": stored.workspace_id,
        "observe_mode": stored.settings.observe_mode,
        "approval_ttl_s": stored.settings.approval_ttl_s,
        "webhook_url": stored.webhook_url,
        "webhook_secret": stored.webhook_secret,
        "version": stored.version,
        "updated_at_us": now_us,
        "revision": revision,
    }
    await upsert(tx, settings, values)
