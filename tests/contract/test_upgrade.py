"""A database of the Foundation, brought to today's schema: the same as a new one, with every row as it was."""

from __future__ import annotations

import importlib
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.analytics.clickhouse.migrations import MIGRATIONS as COLUMN_STORE
from services.common.storage import Database, Migration
from tests.support.postgres import Postgres

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures/foundation"
SERVICES = ("auth", "guardrail", "firewall", "ledger", "analytics")
FILLED = {
    "auth": {"users", "workspaces", "members", "relay_keys", "channels", "price_overrides", "audit_chain"},
    "guardrail": {"guardrails", "guardrail_history"},
    "firewall": {"policies", "policy_history"},
    "ledger": {"accounts", "leases", "entries", "keys", "consumer_positions"},
    "analytics": {"blocks"},
}
"""Tables that must have had rows, so that the comparison of rows says something."""

Upgraded = Callable[[str], str]
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Upgraded, Upgraded]:
    """(service → a database with the fixture, service → an empty one)."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        old, new = (server.create_database(f"t{uuid.uuid4().hex}") for _ in range(2))
        server.load(old, FIXTURE / "postgresql.sql")
        return lambda _: old, lambda _: new

    def filled(service: str) -> str:
        path = tmp_path / f"{service}.db"
        if not path.exists():
            with sqlite3.connect(path) as connection:
                connection.executescript((FIXTURE / f"sqlite/{service}.sql").read_text(encoding="utf-8"))
            connection.close()
        return f"sqlite:///{path}"

    return filled, lambda service: f"sqlite:///{tmp_path / f'{service}-new.db'}"


def migrations_of(service: str) -> tuple[Migration, ...]:
    """The service's migrations, with every module that adds a table to them."""
    importlib.import_module(f"services.{service}.app")
    migrations: tuple[Migration, ...] = importlib.import_module(f"services.{service}.storage.tables").MIGRATIONS
    return migrations


def shape(conn: sa.Connection) -> dict[str, Any]:
    """Every table: columns with type, nullability and key; indexes and unique constraints, by their columns."""
    inspector = sa.inspect(conn)
    found: dict[str, Any] = {}
    for table in inspector.get_table_names():
        columns = {c["name"]: (str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)}
        indexes = {(i["name"], tuple(i["column_names"]), bool(i["unique"])) for i in inspector.get_indexes(table)}
        unique = {tuple(u["column_names"]) for u in inspector.get_unique_constraints(table)}
        found[table] = (columns, inspector.get_pk_constraint(table)["constrained_columns"], indexes, unique)
    return found


def rows(conn: sa.Connection) -> Rows:
    found = {}
    for table in sa.inspect(conn).get_table_names():
        reflected = sa.Table(table, sa.MetaData(), autoload_with=conn)
        listed = [dict(row) for row in conn.execute(sa.select(reflected)).mappings()]
        found[table] = sorted(listed, key=lambda row: [str(value) for value in row.values()])
    return found


async def inspect(database: Database, look: Callable[[sa.Connection], Any]) -> Any:
    async with database.write() as tx:
        return await tx.run_sync(look)


@pytest.mark.parametrize("service", SERVICES)
async def test_the_foundations_database_becomes_todays(service: str, urls: tuple[Upgraded, Upgraded]) -> None:
    migrations = migrations_of(service)
    old = await Database.open(urls[0](service), service=service)
    fresh = await Database.open(urls[1](service), service=service)
    before: Rows = await inspect(old, rows)
    assert {table for table, found in before.items() if found} >= FILLED[service]
    assert await old.migrate(migrations) == len(migrations) - 1
    await fresh.migrate(migrations)
    assert await inspect(old, shape) == await inspect(fresh, shape)
    after: Rows = await inspect(old, rows)
    kept = {
        table: [{name: row[name] for name in before[table][0]} for row in after[table]]
        for table in before
        if before[table] and table != "schema_migrations"
    }
    assert kept == {table: before[table] for table in kept}
    assert await old.migrate(migrations) == 0
    await old.close()
    await fresh.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_the_release_before_can_go_on_writing(service: str, urls: tuple[Upgraded, Upgraded]) -> None:
    """While replicas are replaced, old ones write rows that know nothing of what was added."""
    migrations = migrations_of(service)
    database = await Database.open(urls[0](service), service=service)
    before: Rows = await inspect(database, rows)
    await database.migrate(migrations)

    def write_again(conn: sa.Connection) -> None:
        for table, found in before.items():
            reflected = sa.Table(table, sa.MetaData(), autoload_with=conn)
            conn.execute(sa.delete(reflected))
            if found:
                conn.execute(sa.insert(reflected), found)

    await inspect(database, write_again)
    after: Rows = await inspect(database, rows)
    assert {table: len(after[table]) for table in before} == {table: len(found) for table, found in before.items()}
    await database.close()


def test_released_statements_of_the_column_store_are_never_edited() -> None:
    def plain(statement: str) -> str:
        return " ".join(statement.split())

    released = (FIXTURE / "clickhouse.sql").read_text(encoding="utf-8").split(";\n")
    wanted = [plain(statement) for statement in released if statement.strip()]
    wanted = [s for s in wanted if "schema_migrations" not in s]
    ours = [plain(statement) for migration in COLUMN_STORE for statement in migration.statements]
    assert len(wanted) == 9
    assert ours[: len(wanted)] == wanted
