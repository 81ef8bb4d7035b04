"""Erasure of one user's or one key's personal data, as a job that can be cut short and goes on at the next start.

Rows of the personal tables are deleted for good (not only hidden); in `spend`, which is kept as money, the owner's
name is blanked. The request is recorded first, and kept, so that every replay applies it again. Done means that a
scan of all tables afterwards found nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from services.analytics.configuration import PERSONAL_TABLES
from services.analytics.ports import ColumnStore
from services.analytics.storage.tables import ERASURES
from services.common.clock import Clock
from services.common.errors import Invalid, Unavailable
from services.common.ids import new_id
from services.common.storage import Database

log = logging.getLogger("orca.analytics")

COLUMNS: Mapping[str, str] = {"user": "owner_user_id", "key": "key_id"}
ID_MAX = 200
PASSES_MAX = 3
RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class Erased:
    """`left` counts rows that the scan afterwards still found; 0 when the erasure is complete."""

    id: str
    tables: tuple[str, ...]
    left: int


async def apply(store: ColumnStore, subject: str, subject_id: str, table: str, *, database: str = "") -> None:
    """Removes the subject from one table and waits until it is gone from disk. Raises StoreUnavailable."""
    place = f"{database}.{table}" if database else table
    if table == "spend":
        if subject == "user":
            await store.command(
                f"ALTER TABLE {place} UPDATE owner_user_id = '' WHERE owner_user_id = {{id:String}} "
                "SETTINGS mutations_sync = 1",
                {"id": subject_id},
            )
        return
    await store.command(
        f"ALTER TABLE {place} DELETE WHERE {COLUMNS[subject]} = {{id:String}} SETTINGS mutations_sync = 1",
        {"id": subject_id},
    )


async def left(store: ColumnStore, subject: str, subject_id: str, *, database: str = "") -> int:
    """Rows in which the subject can still be found. Raises StoreUnavailable."""
    tables = [*PERSONAL_TABLES, *(["spend"] if subject == "user" else [])]
    prefix = f"{database}." if database else ""
    counts = " + ".join(
        f"(SELECT count() FROM {prefix}{table} WHERE {COLUMNS[subject]} = {{id:String}})"  # noqa: S608
        for table in tables
    )
    return int((await store.query(f"SELECT {counts}", {"id": subject_id}))[0][0])


class Eraser:
    """Records, runs and resumes erasures."""

    def __init__(self, database: Database, store: ColumnStore, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._busy = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Goes on with what was cut short, in the background."""
        self._task = asyncio.create_task(self._resume(), name="erasures")

    async def stop(self) -> None:
        """Stops between two tables; the rest is done at the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def erase(self, subject: str, subject_id: str) -> Erased:
        """Records the erasure and runs it to its end. Raises Invalid, Unavailable (it is then resumed later)."""
        if subject not in COLUMNS:
            raise Invalid("subject: must be user or key", param="subject")
        if not subject_id or len(subject_id) > ID_MAX:
            raise Invalid(f"id: must have 1 to {ID_MAX} characters", param="id")
        erasure_id = new_id("era")
        async with self._database.write() as tx:
            await tx.execute(
                ERASURES.insert().values(
                    id=erasure_id, subject=subject, subject_id=subject_id, requested_at_us=self._clock.now_us(),
                    done="[]", finished_at_us=None,
                )
            )  # fmt: skip
        return await self._finish(erasure_id)

    async def resume(self) -> int:
        """Finishes all that was cut short; returns how many. Raises Unavailable."""
        async with self._database.read() as conn:
            open_ids = (
                await conn.execute(sa.select(ERASURES.c.id).where(ERASURES.c.finished_at_us.is_(None)))
            ).scalars()
            waiting = list(open_ids)
        for erasure_id in waiting:
            await self._finish(erasure_id)
        return len(waiting)

    async def recorded(self) -> list[tuple[str, str]]:
        """(subject, id) of every erasure ever asked for. Raises Unavailable."""
        async with self._database.read() as conn:
            rows = await conn.execute(sa.select(ERASURES.c.subject, ERASURES.c.subject_id))
            return [(row.subject, row.subject_id) for row in rows]

    async def _finish(self, erasure_id: str) -> Erased:
        async with self._busy:
            where = ERASURES.c.id == erasure_id
            async with self._database.read() as conn:
                row = (await conn.execute(sa.select(ERASURES).where(where))).one()
            remaining = 0
            for number in range(PASSES_MAX):
                done = list(json.loads(row.done)) if number == 0 else []
                for table in (*PERSONAL_TABLES, "spend"):
                    if table in done:
                        continue
                    await apply(self._store, row.subject, row.subject_id, table)
                    done.append(table)
                    async with self._database.write() as tx:
                        await tx.execute(ERASURES.update().where(where).values(done=json.dumps(done)))
                remaining = await left(self._store, row.subject, row.subject_id)
                if not remaining:
                    break
            if not remaining:
                async with self._database.write() as tx:
                    await tx.execute(ERASURES.update().where(where).values(finished_at_us=self._clock.now_us()))
            return Erased(erasure_id, (*PERSONAL_TABLES, "spend"), remaining)

    async def _resume(self) -> None:
        while True:
            try:
                await self.resume()
            except Unavailable as error:
                log.warning("an erasure waits", extra={"error_class": type(error).__name__})
            await asyncio.sleep(RETRY_S)
