"""Composition root of firewall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio
from fastapi import FastAPI

from orca.auth.v1 import auth_pb2, auth_pb2_grpc
from orca.firewall.v1 import firewall_pb2_grpc
from services.common.clock import Clock, SystemClock
from services.common.eventlog.ports import EventLog
from services.common.http import GrpcAuthenticator
from services.common.rpc import RpcServer, call
from services.common.storage import Database, OutboxPublisher
from services.firewall.grpc_server import FirewallServicer
from services.firewall.http_api import build_api
from services.firewall.policies import Policies
from services.firewall.settings import FirewallSettings
from services.firewall.snapshot import Snapshot
from services.firewall.storage.tables import MIGRATIONS, metadata, outbox

KEYS_TIMEOUT_S = 5.0


class AuthKeyNames:
    """`KeyNames` over auth's gRPC."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def naming(self, workspace_id: str, policy_id: str) -> Sequence[tuple[str, str]]:
        """See `ports.KeyNames`."""
        request = auth_pb2.KeysNamingRequest(
            workspace_id=workspace_id, plane=auth_pb2.PLANE_FIREWALL, policy_id=policy_id
        )
        answer = await call(self._stub.KeysNaming, request, timeout_s=KEYS_TIMEOUT_S)
        return [(key.key_id, key.name) for key in answer.keys]


@dataclass
class App:
    """The service, built and not yet started."""

    name: str
    asgi: FastAPI | None
    database: Database
    snapshot: Snapshot
    publisher: OutboxPublisher
    servicer: FirewallServicer

    def register(self, server: RpcServer) -> None:
        """Adds the gRPC service."""
        firewall_pb2_grpc.add_FirewallServiceServicer_to_server(self.servicer, server)

    async def start(self) -> None:
        """Loads the snapshot and starts polling and publishing."""
        await self.snapshot.start()
        await self.publisher.start()

    async def stop(self) -> None:
        """Publishes what is left and closes the database."""
        await self.snapshot.stop()
        await self.publisher.stop()
        await self.database.close()

    def ready(self) -> dict[str, bool]:
        """Ready while requests would be judged."""
        return {"firewall_snapshot": self.snapshot.ready()}


async def build(
    settings: FirewallSettings,
    *,
    channels: Callable[[str], grpc.aio.Channel],
    log: EventLog,
    database_url: str,
    clock: Clock | None = None,
) -> App:
    """Opens and migrates the database, wires everything. Raises Unavailable."""
    clock = clock or SystemClock()
    database = await Database.open(database_url, service="firewall")
    await database.migrate(metadata, MIGRATIONS)
    snapshot = Snapshot(database, clock, max_age_s=settings.policy_snapshot_max_age_s)
    publisher = OutboxPublisher(database, outbox, log.producer("firewall"), clock)
    auth = auth_pb2_grpc.AuthServiceStub(channels("auth"))
    policies = Policies(database, snapshot, publisher, AuthKeyNames(auth), clock)
    return App(
        name="firewall",
        asgi=build_api(policies, snapshot, GrpcAuthenticator(auth)),
        database=database,
        snapshot=snapshot,
        publisher=publisher,
        servicer=FirewallServicer(snapshot, policies),
    )
