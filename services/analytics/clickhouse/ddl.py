"""Pieces that migrations share."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW = "non_replicated_deduplication_window = 10000"


@dataclass(frozen=True, slots=True)
class ClickHouseMigration:
    """One step of the schema."""

    number: int
    name: str
    statements: tuple[str, ...]


# Shared by every event table. 64-bit counters from the start: widening a column later rewrites it.
EVENT = """
    event_id String,
    occurred_at DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD),
    workspace_id LowCardinality(String),
    key_id String,
    owner_user_id String,
    environment LowCardinality(String),
    request_id String,
    run_id String,
    step_id String,
    parent_step_id String,
    conversation_id String,
    retention_days UInt16,
"""
POSITION = """
    _topic LowCardinality(String),
    _partition Int32,
    _offset Int64
"""


def event_table(name: str, columns: str, order: str, ttl: str) -> str:
    return f"""
CREATE TABLE IF NOT EXISTS {name} ({EVENT}{columns},{POSITION})
ENGINE = MergeTree
-- By month: retention drops whole parts, blocks are cut at this edge, a year has few partitions.
PARTITION BY toYYYYMM(occurred_at)
-- A feed reads one workspace, newest first, with the id as tie-break of its cursor: a reverse range read.
ORDER BY {order}
{ttl}
SETTINGS {WINDOW}
"""


PERSONAL_TTL = """-- Per workspace: each row carries the retention that held when it was written.
TTL toDateTime(occurred_at) + toIntervalDay(retention_days)"""
SPEND_TTL = """-- No personal data; baselines and usage need more than a year.
TTL toDateTime(occurred_at) + INTERVAL 400 DAY"""
