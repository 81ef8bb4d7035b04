"""Settlement: one transaction per batch inserts entries, moves amounts, advances leases, stores the position.

An entry is unique by event id and a position never goes back, so a batch may come twice, in part or in
another order. Statements are per batch, not per event: their number does not grow with the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.eventlog.ports import TopicPartition
from services.common.storage import Database, insert_for
from services.ledger.domain.model import Amounts, Kind, Lease, blocked_account
from services.ledger.domain.settlement import Spent, spend, spend_unleased
from services.ledger.events import Movement
from services.ledger.storage.leases import close_movement
from services.ledger.storage.limits import ensure_account, recall
from services.ledger.storage.rows import chunks, lease_of, lock_leases, move_amounts, publish, store_leases
from services.ledger.storage.tables import ACCOUNTS, CONSUMER_POSITIONS, ENTRIES, KEYS, LEASES, PARKED


class Position(NamedTuple):
    """A lease's place after a spend."""

    lease_id: str
    running_total: int


class SpendEvent(NamedTuple):
    """One spend as consumed; amounts in nano-USD."""

    event_id: str
    workspace_id: str
    account_id: str
    key_id: str
    request_id: str
    model: str
    occurred_at_us: int
    estimated: bool
    spent: Spent
    key_lease: Position | None
    workspace_lease: Position | None
    blocked_lease: Position | None = None

    @property
    def positions(self) -> Iterable[Position]:
        """Its places under leases."""
        return (p for p in (self.key_lease, self.blocked_lease, self.workspace_lease) if p is not None)


@dataclass(frozen=True, slots=True)
class Parked:
    """A record that cannot be booked; its key's account freezes."""

    topic: str
    partition: int
    offset: int
    key_id: str
    reason: str
    value: bytes


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
                done.frozen_accounts += await _park(tx, item)
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
        tally = _Tally(rows)
        corrections = [entry for event in unique.values() if (entry := tally.book(event)) is not None]
        await correct(tx, corrections)
        await store_leases(tx, tally.changed())
        changes = tally.changes
        await move_amounts(tx, changes)
        await publish(tx, self._clock, [*tally.overruns, *tally.closes()])
        done.booked += len(unique)
        done.overrun += sum(change.overrun for (kind, _), change in changes.items() if kind is Kind.KEY)
        done.gaps += [lease_id for lease_id, lease in tally.changed().items() if lease.gap]


class _Tally:
    """Books events one after another in memory; what comes out is one change per account and lease."""

    def __init__(self, rows: Mapping[str, Any]) -> None:
        self._rows = rows
        self._leases = {lease_id: lease_of(row) for lease_id, row in rows.items()}
        self._before = dict(self._leases)
        self._totals: dict[tuple[Kind, str], list[int]] = {}
        self.overruns: list[Movement] = []

    def book(self, event: SpendEvent) -> tuple[str, dict[str, int]] | None:
        """Books one event on its accounts; the entry's correction when an account took less than the event says."""
        overruns = len(self.overruns)
        key = self._on(Kind.KEY, event, event.account_id, event.key_lease)
        workspace = self._on(Kind.WORKSPACE, event, event.workspace_id, event.workspace_lease)
        counted = 0
        if event.spent.blocked or event.blocked_lease is not None:
            counted = self._on(Kind.BLOCKED, event, blocked_account(event.account_id), event.blocked_lease).settled
        if len(self.overruns) == overruns:
            return None
        return event.event_id, entry_parts(key, workspace, counted)

    def _on(self, kind: Kind, event: SpendEvent, account_id: str, position: Position | None) -> Amounts:
        """Books on one account; the entry's part there."""
        row = self._rows.get(position.lease_id) if position is not None else None
        if position is None or row is None or row.account_id != account_id:
            change = spend_unleased(kind, event.spent)
        else:
            lease, change = spend(self._leases[position.lease_id], event.spent, position.running_total)
            self._leases[position.lease_id] = lease
            said = event.spent.overrun if kind is not Kind.BLOCKED else 0
            if change.overrun != said:
                self.overruns.append(_overrun(kind, event, account_id, row, change.overrun - said))
        totals = self._totals.get((kind, account_id))
        if totals is None:
            totals = self._totals[kind, account_id] = [0] * 6
        totals[0] += change.settled
        totals[1] += change.held
        totals[2] += change.unconfirmed
        totals[3] += change.forfeited
        totals[4] += change.blocked
        totals[5] += change.overrun
        return change

    @property
    def changes(self) -> dict[tuple[Kind, str], Amounts]:
        """One change per account."""
        return {account: Amounts(*totals) for account, totals in self._totals.items()}

    def changed(self) -> dict[str, Lease]:
        """Leases that moved."""
        return {lease_id: lease for lease_id, lease in self._leases.items() if lease != self._before[lease_id]}

    def closes(self) -> list[Movement]:
        """Closes that waited for a missing spend and came through with this batch."""
        return [
            close_movement(self._rows[lease_id], self._before[lease_id], lease)
            for lease_id, lease in self.changed().items()
            if lease.returned != self._before[lease_id].returned
        ]


