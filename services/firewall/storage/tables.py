"""Tables: policies, their history, settings, approvals, counters of rules, webhooks due, outbox, change counter.

`postures.py` and `mcp.py` add theirs to the same metadata.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.common.storage import Migration, add_missing, change_counter, outbox_table, policy_history, policy_table

metadata = sa.MetaData()

policies = policy_table(
    metadata,
    "policies",
    sa.Column("default_verdict", sa.Text, nullable=False),
    sa.Column("shadow_mode", sa.Boolean, nullable=False),
)
history = policy_history(metadata, "policy_history", "policy_id")

settings = sa.Table(
    "settings",
    metadata,
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("observe_mode", sa.Boolean, nullable=False),
    sa.Column("approval_ttl_s", sa.BigInteger, nullable=False),
    sa.Column("webhook_url", sa.Text, nullable=False, server_default=""),
    # Sealed by the vault; null where none was set.
    sa.Column("webhook_secret", sa.LargeBinary),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("updated_at_us", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
sa.Index("settings_revision", settings.c.revision)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("surface", sa.Text, nullable=False),
    sa.Column("tool_name", sa.Text, nullable=False),
    sa.Column("args_hash", sa.Text, nullable=False),
    sa.Column("args_summary", sa.Text, nullable=False),
    # Every held call of the answer: tool, hash and summary, as JSON.
    sa.Column("calls_json", sa.Text, nullable=False),
    sa.Column("policy_id", sa.Text, nullable=False),
    sa.Column("policy_name", sa.Text, nullable=False),
    sa.Column("policy_version", sa.BigInteger, nullable=False),
    sa.Column("rule_id", sa.Text, nullable=False),
    sa.Column("rule_label", sa.Text, nullable=False),
    # `pending`, `approved`, `rejected`, `used`, `withdrawn`; `expired` is computed.
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("resolved_by", sa.Text, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("resolved_at_us", sa.BigInteger, nullable=False),
    # On `response`: hash of the request's body, and what the retry is answered with, sealed.
    sa.Column("body_hash", sa.LargeBinary),
    sa.Column("held", sa.LargeBinary),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("cost_nano_usd", sa.BigInteger, nullable=False),
)
sa.Index("approvals_feed", approvals.c.workspace_id, approvals.c.id)
sa.Index("approvals_state", approvals.c.workspace_id, approvals.c.state, approvals.c.expires_at_us)
sa.Index("approvals_expiry", approvals.c.expires_at_us)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    # As the engine wrote it; empty while a first step is under way.
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
)
sa.Index("counters_expiry", counters.c.expires_at_us)

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at_us", sa.BigInteger, nullable=False),
)
sa.Index("webhooks_next", webhooks.c.next_at_us)

outbox = outbox_table(metadata)
counter = change_counter(metadata)


def _later(connection: sa.Connection) -> None:
    metadata.create_all(connection)
    add_missing(connection, settings)


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "initial", metadata.create_all),
    Migration(2, "approvals, counters, webhooks, MCP servers, levels", _later),
)
