"""The running service on the embedded log: spend in, movements out, its own movements ignored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from services.allinone.sqlite_log import SqliteEventLog
from services.common.clock import SystemClock
from services.common.errors import Unavailable
from services.common.eventlog.envelope import record_of
from services.common.eventlog.topics import CONFIG, SPEND
from services.common.rpc import LoopbackChannel, LoopbackServer
from services.ledger.app import build
from services.ledger.consumers import Sweeper
from services.ledger.settings import LedgerSettings
from services.ledger.storage.reading import Reader
from tests.unit.ledger.harness import ACCOUNT, KEY, WORKSPACE, acquire, key_change, spend

WAIT_S = 10


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await condition():  # noqa: ASYNC110 – another task's progress, seen in the database
            await asyncio.sleep(0.02)


async def test_spend_settles_and_a_second_start_books_nothing_twice(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db", SystemClock())
    await log.start()
    await log.ensure_topics()
    producer = log.producer("relay-1")
    await producer.start()
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    for round_number in (1, 2):
        app = await build(
            LedgerSettings(), channels=lambda name: LoopbackChannel(LoopbackServer()), log=log, database_url=url
        )
        await app.start()
        reader = Reader(app.database)

        async def settled(reader: Reader = reader) -> int:
            return (await reader.accounts(WORKSPACE, [ACCOUNT]))[0].amounts.settled

        key = key_change(limit=1_000)
        await producer.send([record_of(CONFIG, KEY.encode(), key)])
        answer = await app.servicer.Acquire(acquire(f"acq_{round_number}", limit=1_000), None)
        event = spend(f"e{round_number}", settled=4, key_lease=(answer.key_lease.lease_id, 4))
        await producer.send([record_of(SPEND, KEY.encode(), event)])

        async def booked(expected: int = 4 * round_number) -> bool:
            return await settled() == expected

        await until(booked)
        assert app.ready() == {"ledger_database": True}
        await app.stop()
    await producer.stop()
    await log.stop()


class Unreachable:
    """An event log, or a database, that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **named: Any) -> Any:
            raise Unavailable("cut off")

        return call

    def producer(self, producer_id: str) -> Unreachable:
        return self

    def consumer(self, *args: Any, **named: Any) -> Unreachable:
        return self

    def lag(self) -> int:
        return 0

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


async def test_without_the_event_log_credit_is_granted_and_the_service_stays_ready(tmp_path: Path) -> None:
    app = await build(
        LedgerSettings(),
        channels=lambda name: LoopbackChannel(LoopbackServer()),
        log=cast(Any, Unreachable()),
        database_url=f"sqlite:///{tmp_path / 'ledger.db'}",
    )
    await app.start()
    answer = await app.servicer.Acquire(acquire(limit=1_000), None)
    assert (answer.key_lease.granted_nano_usd, app.ready()) == (10, {"ledger_database": True})
    await app.stop()


async def test_without_its_database_the_service_is_not_ready() -> None:
    sweeper = Sweeper(cast(Any, Unreachable()), lambda: None)
    await sweeper.start()
    assert sweeper.reached

    async def noticed() -> bool:
        return not sweeper.reached

    await until(noticed)
    await sweeper.stop()
