"""SQLite on the event loop's own thread, with the part of AsyncConnection that services use.

A statement on a local file takes microseconds, less than handing it to a thread and back, which on a busy loop costs
a turn of the loop each time and holds the write lock all the while. Only commits go to a thread: they wait for the
disk. A lock that somebody else holds is waited for without blocking the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

POOL_SIZE = 5
LOCK_WAIT_S = 10.0
LOCK_POLL_S = 0.005


class LocalConnection:
    """One connection; results are read whole, so that they outlive it."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> sa.Dialect:
        """SQLite's."""
        return self._connection.dialect

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        """As AsyncConnection's."""
        return _whole(self._connection.execute(statement, parameters))

    async def exec_driver_sql(self, statement: str, parameters: Any = None) -> Any:
        """As AsyncConnection's."""
        return _whole(self._connection.exec_driver_sql(statement, parameters))

    async def run_sync(self, function: Callable[..., Any], *args: Any) -> Any:
        """As AsyncConnection's."""
        return function(self._connection, *args)


class LocalEngine:
    """The file's connections."""

    def __init__(self, url: sa.URL) -> None:
        self.sync_engine = sa.create_engine(
            url.set(drivername="sqlite"), pool_size=POOL_SIZE, connect_args={"check_same_thread": False}
        )
        sa.event.listen(self.sync_engine, "connect", _prepare)

    @property
    def dialect(self) -> sa.Dialect:
        """SQLite's."""
        return self.sync_engine.dialect

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[LocalConnection]:
        """A connection for reading."""
        with self.sync_engine.connect() as connection:
            yield LocalConnection(connection)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[LocalConnection]:
        """A transaction that holds the file's write lock from its first statement on."""
        with self.sync_engine.connect() as connection:
            await _lock(connection)
            try:
                yield LocalConnection(connection)
            except BaseException:
                connection.rollback()
                raise
            committing = asyncio.ensure_future(asyncio.to_thread(connection.commit))
            try:
                await asyncio.shield(committing)
            except asyncio.CancelledError:
                # The connection is not the pool's again before the thread has let go of it.
                await asyncio.wait([committing])
                raise

    async def dispose(self) -> None:
        """Closes all connections."""
        self.sync_engine.dispose()


async def _lock(connection: sa.Connection) -> None:
    deadline_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        except OperationalError:
            if time.monotonic() >= deadline_s:
                raise
        await asyncio.sleep(LOCK_POLL_S)


def _whole(result: sa.CursorResult[Any]) -> Any:
    return result.freeze()() if result.returns_rows else result


def _prepare(connection: Any, _record: Any) -> None:
    # The driver must not open transactions of its own: BEGIN IMMEDIATE is sent by `begin`.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=0"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
