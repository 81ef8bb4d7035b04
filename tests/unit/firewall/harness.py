"""The service on a SQLite file, with fakes for auth and the event log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import Request

from orca.common.v1.common_pb2 import RequestContext
from orca.events.v1.events_pb2 import Envelope
from orca.firewall.v1 import firewall_pb2 as pb
from services.common.errors import Unauthorized
from services.common.eventlog.ports import OutRecord
from services.common.http import Principal, Role
from services.common.storage import Database, OutboxPublisher
from services.firewall.grpc_server import FirewallServicer
from services.firewall.http_api import BASE, build_api
from services.firewall.policies import Policies
from services.firewall.snapshot import Snapshot
from services.firewall.storage.tables import MIGRATIONS, metadata, outbox
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
    """Keys that name a policy, by its id."""

    names: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    async def naming(self, workspace_id: str, policy_id: str) -> Sequence[tuple[str, str]]:
        return self.names.get(policy_id, [])


@dataclass
class Harness:
    """The wired service and its surroundings."""

    database: Database
    snapshot: Snapshot
    publisher: OutboxPublisher
    producer: FakeProducer
    keys: FakeKeyNames
    clock: ManualClock
    servicer: FirewallServicer
    client: httpx.AsyncClient

    async def request(
        self, method: str, path: str, body: Any = None, *, who: str = "w1/DEVELOPER"
    ) -> tuple[int, dict[str, Any]]:
        answer = await self.client.request(method, BASE + path, json=body, headers={"Authorization": who})
        return answer.status_code, answer.json()

    async def create(self, *, who: str = "w1/DEVELOPER", **fields: Any) -> dict[str, Any]:
        status, body = await self.request("POST", "/policies", {"name": "agents", **fields}, who=who)
        assert status == 200, body
        data: dict[str, Any] = body["data"]
        return data

    async def evaluate(
        self,
        *calls: tuple[str, str],
        surface: pb.Surface.ValueType = pb.SURFACE_RESPONSE,
        policy_id: str = "",
        workspace_id: str = "w1",
    ) -> pb.EvaluateResponse:
        request = pb.EvaluateRequest(
            context=RequestContext(workspace_id=workspace_id, key_id="key_1", request_id="req_1"),
            firewall_policy_id=policy_id,
            surface=surface,
            calls=[pb.ToolCall(tool_name=name, arguments_json=arguments) for name, arguments in calls],
        )
        return await self.servicer.Evaluate(request, None)

    async def envelopes(self) -> list[Envelope]:
        while await self.publisher.drain():
            pass
        return [Envelope.FromString(record.value) for record in self.producer.records]


@asynccontextmanager
async def harness(directory: Path) -> AsyncIterator[Harness]:
    """A fresh service."""
    database = await Database.open(f"sqlite:///{directory}/firewall.db", service="firewall")
    await database.migrate(metadata, MIGRATIONS)
    clock = ManualClock()
    snapshot = Snapshot(database, clock, max_age_s=60.0)
    await snapshot.refresh()
    producer, keys = FakeProducer(), FakeKeyNames()
    publisher = OutboxPublisher(database, outbox, producer, clock)
    policies = Policies(database, snapshot, publisher, keys, clock)
    servicer = FirewallServicer(snapshot, policies)
    transport = httpx.ASGITransport(app=build_api(policies, snapshot, FakeAuthenticator()))
    async with httpx.AsyncClient(transport=transport, base_url="http://firewall") as client:
        yield Harness(database, snapshot, publisher, producer, keys, clock, servicer, client)
    await database.close()
