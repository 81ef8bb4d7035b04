"""`orca replay analytics`: every table again, from the topics, into new tables that are swapped in at the end.

The new tables live in a database of their own until the swap, so that a replay that is cut short changes nothing and
is simply run again. What the topics no longer hold is carried over from the old tables, up to each partition's first
replayed offset; so are roll-ups older than the rows they would be made of. Recorded erasures are applied before the
swap. Replay with analytics stopped: the stored positions are replaced by the replay's ends. Raises Unavailable.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from services.analytics import erasing
from services.analytics.clickhouse.migrations import MIGRATIONS
from services.analytics.clickhouse.rollups import EVENT_TABLES, ROLL_UPS
from services.analytics.configuration import PERSONAL_TABLES, Workspaces
from services.analytics.consumers import by_place
from services.analytics.domain.blocks import Block, Records
from services.analytics.domain.rows import COLUMNS
from services.analytics.events import TABLES
from services.analytics.ports import ColumnStore
from services.analytics.processors import Unprocessable, collect, culprit
from services.analytics.storage.blocks import Recovery
from services.analytics.storage.tables import BLOCKS
from services.analytics.writer import BlockWriter
from services.common.clock import Clock
from services.common.eventlog.ports import ConsumedRecord, EventLog, TopicPartition
from services.common.ids import new_id
from services.common.storage import Database

NEW = "orca_replay"
BATCH_MAX = 10_000
POLL_S = 0.1
QUIET_S = 3.0
"""No record for so long, with no lag and every topic assigned, means the end of the topics."""

# Roll-up → rows older than what raw rows can tell; numbers of pairs that were replayed are not doubled.
_OLDER: Mapping[str, str] = {
    "activity_hourly": (
        "SELECT * FROM {old}.activity_hourly WHERE bucket < "
        "toStartOfHour((SELECT min(occurred_at) FROM {new}.requests))"
        " AND metric IN ('requests', 'blocked', 'tokens') UNION ALL "
        "SELECT * FROM {old}.activity_hourly WHERE bucket < toStartOfHour((SELECT min(occurred_at) FROM {new}.spend))"
        " AND metric = 'cost' UNION ALL "
        "SELECT * FROM {old}.activity_hourly WHERE bucket < "
        "toStartOfHour((SELECT min(occurred_at) FROM {new}.firewall_events)) AND metric = 'calls' UNION ALL "
        "SELECT * FROM {old}.activity_hourly WHERE bucket < toStartOfHour((SELECT min(occurred_at) FROM {new}.matches))"
        " AND metric = 'matches'"
    ),
    "runs": (
        "SELECT * FROM {old}.runs WHERE (workspace_id, key_id, run_id) NOT IN "
        "(SELECT workspace_id, key_id, run_id FROM {new}.runs)"
    ),
    "tool_transitions": (
        "SELECT workspace_id, from_tool, to_tool, first_seen, last_seen, "
        "if((workspace_id, from_tool, to_tool) IN "
        "(SELECT workspace_id, from_tool, to_tool FROM {new}.tool_transitions), toInt64(0), calls) "
        "FROM {old}.tool_transitions"
    ),
    "key_hosts": (
        "SELECT workspace_id, key_id, host, first_seen, last_seen, "
        "if((workspace_id, key_id, host) IN (SELECT workspace_id, key_id, host FROM {new}.key_hosts), "
        "toInt64(0), calls) FROM {old}.key_hosts"
    ),
}


@dataclass(frozen=True, slots=True)
class Replayed:
    """Records read from the topics, rows carried over from the old tables, records that can never be rows."""

    records: int
    carried: int
    skipped: int


class _NewTables:
    """The store, with every insert and statement of the writer aimed at the new tables."""

    def __init__(self, store: ColumnStore) -> None:
        self._store = store

    async def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]], token: str) -> None:
        await self._store.insert(f"{NEW}.{table}", columns, values, token)

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        return await self._store.query(sql.replace("FROM firewall_events", f"FROM {NEW}.firewall_events"), parameters)

    async def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        await self._store.command(sql, parameters)

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class _Positions:
    """Block bounds in memory: nothing else writes these tables, and a replay that dies is begun again."""

    def __init__(self) -> None:
        self.first: dict[TopicPartition, int] = {}
        self.last: dict[TopicPartition, Block] = {}

    async def recover(self, topic: str, partition: int) -> Recovery:
        return Recovery(self.first[TopicPartition(topic, partition)], {}, ())

    async def store(self, blocks: Sequence[Block]) -> None: ...

    async def confirm(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            self.last[TopicPartition(block.bounds.topic, block.bounds.partition)] = block


async def replay(
    log: EventLog, store: ColumnStore, database: Database, workspaces: Workspaces, eraser: erasing.Eraser, clock: Clock,
    *, quiet_s: float = QUIET_S,
) -> Replayed:  # fmt: skip
    """Rebuilds all tables; store and database are open, the log is started, nothing else uses them."""
    await workspaces.refresh()
    await _create(store)
    positions = _Positions()
    writer = BlockWriter(positions, _NewTables(store))
    records = skipped = 0
    async for batch in _read(log, quiet_s):
        for place, found in by_place(batch).items():
            if place not in positions.first:
                positions.first[place] = found[0].offset
                await writer.acquire(place)
            decoded = _decoded(TABLES[place.topic], found, workspaces)
            skipped += len(found) - len(decoded)
            if decoded:
                writer.hold(place, decoded)
        await writer.flush()
        records += len(batch)
    carried = await _carry(store, positions)
    for subject, subject_id in await eraser.recorded():
        for table in (*PERSONAL_TABLES, "spend"):
            await erasing.apply(store, subject, subject_id, table, database=NEW)
    await _swap(store)
    await _reposition(database, positions, clock)
    return Replayed(records, carried, skipped)


def _decoded(table: str, batch: list[ConsumedRecord], workspaces: Workspaces) -> Records:
    """The records that can be rows: others are in the dead letters since they were consumed."""
    try:
        return collect(table, batch, workspaces.retention_days, workspaces.consents)
    except Unprocessable:
        sound = [record for record in batch if culprit(table, [record]) is None]
        return collect(table, sound, workspaces.retention_days, workspaces.consents) if sound else Records()


async def _read(log: EventLog, quiet_s: float) -> AsyncIterator[list[ConsumedRecord]]:
    """Batches of all topics, until they are quiet. A group of its own, which commits nothing."""
    consumer = log.consumer(new_id("analytics-replay"), tuple(TABLES))
    await consumer.start()
    quiet, enough = 0, max(1, round(quiet_s / POLL_S))
    try:
        while quiet < enough:
            batch = await consumer.poll(BATCH_MAX, POLL_S)
            if batch:
                quiet = 0
                yield batch
            elif consumer.lag() == 0 and {place.topic for place in consumer.assignment()} == set(TABLES):
                quiet += 1
    finally:
        await consumer.stop()


async def _create(store: ColumnStore) -> None:
    """Empty tables and their views in the replay's own database."""
    await store.command(f"DROP DATABASE IF EXISTS {NEW}")
    await store.command(f"CREATE DATABASE {NEW}")
    for migration in MIGRATIONS:
        for statement in migration.statements:
            await store.command(within(statement))


