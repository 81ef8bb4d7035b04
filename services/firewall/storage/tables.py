"""Tables: policies in their current state, their history, settings, the outbox and the change counter.

A deleted policy stays as a tombstone, so that pollers learn of it by its revision; names and the default are
unique among the living only.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.common.storage import Migration, change_counter, outbox_table

metadata = sa.MetaData()

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("default_verdict", sa.Text, nullable=False),
    sa.Column("shadow_mode", sa.Boolean, nullable=False),
    sa.Column("rules_json", sa.Text, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("updated_at_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
)
_living = policies.c.deleted.is_(sa.false())
_living_default = sa.and_(_living, policies.c.is_default.is_(sa.true()))
sa.Index(
    "policies_name",
    policies.c.workspace_id,
    policies.c.name,
    unique=True,
    sqlite_where=_living,
    postgresql_where=_living,
)
sa.Index(
    "policies_default",
    policies.c.workspace_id,
    unique=True,
    sqlite_where=_living_default,
    postgresql_where=_living_default,
)
sa.Index("policies_revision", policies.c.revision)

history = sa.Table(
    "policy_history",
    metadata,
    sa.Column("policy_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("author_id", sa.Text, nullable=False),
    sa.Column("occurred_at_us", sa.BigInteger, nullable=False),
    sa.Column("snapshot_json", sa.Text, nullable=False),
)

settings = sa.Table(
    "settings",
    metadata,
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("observe_mode", sa.Boolean, nullable=False),
    sa.Column("approval_ttl_s", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("updated_at_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
sa.Index("settings_revision", settings.c.revision)

outbox = outbox_table(metadata)
counter = change_counter(metadata)

MIGRATIONS: tuple[Migration, ...] = (Migration(1, "initial", metadata.create_all),)
