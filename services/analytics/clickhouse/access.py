"""How feeds find their rows without reading a workspace's whole past: sums per day, and filters over ids.

Projections and indexes belong to the raw tables' own parts: what is written, repeated, erased or expired there is so
here, and a query that cannot use one reads the rows themselves. Released statements are never edited.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.analytics.clickhouse.ddl import ClickHouseMigration
from services.analytics.clickhouse.runs import RUNS_FINER

_DAY = "toDate(occurred_at, 'UTC') AS day"
_MONEY = ", ".join(
    f"sum({name})"
    for name in ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "settled_nano_usd",
                 "unconfirmed_nano_usd", "blocked_nano_usd")
)  # fmt: skip


def _projection(table: str, name: str, keys: str, values: str) -> Sequence[str]:
    return (
        f"ALTER TABLE {table} ADD PROJECTION IF NOT EXISTS {name} "
        f"(SELECT workspace_id, {_DAY}, {keys}, {values} GROUP BY workspace_id, day, {keys})",
        # Rows that are there already, in the background.
        f"ALTER TABLE {table} MATERIALIZE PROJECTION {name}",
    )


def _indexes(table: str, *columns: str) -> Sequence[str]:
    """One per column, so that a filter reads its own alone; one in a hundred granules is read in vain."""
    return [
        statement
        for column in columns
        for statement in (
            f"ALTER TABLE {table} ADD INDEX IF NOT EXISTS by_{column} {column} TYPE bloom_filter(0.01)",
            f"ALTER TABLE {table} MATERIALIZE INDEX by_{column}",
        )
    ]


ACCESS = ClickHouseMigration(
    6,
    "access paths of feeds",
    (
        *_projection("firewall_events", "tools_daily", "tool_name, key_id, environment, surface, verdict",
                     "count(), min(occurred_at), max(occurred_at)"),
        *_projection("requests", "usage_daily", "key_id, environment, model", "count()"),
        *_projection("spend", "usage_daily", "key_id, environment, model, kind", _MONEY),
        *_indexes("requests", "request_id", "run_id", "key_id"),
        *_indexes("matches", "id", "request_id", "run_id", "key_id"),
        *_indexes("firewall_events", "request_id", "run_id", "key_id", "tool_name"),
        *RUNS_FINER,
    ),
)  # fmt: skip
