"""The column store behind one worker thread.

clickhouse-connect's client is synchronous and not shared between threads; chDB admits one engine per process.
So one thread owns the client, and every call queues there: inserts are awaited one by one by the writer,
which keeps a feed's wait below one insert. The library is imported in that thread, on first use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from services.analytics.clickhouse.migrations import MIGRATIONS, MIGRATIONS_TABLE
from services.analytics.ports import StoreUnavailable

T = TypeVar("T")

INSERT_SETTINGS: Mapping[str, Any] = {
    "insert_deduplicate": 1,
    # Views deduplicate by the same token: a block whose view failed is completed by sending it again.
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "async_insert": 0,
    "max_insert_threads": 1,
}
EMBEDDED_THREADS = 2
CONNECT_TIMEOUT_S = 5
SEND_RECEIVE_TIMEOUT_S = 60


class ClickHouseStore:
    """A ClickHouse server when `url` is set, else chDB in `path`."""

    def __init__(self, *, url: str | None, path: Path, query_timeout_s: float) -> None:
        self._url = url
        self._path = path
        self._query_timeout_s = query_timeout_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="clickhouse")
        self._client: Any = None
        self._types: dict[str, Mapping[str, Any]] = {}
        self._closed = False

    async def open(self) -> None:
        """Connects and applies missing migrations. Raises StoreUnavailable."""
        await self._run(self._open)

    async def close(self) -> None:
        """Closes the connection; idempotent."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, self._close)
        self._pool.shutdown(wait=False)

    async def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]], token: str) -> None:
        """Writes columns as one block under a deduplication token. Raises StoreUnavailable."""

        def work() -> None:
            client = self._connected()
            types = self._types.get(table)
            if types is None:
                described = client.create_insert_context(table)
                types = self._types[table] = dict(zip(described.column_names, described.column_types, strict=True))
            # A column that holds nothing but defaults is left to the table: most of a request's are.
            filled = [index for index, column in enumerate(values) if any(column)]
            names = [columns[index] for index in filled]
            context = client.create_insert_context(
                table,
                names,
                column_types=[types[name] for name in names],
                column_oriented=True,
                settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
                data=[values[index] for index in filled],
            )
            client.data_insert(context)

        await self._run(work)

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Rows of a statement with `{name:Type}` parameters. Raises StoreUnavailable."""

        def work() -> Sequence[Sequence[Any]]:
            settings = {"max_execution_time": self._query_timeout_s}
            rows: Sequence[Sequence[Any]] = (
                self._connected().query(sql, parameters=dict(parameters), settings=settings).result_rows
            )
            return rows

        return await self._run(work)

    async def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Runs a statement without an answer. Raises StoreUnavailable."""
        await self._run(lambda: self._connected().command(sql, parameters=dict(parameters or {})))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the analytics store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._translated, work)

    def _translated(self, work: Callable[[], T]) -> T:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            return work()
        except (ClickHouseError, OSError) as error:
            # The library's text can quote values, so only the class is told.
            raise StoreUnavailable(f"the analytics store failed ({type(error).__name__})") from error

    def _connected(self) -> Any:
        if self._client is None:
            raise StoreUnavailable("the analytics store is not open yet")
        return self._client

    def _open(self) -> None:
        import clickhouse_connect

        if self._client is None:
            if self._url:
                self._client = clickhouse_connect.get_client(
                    dsn=self._url, connect_timeout=CONNECT_TIMEOUT_S, send_receive_timeout=SEND_RECEIVE_TIMEOUT_S
                )
            else:
                self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._client = clickhouse_connect.get_client(
                    interface="chdb", path=str(self._path.absolute()), settings={"max_threads": EMBEDDED_THREADS}
                )
        client = self._client
        client.command(MIGRATIONS_TABLE)
        done = {row[0] for row in client.query("SELECT number FROM schema_migrations").result_rows}
        for migration in MIGRATIONS:
            if migration.number in done:
                continue
            for statement in migration.statements:
                client.command(statement)
            client.insert("schema_migrations", [[migration.number, migration.name]], column_names=["number", "name"])

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