_PARTS = ("settled", "unconfirmed", "blocked", "overrun")
_PART_COLUMNS = (*_PARTS, *(f"workspace_{name}" for name in _PARTS), "blocked_counted")
_CORRECT = (
    ENTRIES.update()
    .where(ENTRIES.c.id == sa.bindparam("row_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in _PART_COLUMNS})
)


def entry_parts(key: Amounts, workspace: Amounts, counted: int) -> dict[str, int]:
    """An entry's columns for its parts on the three accounts."""
    values = [getattr(amounts, name) for amounts in (key, workspace) for name in _PARTS]
    return dict(zip(_PART_COLUMNS, [*values, counted], strict=True))


async def correct(tx: AsyncConnection, corrections: Sequence[tuple[str, Mapping[str, int]]]) -> None:
    """Rewrites entries of which an account took less than the event said; (entry id, columns)."""
    rows = [{"row_id": i, **{f"new_{name}": value for name, value in parts.items()}} for i, parts in corrections]
    if rows:
        await tx.execute(_CORRECT, rows)


def _overrun(kind: Kind, event: SpendEvent, account_id: str, row: Any, excess: int) -> Movement:
    """Spend beyond what its lease still tied up: in the topic, since it depends on what came before it."""
    return Movement(
        "overrun",
        event.workspace_id,
        account_id,
        kind.value,
        amount=excess,
        key_id=event.key_id,
        lease_id=row.id,
        entry_id=event.event_id,
    )


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


async def ensure_accounts(tx: AsyncConnection, events: Sequence[SpendEvent]) -> None:
    """Accounts of uncapped keys may be seen here first."""
    wanted = {event.account_id: (event.workspace_id, Kind.KEY) for event in events}
    wanted |= {
        blocked_account(event.account_id): (event.workspace_id, Kind.BLOCKED)
        for event in events
        if event.spent.blocked or event.blocked_lease
    }
    wanted |= {event.workspace_id: (event.workspace_id, Kind.WORKSPACE) for event in events}
    known: set[str] = set()
    for part in chunks(wanted):
        known |= set((await tx.execute(sa.select(ACCOUNTS.c.id).where(ACCOUNTS.c.id.in_(part)))).scalars())
    for account_id in sorted(wanted.keys() - known):
        workspace_id, kind = wanted[account_id]
        await ensure_account(tx, account_id, workspace_id, kind)


async def insert_entries(tx: AsyncConnection, events: Sequence[SpendEvent]) -> set[str]:
    """Inserts one entry per event; the ids that were not there before."""
    rows = {event.event_id: _entry(event) for event in events}
    if tx.dialect.name == "postgresql":
        columns = tuple(list(column) for column in zip(*rows.values(), strict=True))
        return {row[0] for row in await tx.exec_driver_sql(_INSERT_ENTRIES_PG, columns)}
    known: set[str] = set()
    for part in chunks(rows):
        known |= set((await tx.execute(sa.select(ENTRIES.c.id).where(ENTRIES.c.id.in_(part)))).scalars())
    # The only writer, so nobody inserts one of them between the look and the insert.
    new = [dict(zip(_ENTRY_COLUMNS, row, strict=True)) for event_id, row in rows.items() if event_id not in known]
    if new:
        await tx.execute(insert_for(tx)(ENTRIES), new)
    return rows.keys() - known


_ENTRY_COLUMNS = (
    "id", "kind", "workspace_id", "account_id", "key_id", "occurred_at_us", "request_id", "model", "lease_id",
    "workspace_lease_id", "blocked_lease_id", "estimated", *_PART_COLUMNS,
)  # fmt: skip
_ENTRY_TYPES = {"occurred_at_us": "bigint", "estimated": "boolean", **dict.fromkeys(_PART_COLUMNS, "bigint")}
_INSERT_ENTRIES_PG = f"""
    INSERT INTO entries ({", ".join(_ENTRY_COLUMNS)})
    SELECT * FROM unnest(
        {", ".join(f"${n}::{_ENTRY_TYPES.get(name, 'text')}[]" for n, name in enumerate(_ENTRY_COLUMNS, 1))}
    )
    ON CONFLICT DO NOTHING RETURNING id
"""  # noqa: S608 - names of columns, all from this module


def _entry(event: SpendEvent) -> tuple[Any, ...]:
    """A row, in the order of _ENTRY_COLUMNS: every account takes what the event says, until it is corrected."""
    spent = event.spent
    parts = (spent.settled, spent.unconfirmed, spent.blocked, spent.overrun)
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
        *parts,
        *parts,
        spent.blocked,
    )


async def _park(tx: AsyncConnection, item: Parked) -> int:
    """Keeps the record and freezes its key's account; other keys go on. Returns accounts frozen."""
    if not await keep_parked(tx, item):
        return 0
    account = sa.select(KEYS.c.account_id).where(KEYS.c.id == item.key_id).scalar_subquery()
    await recall(tx, LEASES.c.account_id == account)
    frozen = await tx.execute(ACCOUNTS.update().where(ACCOUNTS.c.id == account).values(frozen=True))
    return frozen.rowcount


async def keep_parked(tx: AsyncConnection, item: Parked) -> bool:
    """Keeps a record that cannot be booked; whether it is news."""
    row = {
        "topic": item.topic,
        "partition": item.partition,
        "record_offset": item.offset,
        "key_id": item.key_id,
        "reason": item.reason,
        "value": item.value,
    }
    return bool((await tx.execute(insert_for(tx)(PARKED).values(row).on_conflict_do_nothing())).rowcount == 1)
