"""The ledger on a real database, with builders for what relays and auth send."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from orca.events.v1.events_pb2 import ConfigChange, Envelope, LeasePosition, Spend
from orca.ledger.v1 import ledger_pb2 as pb
from services.common.eventlog.ports import ConsumedRecord
from services.common.storage import Database
from services.ledger.consumers import KeyConsumer, SpendConsumer, Sweeper
from services.ledger.domain.model import Amounts
from services.ledger.grpc_server import LedgerServicer
from services.ledger.storage.granting import GrantStore
from services.ledger.storage.leases import LeaseStore
from services.ledger.storage.reading import Reader
from services.ledger.storage.redeeming import RedeemStore
from services.ledger.storage.reversals import ReversalStore
from services.ledger.storage.settling import SettlementStore
from services.ledger.storage.tables import ACCOUNTS, MIGRATIONS, OUTBOX
from tests.support.clock import ManualClock

TTL_S = 30.0
GRACE_S = 900.0
WORKSPACE = "ws_1"
KEY = "key_1"
ACCOUNT = "acc_1"


@dataclass
class Ledger:
    """One replica's parts, without transports."""

    database: Database
    clock: ManualClock
    grants: GrantStore
    servicer: LedgerServicer
    spend: SpendConsumer
    keys: KeyConsumer
    reversals: ReversalStore
    sweeper: Sweeper
    reader: Reader
    notified: int = 0
    offset: int = 0

    async def close(self) -> None:
        await self.grants.idle()
        await self.database.close()

    async def acquire(self, **values: Any) -> pb.AcquireResponse:
        return await self.servicer.Acquire(acquire(**values), None)

    async def settle(self, *envelopes: Envelope, partition: int = 0) -> None:
        await self.spend(self.records(envelopes, partition))

    def records(self, envelopes: Sequence[Envelope], partition: int = 0) -> list[ConsumedRecord]:
        found = []
        for envelope in envelopes:
            found.append(record(envelope, self.offset, partition))
            self.offset += 1
        return found

    async def amounts(self, account_id: str = ACCOUNT) -> Amounts:
        async with self.database.read() as conn:
            row = (await conn.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.id == account_id))).one()
        return Amounts(row.settled, row.held, row.unconfirmed, row.forfeited, row.blocked, row.overrun)

    async def movements(self) -> list[tuple[str, str, int]]:
        """(kind, account, amount) of what the outbox holds on the spend topic."""
        async with self.database.read() as conn:
            rows = (await conn.execute(sa.select(OUTBOX).order_by(OUTBOX.c.seq))).all()
        envelopes = [Envelope.FromString(row.envelope) for row in rows]
        return [
            (e.credit.kind, e.credit.account_id, e.credit.amount_nano_usd) for e in envelopes if e.HasField("credit")
        ]


async def open_ledger(url: str, clock: ManualClock) -> Ledger:
    database = await Database.open(url, service="ledger")
    await database.migrate(MIGRATIONS)
    reader = Reader(database)
    reversals = ReversalStore(database, clock, GRACE_S)
    grants = GrantStore(database, clock, TTL_S)

    def notify() -> None: ...

    return Ledger(
        database,
        clock,
        grants,
        LedgerServicer(
            grants,
            LeaseStore(database, clock, TTL_S),
            RedeemStore(database, clock),
            reader,
            clock,
            notify,
        ),
        SpendConsumer(SettlementStore(database, clock), notify),
        KeyConsumer(database, clock, notify),
        reversals,
        Sweeper(reversals, notify),
        reader,
    )


def acquire(
    acquire_id: str = "acq_1",
    *,
    minimum: int = 10,
    wanted: int = 10,
    limit: int | None = 100,
    version: int = 1,
    key_id: str = KEY,
    account_id: str = ACCOUNT,
    workspace_id: str = WORKSPACE,
    replica_id: str = "relay_1",
    workspace: tuple[int, int] | None = None,
) -> pb.AcquireRequest:
    request = pb.AcquireRequest(
        acquire_id=acquire_id,
        replica_id=replica_id,
        workspace_id=workspace_id,
        key=pb.AccountAsk(account_id=account_id, minimum_nano_usd=minimum, wanted_nano_usd=wanted),
        key_limit_nano_usd=limit,
        key_version=version,
        key_id=key_id,
    )
    if workspace is not None:
        request.workspace.account_id = workspace_id
        request.workspace.minimum_nano_usd, request.workspace.wanted_nano_usd = workspace
    return request


def spend(
    event_id: str,
    *,
    settled: int = 0,
    unconfirmed: int = 0,
    blocked: int = 0,
    overrun: int = 0,
    key_lease: tuple[str, int] | None = None,
    workspace_lease: tuple[str, int] | None = None,
    key_id: str = KEY,
    account_id: str = ACCOUNT,
    workspace_id: str = WORKSPACE,
    occurred_at_us: int = 1_700_000_000_000_000,
) -> Envelope:
    """A relay's spend; leases as (id, running total)."""
    return Envelope(
        event_id=event_id,
        workspace_id=workspace_id,
        key_id=key_id,
        request_id=f"req_{event_id}",
        occurred_at_unix_us=occurred_at_us,
        spend=Spend(
            account_id=account_id,
            settled_nano_usd=settled,
            unconfirmed_nano_usd=unconfirmed,
            blocked_nano_usd=blocked,
            overrun_nano_usd=overrun,
            model="acme/small",
            key_lease=_position(key_lease),
            workspace_lease=_position(workspace_lease),
        ),
    )


def _position(lease: tuple[str, int] | None) -> LeasePosition | None:
    return None if lease is None else LeasePosition(lease_id=lease[0], running_total_nano_usd=lease[1])


def key_change(
    *,
    key_id: str = KEY,
    account_id: str = ACCOUNT,
    workspace_id: str = WORKSPACE,
    limit: int | None = 100,
    version: int = 1,
    operation: str = "create",
    enabled: bool = True,
) -> Envelope:
    fields = {"account_id": account_id, "credit_limit_nano_usd": limit, "enabled": enabled, "name": "a"}
    return Envelope(
        event_id=f"ev_{key_id}_{version}",
        workspace_id=workspace_id,
        key_id=key_id,
        config=ConfigChange(
            entity="key", entity_id=key_id, operation=operation, version=version, fields_json=json.dumps(fields)
        ),
    )


def record(envelope: Envelope, offset: int, partition: int = 0, topic: str = "orca.spend.v1") -> ConsumedRecord:
    return ConsumedRecord(topic, partition, offset, envelope.key_id.encode(), envelope.SerializeToString(), (), 0)
