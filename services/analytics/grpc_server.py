"""`analytics.v1`: recorded rows for simulate and false positives. Matched text is never part of an answer."""

from __future__ import annotations

import json
from typing import Any

from orca.analytics.v1 import analytics_pb2, analytics_pb2_grpc
from services.analytics.clickhouse import queries
from services.analytics.clickhouse.queries import Span
from services.analytics.domain.feeds import BY_TABLE, Match, item
from services.analytics.ports import RowSource
from services.common.errors import Invalid
from services.common.http import decode_cursor, encode_cursor

LIMIT_DEFAULT = 1_000
LIMIT_MAX = 10_000
# One answer stays below the transport's message limit, whatever the rows hold.
ANSWER_BYTES_MAX = 3 * 1024 * 1024
US_MAX = 4_102_444_800_000_000


class AnalyticsServicer(analytics_pb2_grpc.AnalyticsServiceServicer):
    """Reads over the event tables for other services."""

    def __init__(self, store: RowSource) -> None:
        self._store = store

    async def Query(self, request: analytics_pb2.QueryRequest, context: Any) -> analytics_pb2.QueryResponse:
        """Rows of one table, oldest first. Raises Invalid, StoreUnavailable."""
        del context
        feed = BY_TABLE.get(request.table)
        if feed is None:
            raise Invalid(f"table: must be one of {', '.join(BY_TABLE)}", param="table")
        if not request.workspace_id:
            raise Invalid("workspace_id: must not be empty", param="workspace_id")
        if not 0 <= request.limit <= LIMIT_MAX:
            raise Invalid(f"limit: must be between 0 and {LIMIT_MAX}", param="limit")
        feed = feed.without("matched")
        limit = request.limit or LIMIT_DEFAULT
        statement = queries.page(
            feed, request.workspace_id, _filters(feed.filters, request.filters), _span(request),
            after=_after(request.cursor), limit=limit + 1, oldest_first=True,
        )  # fmt: skip
        rows = await self._store.query(statement.sql, statement.parameters)
        texts: list[str] = []
        size = 0
        for row in rows[:limit]:
            text = json.dumps(item(feed.fields, row[2:]), separators=(",", ":"), ensure_ascii=False)
            size += len(text.encode())
            if texts and size > ANSWER_BYTES_MAX:
                break
            texts.append(text)
        more = len(rows) > len(texts)
        cursor = encode_cursor(list(rows[len(texts) - 1][:2])) if more else ""
        return analytics_pb2.QueryResponse(rows_json=texts, next_cursor=cursor)


def _span(request: analytics_pb2.QueryRequest) -> Span:
    for name, value in (("since", request.since_unix_us), ("until", request.until_unix_us)):
        if not 0 <= value <= US_MAX:
            raise Invalid(f"{name}_unix_us: out of range", param=f"{name}_unix_us")
    return Span(request.since_unix_us, request.until_unix_us or None)


def _after(cursor: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    position = decode_cursor(cursor)
    if len(position) == 2 and type(position[0]) is int and 0 <= position[0] <= US_MAX and isinstance(position[1], str):
        return position[0], position[1]
    raise Invalid("cursor: not a cursor of this list", param="cursor")


def _filters(known: Any, given: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in given.items():
        wanted = known.get(name)
        if wanted is None or wanted.match is Match.HIDE_FP:
            raise Invalid("filters: unknown column", param="filters")
        if wanted.match is Match.TEXT:
            values[name] = [text]
        elif wanted.match is Match.FLAG and text in ("true", "false"):
            values[name] = text == "true"
        elif wanted.match is Match.INT and text.isascii() and text.isdigit() and len(text) < 19:
            values[name] = [int(text)]
        else:
            raise Invalid("filters: a value does not fit its column", param="filters")
    return values
