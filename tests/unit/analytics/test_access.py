"""Feeds read sums and indexes instead of rows, and show what the rows say: over any span, erased, expired, migrated."""

from __future__ import annotations

import random
from typing import Any

import pytest

from orca.events.v1.events_pb2 import Envelope
from services.analytics.clickhouse import queries
from services.analytics.clickhouse.access import ACCESS
from services.analytics.clickhouse.queries import Span
from services.analytics.domain.feeds import FIREWALL_EVENTS
from services.analytics.erasing import Eraser
from tests.unit.analytics.builders import NOW_US, firewall, request, spend
from tests.unit.analytics.conftest import Fixture

RUNS, TOOLS, USAGE = "/api/workspace/firewall/runs", "/api/workspace/firewall/tools", "/api/analytics/usage"
DAY_S = 86_400
NOW_S = NOW_US // 1_000_000
MIDNIGHT_S = NOW_S // DAY_S * DAY_S
# Moments of events, seconds after a midnight: at both sides of edges, and within days.
MOMENTS = (-DAY_S - 1, -DAY_S, -DAY_S + 3_600, -1, 0, 1, 7_200)
BOUNDS = (None, -2 * DAY_S, -DAY_S, -DAY_S + 3_600, -1, 0, 2, 7_201, 2 * DAY_S)
SPANS = [
    (begin, end) for begin in BOUNDS for end in BOUNDS if begin is None or end is None or begin < end
]  # fmt: skip


def events() -> list[Envelope]:
    found: list[Envelope] = []
    for number, moment in enumerate(MOMENTS):
        at_s, key = MIDNIGHT_S - NOW_S + moment, f"key_{number % 2}"
        found += [
            request(at_s, key_id=key), spend(at_s, key_id=key),
            firewall(at_s, id=f"f_{number}", key_id=key, payload={"tool_name": f"tool_{number % 3}"}),
        ]  # fmt: skip
    return found


def bounds(begin: int | None, end: int | None) -> dict[str, Any]:
    given = {"from": begin, "to": end}
    return {name: MIDNIGHT_S + value for name, value in given.items() if value is not None}


async def test_sums_over_any_span_are_those_of_its_rows(orca: Fixture) -> None:
    await orca.consume(*events())
    for begin, end in SPANS:
        inside = [
            number
            for number, moment in enumerate(MOMENTS)
            if (begin is None or begin <= moment) and (end is None or moment < end)
        ]
        usage = await orca.get(USAGE, group_by="key", **bounds(begin, end))
        tools = await orca.get(TOOLS, **bounds(begin, end))
        assert (begin, end, usage["totals"]["requests"]) == (begin, end, len(inside))
        assert {item["key_id"]: item["requests"] for item in usage["items"]} == {
            f"key_{key}": sum(number % 2 == key for number in inside)
            for key in (0, 1)
            if any(number % 2 == key for number in inside)
        }
        assert round(float(usage["totals"]["cost_usd"]) * 1e9) == 1_500 * len(inside)
        assert {item["tool_name"]: (item["calls"], item["keys"]) for item in tools["items"]} == {
            f"tool_{tool}": (
                sum(number % 3 == tool for number in inside),
                len({number % 2 for number in inside if number % 3 == tool}),
            )
            for tool in range(3)
            if any(number % 3 == tool for number in inside)
        }


async def test_tools_and_usage_are_read_from_projections(orca: Fixture) -> None:
    await orca.consume(*events())
    week = Span(NOW_US - 7 * DAY_S * 1_000_000, NOW_US + DAY_S * 1_000_000)
    tools = queries.tools("ws_1", {"key_id": ["key_1"]}, FIREWALL_EVENTS.filters, week, after=None, limit=50)
    usage = queries.usage("ws_1", ["day", "key"], {"model": ["orca/echo"]}, Span(), offset=0, limit=50)

    async def plan(statement: queries.Statement) -> str:
        return "\n".join(row[0] for row in await orca.store.query(f"EXPLAIN {statement.sql}", statement.parameters))

    assert "(tools_daily)" in await plan(tools)
    assert (await plan(usage)).count("(usage_daily)") == 2


