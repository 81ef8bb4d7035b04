"""Rows ↔ domain, and the two statements every other module uses: change amounts, publish movements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.ledger.domain.model import Account, Amounts, Kind, Lease, LeaseState
from services.ledger.events import SPEND, Movement
from services.ledger.storage.tables import ACCOUNTS, LEASES, OUTBOX

CHUNK_MAX = 500
"""Values of one IN list; SQLite's parameter limit is far above."""


_KINDS = {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in LeaseState}


def account_of(row: Any) -> Account:
    """The domain's account of a row."""
    amounts = Amounts(row.settled, row.held, row.unconfirmed, row.forfeited, row.blocked, row.overrun)
    return Account(_KINDS[row.kind], row.limit_nano_usd, amounts, row.frozen)


def lease_of(row: Any) -> Lease:
    """The domain's lease of a row."""
    return Lease(
        _KINDS[row.kind],
        row.granted,
        row.returned,
        row.reported,
        row.running_total,
        row.final_used,
        _STATES[row.state],
    )


def chunks(values: Iterable[str]) -> Iterable[list[str]]:
    """Sorted, so that transactions lock rows in one order and cannot deadlock."""
    ordered = sorted(set(values))
    for start in range(0, len(ordered), CHUNK_MAX):
        yield ordered[start : start + CHUNK_MAX]


def arrays(rows: Sequence[Sequence[str | int | None]]) -> tuple[str, ...]:
    """The rows' columns as PostgreSQL's array literals, for parameters cast from text: drivers look at every element
    of an array several times, and a batch has tens of thousands. Only for `unnest`: elsewhere the cast may be
    evaluated for every row of a table."""
    return tuple(_literal(column) for column in zip(*rows, strict=True))


def _literal(column: Sequence[str | int | None]) -> str:
    if not isinstance(column[0], str):
        return "{" + ",".join(["NULL" if value is None else str(value) for value in column]) + "}"
    texts: Sequence[str] = column  # type: ignore[assignment]
    everything = "".join(texts)
    if "\\" in everything or '"' in everything:
        texts = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return '{"' + '","'.join(texts) + '"}'


async def lock_leases(tx: AsyncConnection, lease_ids: Iterable[str]) -> dict[str, Any]:
    """Lease rows by id, locked in id order. Leases are locked before accounts, everywhere."""
    if tx.dialect.name == "postgresql":
        return {row.id: row for row in await tx.exec_driver_sql(_LOCK_LEASES_PG, (sorted(set(lease_ids)),))}
    found: dict[str, Any] = {}
    for part in chunks(lease_ids):
        query = sa.select(LEASES).where(LEASES.c.id.in_(part)).order_by(LEASES.c.id).with_for_update()
        found |= {row.id: row for row in await tx.execute(query)}
    return found


_LOCK_LEASES_PG = f"""
    SELECT {", ".join(LEASES.c.keys())} FROM leases WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE
"""  # noqa: S608 - names of columns, all from this module
_LEASE_COLUMNS = ("returned", "reported", "running_total", "final_used", "state", "outstanding")
_STORE_LEASE = (
    LEASES.update()
    .where(LEASES.c.id == sa.bindparam("row_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in _LEASE_COLUMNS})
)


async def store_leases(tx: AsyncConnection, leases: Mapping[str, Lease]) -> None:
    """Writes leases back, in one statement. They are locked already."""
    if not leases:
        return
    rows = [
        (
            lease_id,
            lease.returned,
            lease.reported,
            lease.running_total,
            lease.final_used,
            lease.state.value,
            lease.outstanding,
        )
        for lease_id, lease in sorted(leases.items())
    ]
    if tx.dialect.name == "postgresql":
        await tx.exec_driver_sql(_STORE_LEASES_PG, arrays(rows))
        return
    names = ("row_id", *(f"new_{name}" for name in _LEASE_COLUMNS))
    await tx.execute(_STORE_LEASE, [dict(zip(names, row, strict=True)) for row in rows])


_STORE_LEASES_PG = f"""
    UPDATE leases SET {", ".join(f"{name} = u.{name}" for name in _LEASE_COLUMNS)}
    FROM unnest(
            $1::text::text[], $2::text::bigint[], $3::text::bigint[], $4::text::bigint[], $5::text::bigint[],
            $6::text::text[], $7::text::bigint[]
        ) AS u(id, {", ".join(_LEASE_COLUMNS)})
    WHERE leases.id = u.id
"""  # noqa: S608 - names of columns, all from this module

_AMOUNTS = ("settled", "held", "unconfirmed", "forfeited", "blocked", "overrun")
_MOVE = (
    ACCOUNTS.update()
    .where(ACCOUNTS.c.id == sa.bindparam("row_id"))
    .values({name: ACCOUNTS.c[name] + sa.bindparam(f"by_{name}") for name in _AMOUNTS})
)


async def move_amounts(tx: AsyncConnection, changes: Mapping[tuple[Kind, str], Amounts]) -> None:
    """Adds changes to accounts: key accounts before workspace accounts, each in id order, as Acquire does."""
    for on_workspaces in (False, True):
        rows = [
            (account_id, *(getattr(change, name) for name in _AMOUNTS))
            for (kind, account_id), change in sorted(changes.items(), key=lambda item: item[0][1])
            if (kind is Kind.WORKSPACE) is on_workspaces and change != Amounts()
        ]
        if not rows:
            continue
        if tx.dialect.name == "postgresql":
            # A joined UPDATE locks in the order of its plan, so rows are locked in theirs before it.
            columns = arrays(rows)
            await tx.exec_driver_sql(_LOCK_ACCOUNTS_PG, ([row[0] for row in rows],))
            await tx.exec_driver_sql(_MOVE_PG, columns)
            continue
        names = ("row_id", *(f"by_{name}" for name in _AMOUNTS))
        await tx.execute(_MOVE, [dict(zip(names, row, strict=True)) for row in rows])


_LOCK_ACCOUNTS_PG = "SELECT 1 FROM accounts WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE"
_MOVE_PG = f"""
    UPDATE accounts SET {", ".join(f"{name} = accounts.{name} + u.{name}" for name in _AMOUNTS)}
    FROM unnest($1::text::text[], {", ".join(f"${n}::text::bigint[]" for n in range(2, 2 + len(_AMOUNTS)))})
        AS u(id, {", ".join(_AMOUNTS)})
    WHERE accounts.id = u.id
"""  # noqa: S608 - names of columns, all from this module


async def publish(tx: AsyncConnection, clock: Clock, movements: Sequence[Movement]) -> None:
    """Puts movements into the outbox, in order."""
    if not movements:
        return
    values = [
        {
            "topic": SPEND,
            "record_key": movement.record_key.encode(),
            "envelope": movement.envelope(clock).SerializeToString(),
        }
        for movement in movements
    ]
    await tx.execute(OUTBOX.insert(), values)
