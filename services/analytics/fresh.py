"""Reads that are not older than a second: the consumer writes what it holds before the question is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from services.analytics.ports import RowSource


class FreshReads:
    """A row source behind the consumer's `fresh`."""

    def __init__(self, store: RowSource, fresh: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._fresh = fresh

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Rows of a statement. Raises StoreUnavailable."""
        await self._fresh()
        return await self._store.query(sql, parameters)
