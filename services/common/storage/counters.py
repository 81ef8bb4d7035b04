"""Change counters: one row that rises with every change, so that pollers ask one cheap question."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.storage.database import insert_for


def change_counter(metadata: sa.MetaData, name: str = "change_counter") -> sa.Table:
    """The table; its single row (id 1) is created by the first `bump`."""
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


async def bump(tx: AsyncConnection, counter: sa.Table) -> int:
    """Raises the counter inside the change's transaction; returns its new value. Serialises writers."""
    first = insert_for(tx)(counter).values(id=1, value=1)
    raised = first.on_conflict_do_update(index_elements=[counter.c.id], set_={"value": counter.c.value + 1})
    return int((await tx.execute(raised.returning(counter.c.value))).scalar_one())


async def read_counter(conn: AsyncConnection, counter: sa.Table) -> int:
    """Current value, 0 before the first change."""
    return int((await conn.execute(sa.select(counter.c.value).where(counter.c.id == 1))).scalar_one_or_none() or 0)
