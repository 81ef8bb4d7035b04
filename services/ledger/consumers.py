"""Spend into accounts, key changes into limits, lost leases into forfeits.

A spend record that cannot be booked is parked and freezes its key's account: money is never skipped, other
keys go on. A database that is down stops the batch; the loop repeats it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from orca.events.v1.events_pb2 import Envelope, LeasePosition
from services.common.clock import Clock
from services.common.errors import NotFound, Unavailable
from services.common.eventlog.engine import Poison
from services.common.eventlog.ports import ConsumedRecord
from services.common.storage import Database
from services.ledger import metrics
from services.ledger.domain.settlement import Spent
from services.ledger.storage.limits import KeyRecord, apply_key, recall_key
from services.ledger.storage.parking import Parked
from services.ledger.storage.reversals import SWEEP_MAX, ReversalStore
from services.ledger.storage.settling import Batch, SettlementStore
from services.ledger.storage.tally import Position, SpendEvent

log = logging.getLogger("orca.ledger")

SWEEP_S = 5.0
SPEND_NANO_USD_MAX = 10**15
"""One spend above a million USD is a mistake of its producer, and sums must stay within 64 bits."""


class SpendConsumer:
    """Handler of `orca.spend.v1`."""

    def __init__(self, store: SettlementStore, notify: Callable[[], None]) -> None:
        self._store = store
        self._notify = notify

    async def __call__(self, records: Sequence[ConsumedRecord]) -> None:
        """Books one batch in one transaction. Raises Unavailable, with nothing booked."""
        spends: list[tuple[tuple[str, int], int, SpendEvent]] = []
        parked: list[Parked] = []
        positions: dict[tuple[str, int], int] = {}
        for record in records:
            where = (record.topic, record.partition)
            positions[where] = record.offset + 1
            match parse(record):
                case SpendEvent() as event:
                    spends.append((where, record.offset, event))
                case Parked() as item:
                    parked.append(item)
        done = await self._store.settle(Batch(spends, parked, positions))
        metrics.EVENTS.inc(done.booked)
        metrics.OVERRUN.inc(done.overrun)
        metrics.PARKED.inc(len(parked))
        for item in parked:
            log.error("a spend record was parked", extra={"key_id": item.key_id, "reason": item.reason})
        if done.gaps:
            # Keys of one workspace live in several partitions, so a workspace lease's gap is usually brief.
            metrics.GAPS.inc(len(done.gaps))
            log.info("leases with a gap", extra={"count": len(done.gaps)})
        if done.booked:
            self._notify()


def parse(record: ConsumedRecord) -> SpendEvent | Parked | None:
    """The spend in a record, the record to be parked, or None for the ledger's own movements."""
    try:
        return spend_of(record.value)
    except ValueError as error:
        key_id = record.key.decode("utf-8", "replace").replace("\0", "")
        return Parked(record.topic, record.partition, record.offset, key_id, str(error), record.value)


def spend_of(value: bytes) -> SpendEvent | None:
    """The spend in a record; None for the ledger's own movements. Raises ValueError naming what is wrong."""
    try:
        envelope = Envelope.FromString(value)
    except DecodeError:
        raise ValueError("not an envelope") from None
    payload = envelope.WhichOneof("payload")
    if payload == "credit":
        return None
    if payload != "spend":
        raise ValueError("neither spend nor credit")
    spend = envelope.spend
    for name, text in (
        ("event_id", envelope.event_id),
        ("workspace_id", envelope.workspace_id),
        ("account_id", spend.account_id),
    ):
        if not text:
            raise ValueError(f"{name} is missing")
    if b"\0" in value and "\0" in "".join(_texts(envelope)):
        # PostgreSQL stores no NUL in text; refused here, it cannot stop the batches of other keys.
        raise ValueError("a text contains NUL")
    spent = Spent(spend.settled_nano_usd, spend.unconfirmed_nano_usd, spend.blocked_nano_usd, spend.overrun_nano_usd)
    amounts = (spent.settled, spent.unconfirmed, spent.blocked, spent.overrun)
    if min(amounts) < 0 or max(amounts) > SPEND_NANO_USD_MAX:
        raise ValueError("an amount is out of range")
    return SpendEvent(
        event_id=envelope.event_id,
        workspace_id=envelope.workspace_id,
        account_id=spend.account_id,
        key_id=envelope.key_id,
        request_id=envelope.request_id,
        model=spend.model,
        occurred_at_us=envelope.occurred_at_unix_us,
        estimated=spend.estimated,
        spent=spent,
        key_lease=_position(spend.key_lease) if spend.HasField("key_lease") else None,
        workspace_lease=_position(spend.workspace_lease) if spend.HasField("workspace_lease") else None,
        blocked_lease=_position(spend.blocked_lease) if spend.HasField("blocked_lease") else None,
    )


