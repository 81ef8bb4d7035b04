# ruff: noqa: S608 (every interpolated name is a constant of this package; values are bound)
"""What a run's roll-up holds: one row per workspace, key and run id, summed from requests, matches and firewall events.

Released statements are never edited: a view that changes gets a new version in a later migration. Read in
`queries.py`; shown, with its public id (`domain/run_ids.py`), by `feeds.py`.
"""

from __future__ import annotations

from services.analytics.clickhouse.ddl import WINDOW

_COLUMNS = """    workspace_id LowCardinality(String),
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
"""
_RUNS = f"""
CREATE TABLE IF NOT EXISTS runs (
{_COLUMNS})
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

# A page's runs are scattered over the order of ids, so that a small granule is read for each, in small blocks; and
# ordered by when they were last seen, to find them. Rows are summed by merges, so the projection is made again by each.
_RUNS_FINE = f"""
CREATE TABLE IF NOT EXISTS runs_fine ({_COLUMNS})
ENGINE = AggregatingMergeTree
-- As before: one block lands in one partition.
PARTITION BY toYYYYMM(last_seen)
-- As before: the identity.
ORDER BY (workspace_id, key_id, run_id)
-- As before: numbers only, kept as long as spend.
TTL toDateTime(last_seen) + INTERVAL 400 DAY
SETTINGS index_granularity = 256, min_compress_block_size = 4096, max_compress_block_size = 65536,
    deduplicate_merge_projection_mode = 'rebuild', {WINDOW}
"""
_RUNS_BY_SEEN = """
ALTER TABLE runs_fine ADD PROJECTION IF NOT EXISTS by_seen
(SELECT workspace_id, key_id, run_id, last_seen ORDER BY workspace_id, last_seen)
"""
# Repeated as a whole when it is cut short: whichever table is called `runs` then holds all rows.
RUNS_FINER = (
    _RUNS_FINE,
    _RUNS_BY_SEEN,
    "TRUNCATE TABLE runs_fine",
    "INSERT INTO runs_fine SELECT * FROM runs",
    "EXCHANGE TABLES runs AND runs_fine",
    "DROP TABLE IF EXISTS runs_fine",
)

RUNS_ROLL_UP = (_RUNS, _RUNS_FROM_REQUESTS, _RUNS_FROM_MATCHES, _RUNS_FROM_FIREWALL)
