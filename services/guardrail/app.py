"""Composition root of guardrail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio
from fastapi import FastAPI

from orca.auth.v1 import auth_pb2, auth_pb2_grpc
from orca.guardrail.v1 import guardrail_pb2_grpc
from services.common.clock import Clock, SystemClock
from services.common.eventlog.ports import EventLog
from services.common.http import GrpcAuthenticator
from services.common.rpc import RpcServer, call
from services.common.storage import Database, OutboxPublisher
from services.guardrail.grpc_server import GuardrailServicer
from services.guardrail.http_api import build_api
from services.guardrail.policies import Policies
from services.guardrail.settings import GuardrailSettings
from services.guardrail.snapshot import Snapshot
from services.guardrail.storage.tables import MIGRATIONS, metadata, outbox

KEYS_TIMEOUT_S = 5.0
_KEY_MIN = 32


class AuthKeyNames:
    """`KeyNames` over auth's gRPC."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def naming(self, workspace_id: str, guardrail_id: str) -> Sequence[tuple[str, str]]:
        """See `ports.KeyNames`."""
        request = auth_pb2.KeysNamingRequest(
            workspace_id=workspace_id, plane=auth_pb2.PLANE_GUARDRAIL, policy_id=guardrail_id
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
    servicer: GuardrailServicer

    def register(self, server: RpcServer) -> None:
        """Adds the gRPC service."""
        guardrail_pb2_grpc.add_GuardrailServiceServicer_to_server(self.servicer, server)

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
        return {"guardrail_snapshot": self.snapshot.ready()}


async def build(
    settings: GuardrailSettings,
    *,
    channels: Callable[[str], grpc.aio.Channel],
    log: EventLog,
    database_url: str,
    clock: Clock | None = None,
) -> App:
    """Opens and migrates the database, wires everything. Raises Unavailable, or ValueError on a missing secret."""
    clock = clock or SystemClock()
    key = fingerprint_key(settings)
    database = await Database.open(database_url, service="guardrail")
    await database.migrate(metadata, MIGRATIONS)
    snapshot = Snapshot(database, clock, max_age_s=settings.policy_snapshot_max_age_s)
    publisher = OutboxPublisher(database, outbox, log.producer("guardrail"), clock)
    auth = auth_pb2_grpc.AuthServiceStub(channels("auth"))
    policies = Policies(database, snapshot, publisher, AuthKeyNames(auth), clock)
    return App(
        name="guardrail",
        asgi=build_api(policies, GrpcAuthenticator(auth)),
        database=database,
        snapshot=snapshot,
        publisher=publisher,
        servicer=GuardrailServicer(snapshot, policies, key),
    )


def fingerprint_key(settings: GuardrailSettings) -> bytes:
    """The key of match fingerprints. Raises ValueError when it is missing or short."""
    configured = settings.fingerprint_secret.get_secret_value()
    if len(configured) < _KEY_MIN:
        raise ValueError(f"ORCA_FINGERPRINT_SECRET must be set and have at least {_KEY_MIN} characters")
    return configured.encode()
