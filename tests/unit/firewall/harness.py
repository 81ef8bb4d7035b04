"""The service as its composition root builds it, on a SQLite file; auth and the ledger are fakes behind real stubs."""

from __future__ import annotations

import base64
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from orca.auth.v1 import auth_pb2, auth_pb2_grpc
from orca.common.v1.common_pb2 import RequestContext
from orca.events.v1.events_pb2 import Envelope
from orca.firewall.v1 import firewall_pb2 as pb
from orca.firewall.v1 import firewall_pb2_grpc
from orca.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from services.common.errors import NotFound, Unauthorized
from services.common.eventlog.ports import OutRecord
from services.common.http import Role
from services.common.rpc.loopback import LoopbackChannel, LoopbackServer
from services.firewall.app import App, build
from services.firewall.http_api import BASE
from services.firewall.settings import FirewallSettings
from tests.support.clock import ManualClock

SECRET = base64.b64encode(b"s" * 32).decode()
PEPPER = "p" * 32
HOOKS = "/api/v1/firewall"


@dataclass
class FakeProducer:
    """Keeps what it was given."""

    records: list[OutRecord] = field(default_factory=list)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, records: Sequence[OutRecord]) -> None:
        self.records += records


class FakeLog:
    """An event log that only produces."""

    def __init__(self) -> None:
        self.made = FakeProducer()

    def producer(self, name: str) -> FakeProducer:
        return self.made


class FakeAuth(auth_pb2_grpc.AuthServiceServicer):
    """`Authorization: <workspace>/<ROLE>`; keys by their plaintext; keys that name a policy by its id."""

    def __init__(self) -> None:
        self.names: dict[str, list[tuple[str, str]]] = {}
        self.keys: dict[str, auth_pb2.KeyRecord] = {}

    def add_key(self, secret: str, **fields: Any) -> auth_pb2.KeyRecord:
        record = auth_pb2.KeyRecord(
            **{
                "key_id": f"key_{secret}",
                "workspace_id": "w1",
                "account_id": f"acc_{secret}",
                "owner_user_id": "owner",
                "enabled": True,
                "expires_at_unix_s": -1,
                **fields,
            }
        )
        self.keys[secret] = record
        return record

    async def Authenticate(self, request: Any, context: Any) -> auth_pb2.AuthenticateResponse:
        workspace, _, role = request.authorization.partition("/")
        if role not in Role.__members__:
            raise Unauthorized("no credential")
        value = auth_pb2.Role.ValueType(Role[role])
        return auth_pb2.AuthenticateResponse(
            user_id=f"user-{role.lower()}", workspace_id=workspace, role=value, credential="access_token"
        )

    async def KeysNaming(self, request: Any, context: Any) -> auth_pb2.KeysNamingResponse:
        found = self.names.get(request.policy_id, [])
        return auth_pb2.KeysNamingResponse(keys=[auth_pb2.NamedKey(key_id=i, name=n) for i, n in found])

    async def ResolveKey(self, request: Any, context: Any) -> auth_pb2.ResolveKeyResponse:
        for secret, key in self.keys.items():
            by_hash = hmac.digest(PEPPER.encode(), secret.encode(), "sha256") == request.secret_hash
            if by_hash or (
                not request.secret_hash and (key.key_id, key.workspace_id) == (request.key_id, request.workspace_id)
            ):
                return auth_pb2.ResolveKeyResponse(key=key)
        raise NotFound("no such key", code="invalid_api_key")


class FakeLedger(ledger_pb2_grpc.LedgerServiceServicer):
    """Charges each approval once, unless told to refuse."""

    def __init__(self) -> None:
        self.charged: list[ledger_pb2.RedeemRequest] = []
        self.refusal = ledger_pb2.REFUSAL_UNSPECIFIED

    async def Redeem(self, request: ledger_pb2.RedeemRequest, context: Any) -> ledger_pb2.RedeemResponse:
        if self.refusal:
            return ledger_pb2.RedeemResponse(refusal=self.refusal, needed_nano_usd=2_000_000_000)
        self.charged.append(request)
        return ledger_pb2.RedeemResponse(settled_nano_usd=1)


@dataclass
class Harness:
    """The built service and its surroundings."""

    app: App
    producer: FakeProducer
    keys: FakeAuth
    ledger: FakeLedger
    clock: ManualClock
    firewall: Any
    client: httpx.AsyncClient

    async def request(
        self, method: str, path: str, body: Any = None, *, who: str = "w1/DEVELOPER"
    ) -> tuple[int, dict[str, Any]]:
        answer = await self.client.request(method, BASE + path, json=body, headers={"Authorization": who})
        return answer.status_code, answer.json()

    async def hook(
        self, method: str, path: str, body: Any = None, *, secret: str = "gate", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        sent = {"Authorization": f"Bearer {secret}", **(headers or {})}
        answer = await self.client.request(method, HOOKS + path, json=body, headers=sent)
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
        key_id: str = "key_1",
        request_id: str = "req_1",
        run_id: str = "run_1",
        worst_case_nano_usd: int = 0,
    ) -> pb.EvaluateResponse:
        request = pb.EvaluateRequest(
            context=RequestContext(workspace_id=workspace_id, key_id=key_id, request_id=request_id, run_id=run_id),
            firewall_policy_id=policy_id,
            surface=surface,
            calls=[pb.ToolCall(tool_name=name, arguments_json=arguments) for name, arguments in calls],
            worst_case_nano_usd=worst_case_nano_usd,
        )
        answer: pb.EvaluateResponse = await self.firewall.Evaluate(request, timeout=30)
        return answer

    async def envelopes(self) -> list[Envelope]:
        while await self.app.publisher.drain():
            pass
        return [Envelope.FromString(record.value) for record in self.producer.records]


@asynccontextmanager
async def harness(
    directory: Path,
    *,
    database_url: str | None = None,
    clock: ManualClock | None = None,
    guardrail: LoopbackServer | None = None,
    analytics: LoopbackServer | None = None,
    **settings: Any,
) -> AsyncIterator[Harness]:
    """A fresh service, or another replica on the same database. Its loops do not run: tests call what they would."""
    clock, log, auth, ledger = clock or ManualClock(), FakeLog(), FakeAuth(), FakeLedger()
    servers = {name: LoopbackServer() for name in ("auth", "ledger", "guardrail", "analytics", "firewall")}
    servers |= {"guardrail": guardrail or servers["guardrail"], "analytics": analytics or servers["analytics"]}
    auth_pb2_grpc.add_AuthServiceServicer_to_server(auth, servers["auth"])
    ledger_pb2_grpc.add_LedgerServiceServicer_to_server(ledger, servers["ledger"])
    app = await build(
        FirewallSettings(
            firewall_secret=SecretStr(SECRET),
            key_pepper=SecretStr(PEPPER),
            **{"upstream_allow_cidrs": "127.0.0.0/8,::1/128", **settings},
        ),
        channels=lambda name: LoopbackChannel(servers[name]),  # type: ignore[arg-type, return-value]
        log=log,  # type: ignore[arg-type]
        database_url=database_url or f"sqlite:///{directory}/firewall.db",
        clock=clock,
    )
    app.register(servers["firewall"])
    await app.snapshot.refresh()
    auth.add_key("gate", is_firewall_gateway=True)
    auth.add_key("tenant")
    assert app.asgi is not None
    transport = httpx.ASGITransport(app=app.asgi)
    stub = firewall_pb2_grpc.FirewallServiceStub(LoopbackChannel(servers["firewall"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://firewall") as client:
        yield Harness(app, log.made, auth, ledger, clock, stub, client)
    await app.sender.stop()
    await app.database.close()
