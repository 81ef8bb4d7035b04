"""Tables: guardrails in their current state, their history, webhooks' secrets, suppressions, outbox, change counter.

`postures.py` adds its own to the same metadata. A rule's secret outlives the rule while its guardrail lives, so that
reverting brings a working rule back.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.common.storage import Migration, change_counter, outbox_table, policy_history, policy_table

metadata = sa.MetaData()

guardrails = policy_table(metadata, "guardrails", sa.Column("log_raw_content", sa.Boolean, nullable=False))
history = policy_history(metadata, "guardrail_history", "guardrail_id")

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