def _texts(envelope: Envelope) -> tuple[str, ...]:
    spend = envelope.spend
    return (
        envelope.event_id,
        envelope.workspace_id,
        envelope.key_id,
        envelope.request_id,
        spend.account_id,
        spend.model,
        spend.key_lease.lease_id,
        spend.workspace_lease.lease_id,
        spend.blocked_lease.lease_id,
    )


def _position(position: LeasePosition) -> Position:
    return Position(position.lease_id, position.running_total_nano_usd)


class KeyConsumer:
    """Handler of `orca.config.v1`: the directory of keys, their limits, and recalls."""

    def __init__(self, database: Database, clock: Clock, notify: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._notify = notify

    async def __call__(self, records: Sequence[ConsumedRecord]) -> None:
        """Applies key changes one by one; each is idempotent by its version. Raises Poison, Unavailable."""
        changes = [(record, change) for record in records if (change := key_of(record)) is not None]
        for record, (key, revoked) in changes:
            try:
                async with self._database.write() as tx:
                    await apply_key(tx, self._clock, key)
            except NotFound:
                raise Poison(record, "the account belongs to another workspace") from None
            if revoked:
                await recall_key(self._database, key.key_id)
        if changes:
            self._notify()


def key_of(record: ConsumedRecord) -> tuple[KeyRecord, bool] | None:
    """(key, whether it is disabled or deleted), None for other changes. Raises Poison."""
    if not record.value:
        return None
    try:
        envelope = Envelope.FromString(record.value)
        if envelope.WhichOneof("payload") != "config" or envelope.config.entity != "key":
            return None
        change = envelope.config
        fields = json.loads(change.fields_json)
        limit = _limit_of(fields["credit_limit_nano_usd"])
        own = fields.get("blocked_output_limit_nano_usd")
        key = KeyRecord(
            change.entity_id,
            envelope.workspace_id,
            str(fields["account_id"]),
            limit,
            change.version,
            limit if own is None else int(own),
        )
        return key, change.operation == "delete" or not fields.get("enabled", True)
    except (DecodeError, ValueError, KeyError, TypeError) as error:
        raise Poison(record, f"not a key change ({type(error).__name__})") from None


def _limit_of(value: Any) -> int | None:
    return None if value is None else int(value)


class Sweeper:
    """Forfeits what lost relays left held, every SWEEP_S seconds."""

    def __init__(self, store: ReversalStore, notify: Callable[[], None]) -> None:
        self._store = store
        self._notify = notify
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.reached = False
        """The database answered when it was last asked."""

    async def start(self) -> None:
        """Starts the task."""
        self.reached = True
        self._task = asyncio.create_task(self._run(), name="ledger-sweeper")

    async def stop(self) -> None:
        """Lets a sweep under way finish."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.sweep()
                self.reached = True
            except Unavailable as error:
                self.reached = False
                log.warning("the sweep is waiting", extra={"error_class": type(error).__name__})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_S):
                    await self._stopping.wait()

    async def sweep(self) -> int:
        """Forfeits all that is due; how many leases."""
        gaps, frozen = await self._store.troubles()
        metrics.GAP_LEASES.set(gaps)
        metrics.FROZEN.set(frozen)
        total = 0
        while True:
            count, amount = await self._store.sweep()
            total += count
            if count:
                metrics.FORFEITS.inc(count)
                metrics.FORFEITED.inc(amount)
                log.error("leases were forfeited", extra={"count": count})
                self._notify()
            if count < SWEEP_MAX:
                return total
