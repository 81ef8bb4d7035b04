"""Auth's tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.common.storage import Migration, change_counter, outbox_table

METADATA = sa.MetaData()


def _table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(name, METADATA, *columns)


USERS = _table(
    "users",
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, default=""),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("is_root", sa.Boolean, nullable=False),
    sa.Column("created_time", sa.BigInteger, nullable=False),
)
WORKSPACES = _table(
    "workspaces",
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("created_time", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
)
MEMBERS = _table(
    "members",
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("role", sa.Integer, nullable=False),
)
TOKENS = _table(
    "access_tokens",
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("masked", sa.Text, nullable=False),
    sa.Column("created_time", sa.BigInteger, nullable=False),
)
SESSIONS = _table(
    "sessions",
    sa.Column("secret_hash", sa.LargeBinary, primary_key=True),
    sa.Column("user_id", sa.Text, nullable=False, index=True),
    sa.Column("csrf_token", sa.Text, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)
KEYS = _table(
    "relay_keys",
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False, index=True),
    sa.Column("account_id", sa.Text, nullable=False, index=True),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("masked", sa.Text, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("guardrail_id", sa.Text, nullable=False, index=True),
    sa.Column("firewall_policy_id", sa.Text, nullable=False, index=True),
    sa.Column("created_time", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
)
CHANNELS = _table(
    "channels",
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("credential", sa.LargeBinary, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("created_time", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
)
PRICES = _table(
    "price_overrides",
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("model_id", sa.Text, primary_key=True),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
)
AUDIT = _table(
    "audit_chain",
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("content", sa.JSON, nullable=False),
)
KEY_USE = _table(
    "key_use",
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("accessed_time", sa.BigInteger, nullable=False),
)
OUTBOX = outbox_table(METADATA)
COUNTER = change_counter(METADATA)

_AT_FIRST = [table for table in METADATA.sorted_tables if table is not KEY_USE]

MIGRATIONS = (
    Migration(1, "foundation", lambda conn: METADATA.create_all(conn, _AT_FIRST)),
    Migration(2, "when keys were used", KEY_USE.create),
)
