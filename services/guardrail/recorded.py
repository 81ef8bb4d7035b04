"""`ports.RecordedMatches` over `analytics.v1`. A table or filter that analytics does not know is `Invalid`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from orca.analytics.v1 import analytics_pb2
from services.common.rpc import call
from services.guardrail.domain.captured import ACTED, stronger

TIMEOUT_S = 10.0
CAPTURES_PER_PAGE = 200
MATCHES_PER_PAGE = 1_000
COUNTED_PER_PAGE = 10_000


class Recorded:
    """Asks analytics."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def _page(self, request: analytics_pb2.QueryRequest) -> tuple[list[dict[str, Any]], str]:
        answer = await call(self._stub.Query, request, timeout_s=TIMEOUT_S)
        return [json.loads(row) for row in answer.rows_json], answer.next_cursor

    async def match(self, workspace_id: str, match_id: str) -> Mapping[str, Any] | None:
        """See `ports.RecordedMatches`."""
        rows, _ = await self._page(
            analytics_pb2.QueryRequest(workspace_id=workspace_id, table="matches", limit=1, filters={"id": match_id})
        )
        return rows[0] if rows else None

    async def captures(self, workspace_id: str, since_us: int, cursor: str) -> tuple[Sequence[Mapping[str, Any]], str]:
        """See `ports.RecordedMatches`."""
        return await self._page(_since("captures", workspace_id, since_us, CAPTURES_PER_PAGE, cursor))

    async def outcomes(self, workspace_id: str, since_us: int, most: int) -> tuple[Mapping[tuple[str, str], str], bool]:
        """See `ports.RecordedMatches`."""
        found: dict[tuple[str, str], str] = {}
        more = True
        async for rows, further in self._pages("matches", workspace_id, since_us, MATCHES_PER_PAGE, most):
            more = further
            for row in rows:
                key = str(row["request_id"]), str(row["stage"])
                found[key] = stronger(found.get(key, ""), ACTED.get(str(row["action"]), "flagged"))
        return found, more

    async def request_count(self, workspace_id: str, since_us: int, most: int) -> int:
        """See `ports.RecordedMatches`."""
        count = 0
        async for rows, _ in self._pages("requests", workspace_id, since_us, COUNTED_PER_PAGE, most):
            count += len(rows)
        return min(count, most)

    async def _pages(
        self, table: str, workspace_id: str, since_us: int, per_page: int, most: int
    ) -> AsyncIterator[tuple[list[dict[str, Any]], bool]]:
        """Pages with whether there are more, until `most` rows are read; the last page may go beyond it."""
        read, cursor = 0, ""
        while read < most:
            rows, cursor = await self._page(_since(table, workspace_id, since_us, per_page, cursor))
            yield rows, bool(cursor)
            if not cursor:
                return
            read += len(rows)


def _since(table: str, workspace_id: str, since_us: int, limit: int, cursor: str) -> analytics_pb2.QueryRequest:
    return analytics_pb2.QueryRequest(
        workspace_id=workspace_id, table=table, since_unix_us=since_us, limit=limit, cursor=cursor
    )
