"""Accounts from the spend topic alone, into empty tables: `orca replay ledger`.

Order-free, so that it does not matter how partitions interleave, and idempotent, so that repeated records do not
matter either: leases keep what only grows (`returned`, `reported`, `running_total`), limits keep the newest
version, entries are unique. What did depend on the order when it happened, an overrun, is a movement in the topic.
Two passes: movements first, then spends, which look up their leases; amounts are summed at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from orca.events.v1.events_pb2 import CreditMovement, Envelope
from services.common.storage import Database, insert_for
from services.ledger.domain.model import Amounts, Kind, LeaseState, blocked_account
from services.ledger.domain.settlement import charge, spend_unleased
from services.ledger.storage.limits import ensure_account
from services.ledger.storage.parking import Parked, keep_parked, place
from services.ledger.storage.rows import chunks, store_leases
from services.ledger.storage.rows import lease_of as lease_of_row
from services.ledger.storage.settling import correct, ensure_accounts, insert_entries
from services.ledger.storage.tables import ACCOUNTS, CONSUMER_POSITIONS, ENTRIES, KEYS, LEASES, PARKED
from services.ledger.storage.tally import SpendEvent, entry_parts


class ReplayStore:
    """All statements of a replay."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._overruns: dict[tuple[str, Kind], int] = {}
        self._resolved: set[str] = set()
        """Places of parked records whose accounts were unfrozen."""

    async def empty(self) -> bool:
        """Nothing is in the tables that a replay fills."""
        async with self._database.read() as conn:
            for table in (ACCOUNTS, LEASES, ENTRIES, KEYS, CONSUMER_POSITIONS, PARKED):
                if (await conn.execute(sa.select(sa.literal(1)).select_from(table).limit(1))).first() is not None:
                    return False
        return True

    async def movements(self, envelopes: Sequence[Envelope]) -> None:
        """First pass: the ledger's own movements. One transaction."""
        async with self._database.write() as tx:
            for envelope in envelopes:
                await self._move(tx, envelope, envelope.credit)

    async def _move(self, tx: AsyncConnection, envelope: Envelope, credit: CreditMovement) -> None:
        kind = Kind(credit.account_kind)
        await ensure_account(tx, credit.account_id, envelope.workspace_id, kind)
        await ensure_account(tx, envelope.workspace_id, envelope.workspace_id, Kind.WORKSPACE)
        match credit.kind:
            case "limit" | "credit":
                await _limit(tx, envelope, credit, kind)
            case "grant":
                await _grant(tx, envelope, credit)
            case "close" | "forfeit":
                await _end(tx, envelope, credit)
            case "reversal":
                await _reverse(tx, envelope, credit)
            case "redeem":
                await _entry(tx, envelope, credit, "redeem", credit.made_entry_id, _redeemed(credit))
            case "overrun":
                self._overruns[credit.entry_id, kind] = credit.amount_nano_usd
            case "unfreeze":
                self._resolved.add(credit.entry_id)
            case other:
                raise ValueError(f"an unknown movement: {other}")

    async def spends(self, events: Sequence[SpendEvent], parked: Sequence[Parked]) -> None:
        """Second pass: spends and records that cannot be booked. One transaction."""
        async with self._database.write() as tx:
            for item in parked:
                await keep_parked(tx, item, resolved=place(item) in self._resolved)
            if not events:
                return
            await ensure_accounts(tx, events)
            new = await insert_entries(tx, events)
            unique = {event.event_id: event for event in events if event.event_id in new}
            rows = await _leases(tx, [p.lease_id for event in unique.values() for p in event.positions])
            leases = {lease_id: lease_of_row(row) for lease_id, row in rows.items()}
            corrections = []
            for event in unique.values():
                for kind, account_id, position in event.accounts:
                    row = rows.get(position.lease_id) if position is not None else None
                    if position is None or row is None or row.account_id != account_id:
                        continue
                    before = leases[position.lease_id]
                    leases[position.lease_id] = before.reported_more(
                        event.spent.used_under(kind), position.running_total
                    )
                if any((event.event_id, kind) in self._overruns for kind in Kind):
                    corrections.append((event.event_id, self._parts(event)))
            await store_leases(tx, leases)
            await correct(tx, corrections)

    def _parts(self, event: SpendEvent) -> dict[str, int]:
        def on(kind: Kind) -> Amounts:
            excess = self._overruns.get((event.event_id, kind), 0)
            return charge(kind, event.spent, excess) if excess else spend_unleased(kind, event.spent)

        return entry_parts(on(Kind.KEY), on(Kind.WORKSPACE), on(Kind.BLOCKED).settled)

    async def finish(self, positions: Mapping[tuple[str, int], int], now_us: int) -> None:
        """Sums accounts up. What is still held gets a whole grace period from now on: renewals are in no topic."""
        async with self._database.write() as tx:
            reversed_ids = sa.select(ENTRIES.c.refers_to).where(ENTRIES.c.kind == "reversal")
            await tx.execute(ENTRIES.update().where(ENTRIES.c.id.in_(reversed_ids)).values(reversed=True))
            await tx.execute(LEASES.update().where(LEASES.c.outstanding > 0).values(expires_at_us=now_us))
            await tx.execute(ACCOUNTS.update().values(_sums()))
            waiting = sa.select(PARKED.c.key_id).where(PARKED.c.resolved.is_(sa.false()))
            frozen = sa.select(KEYS.c.account_id).where(KEYS.c.id.in_(waiting))
            await tx.execute(ACCOUNTS.update().where(ACCOUNTS.c.id.in_(frozen)).values(frozen=True))
            for (topic, partition), offset in sorted(positions.items()):
                values = {"topic": topic, "partition": partition, "next_offset": offset}
                await tx.execute(CONSUMER_POSITIONS.insert().values(values))


