"""Composition root of firewall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import grpc.aio
from fastapi import FastAPI
from starlette.routing import Route

from orca.analytics.v1 import analytics_pb2_grpc
from orca.auth.v1 import auth_pb2, auth_pb2_grpc
from orca.firewall.v1 import firewall_pb2_grpc
from orca.guardrail.v1 import guardrail_pb2_grpc
from orca.ledger.v1 import ledger_pb2_grpc
from services.common.clock import Clock, SystemClock
from services.common.eventlog.ports import EventLog
from services.common.http import GrpcAuthenticator
from services.common.key_names import AuthKeyNames
from services.common.networks import parse_networks
from services.common.rpc import RpcServer
from services.common.storage import Database, OutboxPublisher
from services.firewall.approvals import Approvals
from services.firewall.approvals_api import add_approvals
from services.firewall.charges import LedgerCharges
from services.firewall.counters import Counters
from services.firewall.entities import Entities
from services.firewall.evaluation import Evaluator
from services.firewall.gateway import Gateway
from services.firewall.grpc_server import FirewallServicer
from services.firewall.hook_api import add_hooks
from services.firewall.hooks import Hooks
from services.firewall.housekeeping import Housekeeping
from services.firewall.http_api import build_api
from services.firewall.lookups import NameLookups
from services.firewall.mcp.gateway import PATH as MCP_PATH
from services.firewall.mcp.gateway import McpGateway
from services.firewall.mcp.results import Results
from services.firewall.mcp.servers import Servers
from services.firewall.mcp.servers_api import add_servers
from services.firewall.policies import Policies
from services.firewall.posture import Postures
from services.firewall.posture_api import add_posture
from services.firewall.redeeming import Redeemer
from services.firewall.settings import FirewallSettings
from services.firewall.simulation import Simulator
from services.firewall.snapshot import Snapshot
from services.firewall.storage.tables import MIGRATIONS, outbox
from services.firewall.vault import Vault
from services.firewall.webhooks import Sender


@dataclass
class App:
    """The service, built and not yet started."""

    name: str
    asgi: FastAPI | None
    database: Database
    snapshot: Snapshot
    publisher: OutboxPublisher
    servicer: FirewallServicer
    sender: Sender
    housekeeping: Housekeeping
    mcp: McpGateway

    def register(self, server: RpcServer) -> None:
        """Adds the gRPC service."""
        firewall_pb2_grpc.add_FirewallServiceServicer_to_server(self.servicer, server)

    async def start(self) -> None:
        """Loads the snapshot and starts polling, publishing, sending and housekeeping."""
        await self.snapshot.start()
        await self.publisher.start()
        await self.sender.start()
        await self.mcp.start()
        await self.housekeeping.start()

    async def stop(self) -> None:
        """Publishes what is left and closes the database."""
        await self.housekeeping.stop()
        await self.mcp.stop()
        await self.sender.stop()
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
    """Opens and migrates the database, wires everything. Raises Unavailable, or ValueError on a missing secret."""
    clock = clock or SystemClock()
    vault = Vault(settings.firewall_secret.get_secret_value())
    auth = auth_pb2_grpc.AuthServiceStub(channels("auth"))
    gateway = Gateway(auth, settings.key_pepper.get_secret_value(), clock)
    database = await Database.open(database_url, service="firewall")
    await database.migrate(MIGRATIONS)
    snapshot = Snapshot(database, clock, max_age_s=settings.policy_snapshot_max_age_s)
    publisher = OutboxPublisher(database, outbox, log.producer("firewall"), clock)
    guardrail = guardrail_pb2_grpc.GuardrailServiceStub(channels("guardrail"))
    entities = Entities(guardrail)
    policies = Policies(database, snapshot, publisher, AuthKeyNames(auth, auth_pb2.PLANE_FIREWALL), entities, clock)
    sender = Sender(database, vault, clock, parse_networks(settings.upstream_allow_cidrs))
    approvals = Approvals(database, vault, publisher, clock)
    counters = Counters(database, clock)
    evaluator = Evaluator(snapshot, approvals, counters, NameLookups(clock), entities)
    charges = LedgerCharges(ledger_pb2_grpc.LedgerServiceStub(channels("ledger")))
    redeemer = Redeemer(approvals, evaluator, charges)
    hooks = Hooks(evaluator, approvals, database, publisher, clock)
    postures = Postures(database, policies, guardrail, clock)
    simulator = Simulator(analytics_pb2_grpc.AnalyticsServiceStub(channels("analytics")), clock)
    api = build_api(policies, snapshot, evaluator, vault, sender, simulator, GrpcAuthenticator(auth))
    add_approvals(api, approvals, policies, vault, clock)
    add_posture(api, postures, policies)
    allowed = parse_networks(settings.upstream_allow_cidrs)
    servers = Servers(database, vault, publisher, clock, allowed)
    add_servers(api, servers)
    mcp = McpGateway(gateway, servers, hooks, evaluator, Results(guardrail))
    api.router.routes.append(Route(MCP_PATH, endpoint=mcp, include_in_schema=False))
    add_hooks(api, gateway, hooks, approvals, clock)
    return App(
        name="firewall",
        asgi=api,
        database=database,
        snapshot=snapshot,
        publisher=publisher,
        servicer=FirewallServicer(evaluator, policies, approvals, redeemer, clock),
        sender=sender,
        mcp=mcp,
        housekeeping=Housekeeping([postures.finish, approvals.sweep, counters.sweep]),
    )
