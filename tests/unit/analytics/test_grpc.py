"""`analytics.v1` over the loopback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orca.analytics.v1 import analytics_pb2_grpc
from orca.analytics.v1.analytics_pb2 import QueryRequest
from services.analytics.grpc_server import AnalyticsServicer
from services.common.errors import Invalid
from services.common.rpc import LoopbackChannel, LoopbackServer, call
from tests.unit.analytics.builders import NOW_US, firewall, match
from tests.unit.analytics.conftest import Fixture


def stub(orca: Fixture) -> Any:
    server = LoopbackServer()
    analytics_pb2_grpc.add_AnalyticsServiceServicer_to_server(AnalyticsServicer(orca.store), server)
    return analytics_pb2_grpc.AnalyticsServiceStub(LoopbackChannel(server))


async def query(orca: Fixture, **fields: Any) -> tuple[list[Any], str]:
    request = QueryRequest(**{"workspace_id": "ws_1", "table": "matches", **fields})
    answer = await call(stub(orca).Query, request, timeout_s=10)
    return [json.loads(row) for row in answer.rows_json], answer.next_cursor


async def test_rows_come_oldest_first_in_pages_without_matched_text(orca: Fixture) -> None:
    await orca.consume(*(match(n, id=f"m_{n}") for n in range(3)), match(id="other", workspace_id="ws_2"))
    rows, cursor = await query(orca, limit=2)
    assert [row["id"] for row in rows] == ["m_0", "m_1"]
    assert ("matched" in rows[0], rows[0]["fingerprints"]) == (False, ["f1", "f2"])
    rows, cursor = await query(orca, limit=2, cursor=cursor)
    assert ([row["id"] for row in rows], cursor) == (["m_2"], "")


async def test_filters_and_times(orca: Fixture) -> None:
    await orca.consume(*(firewall(n, id=f"f_{n}", payload={"shadow": n == 1}) for n in range(3)))

    async def ids(**fields: Any) -> list[str]:
        return [row["id"] for row in (await query(orca, table="firewall_events", **fields))[0]]

    assert await ids(filters={"shadow": "true"}) == ["f_1"]
    assert await ids(filters={"tool_name": "search", "verdict": "deny"}) == []
    assert await ids(since_unix_us=NOW_US + 1_000_000, until_unix_us=NOW_US + 2_000_000) == ["f_1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"table": "spend"}, {"workspace_id": ""}, {"limit": 10_001}, {"limit": -1}, {"cursor": "x"},
        {"cursor": "W10"}, {"filters": {"matched": "x"}}, {"table": "requests", "filters": {"status_code": "x"}},
        {"since_unix_us": -1}, {"until_unix_us": 2**62},
    ],
)  # fmt: skip
async def test_bad_queries_are_refused(orca: Fixture, fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await query(orca, **fields)
