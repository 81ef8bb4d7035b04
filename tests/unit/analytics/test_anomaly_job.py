"""The minute job on real roll-ups: five kinds, one anomaly per series and episode, the feed of them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from orca.events.v1.events_pb2 import Envelope
from services.analytics.anomalies.calls import most_within
from services.common.eventlog import topics
from tests.unit.analytics.builders import config, firewall
from tests.unit.analytics.conftest import Fixture

FEED = "/api/workspace/firewall/anomalies"
# A minute's start in the middle of an hour, so that five minutes lie within one.
HOUR_S = int(time.time()) // 3600 * 3600 - 7200
NOW_S = HOUR_S + 30 * 60


async def activity(
    orca: Fixture, *, metric: str = "requests", per_hour: float, now_5: float, key_id: str = "key_1", tool: str = "",
    weeks: int = 5, seed: int = 1,
) -> None:  # fmt: skip
    """Hourly history with counting noise, the same rate in the running hour, and `now_5` in the last five minutes."""
    rng = np.random.default_rng(seed)
    hours = [HOUR_S - 3600 * n for n in range(1, weeks * 168 + 1)]
    values = rng.poisson(per_hour, len(hours)).tolist()
    rows = ", ".join(
        f"('ws_1', '{metric}', toDateTime({at}, 'UTC'), '{key_id}', 'prod', '{tool}', {value})"
        for at, value in zip(hours, values, strict=True)
    )
    columns = "(workspace_id, metric, bucket, key_id, environment, tool, value)"
    if weeks:
        await orca.store.command(f"INSERT INTO activity_hourly {columns} VALUES {rows}")
    minutes = [(NOW_S - 60 * n, now_5 / 5 if n <= 5 else per_hour / 60) for n in range(1, 61)]
    rows = ", ".join(
        f"('ws_1', '{metric}', toDateTime({at}, 'UTC'), '{key_id}', 'prod', '{tool}', {round(value)})"
        for at, value in minutes
    )
    await orca.store.command(f"INSERT INTO activity_minutely {columns} VALUES {rows}")


def at(orca: Fixture, second: float) -> None:
    orca.clock.advance((round(second * 1_000_000) - orca.clock.now_us()) / 1_000_000)


async def feed(orca: Fixture, **params: Any) -> list[dict[str, Any]]:
    await orca.consume(owner="feed")
    found = await orca.get(FEED, **params)
    return list(found["items"])


async def test_a_spike_opens_one_anomaly_per_series_and_closes_it(orca: Fixture) -> None:
    await activity(orca, per_hour=1200, now_5=500)
    at(orca, NOW_S + 3)
    job = orca.job()
    assert await job.minute() == [("requests:key:key_1", "opened"), ("requests:workspace", "opened")]
    at(orca, NOW_S + 33)
    assert await job.minute() == []
    opened = {event.anomaly.series: event for event in await orca.told()}
    of_key = opened["requests:key:key_1"]
    assert (of_key.workspace_id, of_key.key_id, of_key.anomaly.kind) == ("ws_1", "key_1", "rate_spike")
    assert (of_key.anomaly.observed, of_key.anomaly.baseline_weeks) == (500, 5)
    assert of_key.anomaly.expected == pytest.approx(100, rel=0.1)
    assert of_key.anomaly.score > 5
    assert of_key.anomaly.probability < 1e-6
    # Quiet again: the roll-up of those minutes is replaced by an ordinary one.
    await orca.store.command("TRUNCATE TABLE activity_minutely")
    at(orca, NOW_S + 33 + 601)
    assert [state for _, state in await job.minute()] == ["closed", "closed"]
    await orca.told()
    (entry,) = await feed(orca, key_id="key_1", series="requests:key:key_1")
    assert entry["kind"] == "rate_spike"
    assert entry["state"] == "closed"
    assert (entry["observed"], entry["baseline_weeks"]) == (500, 5)
    assert entry["closed_at"] == entry["updated_at"] > entry["occurred_at"]


async def test_an_ordinary_minute_is_silent(orca: Fixture) -> None:
    await activity(orca, per_hour=1200, now_5=110)
    at(orca, NOW_S + 3)
    assert await orca.job().minute() == []


async def test_below_the_floor_nothing_fires(orca: Fixture) -> None:
    await activity(orca, per_hour=12, now_5=20)
    at(orca, NOW_S + 3)
    assert await orca.job().minute() == []


async def test_without_history_nothing_fires(orca: Fixture) -> None:
    await activity(orca, per_hour=1200, now_5=5000, weeks=0)
    at(orca, NOW_S + 3)
    assert await orca.job().minute() == []


async def test_a_growing_episode_is_updated(orca: Fixture) -> None:
    await activity(orca, per_hour=1200, now_5=500)
    at(orca, NOW_S + 3)
    job = orca.job()
    await job.minute()
    await activity(orca, per_hour=0, now_5=500, weeks=0)
    at(orca, NOW_S + 30)
    assert {state for _, state in await job.minute()} == {"updated"}


async def test_cost_and_tools_have_series_of_their_own(orca: Fixture) -> None:
    await activity(orca, metric="cost", per_hour=4e8, now_5=4e8)
    await activity(orca, metric="calls", tool="search", per_hour=1200, now_5=600)
    at(orca, NOW_S + 3)
    assert await orca.job().minute() == [
        ("calls:tool:search", "opened"), ("cost:key:key_1", "opened"), ("cost:workspace", "opened"),
    ]  # fmt: skip
    events = {event.anomaly.series: event for event in await orca.told()}
    assert events["cost:workspace"].anomaly.kind == "burn_spike"
    assert (events["cost:workspace"].key_id, events["cost:workspace"].anomaly.tool_name) == ("key_1", "search")


async def test_a_repeated_call_is_a_loop(orca: Fixture) -> None:
    now_s = NOW_S + 3
    await orca.consume(
        *(call(now_s - 70 + 5 * n, f"f_{n}") for n in range(10)),
        *(call(now_s - 70 + 5 * n, f"g_{n}", args_hash=f"{n:064d}") for n in range(12)),
        *(call(now_s - 110 + 10 * n, f"h_{n}", run_id="slow") for n in range(11)),
    )
    at(orca, now_s)
    job = orca.job(learning_us=10**12)
    hashed = "ab" * 32
    assert await job.minute() == [(f"loop:key_1:run_1:search:{hashed}", "opened")]
    assert await job.minute() == []
    (event,) = await orca.told()
    assert (event.anomaly.kind, event.anomaly.tool_name, event.run_id) == ("retry_loop", "search", "run_1")
    assert event.anomaly.observed == 10


def call(second: float, id: str, *, run_id: str = "run_1", **payload: Any) -> Envelope:
    return firewall(id=id, run_id=run_id, payload=payload, occurred_at_unix_us=round(second * 1_000_000))


async def test_a_new_host_and_a_new_path_are_news_once_and_after_learning(orca: Fixture) -> None:
    day = 86_400
    old = NOW_S - 3 * day
    await orca.consume(
        call(old, "f_1", tool_name="read", destination="a.example.test"),
        call(old + 1, "f_2", tool_name="search", destination="a.example.test"),
        call(NOW_S - 20, "f_3", tool_name="read", destination="a.example.test"),
        call(NOW_S - 10, "f_4", tool_name="search", destination="b.example.test"),
        call(NOW_S - 5, "f_5", tool_name="mail", destination="b.example.test"),
    )
    at(orca, NOW_S)
    assert await orca.job(learning_us=4 * day * 1_000_000).minute() == []
    job = orca.job(learning_us=day * 1_000_000)
    assert await job.minute() == [("host:key_1:b.example.test", "opened"), ("path:search:mail", "opened")]
    at(orca, NOW_S + 60)
    assert await job.minute() == []
    await orca.told()
    entries = await feed(orca)
    told = {(entry["kind"], entry["tool_name"]) for entry in entries}
    assert told == {("novel_path", "mail"), ("novel_egress", "")}
    assert all(entry["closed_at"] for entry in entries)
    assert [entry["kind"] for entry in await feed(orca, kind="novel_path")] == ["novel_path"]
    assert await orca.get(FEED, workspace="ws_2") == {"items": [], "next_cursor": None}


async def test_transitions_cross_blocks_restarts_and_repeats(orca: Fixture) -> None:
    await orca.consume(call(NOW_S, "f_1", tool_name="a"), call(NOW_S + 1, "f_2", tool_name="b"))
    await orca.consume(call(NOW_S + 2, "f_3", tool_name="c"), call(NOW_S + 3, "f_4", tool_name="b", run_id="other"),
                       owner="b")  # fmt: skip
    rows = await orca.store.query(
        "SELECT from_tool, to_tool, sum(calls) FROM tool_transitions GROUP BY 1, 2 ORDER BY 1", {}
    )
    assert [tuple(row) for row in rows] == [("a", "b", 1), ("b", "c", 1)]


async def test_one_replica_runs_the_job(orca: Fixture) -> None:
    from services.analytics.storage.episodes import LEASE_US, EpisodeStore

    first, second = EpisodeStore(orca.database, orca.clock, "a"), EpisodeStore(orca.database, orca.clock, "b")
    assert [await first.lead("job"), await second.lead("job"), await first.lead("job")] == [True, False, True]
    orca.clock.advance(LEASE_US / 1_000_000 + 1)
    assert [await second.lead("job"), await first.lead("job")] == [True, False]


async def test_the_feed_is_for_members_and_checks_its_filters(orca: Fixture) -> None:
    assert (await orca.get(FEED, role="VIEWER"))["items"] == []
    assert await orca.get(FEED, kind="nonsense") == (422, "invalid_request")
    assert await orca.get(FEED, state="gone") == (422, "invalid_request")


async def test_the_week_follows_the_workspace(orca: Fixture) -> None:
    await orca.configure(config("workspace", "ws_1", 3, '{"time_zone": "Asia/Tokyo"}'))
    assert str(orca.workspaces.zone("ws_1")) == "Asia/Tokyo"
    assert str(orca.workspaces.zone("ws_2")) == "UTC"
    await activity(orca, per_hour=1200, now_5=500)
    at(orca, NOW_S + 3)
    assert len(await orca.job().minute()) == 2


@pytest.mark.parametrize(("times", "most"), [([], 0), ([1], 1), ([0, 50, 60, 100, 110, 121], 4), ([5, 5, 5], 3)])
def test_most_within_a_window(times: list[int], most: int) -> None:
    assert most_within(times, 60) == most


def test_anomalies_have_a_topic() -> None:
    assert topics.ANOMALIES in topics.BY_NAME
