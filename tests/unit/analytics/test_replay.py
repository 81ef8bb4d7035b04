"""Every table again from the topics: equal to what ingestion made, with erasures applied and nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.allinone.sqlite_log import SqliteEventLog
from services.analytics.clickhouse.migrations import MIGRATIONS
from services.analytics.erasing import Eraser
from services.analytics.replay import NEW, Replayed, replay, within
from services.analytics.storage.tables import BLOCKS
from services.common.clock import SystemClock
from services.common.eventlog.envelope import record_of
from services.common.eventlog.ports import OutRecord
from tests.unit.analytics.builders import TOPIC_OF, firewall, match, request, spend
from tests.unit.analytics.conftest import Fixture

# The embedded log has one partition per topic, as the fixture has.
KEY = b"k"
STATE = {
    "requests": "SELECT event_id, key_id, _offset FROM requests ORDER BY event_id",
    "spend": "SELECT event_id, owner_user_id, settled_nano_usd FROM spend ORDER BY event_id",
    "runs": "SELECT key_id, run_id, sum(requests), sum(cost_nano_usd), sum(tool_calls), sum(matches) FROM runs "
    "GROUP BY 1, 2 ORDER BY 1, 2",
    "activity_hourly": "SELECT metric, tool, sum(value) FROM activity_hourly GROUP BY 1, 2 ORDER BY 1, 2",
    "activity_minutely": "SELECT metric, tool, sum(value) FROM activity_minutely GROUP BY 1, 2 ORDER BY 1, 2",
    "tool_transitions": "SELECT from_tool, to_tool, sum(calls) FROM tool_transitions GROUP BY 1, 2 ORDER BY 1, 2",
    "key_hosts": "SELECT key_id, host, sum(calls) FROM key_hosts GROUP BY 1, 2 ORDER BY 1, 2",
}


async def state(orca: Fixture) -> dict[str, Any]:
    return {name: [tuple(row) for row in await orca.store.query(sql, {})] for name, sql in STATE.items()}


def events(*, key_id: str = "key_1") -> list[Any]:
    return [
        *(request(n, key_id=key_id, producer_id="r", producer_seq=n + 1) for n in range(6)),
        request(3, key_id=key_id, producer_id="r", producer_seq=2),  # produced twice
        *(spend(n, key_id=key_id, owner_user_id="user_1") for n in range(4)),
        firewall(1, id="f_1", payload={"tool_name": "a"}), firewall(2, id="f_2", payload={"tool_name": "b"}),
        match(1, id="m_1"),
    ]  # fmt: skip


async def log_with(path: Path, envelopes: list[Any]) -> SqliteEventLog:
    log = SqliteEventLog(path, SystemClock())
    await log.start()
    await log.ensure_topics()
    producer = log.producer("test")
    await producer.start()
    await producer.send([record_of(TOPIC_OF[item.WhichOneof("payload")], KEY, item) for item in envelopes])
    await producer.stop()
    return log


async def replayed(orca: Fixture, log: SqliteEventLog) -> Replayed:
    eraser = Eraser(orca.database, orca.store, orca.clock)
    try:
        return await replay(log, orca.store, orca.database, orca.workspaces, eraser, orca.clock, quiet_s=0.2)
    finally:
        await log.stop()


async def test_a_replay_makes_the_same_tables(orca: Fixture, tmp_path: Path) -> None:
    made = events()
    await orca.consume(*made)
    before = await state(orca)
    # Damage that a replay mends: a roll-up is gone, another counted twice.
    await orca.store.command("TRUNCATE TABLE activity_hourly")
    await orca.store.command("INSERT INTO runs SELECT * FROM runs")
    await orca.store.command("TRUNCATE TABLE requests")
    done = await replayed(orca, await log_with(tmp_path / "log.db", made))
    assert done == Replayed(len(made), 0, 0)
    after = await state(orca)
    assert {name: rows for name, rows in after.items() if name != "requests"} == {
        name: rows for name, rows in before.items() if name != "requests"
    }
    assert [row[:2] for row in after["requests"]] == [row[:2] for row in before["requests"]]
    assert await orca.store.query("SELECT name FROM system.databases WHERE name = {name:String}", {"name": NEW}) == []


async def test_reading_goes_on_behind_the_replay(orca: Fixture, tmp_path: Path) -> None:
    made = events()
    await replayed(orca, await log_with(tmp_path / "log.db", made))
    async with orca.database.read() as conn:
        ends = {(row.topic, row.last_offset) for row in (await conn.execute(sa.select(BLOCKS))).all()}
    assert (TOPIC_OF["request"], 6) in ends
    assert (TOPIC_OF["spend"], 3) in ends
    columns = "event_id, occurred_at, workspace_id, run_id, status, retention_days"
    await orca.store.command(f"INSERT INTO requests ({columns}) "
                             "VALUES ('late', now(), 'ws_1', 'run_1', 'ok', 30)")  # fmt: skip
    assert await orca.scalar("SELECT sum(requests) FROM runs") == 7


async def test_what_the_topics_no_longer_hold_is_carried_over(orca: Fixture, tmp_path: Path) -> None:
    await orca.consume(*events())
    before = await state(orca)
    done = await replayed(orca, await log_with(tmp_path / "log.db", []))
    assert (done.records, done.skipped) == (0, 0)
    assert done.carried == sum(map(len, (before["requests"], before["spend"]))) + 3
    assert await state(orca) == before


async def test_what_can_never_be_a_row_is_left_out_and_counted(orca: Fixture, tmp_path: Path) -> None:
    made = [request(n, producer_id="r", producer_seq=n + 1) for n in range(3)]
    log = await log_with(tmp_path / "log.db", made)
    await log.producer("test").send([OutRecord(TOPIC_OF["request"], KEY, value) for value in (b"\xff", b"\xfe")])
    await log.append([record_of(TOPIC_OF["request"], KEY, request(3, producer_id="r", producer_seq=4))])
    assert await replayed(orca, log) == Replayed(6, 0, 2)
    assert await orca.scalar("SELECT count() FROM requests") == 4


async def test_erasures_are_applied_again(orca: Fixture, tmp_path: Path) -> None:
    made = [*events(), request(9, key_id="key_9")]
    await orca.consume(*made)
    await Eraser(orca.database, orca.store, orca.clock).erase("key", "key_9")
    await Eraser(orca.database, orca.store, orca.clock).erase("user", "user_1")
    await replayed(orca, await log_with(tmp_path / "log.db", made))
    assert await orca.scalar("SELECT countIf(key_id = 'key_9') FROM requests") == 0
    assert await orca.scalar("SELECT countIf(owner_user_id != '') FROM spend") == 0
    assert await orca.scalar("SELECT sum(settled_nano_usd) FROM spend") == 6000


def test_every_statement_of_a_migration_stays_in_the_new_database() -> None:
    for migration in MIGRATIONS:
        for statement in migration.statements:
            moved = within(statement)
            named = moved.count(f"{NEW}.")
            assert named >= (3 if "MATERIALIZED" in statement else 1)
