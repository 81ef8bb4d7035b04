"""`orca replay ledger`: all accounts from `orca.spend.v1`, into empty tables, bit-identical.

Reads the topic twice as a group of its own that commits nothing: movements, then spends. Replay with the ledger
stopped: what is written to the topic meanwhile is left to the consumer, which goes on at the stored positions.
Raises Conflict when the tables hold something, Unavailable when log or database fail; the tables are then to be
emptied before the next try.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from orca.events.v1.events_pb2 import Envelope
from services.common.clock import Clock
from services.common.errors import Conflict
from services.common.eventlog.ports import ConsumedRecord, EventLog
from services.common.ids import new_id
from services.common.storage import Database
from services.ledger.consumers import parse
from services.ledger.events import SPEND
from services.ledger.storage.parking import Parked
from services.ledger.storage.replaying import ReplayStore
from services.ledger.storage.tables import MIGRATIONS
from services.ledger.storage.tally import SpendEvent

BATCH_MAX = 2_000
POLL_S = 0.1
QUIET_S = 3.0
"""No record for so long, with no lag and every partition assigned, means the end of the topic."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay read."""

    movements: int
    spends: int
    parked: int


async def replay(log: EventLog, database_url: str, clock: Clock, *, quiet_s: float = QUIET_S) -> Replayed:
    """Rebuilds the ledger's tables; the log is started, its topics exist."""
    database = await Database.open(database_url, service="ledger")
    try:
        await database.migrate(MIGRATIONS)
        store = ReplayStore(database)
        if not await store.empty():
            raise Conflict("the ledger's tables are not empty; a replay never overwrites")
        ends: dict[tuple[str, int], int] = {}
        movements = 0
        async for batch in _read(log, quiet_s):
            credits = []
            for record in batch:
                ends[record.topic, record.partition] = record.offset + 1
                envelope = _movement(record)
                if envelope is not None:
                    credits.append(envelope)
            await store.movements(credits)
            movements += len(credits)
        spends, parked = await _spends(log, store, ends, quiet_s)
        await store.finish(ends, clock.now_us())
        return Replayed(movements, spends, parked)
    finally:
        await database.close()


def _movement(record: ConsumedRecord) -> Envelope | None:
    """The ledger's own movement in a record, None for everything else."""
    if not any(name == "event-type" and value == b"credit" for name, value in record.headers):
        return None
    return Envelope.FromString(record.value)


async def _spends(
    log: EventLog, store: ReplayStore, ends: dict[tuple[str, int], int], quiet_s: float
) -> tuple[int, int]:
    """The second pass, up to where the first one ended."""
    spends = unbooked = 0
    async for batch in _read(log, quiet_s):
        events: list[SpendEvent] = []
        parked: list[Parked] = []
        for record in batch:
            if record.offset < ends.get((record.topic, record.partition), 0):
                match parse(record):
                    case SpendEvent() as event:
                        events.append(event)
                    case Parked() as item:
                        parked.append(item)
        await store.spends(events, parked)
        spends += len(events)
        unbooked += len(parked)
    return spends, unbooked


async def _read(log: EventLog, quiet_s: float) -> AsyncIterator[list[ConsumedRecord]]:
    """Batches of the whole topic, until it is quiet."""
    consumer = log.consumer(new_id("ledger-replay"), (SPEND,))
    await consumer.start()
    quiet, enough = 0, max(1, round(quiet_s / POLL_S))
    try:
        while quiet < enough:
            batch = await consumer.poll(BATCH_MAX, POLL_S)
            if batch:
                quiet = 0
                yield batch
            elif consumer.lag() == 0 and consumer.assignment():
                quiet += 1
    finally:
        await consumer.stop()
