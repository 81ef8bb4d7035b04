"""`orca replay …`: rebuilds a projection's tables from the event log of either profile, its service stopped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable

from services.allinone import embedded
from services.allinone.hosting import BindError
from services.allinone.kafka_log import KafkaEventLog
from services.allinone.kafka_security import kafka_options
from services.allinone.profile import Settings
from services.allinone.sqlite_log import SqliteEventLog
from services.analytics.app import rebuild
from services.common.clock import SystemClock
from services.common.errors import Invalid
from services.common.eventlog.ports import EventLog
from services.ledger.replay import Replayed, replay

Replay = Callable[[EventLog, str, float], Awaitable[str]]
EMBEDDED_QUIET_S = 0.5
KAFKA_QUIET_S = 3.0


async def replay_ledger(settings: Settings, into: str) -> int:
    """Replays into `into`, or the ledger's own database, which must be empty. Raises OrcaErrors, BindError."""

    async def run(log: EventLog, url: str, quiet_s: float) -> str:
        return _tell(await replay(log, url, SystemClock(), quiet_s=quiet_s))

    return await _with_log(settings, "ledger", into, run)


async def replay_analytics(settings: Settings) -> int:
    """Rebuilds every event table and roll-up, and swaps them in. Raises OrcaErrors, BindError."""

    async def run(log: EventLog, url: str, quiet_s: float) -> str:
        analytics = settings.of("analytics")
        done = await rebuild(analytics, log=log, database_url=url, clock=SystemClock(), quiet_s=quiet_s)
        return (
            f"analytics: {done.records} records replayed, {done.carried} rows carried over, "
            f"{done.skipped} records skipped"
        )

    return await _with_log(settings, "analytics", "", run)


async def _with_log(settings: Settings, service: str, into: str, run: Replay) -> int:
    profile = settings.profile
    if profile.kafka_bootstrap:
        url = into or profile.database_url
        if not url:
            raise Invalid("ORCA_DATABASE_URL or --into must name the database to fill")
        log = KafkaEventLog(profile.kafka_bootstrap, options=kafka_options(profile))
        await log.start()
        try:
            print(await run(log, url, KAFKA_QUIET_S))
        finally:
            await log.stop()
        return 0
    try:
        # The embedded log admits one process: a running instance keeps the replay out.
        lock = embedded.lock_state(profile.home)
    except embedded.StateLocked as error:
        raise BindError(str(error)) from None
    events = SqliteEventLog(profile.home / "events.db", SystemClock())
    try:
        await events.start()
        await events.ensure_topics()
        url = into or f"sqlite:///{(profile.home / f'{service}.db').absolute()}"
        print(await run(events, url, EMBEDDED_QUIET_S))
    finally:
        await events.stop()
        with contextlib.suppress(OSError):
            os.close(lock)
    return 0


def _tell(done: Replayed) -> str:
    return f"ledger: {done.movements} movements and {done.spends} spends replayed, {done.parked} records parked"
