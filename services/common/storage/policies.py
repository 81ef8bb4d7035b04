"""Versioned policies of workspaces: the tables that both planes keep, and every query on them. None commits.

A deleted policy stays as a tombstone, so that pollers learn of it by its revision; names and the default are unique
among the living only. Text that cannot be an id names nothing, whatever a store would make of its characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_SHARED = ("workspace_id", "name", "version", "enabled", "is_default")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Versioned(Protocol):
    """What is asked of a policy of any plane, a dataclass; its plane's own fields are not."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...
    @property
    def workspace_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def is_default(self) -> bool: ...


P = TypeVar("P", bound=Versioned)


# No slots: a call of `Stored[Policy]` notes its parameter on the instance, which Python 3.11 cannot refuse cleanly.
@dataclass(frozen=True)
class Stored(Generic[P]):
    """A policy with what only its table knows. Times in Unix microseconds."""

    policy: P
    created_at_us: int
    updated_at_us: int
    revision: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One version of a policy; `snapshot` as the API showed it."""

    version: int
    operation: str
    author_id: str
    occurred_at_us: int
    snapshot: Mapping[str, Any]


def policy_table(metadata: sa.MetaData, name: str, *own: sa.Column[Any]) -> sa.Table:
    """The current state of every policy; `own`: the plane's columns besides the rules."""
    table = sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        *own,
        sa.Column("rules_json", sa.Text, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("updated_at_us", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
    )
    living = table.c.deleted.is_(sa.false())
    for index, columns, where in (
        ("name", (table.c.workspace_id, table.c.name), living),
        ("default", (table.c.workspace_id,), sa.and_(living, table.c.is_default.is_(sa.true()))),
    ):
        sa.Index(f"{name}_{index}", *columns, unique=True, sqlite_where=where, postgresql_where=where)
    sa.Index(f"{name}_revision", table.c.revision)
    return table


def policy_history(metadata: sa.MetaData, name: str, policy_id: str) -> sa.Table:
    """Every version of every policy; `policy_id`: how the column with the policy's id is called."""
    return sa.Table(
        name,
        metadata,
        sa.Column(policy_id, sa.Text, key="policy_id", primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("author_id", sa.Text, nullable=False),
        sa.Column("occurred_at_us", sa.BigInteger, nullable=False),
        sa.Column("snapshot_json", sa.Text, nullable=False),
    )


class PolicyRows(Generic[P]):
    """The queries. `load` makes a policy of a row, `own` the plane's columns (rules included) of a policy."""

    def __init__(
        self, table: sa.Table, history: sa.Table, load: Callable[[Any], P], own: Callable[[P], Mapping[str, Any]]
    ) -> None:
        self._table = table
        self._history = history
        self._load = load
        self._own = own

    def _stored(self, row: Any) -> Stored[P]:
        return Stored(self._load(row), row.created_at_us, row.updated_at_us, row.revision, row.deleted)

    def _living(self, workspace_id: str, *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
        living = self._table.c.deleted.is_(sa.false())
        return sa.select(self._table).where(self._table.c.workspace_id == workspace_id, living, *where)

    async def changed(self, conn: AsyncConnection, after: int, upto: int) -> list[Stored[P]]:
        """Policies and tombstones changed after one revision, up to another, in order of change."""
        revision = self._table.c.revision
        query = sa.select(self._table).where(revision > after, revision <= upto).order_by(revision)
        return [self._stored(row) for row in (await conn.execute(query)).all()]

    async def find(self, conn: AsyncConnection, workspace_id: str, policy_id: str) -> Stored[P] | None:
        """A living policy of the workspace."""
        if _ID.fullmatch(policy_id) is None:
            return None
        row = (await conn.execute(self._living(workspace_id, self._table.c.id == policy_id))).first()
        return None if row is None else self._stored(row)

    async def page(self, conn: AsyncConnection, workspace_id: str, after: str, limit: int) -> list[Stored[P]]:
        """Living policies by id, which is by creation."""
        by_id = self._table.c.id
        query = self._living(workspace_id, by_id > after).order_by(by_id).limit(limit)
        return [self._stored(row) for row in (await conn.execute(query)).all()]

    async def count(self, conn: AsyncConnection, workspace_id: str) -> int:
        """Living policies of the workspace."""
        living = self._living(workspace_id).subquery()
        return int((await conn.execute(sa.select(sa.func.count()).select_from(living))).scalar_one())

    async def name_taken(self, conn: AsyncConnection, workspace_id: str, name: str, but: str) -> bool:
        """True when another living policy of the workspace has the name."""
        query = self._living(workspace_id, self._table.c.name == name, self._table.c.id != but)
        return (await conn.execute(query.with_only_columns(self._table.c.id))).first() is not None

    async def other_default(self, conn: AsyncConnection, workspace_id: str, but: str) -> Stored[P] | None:
        """The workspace's default, unless it is `but`."""
        query = self._living(workspace_id, self._table.c.is_default.is_(sa.true()), self._table.c.id != but)
        row = (await conn.execute(query)).first()
        return None if row is None else self._stored(row)

    async def put(self, tx: AsyncConnection, stored: Stored[P], *, new: bool) -> None:
        """Inserts or overwrites the row."""
        policy = stored.policy
        values = {
            **{name: getattr(policy, name) for name in _SHARED},
            "created_at_us": stored.created_at_us,
            "updated_at_us": stored.updated_at_us,
            "revision": stored.revision,
            "deleted": stored.deleted,
            **self._own(policy),
        }
        if new:
            await tx.execute(self._table.insert().values(id=policy.id, **values))
        else:
            await tx.execute(self._table.update().where(self._table.c.id == policy.id).values(**values))

    async def add_history(
        self, tx: AsyncConnection, policy: P, operation: str, author_id: str, snapshot: Mapping[str, Any], now_us: int
    ) -> None:
        """Appends a version."""
        await tx.execute(
            self._history.insert().values(
                policy_id=policy.id,
                version=policy.version,
                workspace_id=policy.workspace_id,
                operation=operation,
                author_id=author_id,
                occurred_at_us=now_us,
                snapshot_json=json.dumps(dict(snapshot), separators=(",", ":")),
            )
        )

    async def history_page(
        self, conn: AsyncConnection, workspace_id: str, policy_id: str, before: int | None, limit: int
    ) -> list[HistoryRow]:
        """Versions below `before`, newest first, a deleted policy's too."""
        if _ID.fullmatch(policy_id) is None:
            return []
        table = self._history
        query = sa.select(table).where(table.c.workspace_id == workspace_id, table.c.policy_id == policy_id)
        if before is not None:
            query = query.where(table.c.version < before)
        rows = (await conn.execute(query.order_by(table.c.version.desc()).limit(limit))).all()
        return [
            HistoryRow(row.version, row.operation, row.author_id, row.occurred_at_us, json.loads(row.snapshot_json))
            for row in rows
        ]

    async def history_version(
        self, conn: AsyncConnection, workspace_id: str, policy_id: str, version: int
    ) -> HistoryRow | None:
        """One version, a deleted policy's too."""
        rows = await self.history_page(conn, workspace_id, policy_id, version + 1, 1)
        return rows[0] if rows and rows[0].version == version else None
