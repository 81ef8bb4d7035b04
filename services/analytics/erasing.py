"""Erasure of one user's or one key's personal data, as a job that can be cut short and goes on at the next start.

Rows of the personal tables are deleted for good (not only hidden); in `spend`, which is kept as money, the owner's
name is blanked. The request is recorded first, and kept, so that every replay applies it again, and so that an older
event of the subject which is still on its way leaves no row. Done means that a scan of all tables afterwards found
nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from services.analytics.configuration import PERSONAL_TABLES
from services.analytics.domain.blocks import Records
from services.analytics.domain.rows import EVENT_COLUMNS
from services.analytics.ports import ColumnStore
from services.analytics.storage.tables import ERASURES
from services.common.clock import Clock
from services.common.errors import Invalid, Unavailable
from services.common.ids import new_id
from services.common.storage import Database
from services.common.tasks import end_task

log = logging.getLogger("orca.analytics")

COLUMNS: Mapping[str, str] = {"user": "owner_user_id", "key": "key_id"}
ID_MAX = 200
PASSES_MAX = 3
RETRY_S = 30.0
RELOAD_S = 5.0
# Other replicas know of an erasure after RELOAD_S, and have then written what they held without knowing.
OTHERS_S = RELOAD_S + 2.0
_OWNER, _KEY = EVENT_COLUMNS.index("owner_user_id"), EVENT_COLUMNS.index("key_id")


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


class Erasures:
    """Recorded erasures in memory; those of other replicas are seen after RELOAD_S."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._requested_us: Mapping[tuple[str, str], int] = {}
        self._loaded_s: float | None = None

    def stale(self) -> None:
        """One was recorded here: the next `refresh` reads."""
        self._loaded_s = None

    async def refresh(self) -> None:
        """Reads what is recorded, when the last look is RELOAD_S old. Raises Unavailable."""
        now_s = self._clock.monotonic_s()
        if self._loaded_s is not None and now_s - self._loaded_s < RELOAD_S:
            return
        query = sa.select(ERASURES.c.subject, ERASURES.c.subject_id, sa.func.max(ERASURES.c.requested_at_us))
        # Before the read: one that is recorded meanwhile makes it stale again.
        self._loaded_s = now_s
        try:
            async with self._database.read() as conn:
                rows = (await conn.execute(query.group_by(ERASURES.c.subject, ERASURES.c.subject_id))).all()
        except BaseException:
            self.stale()
            raise
        self._requested_us = {(subject, subject_id): requested_us for subject, subject_id, requested_us in rows}

    def strike(self, table: str, records: Records) -> None:
        """Events of erased subjects that are older than the erasure leave no row; in `spend`, no owner's name."""
        if not self._requested_us or not records:
            return
        owners, keys = records.values[_OWNER], records.values[_KEY]
        for index, occurred_us in enumerate(records.occurred_us):
            of_user = self._requested_us.get(("user", owners[index]), -1) >= occurred_us
            if table == "spend":
                owners[index] = "" if of_user else owners[index]
            elif of_user or self._requested_us.get(("key", keys[index]), -1) >= occurred_us:
                records.kept[index] = False


async def _nothing_held() -> None:
    """Without a consumer, nothing waits to be written."""


class Eraser:
    """Records, runs and resumes erasures. `settle` has the consumer write what it holds, so that it is erased too;
    tables are looked at `others_s` after the record was made, when other replicas have done so as well."""

    def __init__(
        self,
        database: Database,
        store: ColumnStore,
        clock: Clock,
        erasures: Erasures | None = None,
        settle: Callable[[], Awaitable[None]] = _nothing_held,
        *,
        others_s: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._erasures = erasures
        self._settle = settle
        self._others_s = others_s
        self._sleep = sleep
        self._busy = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Goes on with what was cut short, in the background."""
        self._task = asyncio.create_task(self._resume(), name="erasures")

    async def stop(self) -> None:
        """Stops between two tables; the rest is done at the next start."""
        await end_task(self._task)

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
        if self._erasures is not None:
            self._erasures.stale()
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
            await self._settle()
            where = ERASURES.c.id == erasure_id
            async with self._database.read() as conn:
                row = (await conn.execute(sa.select(ERASURES).where(where))).one()
            age_s = max(0, self._clock.now_us() - row.requested_at_us) / 1_000_000
            if age_s < self._others_s:
                await self._sleep(self._others_s - age_s)
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
