"""Settlement: one transaction per batch inserts entries, moves amounts, advances leases, stores the position.

An entry is unique by event id and a position never goes back, so a batch may come twice, in part or in
another order. Statements are per batch, not per event: their number does not grow with the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.eventlog.ports import TopicPartition
from services.common.storage import Database, insert_for
from services.ledger.domain.model import Kind, blocked_account
from services.ledger.storage.limits import ensure_account
from services.ledger.storage.parking import Parked, park
from services.ledger.storage.rows import (
    arrays,
    chunks,
    lock_leases,
    move_amounts,
    publish,
    store_leases,
)
from services.ledger.storage.tables import ACCOUNTS, CONSUMER_POSITIONS, ENTRIES
from services.ledger.storage.tally import PART_COLUMNS, PARTS, SpendEvent, Tally


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of several partitions, each in offset order."""

    spends: Sequence[tuple[tuple[str, int], int, SpendEvent]]
    """((topic, partition), offset, event)."""
    parked: Sequence[Parked]
    positions: Mapping[tuple[str, int], int]
    """Next offset after the batch, by partition."""


@dataclass(slots=True)
class Settled:
    """What a batch did, for metrics and alerts."""

    booked: int = 0
    overrun: int = 0
    frozen_accounts: int = 0
    gaps: list[str] = field(default_factory=list)
    """Leases whose running total is ahead of their entries now."""


class SettlementStore:
    """All statements of settlement."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def positions(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where to read on, of those partitions that something was booked from."""
        table = CONSUMER_POSITIONS
        async with self._database.read() as conn:
            stored = {(row.topic, row.partition): row.next_offset for row in await conn.execute(sa.select(table))}
        return {p: stored[p.topic, p.partition] for p in partitions if (p.topic, p.partition) in stored}

    async def settle(self, batch: Batch) -> Settled:
        """Applies a batch. Raises Unavailable with no spend applied."""
        done = Settled()
        for item in batch.parked:
            # Before and apart from the batch: it locks other leases, and repeating it changes nothing.
            async with self._database.write() as tx:
                done.frozen_accounts += await park(tx, item)
        async with self._database.write() as tx:
            at = await _positions(tx, batch.positions)
            fresh = [event for where, offset, event in batch.spends if offset >= at.get(where, 0)]
            if fresh:
                await self._book(tx, fresh, done)
            await _advance(tx, batch.positions, at)
        return done

    async def _book(self, tx: AsyncConnection, events: Sequence[SpendEvent], done: Settled) -> None:
        await ensure_accounts(tx, events)
        new = await insert_entries(tx, events)
        unique = {event.event_id: event for event in events if event.event_id in new}
        rows = await lock_leases(tx, [position.lease_id for e in unique.values() for position in e.positions])
        tally = Tally(rows)
        await correct(tx, tally.book(list(unique.values())))
        changed = tally.changed()
        await store_leases(tx, changed)
        await move_amounts(tx, tally.changes)
        await publish(tx, self._clock, [*tally.overruns, *tally.closes(changed)])
        done.booked += len(unique)
        done.overrun += sum(change.overrun for (kind, _), change in tally.changes.items() if kind is Kind.KEY)
        done.gaps += [lease_id for lease_id, lease in changed.items() if lease.gap]


