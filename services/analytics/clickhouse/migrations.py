# ruff: noqa: S608 (every interpolated name is a constant of this package; values are bound)
"""Numbered migrations of the column store. A released number is never edited; a view is replaced by a new version.

Statements are idempotent, because DDL is not transactional: a migration that was cut short is run again.
Deduplication windows count blocks per table; a block is re-sent only while it is the last of its topic
partition and unconfirmed, so 10,000 covers hours of blocks from all other partitions.
"""

from __future__ import annotations

from services.analytics.clickhouse.ddl import PERSONAL_TTL, SPEND_TTL, WINDOW, ClickHouseMigration, event_table
from services.analytics.clickhouse.rollups import LATER_MIGRATIONS

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

_RUNS = f"""
CREATE TABLE IF NOT EXISTS runs (
    workspace_id LowCardinality(String),
    key_id String,
    run_id String,
    first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    environment SimpleAggregateFunction(max, String),
    requests SimpleAggregateFunction(sum, Int64),
    blocked SimpleAggregateFunction(sum, Int64),
    tool_calls SimpleAggregateFunction(sum, Int64),
    matches SimpleAggregateFunction(sum, Int64),
    allow SimpleAggregateFunction(sum, Int64),
    audit SimpleAggregateFunction(sum, Int64),
    deny SimpleAggregateFunction(sum, Int64),
    sanitize SimpleAggregateFunction(sum, Int64),
    pending_approval SimpleAggregateFunction(sum, Int64),
    observe SimpleAggregateFunction(sum, Int64),
    input_tokens SimpleAggregateFunction(sum, Int64),
    output_tokens SimpleAggregateFunction(sum, Int64),
    cost_nano_usd SimpleAggregateFunction(sum, Int64),
    models SimpleAggregateFunction(groupUniqArrayArray(64), Array(String)),
    tools SimpleAggregateFunction(groupUniqArrayArray(256), Array(String)),
    hosts SimpleAggregateFunction(groupUniqArrayArray(256), Array(String))
)
ENGINE = AggregatingMergeTree
-- By month of the last event, as the raw tables: one block then lands in one partition here too. A run that
-- spans months has a row in each; readers aggregate, so its numbers are whole.
PARTITION BY toYYYYMM(last_seen)
-- The triple is a run's identity: rows of one run merge.
ORDER BY (workspace_id, key_id, run_id)
-- Numbers only; kept as long as spend.
TTL toDateTime(last_seen) + INTERVAL 400 DAY
SETTINGS {WINDOW}
"""

_RUNS_KEY = "e.workspace_id AS workspace_id, e.key_id AS key_id, e.run_id AS run_id"
_RUNS_SEEN = "min(e.occurred_at) AS first_seen, max(e.occurred_at) AS last_seen, max(e.environment) AS environment"
_RUNS_GROUP = "WHERE e.run_id != '' GROUP BY e.workspace_id, e.key_id, e.run_id"

_RUNS_FROM_REQUESTS = f"""
CREATE MATERIALIZED VIEW IF NOT EXISTS runs_from_requests_v1 TO runs AS
SELECT {_RUNS_KEY}, {_RUNS_SEEN},
    toInt64(count()) AS requests,
    toInt64(countIf(e.status = 'blocked')) AS blocked,
    sum(e.tool_calls) AS tool_calls,
    sum(e.input_tokens) AS input_tokens,
    sum(e.output_tokens) AS output_tokens,
    sum(e.cost_nano_usd) AS cost_nano_usd,
    groupUniqArrayIf(64)(toString(e.model), e.model != '') AS models
FROM requests AS e {_RUNS_GROUP}
"""
_RUNS_FROM_MATCHES = f"""
CREATE MATERIALIZED VIEW IF NOT EXISTS runs_from_matches_v1 TO runs AS
SELECT {_RUNS_KEY}, {_RUNS_SEEN}, toInt64(count()) AS matches
FROM matches AS e {_RUNS_GROUP}
"""
# A model's calls are counted by its request; only calls that came without one (mcp) are counted here.
_RUNS_FROM_FIREWALL = f"""
CREATE MATERIALIZED VIEW IF NOT EXISTS runs_from_firewall_v1 TO runs AS
SELECT {_RUNS_KEY}, {_RUNS_SEEN},
    toInt64(countIf(e.surface = 'mcp')) AS tool_calls,
    toInt64(countIf(e.verdict = 'allow')) AS allow,
    toInt64(countIf(e.verdict = 'audit')) AS audit,
    toInt64(countIf(e.verdict = 'deny')) AS deny,
    toInt64(countIf(e.verdict = 'sanitize')) AS sanitize,
    toInt64(countIf(e.verdict = 'pending_approval')) AS pending_approval,
    toInt64(countIf(e.verdict = 'observe')) AS observe,
    groupUniqArrayIf(256)(e.tool_name, e.tool_name != '') AS tools,
    groupUniqArrayIf(256)(e.destination, e.destination != '') AS hosts
FROM firewall_events AS e {_RUNS_GROUP}
"""

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
        (_RUNS, _RUNS_FROM_REQUESTS, _RUNS_FROM_MATCHES, _RUNS_FROM_FIREWALL),
    ),
    *LATER_MIGRATIONS,
)
