"""Numbered migrations of the column store. A released number is never edited; a view is replaced by a new version.

Statements are idempotent, because DDL is not transactional: a migration that was cut short is run again.
Deduplication windows count blocks per table; a block is re-sent only while it is the last of its topic
partition and unconfirmed, so 10,000 covers hours of blocks from all other partitions.
"""

from __future__ import annotations

from services.analytics.clickhouse.access import ACCESS
from services.analytics.clickhouse.ddl import PERSONAL_TTL, SPEND_TTL, ClickHouseMigration, event_table
from services.analytics.clickhouse.rollups import LATER_MIGRATIONS
from services.analytics.clickhouse.runs import RUNS_ROLL_UP

MIGRATIONS_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32, name String, applied_at DateTime DEFAULT now())
-- A handful of rows, read whole: ordered by number only to have an order.
ENGINE = MergeTree ORDER BY number
"""

_DECISIONS = """
    plane LowCardinality(String),
    stage LowCardinality(String),
    outcome LowCardinality(String),
    code LowCardinality(String),
    reason String,
    policy_id String,
    policy_name String,
    policy_version Int64,
    rule_id String,
    latency_us Int64,
    fail_open Bool,
    model LowCardinality(String),
    not_evaluated Array(String),
    dangling_policy Bool,
    count Int64"""
_MATCHES = """
    id String,
    guardrail_id String,
    guardrail_name String,
    guardrail_version Int64,
    rule_id String,
    rule_type LowCardinality(String),
    label String,
    action LowCardinality(String),
    stage LowCardinality(String),
    entity LowCardinality(String),
    count Int64,
    detail String,
    matched Array(String),
    fingerprints Array(String),
    model LowCardinality(String)"""
_FIREWALL = """
    id String,
    tool_name String,
    verdict LowCardinality(String),
    surface LowCardinality(String),
    reason String,
    policy_id String,
    policy_name String,
    policy_version Int64,
    rule_id String,
    rule_label String,
    args_summary String,
    args_hash String,
    destination String,
    shadow Bool,
    gap Bool,
    model LowCardinality(String),
    approval_id String"""
_REQUESTS = """
    model LowCardinality(String),
    upstream_model LowCardinality(String),
    channel_id String,
    endpoint LowCardinality(String),
    stream Bool,
    status_code Int32,
    status LowCardinality(String),
    error_code LowCardinality(String),
    input_tokens Int64,
    cached_input_tokens Int64,
    output_tokens Int64,
    cost_nano_usd Int64,
    latency_us Int64,
    first_byte_us Int64,
    upstream_us Int64,
    ip String,
    client_request_id String,
    tool_calls Int64,
    finish_reasons Array(String),
    attempts Int64,
    guardrail_id String,
    firewall_policy_id String,
    estimated Bool,
    blocked_nano_usd Int64,
    replica_id String"""
_SPEND = """
    kind LowCardinality(String),
    account_id String,
    lease_id String,
    reservation_nano_usd Int64,
    settled_nano_usd Int64,
    unconfirmed_nano_usd Int64,
    blocked_nano_usd Int64,
    overrun_nano_usd Int64,
    amount_nano_usd Int64,
    estimated Bool,
    model LowCardinality(String),
    channel_id String,
    input_tokens Int64,
    cached_input_tokens Int64,
    output_tokens Int64,
    reasoning_tokens Int64,
    attempt Int64"""

_BY_ID = "(workspace_id, occurred_at, id)"
_BY_EVENT = "(workspace_id, occurred_at, event_id)"

MIGRATIONS = (
    ClickHouseMigration(
        1,
        "event tables",
        (
            event_table("decisions", _DECISIONS, _BY_EVENT, PERSONAL_TTL),
            event_table("matches", _MATCHES, _BY_ID, PERSONAL_TTL),
            event_table("firewall_events", _FIREWALL, _BY_ID, PERSONAL_TTL),
            event_table("requests", _REQUESTS, _BY_EVENT, PERSONAL_TTL),
            event_table("spend", _SPEND, _BY_EVENT, SPEND_TTL),
        ),
    ),
    ClickHouseMigration(
        2,
        "runs roll-up",
        RUNS_ROLL_UP,
    ),
    *LATER_MIGRATIONS,
    ACCESS,
)
