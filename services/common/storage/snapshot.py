"""A plane's policies in memory, kept current by polling the change counter of its own database.

Fail closed: a snapshot that was never loaded, that is older than the maximum age while the database is down, or that
lags while the database answers, raises Unavailable rather than judging by an old policy.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.clock import Clock
from services.common.errors import Unavailable
from services.common.storage.counters import read_counter
from services.common.storage.database import Database
from services.common.tasks import end_task
from services.common.telemetry import SNAPSHOT_READ

POLL_S = 0.25
LAG_MAX_S = 5.0

Changes = TypeVar("Changes")


class PolledSnapshot(ABC, Generic[Changes]):
    """Reads `Changes` and applies them; `refresh` after a local write makes it effective at once."""

    def __init__(self, database: Database, counter: sa.Table, clock: Clock, *, service: str, max_age_s: float) -> None:
        self._database = database
        self._counter = counter
        self._clock = clock
        self._service = service
        self._log = logging.getLogger(f"orca.{service}")
        self._max_age_s = max_age_s
        self._revision = 0
        self._read_at_s: float | None = None
        self._database_down = False
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def _read(self, conn: AsyncConnection, after: int, upto: int) -> Changes:
        """What changed after one revision, up to another."""

    @abstractmethod
    async def _apply(self, changes: Changes) -> None:
        """Takes the changes over; called by one refresh at a time. After a failure they are read again."""

    async def start(self) -> None:
        """Loads once, then polls. A database that is down at the start leaves the plane unavailable, not wrong."""
        with contextlib.suppress(Unavailable):
            await self.refresh()
        self._task = asyncio.create_task(self._poll(), name=f"{self._service}-snapshot")

    async def stop(self) -> None:
        """Ends polling."""
        await end_task(self._task)

    def ready(self) -> bool:
        """True while requests would be judged."""
        if self._read_at_s is None:
            return False
        age_s = self._clock.monotonic_s() - self._read_at_s
        return age_s <= (self._max_age_s if self._database_down else LAG_MAX_S)

    def require(self) -> None:
        """Raises Unavailable when the snapshot is too old to judge by."""
        if not self.ready():
            message = f"the {self._service} snapshot is out of date"
            raise Unavailable(message, code="policy_unavailable", retry_after_s=1.0)

    async def refresh(self) -> None:
        """Reads what changed. Raises Unavailable when the database is down."""
        async with self._lock:
            started_s = self._clock.monotonic_s()
            changes: Changes | None = None
            try:
                async with self._database.read() as conn:
                    # Writers raise the counter first and are serialised by it: every change up to the value read
                    # here is visible to the queries that follow.
                    upto = await read_counter(conn, self._counter)
                    if upto != self._revision:
                        changes = await self._read(conn, self._revision, upto)
            except Unavailable:
                self._database_down = True
                raise
            if changes is not None:
                await self._apply(changes)
            self._revision = upto
            self._read_at_s = started_s
            self._database_down = False
            SNAPSHOT_READ.labels(self._service).set(self._clock.now_us() / 1_000_000)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.refresh()
            except Unavailable as error:
                self._log.warning("%s database is down", self._service, extra={"error_class": type(error).__name__})
            except Exception as error:
                # A bug must not end polling: the snapshot then ages and the plane closes by itself.
                self._log.error("%s snapshot failed", self._service, extra={"error_class": type(error).__name__})
