"""One storage suite over SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from orca.events.v1.events_pb2 import Envelope
from services.common.clock import SystemClock
from services.common.errors import Unavailable
from services.common.eventlog.ports import LogUnavailable, OutRecord
from services.common.storage import (
    Database,
    Migration,
    OutboxPublisher,
    audit_envelope,
    bump,
    change_counter,
    insert_for,
    outbox_add,
    outbox_table,
    read_counter,
    upsert,
)

METADATA = sa.MetaData()
ACCOUNT = sa.Table(
    "account",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("held", sa.BigInteger, nullable=False),
)
COUNTER = change_counter(METADATA)
OUTBOX = outbox_table(METADATA)
MIGRATIONS = (Migration(1, "first", METADATA.create_all),)


class ListProducer:
    """Keeps what it was sent; `down` makes it refuse."""

    def __init__(self) -> None:
        self.records: list[OutRecord] = []
        self.down = False

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, records: object) -> None:
        if self.down:
            raise LogUnavailable("down")
        self.records += records  # type: ignore[arg-type]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = await Database.open(url, service="demo")
    assert await database.migrate(MIGRATIONS) == 1
    yield database
    await database.close()


async def held(database: Database) -> int | None:
    async with database.read() as conn:
        return (await conn.execute(sa.select(ACCOUNT.c.held))).scalar_one_or_none()


async def test_an_upsert_inserts_and_then_overwrites_the_row_of_its_key(database: Database) -> None:
    for row_id, amount in (("a", 1), ("b", 2), ("a", 3)):
        async with database.write() as tx:
            await upsert(tx, ACCOUNT, {"id": row_id, "held": amount})
    async with database.read() as conn:
        rows = (await conn.execute(sa.select(ACCOUNT).order_by(ACCOUNT.c.id))).all()
    assert [tuple(row) for row in rows] == [("a", 3), ("b", 2)]


async def test_migrations_run_once(database: Database) -> None:
    assert await database.migrate(MIGRATIONS) == 0


async def test_concurrent_migrators_apply_each_number_once(url: str) -> None:
    databases = [await Database.open(url, service="demo") for _ in range(3)]
    applied = await asyncio.gather(*(database.migrate(MIGRATIONS) for database in databases))
    assert sorted(applied) == [0, 0, 1]
    for database in databases:
        await database.close()


async def test_an_exception_rolls_everything_back(database: Database) -> None:
    with pytest.raises(KeyError):
        async with database.write() as tx:
            await tx.execute(ACCOUNT.insert().values(id="a", held=1))
            raise KeyError
    assert await held(database) is None


async def test_a_conditional_update_grants_exactly_what_fits_under_concurrency(database: Database) -> None:
    async with database.write() as tx:
        await tx.execute(ACCOUNT.insert().values(id="a", held=0))

    async def grant() -> int:
        async with database.write() as tx:
            update = ACCOUNT.update().where(ACCOUNT.c.id == "a", ACCOUNT.c.held + 7 <= 50)
            return (await tx.execute(update.values(held=ACCOUNT.c.held + 7))).rowcount

    granted = await asyncio.gather(*(grant() for _ in range(20)))
    assert (sum(granted), await held(database)) == (7, 49)


async def test_upsert_and_counter(database: Database) -> None:
    for amount in (1, 2):
        async with database.write() as tx:
            insert = insert_for(tx)(ACCOUNT).values(id="a", held=amount)
            await tx.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"held": amount}))
            assert await bump(tx, COUNTER) == amount
    async with database.read() as conn:
        assert await read_counter(conn, COUNTER) == 2
    assert await held(database) == 2


async def test_the_outbox_keeps_order_and_loses_nothing_while_the_log_is_down(database: Database) -> None:
    producer = ListProducer()
    publisher = OutboxPublisher(database, OUTBOX, producer, SystemClock())
    async with database.write() as tx:
        for number in range(3):
            envelope = audit_envelope(
                workspace_id="ws_1",
                actor_id="user_1",
                verb="token_create",
                target_type="key",
                target_id=f"key_{number}",
                metadata={"name": "a"},
                service="demo",
                clock=SystemClock(),
            )
            await outbox_add(tx, OUTBOX, topic="orca.audit.v1", key="ws_1", envelope=envelope)
    producer.down = True
    with pytest.raises(Unavailable):
        await publisher.drain()
    producer.down = False
    assert (await publisher.drain(), await publisher.drain()) == (3, 0)
    targets = [Envelope.FromString(record.value).audit.target_id for record in producer.records]
    assert targets == ["key_0", "key_1", "key_2"]
    assert {dict(record.headers)["event-type"] for record in producer.records} == {b"audit"}


async def test_a_rolled_back_change_leaves_no_event(database: Database) -> None:
    publisher = OutboxPublisher(database, OUTBOX, ListProducer(), SystemClock())
    with pytest.raises(KeyError):
        async with database.write() as tx:
            await outbox_add(tx, OUTBOX, topic="orca.config.v1", key="k", envelope=Envelope())
            raise KeyError
    assert await publisher.drain() == 0


async def test_an_unreachable_database_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="demo cannot be reached"):
        await Database.open("postgresql://orca@127.0.0.1:1/x", service="demo")
