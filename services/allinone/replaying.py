"""`orca replay ledger`: rebuilds the ledger's tables from the event log of either profile, the ledger stopped."""

from __future__ import annotations

import contextlib
import os

from services.allinone import embedded
from services.allinone.hosting import BindError
from services.allinone.profile import Settings
from services.common.clock import SystemClock
from services.common.errors import Invalid
from services.common.eventlog.kafka_log import KafkaEventLog
from services.common.eventlog.kafka_security import kafka_options
from services.common.eventlog.sqlite_log import SqliteEventLog
from services.ledger.replay import Replayed, replay


async def replay_ledger(settings: Settings, into: str) -> int:
    """Replays into `into`, or the ledger's own database, which must be empty. Raises OrcaErrors, BindError."""
    profile = settings.profile
    if profile.kafka_bootstrap:
        url = into or profile.database_url
        if not url:
            raise Invalid("ORCA_DATABASE_URL or --into must name the database to fill")
        log = KafkaEventLog(profile.kafka_bootstrap, options=kafka_options(profile))
        await log.start()
        try:
            _tell(await replay(log, url, SystemClock()))
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
        url = into or f"sqlite:///{(profile.home / 'ledger.db').absolute()}"
        _tell(await replay(events, url, SystemClock(), quiet_s=0.5))
    finally:
        await events.stop()
        with contextlib.suppress(OSError):
            os.close(lock)
    return 0


def _tell(done: Replayed) -> None:
    print(f"ledger: {done.movements} movements and {done.spends} spends replayed, {done.parked} records parked")
