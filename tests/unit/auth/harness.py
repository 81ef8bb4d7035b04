"""Auth on SQLite and the embedded log, with the planes and the ledger as small servers that a test fills."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from orca.auth.v1 import auth_pb2_grpc
from orca.common.v1.common_pb2 import PolicyExistsResponse
from orca.events.v1.events_pb2 import Envelope
from orca.firewall.v1 import firewall_pb2, firewall_pb2_grpc
from orca.guardrail.v1 import guardrail_pb2, guardrail_pb2_grpc
from orca.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from services.allinone.sqlite_log import SqliteEventLog
from services.auth.app import App, build
from services.auth.settings import AuthSettings
from services.common.eventlog import topics
from services.common.rpc import LoopbackChannel, LoopbackServer
from tests.support.clock import ManualClock

on_both = pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
"""For what leans on the database: concurrent writers, upserts, row values in paging."""

TOKEN = "orca-at-" + "t" * 43


class Guardrails(guardrail_pb2_grpc.GuardrailServiceServicer):
    """Knows policies by id."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    async def PolicyExists(self, request: Any, context: Any) -> guardrail_pb2.PolicyExistsResponse:
        exists = request.policy.policy_id in self.known
        return guardrail_pb2.PolicyExistsResponse(policy=PolicyExistsResponse(exists=exists))


class Firewalls(firewall_pb2_grpc.FirewallServiceServicer):
    """Knows policies by id."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    async def PolicyExists(self, request: Any, context: Any) -> firewall_pb2.PolicyExistsResponse:
        exists = request.policy.policy_id in self.known
        return firewall_pb2.PolicyExistsResponse(policy=PolicyExistsResponse(exists=exists))


class Ledgers(ledger_pb2_grpc.LedgerServiceServicer):
    """Answers with the amounts it was given, zero for accounts it does not know."""

    def __init__(self) -> None:
        self.amounts: dict[str, dict[str, int]] = {}

    async def Balance(self, request: Any, context: Any) -> ledger_pb2.BalanceResponse:
        accounts = [
            ledger_pb2.AccountBalance(account_id=account_id, **self.amounts.get(account_id, {}))
            for account_id in request.account_ids
        ]
        return ledger_pb2.BalanceResponse(accounts=accounts)


@dataclass
class World:
    """Auth and its neighbours."""

    app: App
    http: httpx.AsyncClient
    clock: ManualClock
    log: SqliteEventLog
    servers: dict[str, LoopbackServer]
    stub: Any
    guardrails: Guardrails = field(default_factory=Guardrails)
    firewalls: Firewalls = field(default_factory=Firewalls)
    ledgers: Ledgers = field(default_factory=Ledgers)

    async def call(self, method: str, path: str, **kwargs: Any) -> Any:
        """`data` of a call that must succeed."""
        answer = await self.http.request(method, path, **kwargs)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json()["data"]

    async def key(self, **fields: Any) -> Any:
        """A new key."""
        return await self.call("POST", "/api/token", json={"name": "k", **fields})


@asynccontextmanager
async def world(home: Path, database_url: str = "", *, bootstrapped: bool = True) -> AsyncIterator[World]:
    """A started auth, with its first administrator unless told otherwise; on SQLite unless told otherwise."""
    clock = ManualClock()
    log = SqliteEventLog(home / "events.db", clock)
    await log.start()
    await log.ensure_topics()
    servers = {name: LoopbackServer() for name in ("auth", "guardrail", "firewall", "ledger")}
    settings = AuthSettings(
        key_pepper=SecretStr("p" * 32),
        channel_secret=SecretStr(base64.b64encode(b"k" * 32).decode()),
        bootstrap_admin_password=SecretStr("correct horse"),
        bootstrap_access_token=SecretStr(TOKEN),
        upstream_allow_cidrs="127.0.0.0/8",
        echo_model=True,
    )
    app = await build(
        settings,
        channels=lambda name: LoopbackChannel(servers[name]),
        log=log,
        database_url=database_url or f"sqlite:///{home / 'auth.db'}",
        clock=clock,
    )
    app.register(servers["auth"])
    await app.start()
    if bootstrapped:
        await app.bootstrap()
    transport, headers = httpx.ASGITransport(app.asgi), {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as http:
        stub = auth_pb2_grpc.AuthServiceStub(LoopbackChannel(servers["auth"]))
        made = World(app, http, clock, log, servers, stub)
        guardrail_pb2_grpc.add_GuardrailServiceServicer_to_server(made.guardrails, servers["guardrail"])
        firewall_pb2_grpc.add_FirewallServiceServicer_to_server(made.firewalls, servers["firewall"])
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server(made.ledgers, servers["ledger"])
        yield made
    await app.stop()
    await log.stop()


async def until(condition: Any) -> None:
    """Waits for an effect of another task."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 (another task's effect is polled, it cannot be awaited)
            await asyncio.sleep(0.005)


async def changes(world: World, count: int) -> list[Envelope]:
    """The first configuration changes, in the order of each entity."""
    consumer = world.log.consumer("test", [topics.CONFIG])
    await consumer.start()
    found: list[Envelope] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += [Envelope.FromString(record.value) for record in await consumer.poll(100, 0.5)]
    await consumer.stop()
    return found
