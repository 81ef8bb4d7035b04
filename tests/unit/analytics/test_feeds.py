"""The feeds over HTTP, on real chDB."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from services.analytics.domain.feeds import iso
from services.analytics.domain.run_ids import mint_run_id
from tests.unit.analytics.builders import NOW_US, envelope, firewall, match, request, spend
from tests.unit.analytics.conftest import Fixture

MATCH = "/api/guardrail/match"
EVENTS = "/api/workspace/firewall/events"
RUNS = "/api/workspace/firewall/runs"
TOOLS = "/api/workspace/firewall/tools"
LOG = "/api/log"
USAGE = "/api/analytics/usage"


def at(seconds: float) -> str:
    return iso(NOW_US + round(seconds * 1_000_000))


async def test_a_match_as_a_developer_sees_it(orca: Fixture) -> None:
    await orca.consume(match(1.000001, id="m_1"))
    expected = {
        "id": "m_1", "occurred_at": at(1.000001), "key_id": "key_1", "environment": "prod", "model": "orca/echo",
        "request_id": "req_1", "run_id": "run_1", "guardrail_id": "gr_1", "guardrail_name": "tenant-baseline",
        "guardrail_version": 3, "rule_id": "rule_1", "rule_type": "pii", "label": "PII", "action": "mask",
        "stage": "input", "entity": "email", "count": 2, "detail": "2 findings",
        "matched": ["someone@example.test"], "fingerprints": ["f1", "f2"],
    }  # fmt: skip
    assert await orca.get(MATCH) == {"items": [expected], "next_cursor": None}
    assert await orca.get(f"{MATCH}/m_1") == expected


async def test_a_viewer_never_sees_matched_text(orca: Fixture) -> None:
    await orca.consume(match(id="m_1"))
    listing = await orca.get(MATCH, role="VIEWER")
    single = await orca.get(f"{MATCH}/m_1", role="VIEWER")
    assert [listing["items"][0].get("matched"), single.get("matched")] == [None, None]
    async with orca.client("VIEWER") as client:
        assert "example.test" not in (await client.get(MATCH, params={"format": "csv"})).text


async def test_a_firewall_event(orca: Fixture) -> None:
    await orca.consume(firewall(2, id="f_1", payload={"gap": True, "destination": "api.example.test"}, step_id="s1"))
    assert await orca.get(EVENTS) == {
        "items": [
            {
                "id": "f_1", "occurred_at": at(2), "key_id": "key_1", "environment": "prod", "tool_name": "search",
                "verdict": "allow", "surface": "response", "reason": "default verdict", "policy_id": "fp_1",
                "policy_name": "baseline", "policy_version": 2, "rule_label": "", "rule_id": "",
                "args_summary": '{"q":"…"}', "args_hash": "ab" * 32, "destination": "api.example.test",
                "shadow": False, "gap": True, "request_id": "req_1", "run_id": "run_1", "step_id": "s1",
                "parent_step_id": "", "conversation_id": "", "model": "orca/echo", "approval_id": "",
            }
        ],
        "next_cursor": None,
    }  # fmt: skip


async def test_a_request(orca: Fixture) -> None:
    event = request(3, event_id="ev_x")
    await orca.consume(event)
    (entry,) = (await orca.get(LOG, role="VIEWER"))["items"]
    assert entry == {
        "id": "ev_x", "occurred_at": at(3), "request_id": "req_1", "key_id": "key_1", "environment": "prod",
        "model": "orca/echo", "upstream_model": "echo", "channel_id": "ch_1", "endpoint": "/v1/chat/completions",
        "stream": False, "status": "ok", "status_code": 200, "error_code": "", "input_tokens": 10,
        "cached_input_tokens": 0, "output_tokens": 5, "cost_usd": "0.0000015", "blocked_usd": "0",
        "estimated": False, "latency_ms": 2.5, "first_byte_ms": 0.0, "upstream_ms": 1.5, "ip": "192.0.2.7",
        "client_request_id": "", "tool_calls": 1, "finish_reasons": ["stop"], "attempts": 1, "guardrail_id": "",
        "firewall_policy_id": "", "run_id": "run_1", "step_id": "", "parent_step_id": "", "conversation_id": "",
    }  # fmt: skip


@pytest.mark.parametrize("path", [EVENTS, RUNS, TOOLS, f"{RUNS}/{mint_run_id('ws_1', 'key_1', 'run_1')}"])
async def test_call_provenance_needs_a_developer(orca: Fixture, path: str) -> None:
    await orca.consume(firewall(id="f_1"))
    assert await orca.get(path, role="VIEWER") == (403, "forbidden")


async def test_no_feed_shows_another_workspace(orca: Fixture) -> None:
    await orca.consume(match(id="m_1"), firewall(id="f_1"), request(), spend())
    for path in (MATCH, EVENTS, RUNS, TOOLS, LOG, USAGE):
        assert len((await orca.get(path))["items"]) == 1
        assert (await orca.get(path, workspace="ws_2"))["items"] == []
    run_id = mint_run_id("ws_1", "key_1", "run_1")
    for path in (f"{MATCH}/m_1", f"{RUNS}/{run_id}", f"{RUNS}/{mint_run_id('ws_2', 'key_1', 'run_1')}"):
        assert await orca.get(path, workspace="ws_2") == (404, "not_found")


@pytest.mark.parametrize("run_id", ["run_", "nope", "run_W10", "run_" + "A" * 3000, "run_\u00e9"])
async def test_an_unknown_run_is_404(orca: Fixture, run_id: str) -> None:
    assert await orca.get(f"{RUNS}/{run_id}") == (404, "not_found")


async def test_pages_are_newest_first_without_gap_or_overlap_even_at_equal_times(orca: Fixture) -> None:
    await orca.consume(*(match(number // 3, id=f"m_{number}") for number in range(8)))
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(8):
        params: dict[str, Any] = {"limit": 3} if cursor is None else {"limit": 3, "cursor": cursor}
        page = await orca.get(MATCH, **params)
        seen += [entry["id"] for entry in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["m_7", "m_6", "m_5", "m_4", "m_3", "m_2", "m_1", "m_0"]


@pytest.mark.parametrize("path", [RUNS, TOOLS])
async def test_aggregated_feeds_page_too(orca: Fixture, path: str) -> None:
    await orca.consume(
        *(firewall(n // 2, id=f"f_{n}", run_id=f"r{n}", payload={"tool_name": f"t{n}"}) for n in range(5))
    )
    seen: list[str] = []
    cursor: str | None = None
    while cursor is not None or not seen:
        page = await orca.get(path, limit=2, **({} if cursor is None else {"cursor": cursor}))
        seen += [entry["last_seen"] + entry.get("tool_name", entry.get("run_id")) for entry in page["items"]]
        cursor = page["next_cursor"]
    assert len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("path", [MATCH, EVENTS, LOG, RUNS, TOOLS, USAGE])
@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "%%"}, {"cursor": "W10"}, {"cursor": "WyJ4IiwgMV0"}, {"limit": 0}, {"limit": 201}, {"from": -1},
        {"from": "x"}, {"from": 5, "to": 4}, {"to": 10**15}, {"key_id": "k" * 513},
        {"cursor": "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTksICJhIiwgImIiXQ"},
    ],
)  # fmt: skip
async def test_bad_parameters_are_422(orca: Fixture, path: str, params: dict[str, Any]) -> None:
    assert await orca.get(path, **params) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({"key_id": "key_2"}, ["m_2"]),
        ({"environment": "staging"}, ["m_3"]),
        ({"run_id": "run_2"}, ["m_2"]),
        ({"request_id": "req_3"}, ["m_3"]),
        ({"model": "orca/echo"}, ["m_3", "m_2", "m_1"]),
        ({"rule_id": "rule_9"}, ["m_3"]),
        ({"action": "block"}, ["m_2"]),
        ({"rule_type": "pii", "entity": "email", "stage": "input"}, ["m_3", "m_2", "m_1"]),
        ({"guardrail_name": "other"}, []),
        ({"policy_id": "gr_1", "key_id": ["key_1", "key_2"]}, ["m_3", "m_2", "m_1"]),
        ({"key_id": "' OR 1=1 --"}, []),
        ({"key_id": "\\'\n\t{x:String}"}, []),
        ({"from": NOW_US // 1_000_000 + 10}, ["m_3", "m_2"]),
        ({"from": NOW_US // 1_000_000 + 10, "to": NOW_US // 1_000_000 + 20}, ["m_2"]),
    ],
)
async def test_match_filters(orca: Fixture, params: dict[str, Any], ids: list[str]) -> None:
    await orca.consume(
        match(0, id="m_1"),
        match(10, id="m_2", key_id="key_2", run_id="run_2", action="block"),
        match(20, id="m_3", environment="staging", request_id="req_3", rule_id="rule_9"),
    )
    assert [entry["id"] for entry in (await orca.get(MATCH, **params))["items"]] == ids


async def test_odd_names_are_found_by_their_exact_text(orca: Fixture) -> None:
    odd = "a'b\\c\nd\te {x:String} é"
    await orca.consume(match(id="m_1", run_id=odd))
    assert [entry["run_id"] for entry in (await orca.get(MATCH, run_id=odd))["items"]] == [odd]
    (run,) = (await orca.get(RUNS, run_id=odd))["items"]
    assert (await orca.get(f"{RUNS}/{run['id']}"))["run_id"] == odd


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({"verdict": "deny"}, ["f_2"]),
        ({"surface": "mcp"}, ["f_3"]),
        ({"tool_name": "search"}, ["f_1"]),
        ({"shadow": "true"}, ["f_3"]),
        ({"gap": "false"}, ["f_3", "f_2"]),
        ({"policy_id": "fp_1", "policy_name": "baseline"}, ["f_3", "f_2", "f_1"]),
        ({"args_hash": "ab" * 32}, ["f_3", "f_2", "f_1"]),
    ],
)
async def test_firewall_filters(orca: Fixture, params: dict[str, Any], ids: list[str]) -> None:
    await orca.consume(
        firewall(1, id="f_1", payload={"gap": True}),
        firewall(2, id="f_2", payload={"verdict": "deny", "tool_name": "rm"}),
        firewall(3, id="f_3", payload={"surface": "mcp", "tool_name": "srv.rm", "shadow": True}),
    )
    assert [entry["id"] for entry in (await orca.get(EVENTS, **params))["items"]] == ids


async def test_log_filters(orca: Fixture) -> None:
    await orca.consume(
        request(1, request_id="a"),
        request(
            2, request_id="b", payload={"status": "blocked", "status_code": 400, "error_code": "guardrail_blocked"}
        ),
    )
    for params in ({"status": "blocked"}, {"status_code": 400}, {"error_code": "guardrail_blocked"}):
        assert [entry["request_id"] for entry in (await orca.get(LOG, **params))["items"]] == ["b"]


async def test_matches_grouped_by_request(orca: Fixture) -> None:
    await orca.consume(match(1, id="m_1"), match(2, id="m_2", action="block"), match(3, id="m_3", request_id="req_2"))
    listing = await orca.get(MATCH, group_by="request")
    assert [
        (entry["request_id"], entry["matches"], entry["count"], entry["actions"]) for entry in listing["items"]
    ] == [
        ("req_2", 1, 2, ["mask"]),
        ("req_1", 2, 4, ["block", "mask"]),
    ]


async def test_csv_has_all_rows_and_runs_no_formula(orca: Fixture) -> None:
    await orca.consume(match(1, id="m_1", environment="=HYPERLINK(1)"), match(2, id="m_2"))
    async with orca.client() as client:
        answer = await client.get(MATCH, params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert [(row["id"], row["environment"], row["fingerprints"]) for row in rows] == [
        ("m_2", "prod", "f1;f2"),
        ("m_1", "'=HYPERLINK(1)", "f1;f2"),
    ]


async def test_a_run_adds_up_over_its_events(orca: Fixture) -> None:
    await orca.consume(
        request(1),
        request(4, payload={"status": "blocked", "tool_calls": 0, "cost_nano_usd": 0}),
        firewall(2, id="f_1", payload={"destination": "api.example.test", "surface": "egress"}),
        firewall(3, id="f_2", payload={"verdict": "deny", "tool_name": "srv.rm", "surface": "mcp"}),
        match(1.5, id="m_1"),
        match(9, id="m_9", key_id="key_2"),
    )
    other, run = (await orca.get(RUNS))["items"]
    assert (other["key_id"], other["matches"]) == ("key_2", 1)
    assert run == {
        "id": mint_run_id("ws_1", "key_1", "run_1"), "run_id": "run_1", "key_id": "key_1", "environment": "prod",
        "first_seen": at(1), "last_seen": at(4), "requests": 2, "blocked": 1, "tool_calls": 2,
        "verdicts": {"allow": 1, "audit": 0, "deny": 1, "sanitize": 0, "pending_approval": 0, "observe": 0},
        "matches": 1, "input_tokens": 20, "output_tokens": 10, "cost_usd": "0.0000015", "models": ["orca/echo"],
        "tools": ["search", "srv.rm"], "hosts": ["api.example.test"],
    }  # fmt: skip
    trace = await orca.get(f"{RUNS}/{run['id']}")
    assert {name: trace[name] for name in run} == run
    assert [(entry["kind"], entry["occurred_at"]) for entry in trace["timeline"]] == [
        ("request", at(1)), ("match", at(1.5)), ("firewall", at(2)), ("firewall", at(3)), ("request", at(4)),
    ]  # fmt: skip
    assert trace["truncated"] is False
    assert "example.test" not in str([entry for entry in trace["timeline"] if entry["kind"] == "match"])


@pytest.mark.parametrize(
    ("params", "runs"),
    [
        ({"verdict": "deny"}, ["r2"]), ({"tool_name": "rm"}, ["r2"]), ({"model": "orca/echo"}, ["r1"]),
        ({"key_id": "key_1"}, ["r2", "r1"]), ({"run_id": "r1"}, ["r1"]), ({"environment": "staging"}, ["r2"]),
        ({"from": NOW_US // 1_000_000 + 2}, ["r2"]), ({"to": NOW_US // 1_000_000 + 2}, ["r1"]),
        ({"destination": "nowhere.test"}, []),
    ],
)  # fmt: skip
async def test_run_filters(orca: Fixture, params: dict[str, Any], runs: list[str]) -> None:
    await orca.consume(
        request(1, run_id="r1"),
        firewall(5, id="f", run_id="r2", environment="staging", payload={"verdict": "deny", "tool_name": "rm"}),
    )
    assert [entry["run_id"] for entry in (await orca.get(RUNS, **params))["items"]] == runs
    assert await orca.get(RUNS, verdict="nope") == (422, "invalid_request")


async def test_a_tool_is_covered_or_gap_by_its_latest_evaluation(orca: Fixture) -> None:
    await orca.consume(
        firewall(1, id="f_1", payload={"gap": True, "verdict": "observe"}),
        firewall(2, id="f_2"),
        firewall(3, id="f_3", payload={"tool_name": "rm", "gap": True, "verdict": "observe", "surface": "inbound"}),
    )
    listing = await orca.get(TOOLS)
    assert [(tool["tool_name"], tool["status"], tool["calls"], tool["surfaces"]) for tool in listing["items"]] == [
        ("rm", "gap", 1, ["inbound"]),
        ("search", "covered", 2, ["response"]),
    ]


async def test_usage_by_every_grouping(orca: Fixture) -> None:
    await orca.consume(
        request(1), spend(1), request(2, key_id="key_2"), spend(2, key_id="key_2", settled=3_000_000_000)
    )
    one = {"requests": 1, "input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 5, "reasoning_tokens": 1,
           "unconfirmed_usd": "0", "blocked_usd": "0"}  # fmt: skip
    by_key = await orca.get(USAGE, group_by="key", role="VIEWER")
    assert by_key["items"] == [
        {"key_id": "key_2", **one, "cost_usd": "3"},
        {"key_id": "key_1", **one, "cost_usd": "0.0000015"},
    ]
    assert by_key["totals"]["cost_usd"] == "3.0000015"
    for group, value in (("model", "orca/echo"), ("environment", "prod"), ("day", iso(NOW_US)[:10])):
        model = "orca/echo"
        items = (await orca.get(USAGE, group_by=group, model=model))["items"]
        wanted = value if group != "environment" else "prod"
        assert [(item[group], item["requests"], item["cost_usd"]) for item in items] == [(wanted, 2, "3.0000015")]
    both = await orca.get(USAGE, group_by="day,key", key_id="key_1")
    assert [(item["day"], item["key_id"]) for item in both["items"]] == [(iso(NOW_US)[:10], "key_1")]
    assert await orca.get(USAGE, group_by="owner") == (422, "invalid_request")
    first = await orca.get(USAGE, group_by="key", limit=1)
    second = await orca.get(USAGE, group_by="key", limit=1, cursor=first["next_cursor"])
    assert [page["items"][0]["key_id"] for page in (first, second)] == ["key_2", "key_1"]
    assert second["next_cursor"] is None


async def test_no_credential_is_401(orca: Fixture) -> None:
    async with orca.client() as client:
        del client.headers["authorization"]
        answer = await client.get(LOG)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_an_empty_workspace_has_empty_totals(orca: Fixture) -> None:
    totals = (await orca.get(USAGE))["totals"]
    assert (totals["requests"], totals["cost_usd"]) == (0, "0")


async def test_events_outside_runs_make_no_run(orca: Fixture) -> None:
    await orca.consume(envelope(request=request().request, run_id=""))
    assert (await orca.get(RUNS))["items"] == []


@pytest.mark.parametrize("limit", [1, 2, 10])
async def test_grouped_feeds_reach_back_as_far_as_there_is_something(orca: Fixture, limit: int) -> None:
    ages_s = (0, 30, 7_200, 3 * 86_400, 12 * 86_400, 25 * 86_400)
    await orca.consume(
        *(
            match(-age, id=f"m_{age}_{n}", request_id=f"req_{age}", run_id=f"run_{age}")
            for age in ages_s
            for n in (1, 2)
        )
    )
    for path, name, params in ((MATCH, "request_id", {"group_by": "request"}), (RUNS, "run_id", {})):
        found: list[tuple[str, int]] = []
        cursor: dict[str, str] = {}
        for _ in range(len(ages_s) + 1):
            page = await orca.get(path, limit=limit, **params, **cursor)
            found += [(entry[name], entry["matches"]) for entry in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        prefix = name.removesuffix("_id").replace("request", "req")
        assert found == [(f"{prefix}_{age}", 2) for age in ages_s]
