"""Numbered migrations, applied in order under a lock, recorded in `schema_migrations`.

Number 1 creates the service's tables; later numbers bring what an older number 1 did not have, and find it there on a
new database. A number is never edited once released. Replicas of the release before go on writing while the new ones
start: what is added is nullable or has a default, and is removed no sooner than two releases later (docs/upgrade.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

_LOCK_SPACE = 0x0CA


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a schema."""

    number: int
    name: str
    apply: Callable[[sa.Connection], None]


def add_missing(conn: sa.Connection, table: sa.Table) -> None:
    """Adds the table's columns and indexes that the database has not. A required column needs a server default."""
    inspector = sa.inspect(conn)
    columns = {column["name"] for column in inspector.get_columns(table.name)}
    indexes = {index["name"] for index in inspector.get_indexes(table.name)}
    for column in table.columns:
        if column.name not in columns:
            definition = sa.schema.CreateColumn(column).compile(dialect=conn.dialect)
            conn.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {definition}"))
    for index in table.indexes:
        if index.name not in indexes:
            index.create(conn)


def apply(conn: sa.Connection, migrations: Sequence[Migration], service: str) -> int:
    """Applies what is missing; returns how many. The caller's transaction makes it all or nothing."""
    if conn.dialect.name == "postgresql":
        key = int.from_bytes(service.encode()[:4].ljust(4, b"\0"), "big") & 0x7FFFFFFF
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(:space, :key)"), {"space": _LOCK_SPACE, "key": key})
    conn.execute(
        sa.text("CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    )
    done = {row[0] for row in conn.execute(sa.text("SELECT number FROM schema_migrations"))}
    applied = 0
    for migration in sorted(migrations, key=lambda item: item.number):
        if migration.number in done:
            continue
        migration.apply(conn)
        conn.execute(
            sa.text("INSERT INTO schema_migrations (number, name) VALUES (:number, :name)"),
            {"number": migration.number, "name": migration.name},
        )
        applied += 1
    return applied
