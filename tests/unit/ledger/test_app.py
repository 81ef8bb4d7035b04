"""The running service on the embedded log: spend in, movements out, its own movements ignored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from services.allinone.sqlite_log import SqliteEventLog
from services.common.clock import SystemClock
from services.common.eventlog.envelope import record_of
from services.common.eventlog.topics import CONFIG, SPEND
from services.common.rpc import LoopbackChannel, LoopbackServer
from services.ledger.app import build
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
        assert app.ready() == {"ledger_spend": True, "ledger_keys": True}
        await app.stop()
    await producer.stop()
    await log.stop()