_NAMED = re.compile(
    r"\b(CREATE TABLE IF NOT EXISTS|ALTER TABLE|TRUNCATE TABLE|DROP TABLE IF EXISTS|EXCHANGE TABLES|INSERT INTO|AND|TO"
    rf"|FROM) ({'|'.join((*EVENT_TABLES, *ROLL_UPS, 'runs_fine', 'suppressions'))})\b(?!\.)"
)


def within(statement: str) -> str:
    """A migration's statement with every table it names in the replay's database."""
    statement = _NAMED.sub(rf"\1 {NEW}.\2", statement)
    return statement.replace(
        "CREATE MATERIALIZED VIEW IF NOT EXISTS ", f"CREATE MATERIALIZED VIEW IF NOT EXISTS {NEW}."
    )


async def _carry(store: ColumnStore, positions: _Positions) -> int:
    """Rows that came before what the topics still hold; views roll them up on the way."""
    old = str((await store.query("SELECT currentDatabase()", {}))[0][0])
    carried = 0
    for topic, table in TABLES.items():
        firsts = {place.partition: offset for place, offset in positions.first.items() if place.topic == topic}
        before = " OR ".join(
            [f"(_partition = {partition} AND _offset < {offset})" for partition, offset in sorted(firsts.items())]
            + [f"_partition NOT IN ({', '.join(map(str, sorted(firsts)))})" if firsts else "1"]
        )
        columns = ", ".join(COLUMNS[table])
        where = f"_topic = {{topic:String}} AND ({before})"
        count = await store.query(f"SELECT count() FROM {old}.{table} WHERE {where}", {"topic": topic})  # noqa: S608
        carried += int(count[0][0])
        await store.command(
            f"INSERT INTO {NEW}.{table} ({columns}) SELECT {columns} FROM {old}.{table} WHERE {where}",  # noqa: S608
            {"topic": topic},
        )
    for table, select in _OLDER.items():
        await store.command(f"INSERT INTO {NEW}.{table} " + select.format(old=old, new=NEW))
    return carried


async def _swap(store: ColumnStore) -> None:
    """Each table changes places with its new self; the views keep writing to the names they know."""
    for table in (*EVENT_TABLES, *ROLL_UPS):
        await store.command(f"EXCHANGE TABLES {table} AND {NEW}.{table}")
    with contextlib.suppress(Exception):
        # Only disk space: a leftover is dropped by the next replay.
        await store.command(f"DROP DATABASE IF EXISTS {NEW}")


async def _reposition(database: Database, positions: _Positions, clock: Clock) -> None:
    """The stored bounds become the replay's last blocks, confirmed."""
    async with database.write() as tx:
        for place, block in positions.last.items():
            mine = sa.and_(BLOCKS.c.topic == place.topic, BLOCKS.c.partition == place.partition)
            await tx.execute(BLOCKS.delete().where(mine))
            await tx.execute(
                BLOCKS.insert().values(
                    topic=place.topic, partition=place.partition, first_offset=block.bounds.first,
                    last_offset=block.bounds.last, owner="replay",
                    producers=json.dumps(dict(block.producers), separators=(",", ":")), confirmed=True,
                    created_at_us=clock.now_us(),
                )
            )  # fmt: skip