_CORRECT = (
    ENTRIES.update()
    .where(ENTRIES.c.id == sa.bindparam("row_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in PART_COLUMNS})
)


async def correct(tx: AsyncConnection, corrections: Sequence[tuple[str, Mapping[str, int]]]) -> None:
    """Rewrites entries of which an account took less than the event said; (entry id, columns)."""
    rows = [{"row_id": i, **{f"new_{name}": value for name, value in parts.items()}} for i, parts in corrections]
    if rows:
        await tx.execute(_CORRECT, rows)


_ADVANCE = (
    CONSUMER_POSITIONS.update()
    .where(
        CONSUMER_POSITIONS.c.topic == sa.bindparam("at_topic"),
        CONSUMER_POSITIONS.c.partition == sa.bindparam("at_partition"),
    )
    .values(next_offset=sa.bindparam("to_offset"))
)


async def _positions(tx: AsyncConnection, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Stored positions, locked: of two members that believe to own a partition, one waits and then skips."""
    table = CONSUMER_POSITIONS
    insert = insert_for(tx)(table).on_conflict_do_nothing()
    missing = [{"topic": topic, "partition": partition, "next_offset": 0} for topic, partition in sorted(wanted)]
    if missing:
        await tx.execute(insert, missing)
    query = (
        sa.select(table)
        .where(table.c.topic.in_({topic for topic, _ in wanted}), table.c.partition.in_({p for _, p in wanted}))
        .order_by(table.c.topic, table.c.partition)
        .with_for_update()
    )
    return {(row.topic, row.partition): int(row.next_offset) for row in await tx.execute(query)}


async def _advance(tx: AsyncConnection, to: Mapping[tuple[str, int], int], at: Mapping[tuple[str, int], int]) -> None:
    further = [
        {"at_topic": topic, "at_partition": partition, "to_offset": offset}
        for (topic, partition), offset in sorted(to.items())
        if offset > at[topic, partition]
    ]
    if further:
        await tx.execute(_ADVANCE, further)


_MISSING_ACCOUNTS_PG = """
    SELECT w.id FROM unnest($1::text[]) AS w(id) WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE id = w.id)
"""


async def ensure_accounts(tx: AsyncConnection, events: Sequence[SpendEvent]) -> None:
    """Accounts of uncapped keys may be seen here first."""
    wanted = {event.account_id: (event.workspace_id, Kind.KEY) for event in events}
    wanted |= {
        blocked_account(event.account_id): (event.workspace_id, Kind.BLOCKED)
        for event in events
        if event.spent.blocked or event.blocked_lease
    }
    wanted |= {event.workspace_id: (event.workspace_id, Kind.WORKSPACE) for event in events}
    missing = set(wanted)
    if tx.dialect.name == "postgresql":
        missing = set((await tx.exec_driver_sql(_MISSING_ACCOUNTS_PG, (list(wanted),))).scalars())
    else:
        for part in chunks(wanted):
            missing -= set((await tx.execute(sa.select(ACCOUNTS.c.id).where(ACCOUNTS.c.id.in_(part)))).scalars())
    for account_id in sorted(missing):
        workspace_id, kind = wanted[account_id]
        await ensure_account(tx, account_id, workspace_id, kind)


async def insert_entries(tx: AsyncConnection, events: Sequence[SpendEvent]) -> set[str]:
    """Inserts one entry per event; the ids that were not there before."""
    rows = {event.event_id: _entry(event) for event in events}
    if tx.dialect.name == "postgresql":
        known = set((await tx.exec_driver_sql(_INSERT_ENTRIES_PG, arrays(list(rows.values())))).scalars())
        return rows.keys() - known
    # A step of SQLite each, whatever the batch: beside a busy event loop every step costs a turn at the lock.
    found = await tx.exec_driver_sql(_KNOWN_SQLITE, (_json(list(rows)),))
    known = set(msgspec.json.decode(found.scalar_one()))
    # The only writer, so nobody inserts one of them between the look and the insert.
    if new := [row for event_id, row in rows.items() if event_id not in known]:
        await tx.exec_driver_sql(_INSERT_ENTRIES_SQLITE, (_json(new),))
    return rows.keys() - known


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_EVENT_COLUMNS = (
    "id", "kind", "workspace_id", "account_id", "key_id", "occurred_at_us", "request_id", "model", "lease_id",
    "workspace_lease_id", "blocked_lease_id", "estimated", *PARTS,
)  # fmt: skip
_SAME = {**{f"workspace_{name}": name for name in PARTS}, "blocked_counted": "blocked"}
"""Every account takes what the event says, until the entry is corrected."""
_EVENT_TYPES = {"occurred_at_us": "bigint", "estimated": "boolean", **dict.fromkeys(PARTS, "bigint")}
_INSERT_ENTRIES_PG = f"""
    WITH e AS (SELECT * FROM unnest(
        {", ".join(f"${n}::text::{_EVENT_TYPES.get(name, 'text')}[]" for n, name in enumerate(_EVENT_COLUMNS, 1))}
    ) AS u({", ".join(_EVENT_COLUMNS)})), made AS (
        INSERT INTO entries ({", ".join((*_EVENT_COLUMNS, *_SAME))})
        SELECT {", ".join((*_EVENT_COLUMNS, *_SAME.values()))} FROM e
        ON CONFLICT DO NOTHING RETURNING id
    )
    SELECT id FROM e EXCEPT SELECT id FROM made
"""  # noqa: S608 - names of columns, all from this module
_KNOWN_SQLITE = "SELECT json_group_array(id) FROM entries WHERE id IN (SELECT value FROM json_each(?))"
_READ_SQLITE = ", ".join(
    f"json_extract(value, '$[{_EVENT_COLUMNS.index(name)}]')" for name in (*_EVENT_COLUMNS, *_SAME.values())
)
_INSERT_ENTRIES_SQLITE = f"""
    INSERT INTO entries ({", ".join((*_EVENT_COLUMNS, *_SAME))}) SELECT {_READ_SQLITE} FROM json_each(?)
"""  # noqa: S608 - as above


def _entry(event: SpendEvent) -> tuple[Any, ...]:
    """A row, in the order of _EVENT_COLUMNS."""
    spent = event.spent
    return (
        event.event_id,
        "spend",
        event.workspace_id,
        event.account_id,
        event.key_id,
        event.occurred_at_us,
        event.request_id,
        event.model,
        event.key_lease.lease_id if event.key_lease else "",
        event.workspace_lease.lease_id if event.workspace_lease else "",
        event.blocked_lease.lease_id if event.blocked_lease else "",
        event.estimated,
        spent.settled,
        spent.unconfirmed,
        spent.blocked,
        spent.overrun,
    )
