"""The service on a SQLite file, with fakes for auth and the event log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import Request

from orca.events.v1.events_pb2 import Envelope
from services.common.errors import Invalid, Unauthorized
from services.common.eventlog.ports import OutRecord
from services.common.http import Principal, Role
from services.common.networks import parse_networks
from services.common.storage import Database, OutboxPublisher
from services.guardrail.domain.drafts import Limits
from services.guardrail.grpc_server import GuardrailServicer
from services.guardrail.http_api import build_api
from services.guardrail.policies import Policies
from services.guardrail.ports import Question, Webhook
from services.guardrail.rulings import Rulings
from services.guardrail.sealing import SecretBox
from services.guardrail.snapshot import Snapshot
from services.guardrail.storage.tables import MIGRATIONS, outbox
from services.guardrail.suppressions import Suppressions
from services.guardrail.trials import Trials
from services.guardrail.webhook import HttpWebhook
from tests.support.clock import ManualClock

KEY = b"k" * 32
LOOPBACK = parse_networks("127.0.0.0/8,::1/128")


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
class FakeJudge:
    """Answers with `words`, or fails with `error`; keeps the questions."""

    words: str = '{"violation": false}'
    error: Exception | None = None
    late: bool = False
    questions: list[Question] = field(default_factory=list)

    async def ask(self, question: Question, timeout_s: float) -> str:
        self.questions.append(question)
        if self.late:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return self.words


@dataclass
class FakeRecorded:
    """Recorded rows, by table. `captured` None: analytics keeps no captures."""

    matches: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    captured: list[dict[str, Any]] | None = None
    then: dict[tuple[str, str], str] = field(default_factory=dict)
    requests: int = 0
    late: asyncio.Event | None = None
    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def match(self, workspace_id: str, match_id: str) -> Mapping[str, Any] | None:
        return self.matches.get((workspace_id, match_id))

    async def captures(self, workspace_id: str, since_us: int, cursor: str) -> tuple[Sequence[Mapping[str, Any]], str]:
        self.asked.release()
        if self.late is not None:
            await self.late.wait()
        if self.captured is None:
            raise Invalid("table: must be one of matches", param="table")
        start = int(cursor or "0")
        end = start + 2
        return self.captured[start:end], str(end) if end < len(self.captured) else ""

    async def outcomes(self, workspace_id: str, since_us: int, most: int) -> tuple[Mapping[tuple[str, str], str], bool]:
        return self.then, False

    async def request_count(self, workspace_id: str, since_us: int, most: int) -> int:
        return min(self.requests, most)


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
    judge: FakeJudge
    recorded: FakeRecorded
    webhook: HttpWebhook

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
async def harness(directory: Path, asked: Webhook | None = None) -> AsyncIterator[Harness]:
    """A fresh service. `asked`: what answers for webhooks instead of real ones."""
    database = await Database.open(f"sqlite:///{directory}/guardrail.db", service="guardrail")
    await database.migrate(MIGRATIONS)
    clock = ManualClock()
    box = SecretBox("", KEY)
    snapshot = Snapshot(database, clock, box, max_age_s=60.0)
    await snapshot.refresh()
    producer, keys = FakeProducer(), FakeKeyNames()
    publisher = OutboxPublisher(database, outbox, producer, clock)
    policies = Policies(database, snapshot, publisher, keys, clock, box, Limits(timeout_max_ms=4500, dialled=LOOPBACK))
    judge, webhook, recorded = FakeJudge(), HttpWebhook(LOOPBACK, clock), FakeRecorded()
    servicer = GuardrailServicer(snapshot, policies, Rulings(judge, asked or webhook, deadline_ms=5000), KEY)
    trials = Trials(policies, recorded, clock, KEY)
    suppressions = Suppressions(database, snapshot, publisher, recorded, clock)
    transport = httpx.ASGITransport(app=build_api(policies, trials, suppressions, FakeAuthenticator()))
    async with httpx.AsyncClient(transport=transport, base_url="http://guardrail") as client:
        yield Harness(database, snapshot, publisher, producer, keys, clock, servicer, client, judge, recorded, webhook)
    await webhook.close()
    await database.close()
