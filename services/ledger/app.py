"""Composition root of the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from orca.auth.v1 import auth_pb2_grpc
from orca.ledger.v1 import ledger_pb2_grpc
from services.common.clock import Clock, SystemClock
from services.common.eventlog.engine import ConsumerLoop
from services.common.eventlog.ports import EventLog, TopicPartition
from services.common.http import Authenticator, GrpcAuthenticator, create_api
from services.common.ids import new_id
from services.common.rpc import RpcServer
from services.common.storage import Database, OutboxPublisher
from services.ledger.consumers import KeyConsumer, SpendConsumer, Sweeper
from services.ledger.events import CONFIG, CONFIG_GROUP, SPEND, SPEND_GROUP
from services.ledger.grpc_server import LedgerServicer
from services.ledger.http_api import routes
from services.ledger.settings import LedgerSettings
from services.ledger.storage.granting import GrantStore
from services.ledger.storage.leases import LeaseStore
from services.ledger.storage.parking import ParkingStore
from services.ledger.storage.reading import Reader
from services.ledger.storage.redeeming import RedeemStore
from services.ledger.storage.reversals import ReversalStore
from services.ledger.storage.settling import SettlementStore
from services.ledger.storage.tables import MIGRATIONS, OUTBOX

SPEND_BATCH_MAX = 2_000


@dataclass
class App:
    """The ledger, built and not yet started."""

    name: str
    asgi: FastAPI
    database: Database
    publisher: OutboxPublisher
    spend: ConsumerLoop
    keys: ConsumerLoop
    sweeper: Sweeper
    grants: GrantStore
    servicer: LedgerServicer

    def register(self, server: RpcServer) -> None:
        """Adds the gRPC service."""
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(self.servicer, server)

    async def start(self) -> None:
        """Starts publishing, consuming and sweeping."""
        await self.publisher.start()
        await self.keys.start()
        await self.spend.start()
        await self.sweeper.start()

    async def stop(self) -> None:
        """Finishes batches, publishes what is left, closes the database."""
        await self.sweeper.stop()
        await self.spend.stop()
        await self.keys.stop()
        await self.grants.idle()
        await self.publisher.stop()
        await self.database.close()

    def ready(self) -> dict[str, bool]:
        """Ready while the database answers: credit is granted without the event log, and a consumer that stopped
        has its own alert; out of service it would take every capped key with it."""
        return {"ledger_database": self.sweeper.reached}


async def build(
    settings: LedgerSettings,
    *,
    channels: Callable[[str], Any],
    log: EventLog,
    database_url: str,
    clock: Clock | None = None,
    authenticator: Authenticator | None = None,
) -> App:
    """Opens and migrates the database, wires everything. Raises Unavailable."""
    clock = clock or SystemClock()
    database = await Database.open(database_url, service="ledger")
    await database.migrate(MIGRATIONS)
    publisher = OutboxPublisher(database, OUTBOX, log.producer(new_id("ledger")), clock)
    notify = publisher.notify
    reader = Reader(database)
    reversals = ReversalStore(database, clock, settings.lease_grace_s)
    asgi = create_api(
        "Orca ledger", authenticator or GrpcAuthenticator(auth_pb2_grpc.AuthServiceStub(channels("auth")))
    )
    asgi.include_router(routes(database, reader, reversals, ParkingStore(database, clock), clock, notify))
    grants = GrantStore(database, clock, settings.lease_ttl_s)
    settlement = SettlementStore(database, clock)
    spend_loop: ConsumerLoop

    async def resume(partitions: frozenset[TopicPartition]) -> None:
        # The database knows what was booked; the group's commit may be ahead of a restored one.
        for partition, offset in (await settlement.positions(partitions)).items():
            await spend_loop.seek(partition, offset)

    spend_loop = ConsumerLoop(
        log,
        SPEND_GROUP,
        (SPEND,),
        SpendConsumer(settlement, notify),
        clock,
        batch_max=SPEND_BATCH_MAX,
        on_assigned=resume,
    )
    return App(
        name="ledger",
        asgi=asgi,
        database=database,
        publisher=publisher,
        spend=spend_loop,
        keys=ConsumerLoop(log, CONFIG_GROUP, (CONFIG,), KeyConsumer(database, clock, notify), clock),
        sweeper=Sweeper(reversals, notify),
        grants=grants,
        servicer=LedgerServicer(
            grants,
            LeaseStore(database, clock, settings.lease_ttl_s),
            RedeemStore(database, clock),
            reader,
            clock,
            notify,
        ),
    )
