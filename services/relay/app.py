"""Composition root of the relay."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orca.auth.v1 import auth_pb2_grpc
from orca.ledger.v1 import ledger_pb2_grpc
from orca.relay.v1 import relay_pb2_grpc
from services.common.clock import Clock, SystemClock
from services.common.eventlog.ports import EventLog
from services.common.ids import new_id
from services.common.networks import parse_networks
from services.relay.credit import LeaseCreditGate
from services.relay.directory import GrpcDirectory
from services.relay.edge.asgi import RelayAsgi
from services.relay.grpc_server import RelayServicer
from services.relay.journal import FileJournal
from services.relay.limits import LocalRateLimiter
from services.relay.pipeline.catalogue import Catalogue
from services.relay.pipeline.chat import ChatPipeline
from services.relay.pipeline.dispatch import Dispatcher
from services.relay.pipeline.gate import Gate
from services.relay.pipeline.judging import JudgePipeline, JudgeRate
from services.relay.pipeline.policy import Planes
from services.relay.settings import RelaySettings
from services.relay.upstream.echo import EchoUpstream, Upstreams
from services.relay.upstream.http import HttpUpstream

log = logging.getLogger("orca.relay")


class App:
    """The relay, ready to be hosted."""

    name = "relay"

    def __init__(
        self,
        settings: RelaySettings,
        directory: GrpcDirectory,
        credit: LeaseCreditGate,
        journal: FileJournal,
        limiter: LocalRateLimiter,
        planes: Planes,
        upstream: Upstreams,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._credit = credit
        self._journal = journal
        self._upstream = upstream
        self._clock = clock
        self._draining = False
        self._background: set[asyncio.Task[None]] = set()
        gate = Gate(
            directory,
            directory,
            limiter,
            credit,
            journal,
            clock,
            trusted_proxies=parse_networks(settings.trusted_proxies),
            max_body_bytes=settings.max_body_bytes,
        )
        # Spreads load between channels of equal priority; not a secret.
        dispatcher = Dispatcher(upstream, journal, clock, random.random)
        self._judging = JudgePipeline(
            directory,
            directory,
            limiter,
            gate,
            planes,
            dispatcher,
            journal,
            clock,
            JudgeRate(clock, settings.judge_rpm_per_key),
        )
        chat = ChatPipeline(gate, planes, dispatcher, journal, clock, self._keep)
        self.asgi = RelayAsgi(chat, Catalogue(gate, planes, journal, clock), self.ready)

    def _keep(self, task: asyncio.Task[None]) -> None:
        """Holds a reference to a background task until it ends."""
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def register(self, server: Any) -> None:
        """Adds the relay's gRPC service."""
        relay_pb2_grpc.add_RelayServiceServicer_to_server(RelayServicer(self._judging), server)

    async def start(self) -> None:
        """Settles what a predecessor left in the journal, then connects."""
        await self._journal.start()
        await self._credit.start()
        await self._credit.close_orphans(self._journal.orphans())
        await self._directory.start()

    async def stop(self) -> None:
        """Finishes what is in flight up to the grace period, flushes events, gives leases back."""
        self._draining = True
        if not await self.asgi.drain(self._settings.shutdown_grace_s):
            log.warning("stopping with requests in flight")
        if self._background:
            await asyncio.wait(self._background, timeout=self._settings.policy_deadline_ms / 1000)
        await self._upstream.close()
        # Leases close with what the journal has recorded, so it goes last.
        await self._directory.stop()
        await self._credit.stop()
        await self._journal.stop()

    def ready(self) -> dict[str, bool]:
        """Ready while keys are known and the relay is not stopping."""
        return {"accepting": not self._draining, "journal": self._journal.ready(), **self._directory.ready()}


async def build(
    settings: RelaySettings,
    *,
    channels: Callable[[str], Any],
    log: EventLog,
    state_dir: Path,
    clock: Clock | None = None,
) -> App:
    """Wires everything; nothing runs yet. `state_dir` holds the journal. Raises ValueError on a bad setting."""
    clock = clock or SystemClock()
    # An incarnation, not a replica: leases and sequences of a killed predecessor are never continued.
    replica_id = new_id(settings.replica_id or "relay")
    directory = GrpcDirectory(
        auth_pb2_grpc.AuthServiceStub(channels("auth")),
        pepper=settings.key_pepper.get_secret_value().encode(),
        replica_id=replica_id,
        clock=clock,
        max_age_s=settings.key_snapshot_max_age_s,
    )
    journal = FileJournal(
        state_dir,
        log.producer(replica_id),
        replica_id=replica_id,
        clock=clock,
        bytes_max=settings.journal_max_bytes,
    )
    credit = LeaseCreditGate(
        ledger_pb2_grpc.LedgerServiceStub(channels("ledger")),
        replica_id,
        clock,
        lease_log=journal,
        workspaces=directory.workspace_ids,
    )
    directory.on_key_change(credit.key_changed)
    planes = Planes(channels("guardrail"), channels("firewall"), clock, deadline_s=settings.policy_deadline_ms / 1000)
    upstream = Upstreams(
        HttpUpstream(parse_networks(settings.upstream_allow_cidrs)),
        EchoUpstream(clock) if settings.echo_model else None,
    )
    return App(settings, directory, credit, journal, LocalRateLimiter(clock), planes, upstream, clock)