async def _leases(tx: AsyncConnection, lease_ids: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in chunks(lease_ids):
        found |= {row.id: row for row in await tx.execute(sa.select(LEASES).where(LEASES.c.id.in_(part)))}
    return found


async def _limit(tx: AsyncConnection, envelope: Envelope, credit: CreditMovement, kind: Kind) -> None:
    limit = credit.limit_nano_usd if credit.HasField("limit_nano_usd") else None
    newer = sa.and_(ACCOUNTS.c.id == credit.account_id, ACCOUNTS.c.limit_version < credit.key_version)
    await tx.execute(ACCOUNTS.update().where(newer).values(limit_nano_usd=limit, limit_version=credit.key_version))
    if kind is not Kind.KEY:
        return
    values = {
        "id": envelope.key_id,
        "workspace_id": envelope.workspace_id,
        "account_id": credit.account_id,
        "version": credit.key_version,
    }
    insert = insert_for(tx)(KEYS).values(values)
    current = {"account_id": insert.excluded.account_id, "version": insert.excluded.version}
    known = KEYS.c.version < insert.excluded.version
    await tx.execute(insert.on_conflict_do_update(index_elements=[KEYS.c.id], set_=current, where=known))


async def _grant(tx: AsyncConnection, envelope: Envelope, credit: CreditMovement) -> None:
    values = {
        "id": credit.lease_id,
        "account_id": credit.account_id,
        "workspace_id": envelope.workspace_id,
        "key_id": envelope.key_id,
        "kind": credit.account_kind,
        "replica_id": credit.replica_id,
        "fence": credit.fence,
        "state": LeaseState.OPEN.value,
        "granted": credit.amount_nano_usd,
        "outstanding": credit.amount_nano_usd,
        "expires_at_us": credit.expires_at_unix_us,
    }
    await tx.execute(insert_for(tx)(LEASES).values(values).on_conflict_do_nothing())


async def _end(tx: AsyncConnection, envelope: Envelope, credit: CreditMovement) -> None:
    row = (await _leases(tx, [credit.lease_id])).get(credit.lease_id)
    if row is None:
        raise ValueError(f"a {credit.kind} before its grant: the topic is not whole")
    lease = lease_of_row(row)
    if credit.kind == "forfeit":
        await store_leases(tx, {row.id: lease.ended(LeaseState.FORFEITED, credit.returned_nano_usd, None)})
        await _entry(tx, envelope, credit, "forfeit", credit.entry_id, {})
        return
    final_used = credit.final_used_nano_usd
    await store_leases(tx, {row.id: lease.ended(LeaseState.CLOSED, credit.returned_nano_usd, final_used)})


async def _reverse(tx: AsyncConnection, envelope: Envelope, credit: CreditMovement) -> None:
    parts = {"unconfirmed": -credit.amount_nano_usd, "workspace_unconfirmed": -credit.workspace_amount_nano_usd}
    if credit.lease_id:
        row = (await _leases(tx, [credit.lease_id]))[credit.lease_id]
        lease = lease_of_row(row)
        await store_leases(tx, {row.id: lease.ended(lease.state, credit.returned_nano_usd, lease.final_used)})
        parts = {}
    await _entry(tx, envelope, credit, "reversal", credit.made_entry_id, parts)


def _redeemed(credit: CreditMovement) -> dict[str, int]:
    amount, on_workspace = credit.amount_nano_usd, credit.workspace_amount_nano_usd
    return {
        "settled": amount,
        "blocked": -amount,
        "workspace_settled": on_workspace,
        "workspace_blocked": -on_workspace,
        "blocked_counted": -credit.blocked_amount_nano_usd,
    }


async def _entry(
    tx: AsyncConnection, envelope: Envelope, credit: CreditMovement, kind: str, entry_id: str, parts: Mapping[str, int]
) -> None:
    values = {
        "id": entry_id,
        "kind": kind,
        "workspace_id": envelope.workspace_id,
        "account_id": credit.account_id,
        "key_id": envelope.key_id,
        "occurred_at_us": envelope.occurred_at_unix_us,
        "request_id": envelope.request_id,
        "model": credit.model,
        "lease_id": credit.lease_id,
        "refers_to": "" if kind == "forfeit" else credit.entry_id,
        "amount": credit.amount_nano_usd,
        **parts,
    }
    await tx.execute(insert_for(tx)(ENTRIES).values(values).on_conflict_do_nothing())


def _sums() -> dict[str, Any]:
    """Every amount of every account as the sum of its entries and of what its leases tie up."""
    entries, leases = ENTRIES.c, LEASES.c

    def total(column: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        summed = sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(*where)
        return sa.cast(summed.scalar_subquery(), sa.BigInteger)

    def of_entries(key: sa.ColumnElement[int], workspace: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        on_key = total(key, entries.account_id == ACCOUNTS.c.id)
        return sa.case(
            (ACCOUNTS.c.kind == Kind.KEY.value, on_key),
            (ACCOUNTS.c.kind == Kind.WORKSPACE.value, total(workspace, entries.workspace_id == ACCOUNTS.c.id)),
            else_=0,
        )

    def refused(column: sa.ColumnElement[int], otherwise: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        # The key's account, written so that the index on entries serves.
        mine = entries.account_id == sa.func.substr(
            ACCOUNTS.c.id, 1, sa.func.length(ACCOUNTS.c.id) - len(blocked_account(""))
        )
        return sa.case((ACCOUNTS.c.kind == Kind.BLOCKED.value, total(column, mine)), else_=otherwise)

    here = leases.account_id == ACCOUNTS.c.id
    lost = leases.state == LeaseState.FORFEITED.value
    fence = sa.select(sa.func.coalesce(sa.func.max(leases.fence), 0)).where(here).scalar_subquery()
    return {
        "settled": refused(entries.blocked_counted, of_entries(entries.settled, entries.workspace_settled)),
        "unconfirmed": of_entries(entries.unconfirmed, entries.workspace_unconfirmed),
        "blocked": of_entries(entries.blocked, entries.workspace_blocked),
        "overrun": refused(
            entries.blocked - entries.blocked_counted, of_entries(entries.overrun, entries.workspace_overrun)
        ),
        "held": total(leases.outstanding, here, sa.not_(lost)),
        "forfeited": total(leases.outstanding, here, lost),
        "fence": fence,
    }
