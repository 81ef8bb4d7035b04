"""What analytics needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from services.common.errors import Unavailable


class StoreUnavailable(Unavailable):
    """The column store cannot be reached or refused the statement; nothing is lost, try again."""

    default_code = "analytics_unavailable"


class RowSource(Protocol):
    """What readers need of a column store."""

    async def query(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Rows of a statement with `{name:Type}` parameters. Raises StoreUnavailable."""


class ColumnStore(RowSource, Protocol):
    """ClickHouse, or chDB in process. Every method raises StoreUnavailable."""

    async def open(self) -> None:
        """Connects and applies missing migrations."""

    async def close(self) -> None:
        """Closes the connection; idempotent."""

    async def insert(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]], token: str) -> None:
        """Writes columns as one block; a second block under the same token changes nothing, views included."""

    async def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Runs a statement without an answer."""
