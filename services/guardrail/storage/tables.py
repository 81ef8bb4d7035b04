"""Tables: guardrails in their current state, their history, webhooks' secrets, suppressions, outbox, change counter.

A rule's secret outlives the rule while its guardrail lives, so that reverting brings a working rule back.
A deleted guardrail stays as a tombstone, so that pollers learn of it by its revision; names and the default
are unique among the living only.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.common.storage import Migration, change_counter, outbox_table

metadata = sa.MetaData()

guardrails = sa.Table(
    "guardrails",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("log_raw_content", sa.Boolean, nullable=False),
    sa.Column("rules_json", sa.Text, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("updated_at_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
)
_living = guardrails.c.deleted.is_(sa.false())
_living_default = sa.and_(_living, guardrails.c.is_default.is_(sa.true()))
sa.Index(
    "guardrails_name",
    guardrails.c.workspace_id,
    guardrails.c.name,
    unique=True,
    sqlite_where=_living,
    postgresql_where=_living,
)
sa.Index(
    "guardrails_default",
    guardrails.c.workspace_id,
    unique=True,
    sqlite_where=_living_default,
    postgresql_where=_living_default,
)
sa.Index("guardrails_revision", guardrails.c.revision)

history = sa.Table(
    "guardrail_history",
    metadata,
    sa.Column("guardrail_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("author_id", sa.Text, nullable=False),
    sa.Column("occurred_at_us", sa.BigInteger, nullable=False),
    sa.Column("snapshot_json", sa.Text, nullable=False),
)

rule_secrets = sa.Table(
    "guardrail_rule_secrets",
    metadata,
    sa.Column("guardrail_id", sa.Text, primary_key=True),
    sa.Column("rule_id", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

suppressions = sa.Table(
    "guardrail_suppressions",
    metadata,
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("rule_id", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("guardrail_id", sa.Text, nullable=False),
    sa.Column("match_id", sa.Text, nullable=False),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("author_id", sa.Text, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.Boolean, nullable=False),
)
sa.Index("guardrail_suppressions_revision", suppressions.c.revision)

outbox = outbox_table(metadata)
counter = change_counter(metadata)

MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "initial", metadata.create_all),
    # `create_all` adds what is not there, so that a database of version 1 gains both tables.
    Migration(2, "rule secrets and suppressions", metadata.create_all),
    Migration(3, "autonomy levels", metadata.create_all),
)