async def test_what_is_erased_is_erased_from_the_sums(orca: Fixture) -> None:
    await orca.consume(*events())
    await Eraser(orca.database, orca.store, orca.clock).erase("key", "key_0")
    usage = await orca.get(USAGE, group_by="key")
    assert {item["key_id"]: (item["requests"], item["cost_usd"]) for item in usage["items"]} == {
        "key_0": (0, "0.000006"), "key_1": (3, "0.0000045"),
    }  # fmt: skip
    tools = await orca.get(TOOLS)
    assert {item["tool_name"]: item["calls"] for item in tools["items"]} == {"tool_0": 1, "tool_1": 1, "tool_2": 1}


async def test_what_expired_has_left_the_sums(orca: Fixture) -> None:
    columns = "event_id, occurred_at, workspace_id, key_id, retention_days"
    await orca.store.command("SYSTEM STOP MERGES requests")
    for days in (20, 1):
        await orca.store.command(
            f"INSERT INTO requests ({columns}) SELECT toString(number), now64(6, 'UTC') - INTERVAL {days} DAY, 'ws_1', "
            "'key_1', 10 FROM numbers(5)"
        )
    assert (await orca.get(USAGE))["totals"]["requests"] == 10
    await orca.store.command("SYSTEM START MERGES requests")
    await orca.store.command("OPTIMIZE TABLE requests FINAL")
    assert (await orca.get(USAGE))["totals"]["requests"] == 5


async def test_a_migration_that_is_repeated_changes_nothing(orca: Fixture) -> None:
    await orca.consume(*events())
    before = [await orca.get(path) for path in (RUNS, TOOLS, USAGE)]
    for statement in ACCESS.statements:
        await orca.store.command(statement)
    assert [await orca.get(path) for path in (RUNS, TOOLS, USAGE)] == before
    await orca.consume(request(5, run_id="later"), owner="b")
    assert [item["run_id"] for item in (await orca.get(RUNS, limit=1))["items"]] == ["later"]


@pytest.mark.parametrize(
    "wanted", [{}, {"verdict": "deny"}, {"tool_name": "rare"}, {"to": NOW_S + 150}, {"from": NOW_S + 100}]
)
async def test_runs_page_by_their_last_event_however_their_rows_lie(orca: Fixture, wanted: dict[str, Any]) -> None:
    chance = random.Random(3)
    seen: dict[str, int] = {}
    denied, rare = set(), set()
    batches: list[list[Envelope]] = [[] for _ in range(6)]
    for at_s in range(240):
        run = f"run_{chance.randrange(60)}"
        seen[run] = at_s
        deny, tool = chance.random() < 0.05, "rare" if chance.random() < 0.02 else "usual"
        denied |= {run} if deny else set()
        rare |= {run} if tool == "rare" else set()
        call = {"verdict": "deny" if deny else "allow", "tool_name": tool}
        batches[at_s // 40].append(firewall(at_s, id=f"f_{at_s}", run_id=run, payload=call))
    for number, batch in enumerate(batches):
        await orca.consume(*batch, owner=f"o{number}")
    expected = [
        run
        for run, at_s in sorted(seen.items(), key=lambda entry: -entry[1])
        if ("verdict" not in wanted or run in denied)
        and ("tool_name" not in wanted or run in rare)
        and NOW_S + at_s >= wanted.get("from", 0)
        and NOW_S + at_s < wanted.get("to", 2**40)
    ]
    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        listing = await orca.get(RUNS, limit=7, **wanted, **cursor)
        found += [item["run_id"] for item in listing["items"]]
        if listing["next_cursor"] is None:
            break
        cursor = {"cursor": listing["next_cursor"]}
    assert found == expected
