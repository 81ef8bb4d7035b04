"""Composition root of guardrail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import grpc.aio
from fastapi import FastAPI

from orca.analytics.v1 import analytics_pb2_grpc
from orca.auth.v1 import auth_pb2, auth_pb2_grpc
from orca.guardrail.v1 import guardrail_pb2_grpc
from orca.relay.v1 import relay_pb2_grpc
from services.common.clock import Clock, SystemClock
from services.common.eventlog.ports import EventLog
from services.common.http import GrpcAuthenticator
from services.common.key_names import AuthKeyNames
from services.common.networks import parse_networks
from services.common.rpc import RpcServer
from services.common.storage import Database, OutboxPublisher
from services.guardrail.domain import databases, gate, secrets
from services.guardrail.domain.attack import scorer
from services.guardrail.domain.draft_fields import MIN_TIMEOUT_MS, Limits
from services.guardrail.grpc_server import GuardrailServicer
from services.guardrail.http_api import build_api
from services.guardrail.judging import RelayJudge
from services.guardrail.kept import Directory
from services.guardrail.policies import Policies
from services.guardrail.recorded import Recorded
from services.guardrail.rulings import MARGIN_MS, Rulings
from services.guardrail.sealing import SecretBox
from services.guardrail.settings import GuardrailSettings
from services.guardrail.snapshot import Snapshot
from services.guardrail.storage.tables import MIGRATIONS, outbox
from services.guardrail.suppressions import Suppressions
from services.guardrail.trials import Trials
from services.guardrail.webhook import HttpWebhook

_KEY_MIN = 32


@dataclass
class App:
    """The service, built and not yet started."""

    name: str
    asgi: FastAPI | None
    database: Database
    snapshot: Snapshot
    publisher: OutboxPublisher
    servicer: GuardrailServicer
    webhook: HttpWebhook
    _warming: asyncio.Task[None] | None = None

    def register(self, server: RpcServer) -> None:
        """Adds the gRPC service."""
        guardrail_pb2_grpc.add_GuardrailServiceServicer_to_server(self.servicer, server)

    async def start(self) -> None:
        """Loads or compiles the catalogue's automata, loads the snapshot and starts polling and publishing.

        Compiling the automaton of attacks takes seconds, so that happens behind the start; a guardrail that has such
        a rule waits for its own.
        """
        await asyncio.gather(*(asyncio.to_thread(warm) for warm in (gate.warm, secrets.warm)))
        await self.snapshot.start()
        await self.publisher.start()
        self._warming = asyncio.create_task(asyncio.to_thread(scorer.warm))

    async def stop(self) -> None:
        """Publishes what is left and closes the database."""
        if self._warming is not None:
            await self._warming
        await self.snapshot.stop()
        await self.publisher.stop()
        await self.webhook.close()
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
    kept = settings.automata_dir.strip()
    databases.keep_in(Directory(kept) if kept else None)
    key = fingerprint_key(settings)
    database = await Database.open(database_url, service="guardrail")
    await database.migrate(MIGRATIONS)
    box = SecretBox(settings.rule_secret.get_secret_value(), key)
    snapshot = Snapshot(database, clock, box, max_age_s=settings.policy_snapshot_max_age_s)
    publisher = OutboxPublisher(database, outbox, log.producer("guardrail"), clock)
    auth = auth_pb2_grpc.AuthServiceStub(channels("auth"))
    allowed = parse_networks(settings.upstream_allow_cidrs)
    limits = Limits(timeout_max_ms=max(MIN_TIMEOUT_MS, settings.policy_deadline_ms - MARGIN_MS), dialled=allowed)
    policies = Policies(database, snapshot, publisher, AuthKeyNames(auth, auth_pb2.PLANE_GUARDRAIL), clock, box, limits)
    webhook = HttpWebhook(allowed, clock)
    judge = RelayJudge(relay_pb2_grpc.RelayServiceStub(channels("relay")))
    rulings = Rulings(judge, webhook, deadline_ms=settings.policy_deadline_ms)
    recorded = Recorded(analytics_pb2_grpc.AnalyticsServiceStub(channels("analytics")))
    trials = Trials(policies, recorded, clock, key)
    suppressions = Suppressions(database, snapshot, publisher, recorded, clock)
    return App(
        name="guardrail",
        asgi=build_api(policies, trials, suppressions, GrpcAuthenticator(auth)),
        database=database,
        snapshot=snapshot,
        publisher=publisher,
        servicer=GuardrailServicer(snapshot, policies, rulings, key),
        webhook=webhook,
    )


def fingerprint_key(settings: GuardrailSettings) -> bytes:
    """The key of match fingerprints. Raises ValueError when it is missing or short."""
    configured = settings.fingerprint_secret.get_secret_value()
    if len(configured) < _KEY_MIN:
        raise ValueError(f"ORCA_FINGERPRINT_SECRET must be set and have at least {_KEY_MIN} characters")
    return configured.encode()
