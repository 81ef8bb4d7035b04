"""Both logs behind one fixture: what a test asserts holds for either."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.allinone.kafka_log import KafkaEventLog
from services.allinone.sqlite_log import SqliteEventLog
from services.common.eventlog.topics import Topic
from tests.contract.eventlog.rig import Rig
from tests.support.clock import ManualClock
from tests.support.kafka import KafkaBroker, require_jars


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One broker for the session; a test that stops it starts it again."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"), require_jars())
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture(params=["sqlite", "kafka"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Each log in turn."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    topics = (Topic(name, 4, None),)
    log: SqliteEventLog | KafkaEventLog
    if request.param == "sqlite":
        log = SqliteEventLog(tmp_path / "events.db", ManualClock(), topics)
    else:
        bootstrap = request.getfixturevalue("broker").bootstrap
        log = KafkaEventLog(bootstrap, topics=topics, session_timeout_ms=2_000)
    await log.start()
    try:
        await log.ensure_topics()
        yield Rig(request.param, log, name, f"g-{name}")
    finally:
        await log.stop()
