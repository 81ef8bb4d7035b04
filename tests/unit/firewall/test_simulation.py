"""`simulate`: a draft against recorded events, with what was captured and what was not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from orca.analytics.v1 import analytics_pb2, analytics_pb2_grpc
from services.common.rpc.loopback import LoopbackServer
from services.firewall.domain.arguments import read_arguments
from tests.unit.firewall.harness import Harness, harness


class FakeAnalytics(analytics_pb2_grpc.AnalyticsServiceServicer):
    """Serves rows two by two."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {"firewall_events": [], "captures": []}
        self.asked: list[analytics_pb2.QueryRequest] = []

    def event(self, tool: str, arguments: str | None = None, **fields: Any) -> None:
        number = len(self.rows["firewall_events"])
        surface = "inbound" if arguments is None else "response"
        self.rows["firewall_events"].append(
            {
                "id": f"fe_{number}", "occurred_at": f"2023-11-14T22:13:{number:02d}.000000Z", "key_id": "key_1",
                "tool_name": tool, "verdict": "allow", "surface": surface, "request_id": f"req_{number}",
                "run_id": "run_1", "args_summary": "", "destination": "",
                "args_hash": read_arguments(arguments).sha256 if arguments is not None else "", **fields,
            }
        )  # fmt: skip

    def capture(self, arguments: str, request_id: str, *, truncated: bool = False) -> None:
        row = {"request_id": request_id, "body": arguments, "truncated": truncated}
        self.rows["captures"].append(row)

    async def Query(self, request: analytics_pb2.QueryRequest, context: Any) -> analytics_pb2.QueryResponse:
        self.asked.append(request)
        rows, start = self.rows[request.table], int(request.cursor or 0)
        more = str(start + 2) if start + 2 < len(rows) else ""
        return analytics_pb2.QueryResponse(rows_json=map(json.dumps, rows[start : start + 2]), next_cursor=more)


@pytest_asyncio.fixture
async def wired(tmp_path: Path) -> AsyncIterator[tuple[Harness, FakeAnalytics]]:
    fake, server = FakeAnalytics(), LoopbackServer()
    analytics_pb2_grpc.add_AnalyticsServiceServicer_to_server(fake, server)
    async with harness(tmp_path, analytics=server) as plane:
        yield plane, fake


async def test_a_draft_is_compared_call_by_call(wired: tuple[Harness, FakeAnalytics]) -> None:
    plane, recorded = wired
    recorded.event("shell")
    recorded.event("fetch", '{"url": "http://10.0.0.1/"}')
    recorded.event("fetch", '{"url": "https://example.com/"}', verdict="audit")
    recorded.event("fetch", '{"q": "never captured"}')
    recorded.event("ping", "{}")
    recorded.event("ping", "{}")
    recorded.event("ping", "{}", verdict="deny")
    recorded.capture('{"url":"http://10.0.0.1/"}', "req_1")
    recorded.capture('{"url":"https://example.com/"}', "req_2")
    recorded.capture('{"q": "never', "req_3", truncated=True)
    draft = {
        "default_verdict": "allow",
        "rules": [
            {"tool_name_glob": "shell", "verdict": "deny", "label": "no shell"},
            {"verdict": "deny", "label": "private", "egress": {"deny": ["private"]}},
            {"tool_name_glob": "ping", "verdict": "deny", "label": "loop",
             "rate": {"max_calls": 1, "window_seconds": 60}},
        ],
    }  # fmt: skip
    before = len(await plane.envelopes())
    status, body = await plane.request("POST", "/simulate", {"policy": draft, "days": 3})
    data = body["data"]
    assert status == 200
    assert {k: data[k] for k in ("days", "evaluated", "not_evaluable", "changed", "unchanged", "truncated")} == {
        "days": 3, "evaluated": 6, "not_evaluable": 1, "changed": 4, "unchanged": 2, "truncated": False,
    }  # fmt: skip
    assert [(d["event_id"], d["before"], d["after"], (d["rule"] or {}).get("label")) for d in data["items"]] == [
        ("fe_0", "allow", "deny", "no shell"),
        ("fe_1", "allow", "deny", "private"),
        ("fe_2", "audit", "allow", None),
        ("fe_5", "allow", "deny", "loop"),
    ]
    assert data["changes"] == [
        {"before": "allow", "after": "deny", "count": 3},
        {"before": "audit", "after": "allow", "count": 1},
    ]
    assert {item.workspace_id for item in recorded.asked} == {"w1"}
    assert {item.since_unix_us for item in recorded.asked} == {plane.clock.now_us() - 3 * 86_400_000_000}
    assert len(await plane.envelopes()) == before


async def test_a_stored_policy_and_recorded_destinations_count_too(wired: tuple[Harness, FakeAnalytics]) -> None:
    plane, recorded = wired
    made = await plane.create(default_verdict="allow")
    recorded.event("fetch", "{}")
    recorded.event("fetch", "{}", surface="egress", verdict="deny", request_id="req_0", destination="10.0.0.1")
    _, body = await plane.request("POST", "/simulate", {"policy_id": made["id"]})
    assert [(d["before"], d["after"]) for d in body["data"]["items"]] == [("deny", "allow")]


async def test_what_cannot_be_simulated_names_the_field(wired: tuple[Harness, FakeAnalytics]) -> None:
    plane, _ = wired
    for body, param in [
        ({}, "policy"),
        ({"policy": {}, "policy_id": "x"}, "policy"),
        ({"policy": {}, "days": 0}, "days"),
        ({"policy": {}, "days": 91}, "days"),
        ({"policy": {"rules": [{"verdict": "burn"}]}}, "rules.0.verdict"),
    ]:
        status, answer = await plane.request("POST", "/simulate", body)
        assert (status, answer["param"]) == (422, param)
    assert (await plane.request("POST", "/simulate", {"policy_id": "fp_none"}))[0] == 404
    assert (await plane.request("POST", "/simulate", {"policy": {}}, who="w1/VIEWER"))[0] == 403
