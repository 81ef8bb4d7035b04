"""Counters of stateful rules, kept in the database so that replicas agree.

A step is one transaction: the rows it needs are made and locked by one statement, in the order of their keys, then
decided on, then written by one statement. Two replicas that count the same thing take turns; a kill leaves either
the whole step or nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.storage import Database, insert_for
from services.firewall.domain.counters import CounterWrite, States
from services.firewall.storage.tables import counters

KEYS_MAX = 4_096
"""Counters of one evaluation."""
KEYS_PER_STATEMENT = 1_000
SWEEP_MAX = 5_000

T = TypeVar("T")

Decide = Callable[[States, int], tuple[T, Sequence[CounterWrite]]]


class Counters:
    """Reads, decides and writes as one step."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def step(self, workspace_id: str, keys: Sequence[str], decide: Decide[T]) -> T:
        """What `decide(states, now_us)` answers; the writes it returns are stored with it. Raises Unavailable."""
        async with self._database.write() as tx:
            return await self.step_within(tx, workspace_id, keys, decide)

    async def step_within(self, tx: AsyncConnection, workspace_id: str, keys: Sequence[str], decide: Decide[T]) -> T:
        """The same as part of a transaction that does more."""
        wanted = sorted(set(keys))
        if len(wanted) > KEYS_MAX:
            raise ValueError("too many counters for one evaluation")
        # The clock is read before the locks: a call that waited counts from when it came.
        now_us = self._clock.now_us()
        states: dict[str, str] = {}
        for start in range(0, len(wanted), KEYS_PER_STATEMENT):
            part = wanted[start : start + KEYS_PER_STATEMENT]
            fresh = [{"workspace_id": workspace_id, "key": k, "state": "", "expires_at_us": now_us} for k in part]
            statement = insert_for(tx)(counters).values(fresh)
            # An update that changes nothing still locks, and answers with the newest committed row.
            locking = statement.on_conflict_do_update(
                index_elements=["workspace_id", "key"], set_={"state": counters.c.state}
            ).returning(counters.c.key, counters.c.state, counters.c.expires_at_us)
            rows = (await tx.execute(locking)).all()
            states |= {row.key: row.state for row in rows if row.state and row.expires_at_us > now_us}
        answer, writes = decide(states, now_us)
        if writes:
            update = (
                counters.update()
                .where(counters.c.workspace_id == workspace_id, counters.c.key == sa.bindparam("row_key"))
                .values(state=sa.bindparam("new_state"), expires_at_us=sa.bindparam("new_expiry"))
            )
            await tx.execute(
                update,
                [{"row_key": w.key, "new_state": w.state, "new_expiry": w.expires_at_us} for w in writes],
            )
        return answer

    async def sweep(self) -> None:
        """Drops counters that are over."""
        now_us = self._clock.now_us()
        over = sa.select(counters.c.workspace_id, counters.c.key).where(counters.c.expires_at_us < now_us)
        async with self._database.read() as conn:
            rows = (await conn.execute(over.limit(SWEEP_MAX))).all()
        if not rows:
            return
        async with self._database.write() as tx:
            # Still over when it is deleted: a step may have brought it back meanwhile.
            statement = counters.delete().where(
                counters.c.workspace_id == sa.bindparam("row_workspace"),
                counters.c.key == sa.bindparam("row_key"),
                counters.c.expires_at_us < now_us,
            )
            await tx.execute(statement, [{"row_workspace": row.workspace_id, "row_key": row.key} for row in rows])
