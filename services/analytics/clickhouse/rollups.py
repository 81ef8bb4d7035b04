# ruff: noqa: S608 (every interpolated name is a constant of this package; values are bound)
"""Later tables and roll-ups: activity, transitions, hosts, captured bodies, anomalies, suppressed findings.

A roll-up's views read blocks as they are inserted, and deduplicate by the block's token like the raw tables do.
"""

from __future__ import annotations

from services.analytics.clickhouse.ddl import PERSONAL_TTL, WINDOW, ClickHouseMigration, event_table

_BODIES = """
    kind LowCardinality(String),
    body String CODEC(ZSTD(3)),
    truncated Bool,
    consent_version Int64"""
_ANOMALIES = """
    id String,
    kind LowCardinality(String),
    series String,
    state LowCardinality(String),
    observed Float64,
    expected Float64,
    score Float64,
    probability Float64,
    baseline_weeks Int64,
    tool_name String,
    detail String"""


def _activity(name: str, resolution: str, keep: str, why: str) -> str:
    return f"""
CREATE TABLE IF NOT EXISTS {name} (
    workspace_id LowCardinality(String),
    metric LowCardinality(String),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD),
    key_id String,
    environment LowCardinality(String),
    tool String,
    value SimpleAggregateFunction(sum, Int64)
)
ENGINE = AggregatingMergeTree
-- By month, as the raw tables, so that one block lands in one partition ({resolution} buckets never cross it).
PARTITION BY toYYYYMM(bucket)
-- A baseline reads one workspace and metric over time; the rest makes rows of one series merge.
ORDER BY (workspace_id, metric, bucket, key_id, environment, tool)
-- {why}
TTL bucket + INTERVAL {keep} DAY
SETTINGS {WINDOW}
"""


_HOURLY = _activity("activity_hourly", "hour", "400", "Numbers only; a shorter life would starve the baseline.")
_MINUTELY = _activity("activity_minutely", "minute", "8", "Trailing spans are read back at most a week.")

_SERIES = "e.workspace_id AS workspace_id, e.key_id AS key_id, e.environment AS environment"


def _activity_views(table: str, start_of: str) -> tuple[str, ...]:
    def view(source: str, tool: str, metrics: str, where: str = "") -> str:
        return f"""
CREATE MATERIALIZED VIEW IF NOT EXISTS {table}_from_{source}_v1 TO {table} AS
SELECT {_SERIES}, m.1 AS metric, {start_of}(e.occurred_at) AS bucket, {tool} AS tool, sum(m.2) AS value
FROM {source} AS e ARRAY JOIN [{metrics}] AS m
WHERE m.2 != 0{where} GROUP BY workspace_id, key_id, environment, metric, bucket, tool
"""

    return (
        view(
            "requests",
            "''",
            "('requests', toInt64(1)), ('blocked', toInt64(e.status = 'blocked')), "
            "('tokens', e.input_tokens + e.output_tokens)",
        ),
        view("spend", "''", "('cost', e.settled_nano_usd)", " AND e.kind = 'spend'"),
        view("firewall_events", "e.tool_name", "('calls', toInt64(1))", " AND e.tool_name != ''"),
        view("matches", "''", "('matches', toInt64(1))"),
    )


_TRANSITIONS = f"""
CREATE TABLE IF NOT EXISTS tool_transitions (
    workspace_id LowCardinality(String),
    from_tool String,
    to_tool String,
    first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    calls SimpleAggregateFunction(sum, Int64)
)
ENGINE = AggregatingMergeTree
-- By month of the last call, as the raw table: one block lands in one partition.
PARTITION BY toYYYYMM(last_seen)
-- The pair is the identity: rows of one transition merge.
ORDER BY (workspace_id, from_tool, to_tool)
-- Names of tools and numbers; kept as long as other roll-ups.
TTL toDateTime(last_seen) + INTERVAL 400 DAY
SETTINGS {WINDOW}
"""
_TRANSITIONS_VIEW = """
CREATE MATERIALIZED VIEW IF NOT EXISTS tool_transitions_v1 TO tool_transitions AS
SELECT e.workspace_id AS workspace_id, e.previous_tool AS from_tool, e.tool_name AS to_tool,
    min(e.occurred_at) AS first_seen, max(e.occurred_at) AS last_seen, toInt64(count()) AS calls
FROM firewall_events AS e WHERE e.previous_tool != '' AND e.tool_name != ''
GROUP BY workspace_id, from_tool, to_tool
"""
_HOSTS = f"""
CREATE TABLE IF NOT EXISTS key_hosts (
    workspace_id LowCardinality(String),
    key_id String,
    host String,
    first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_seen SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    calls SimpleAggregateFunction(sum, Int64)
)
ENGINE = AggregatingMergeTree
-- By month of the last call, as the raw table: one block lands in one partition.
PARTITION BY toYYYYMM(last_seen)
-- A key's host is the identity: rows of one merge. The empty host stands for calls without a destination: it
-- tells when the key's learning began.
ORDER BY (workspace_id, key_id, host)
-- Kept as long as other roll-ups.
TTL toDateTime(last_seen) + INTERVAL 400 DAY
SETTINGS {WINDOW}
"""
_HOSTS_VIEW = """
CREATE MATERIALIZED VIEW IF NOT EXISTS key_hosts_v1 TO key_hosts AS
SELECT e.workspace_id AS workspace_id, e.key_id AS key_id, e.destination AS host,
    min(e.occurred_at) AS first_seen, max(e.occurred_at) AS last_seen, toInt64(count()) AS calls
FROM firewall_events AS e GROUP BY workspace_id, key_id, host
"""
_SUPPRESSIONS = """
CREATE TABLE IF NOT EXISTS suppressions (
    workspace_id LowCardinality(String),
    rule_id String,
    fingerprint String,
    deleted Bool,
    version Int64
)
-- The latest version of a finding counts; the config topic is compacted, so the table stays small.
ENGINE = ReplacingMergeTree(version)
-- One row per finding, read per workspace.
ORDER BY (workspace_id, rule_id, fingerprint)
"""

EVENT_TABLES = ("decisions", "matches", "firewall_events", "requests", "spend", "request_bodies", "anomalies")
ROLL_UPS = ("runs", "activity_hourly", "activity_minutely", "tool_transitions", "key_hosts")

LATER_MIGRATIONS = (
    ClickHouseMigration(
        3, "activity", (_HOURLY, _MINUTELY, *_activity_views("activity_hourly", "toStartOfHour"),
                        *_activity_views("activity_minutely", "toStartOfMinute")),
    ),
    ClickHouseMigration(
        4,
        "transitions and hosts",
        (
            "ALTER TABLE firewall_events ADD COLUMN IF NOT EXISTS previous_tool String AFTER approval_id",
            _TRANSITIONS, _TRANSITIONS_VIEW, _HOSTS, _HOSTS_VIEW,
        ),
    ),
    ClickHouseMigration(
        5,
        "bodies, anomalies, suppressions",
        (
            event_table("request_bodies", _BODIES, "(workspace_id, occurred_at, event_id)", PERSONAL_TTL),
            event_table("anomalies", _ANOMALIES, "(workspace_id, occurred_at, event_id)", PERSONAL_TTL),
            _SUPPRESSIONS,
        ),
    ),
)  # fmt: skip
