"""One service's database.

SQLite: WAL, one writer at a time (a lock in the process, BEGIN IMMEDIATE against others), `synchronous=FULL`
so that an acknowledged write survives a power cut. PostgreSQL: a schema per service, named `orca_<service>`,
reached through `search_path`, so that table names are the same on both.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from services.common.errors import Unavailable
from services.common.storage.local import LocalEngine
from services.common.storage.migrations import Migration, apply

POOL_SIZE = 5


class Database:
    """An engine with the transaction rules of its dialect."""

    def __init__(self, engine: Any, service: str) -> None:
        self._engine = engine
        self._service = service
        self._write_lock = asyncio.Lock()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return str(self._engine.dialect.name)

    @classmethod
    async def open(cls, url: str, *, service: str) -> Database:
        """Opens `sqlite:///path` or `postgresql://…`. Raises Unavailable when it cannot be reached."""
        database = cls(_engine(url, service), service)
        try:
            if database.dialect == "postgresql":
                async with database._engine.begin() as conn:
                    # Of two replicas that start at once, IF NOT EXISTS alone lets one fail.
                    await conn.execute(sa.text("SELECT pg_advisory_xact_lock(0)"))
                    await conn.execute(sa.schema.CreateSchema(f"orca_{service}", if_not_exists=True))
            else:
                async with database._engine.connect() as conn:
                    await conn.execute(sa.text("SELECT 1"))
        except (OSError, DBAPIError) as error:
            await database.close()
            raise Unavailable(f"the database of {service} cannot be reached ({type(error).__name__})") from None
        return database

    async def migrate(self, migrations: Sequence[Migration]) -> int:
        """Applies missing migrations under a lock; returns how many."""
        async with self.write() as tx:
            return await tx.run_sync(apply, migrations, self._service)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: commits at exit, rolls back on an exception. Raises Unavailable when it is down."""
        if self.dialect == "sqlite":
            async with self._write_lock, self._transaction() as conn:
                yield conn
        else:
            async with self._transaction() as conn:
                yield conn

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as conn:
                yield conn
        except (OSError, InterfaceError, OperationalError) as error:
            raise Unavailable(f"the database of {self._service} failed ({type(error).__name__})") from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading. Raises Unavailable when the database is down."""
        try:
            async with self._engine.connect() as conn:
                yield conn
        except (OSError, InterfaceError, OperationalError) as error:
            raise Unavailable(f"the database of {self._service} failed ({type(error).__name__})") from error

    async def close(self) -> None:
        """Closes all connections."""
        await self._engine.dispose()


def insert_for(conn: AsyncConnection) -> Any:
    """The dialect's `insert`, which knows `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert


async def upsert(tx: AsyncConnection, table: sa.Table, values: Mapping[str, Any]) -> None:
    """Inserts the row, or overwrites these columns of the one that has its primary key."""
    statement = insert_for(tx)(table).values(**values)
    key = [column.name for column in table.primary_key]
    await tx.execute(statement.on_conflict_do_update(index_elements=key, set_=dict(values)))


def _engine(url: str, service: str) -> Any:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return LocalEngine(parsed)
    if parsed.get_backend_name() != "postgresql":
        raise ValueError("the database URL must start with postgresql:// or sqlite://")
    connect: dict[str, Any] = {"server_settings": {"search_path": f"orca_{service}"}, "timeout": 10}
    mode, authorities = (str(parsed.query.get(name, "")) for name in ("sslmode", "sslrootcert"))
    if mode:
        connect["ssl"] = _tls(mode, authorities)
    return create_async_engine(
        parsed.difference_update_query(["sslmode", "sslrootcert"]).set(drivername="postgresql+asyncpg"),
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_pre_ping=True,
        connect_args=connect,
    )


def _tls(mode: str, authorities: str) -> str | ssl.SSLContext:
    """What a URL's `sslmode` and `sslrootcert` ask for, in the driver's words. Raises ValueError, OSError."""
    if mode in ("disable", "allow", "prefer", "require"):
        return mode
    if mode not in ("verify-ca", "verify-full"):
        raise ValueError(f"the database URL's sslmode {mode!r} is not one of PostgreSQL's")
    context = ssl.create_default_context(cafile=authorities or None)
    context.check_hostname = mode == "verify-full"
    return context
