"""The service on a SQLite file, with fakes for auth and the event log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import Request

from orca.events.v1.events_pb2 import Envelope
from services.common.errors import Unauthorized
from services.common.eventlog.ports import OutRecord
from services.common.http import Principal, Role
from services.common.storage import Database, OutboxPublisher
from services.guardrail.grpc_server import GuardrailServicer
from services.guardrail.http_api import build_api
from services.guardrail.policies import Policies
from services.guardrail.snapshot import Snapshot
from services.guardrail.storage.tables import MIGRATIONS, metadata, outbox
from tests.support.clock import ManualClock


class FakeAuthenticator:
    """`Authorization: <workspace>/<ROLE>`."""

    async def authenticate(self, request: Request, *, no_workspace: bool) -> Principal:
        workspace, _, role = request.headers.get("authorization", "").partition("/")
        if not role:
            raise Unauthorized("no credential")
        return Principal(f"user-{role.lower()}", False, workspace, Role[role], "access_token")


@dataclass
class FakeProducer:
    """Keeps what it was given."""

    records: list[OutRecord] = field(default_factory=list)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, records: Sequence[OutRecord]) -> None:
        self.records += records


@dataclass
class FakeKeyNames:
    """Keys that name a guardrail, by its id."""

    names: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    async def naming(self, workspace_id: str, guardrail_id: str) -> Sequence[tuple[str, str]]:
        return self.names.get(guardrail_id, [])


@dataclass
class Harness:
    """The wired service and its surroundings."""

    database: Database
    snapshot: Snapshot
    publisher: OutboxPublisher
    producer: FakeProducer
    keys: FakeKeyNames
    clock: ManualClock
    servicer: GuardrailServicer
    client: httpx.AsyncClient

    async def request(
        self, method: str, path: str, body: Any = None, *, who: str = "w1/DEVELOPER"
    ) -> tuple[int, dict[str, Any]]:
        answer = await self.client.request(method, path, json=body, headers={"Authorization": who})
        return answer.status_code, answer.json()

    async def create(self, **fields: Any) -> dict[str, Any]:
        status, body = await self.request("POST", "/api/guardrail", {"name": "tenant-baseline", **fields})
        assert status == 200, body
        data: dict[str, Any] = body["data"]
        return data

    async def envelopes(self) -> list[Envelope]:
        while await self.publisher.drain():
            pass
        return [Envelope.FromString(record.value) for record in self.producer.records]


@asynccontextmanager
async def harness(directory: Path) -> AsyncIterator[Harness]:
    """A fresh service."""
    database = await Database.open(f"sqlite:///{directory}/guardrail.db", service="guardrail")
    await database.migrate(metadata, MIGRATIONS)
    clock = ManualClock()
    snapshot = Snapshot(database, clock, max_age_s=60.0)
    await snapshot.refresh()
    producer, keys = FakeProducer(), FakeKeyNames()
    publisher = OutboxPublisher(database, outbox, producer, clock)
    policies = Policies(database, snapshot, publisher, keys, clock)
    servicer = GuardrailServicer(snapshot, policies, b"k" * 32)
    transport = httpx.ASGITransport(app=build_api(policies, FakeAuthenticator()))
    async with httpx.AsyncClient(transport=transport, base_url="http://guardrail") as client:
        yield Harness(database, snapshot, publisher, producer, keys, clock, servicer, client)
    await database.close()
