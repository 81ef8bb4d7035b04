"""The composed service on the embedded log: what is produced shows up in its feed, before and after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from services.allinone.sqlite_log import SqliteEventLog
from services.analytics.app import App, build
from services.analytics.settings import AnalyticsSettings
from services.common.clock import SystemClock
from services.common.eventlog import topics
from services.common.eventlog.envelope import record_of
from services.common.rpc import LoopbackChannel, LoopbackServer
from tests.unit.analytics.builders import match
from tests.unit.analytics.conftest import Fixture, HeaderAuthenticator


async def ids(app: App) -> list[str]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url="http://t") as client:
        answer = await client.get("/api/guardrail/match", headers={"authorization": "VIEWER"})
    return [entry["id"] for entry in answer.json()["data"]["items"]]


async def until(app: App, expected: list[str]) -> None:
    async with asyncio.timeout(20):
        while await ids(app) != expected:  # noqa: ASYNC110 (a feed is polled, it cannot be awaited)
            await asyncio.sleep(0.01)


async def test_events_reach_their_feed_across_a_restart(orca: Fixture, chdb_home: Path, tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db", SystemClock())
    await log.start()
    await log.ensure_topics()
    producer = log.producer("test")
    await producer.start()

    async def start() -> App:
        def channels(name: str) -> Any:
            del name
            return LoopbackChannel(LoopbackServer())

        app = await build(
            AnalyticsSettings(home=chdb_home),
            channels=channels,
            log=log,
            database_url=f"sqlite:///{tmp_path / 'app.db'}",
            authenticator=HeaderAuthenticator(),
        )
        app.register(LoopbackServer())
        assert app.ready() == {"store": False, "consumer": False}
        await app.start()
        return app

    app = await start()
    await producer.send([record_of(topics.MATCHES, b"key_1", match(1, id="m_1"))])
    await until(app, ["m_1"])
    assert app.ready() == {"store": True, "consumer": True}
    await app.stop()
    await producer.send([record_of(topics.MATCHES, b"key_1", match(2, id="m_2"))])
    app = await start()
    await until(app, ["m_2", "m_1"])
    await app.stop()
    await log.stop()
