"""Composition root of auth."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request

from orca.auth.v1 import auth_pb2_grpc
from orca.firewall.v1 import firewall_pb2_grpc
from orca.guardrail.v1 import guardrail_pb2_grpc
from orca.ledger.v1 import ledger_pb2_grpc
from services.auth.channel_operations import ChannelOperations
from services.auth.channels import ChannelBook
from services.auth.consumers import GROUP, AuditChain
from services.auth.crypto import CredentialBox, mint
from services.auth.domain.keys import KeyFields, apply
from services.auth.grpc_server import AuthServicer
from services.auth.http_api import account_routes, audit_routes, member_routes, settings_routes, workspace_routes
from services.auth.http_channels import channel_routes, model_routes
from services.auth.http_keys import key_routes
from services.auth.identity import Identity
from services.auth.key_operations import KeyOperations
from services.auth.operations import Operations
from services.auth.ports import GrpcLedger, GrpcPolicies
from services.auth.probe import ChannelProbe
from services.auth.settings import AuthSettings
from services.auth.storage.store import Store
from services.auth.storage.tables import MIGRATIONS, OUTBOX, USERS
from services.auth.watch import Settling, Watchers
from services.common.clock import Clock, SystemClock
from services.common.errors import NotFound, Unavailable
from services.common.eventlog import topics
from services.common.eventlog.engine import ConsumerLoop
from services.common.eventlog.ports import EventLog
from services.common.http import SESSION_COOKIE, Principal, Role, create_api
from services.common.ids import new_id
from services.common.storage import Database, OutboxPublisher
from services.common.tasks import end_task

FIRST_KEY_CAP_USD = "5"
PROBE_S, PROBE_TIMEOUT_S = 1.0, 2.0
"""How often readiness asks the database, and how long it waits."""


@dataclass(frozen=True, slots=True)
class FirstAccess:
    """What the first start made, to be printed once."""

    email: str
    password: str | None
    """None when the operator chose it."""
    key: str


class LocalAuthenticator:
    """Auth's own routes ask the identity directly."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def authenticate(self, request: Request, *, no_workspace: bool) -> Principal:
        """The caller of this request."""
        headers = request.headers
        caller = await self._identity.authenticate(
            authorization=headers.get("authorization", ""),
            session=request.cookies.get(SESSION_COOKIE, ""),
            csrf_token=headers.get("x-csrf-token", ""),
            method=request.method,
            workspace_id=headers.get("x-workspace-id", ""),
            no_workspace=no_workspace,
        )
        return Principal(caller.user.id, caller.user.is_root, caller.workspace_id, Role(caller.role), caller.credential)


class App:
    """Auth, ready to be hosted."""

    name = "auth"

    def __init__(
        self,
        settings: AuthSettings,
        store: Store,
        operations: Operations,
        keys: KeyOperations,
        servicer: AuthServicer,
        asgi: FastAPI,
        outbox: OutboxPublisher,
        audit: ConsumerLoop,
    ) -> None:
        self.asgi = asgi
        self._settings = settings
        self._store = store
        self._operations = operations
        self._keys = keys
        self._servicer = servicer
        self._outbox = outbox
        self._audit = audit
        self._reached = False
        self._probe: asyncio.Task[None] | None = None

    def register(self, server: Any) -> None:
        """Adds the gRPC service."""
        auth_pb2_grpc.add_AuthServiceServicer_to_server(self._servicer, server)

    async def start(self) -> None:
        """Starts the outbox and the audit consumer."""
        await self._outbox.start()
        await self._audit.start()
        self._reached = True
        self._probe = asyncio.create_task(self._look(), name="auth-readiness")

    def end_watches(self) -> None:
        """Ends the relays' streams, which would last for ever; they are opened again on another replica."""
        self._servicer.end_watches()

    async def stop(self) -> None:
        """Publishes what is left, closes the database."""
        self._reached = False
        await end_task(self._probe)
        await self._audit.stop()
        await self._outbox.stop()
        await self._store.database.close()

    def ready(self) -> Mapping[str, bool]:
        """Ready while the database answers: keys are resolved without the event log, and an audit consumer that
        stopped has its own alert; out of service it would take every relay with it."""
        return {"auth_database": self._reached}

    async def _look(self) -> None:
        while True:
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    await self._store.revision()
                self._reached = True
            except (Unavailable, TimeoutError):
                self._reached = False
            await asyncio.sleep(PROBE_S)

    async def bootstrap(self) -> FirstAccess | None:
        """First start: an administrator, a workspace, a key. Later starts change nothing."""
        store, settings = self._store, self._settings
        anybody = sa.select(USERS.c.id).limit(1)
        if await store.one(anybody) is not None:
            return None
        chosen = settings.bootstrap_admin_password.get_secret_value()
        password = chosen or mint("")[:20]
        email = settings.bootstrap_admin_email
        # All of it or nothing: a start that is killed in between is the first start again.
        async with store.change("system", new_id("ws")) as change:
            # Changes are serialised: of replicas that start at once, the later ones find the first one's user here.
            if (await change.tx.execute(anybody)).first() is not None:
                return None
            user_id = await self._operations.create_user(change, email, password, is_root=True)
            own = replace(change, actor_id=user_id)
            await self._operations.insert_workspace(own, "default", "standard", user_id)
            if token := settings.bootstrap_access_token.get_secret_value():
                await self._operations.insert_token(own, "bootstrap", token)
            first = {"name": "first", "credit_limit_usd": FIRST_KEY_CAP_USD}
            _, key = await self._keys.insert_key(own, apply(KeyFields(owner_user_id=user_id), first))
        await self._operations.settled(change)
        return FirstAccess(email, None if chosen else password, key)

    async def reset_password(self, email: str | None) -> tuple[str, str]:
        """(e-mail, new password) of a user; the first platform operator by default."""
        if email:
            user = await self._store.user_by_email(email)
        else:
            user = await self._store.one(
                sa.select(USERS).where(USERS.c.is_root.is_(True)).order_by(USERS.c.created_time).limit(1)
            )
        if user is None:
            raise NotFound("no such user")
        password = mint("")[:20]
        await self._operations.update_user(user.id, password=password)
        return str(user.email), password

    async def new_key(self, name: str) -> tuple[str, str]:
        """(id, plaintext) of a new capped key in the first workspace of the first platform operator."""
        user = await self._store.one(
            sa.select(USERS).where(USERS.c.is_root.is_(True)).order_by(USERS.c.created_time).limit(1)
        )
        memberships = await self._store.memberships(user.id) if user is not None else ()
        if not memberships:
            raise NotFound("the platform operator is in no workspace")
        principal = Principal(user.id, True, memberships[0].workspace_id, Role.OWNER, "operator")
        row, key = await self._keys.create_key(principal, {"name": name, "credit_limit_usd": FIRST_KEY_CAP_USD})
        return str(row.id), key


async def build(
    settings: AuthSettings,
    *,
    channels: Callable[[str], Any],
    log: EventLog,
    database_url: str,
    clock: Clock | None = None,
) -> App:
    """Opens and migrates the database, wires the service."""
    clock = clock or SystemClock()
    pepper = settings.key_pepper.get_secret_value()
    if len(pepper) < 32:
        raise ValueError("ORCA_KEY_PEPPER must be set, at least 32 characters")
    box = CredentialBox(settings.channel_secret.get_secret_value())
    database = await Database.open(database_url, service="auth")
    await database.migrate(MIGRATIONS)
    store = Store(database, clock)
    identity = Identity(store, settings.session_ttl_s)
    book = ChannelBook(store, box, echo=settings.echo_model)
    key_watch, channel_watch = Watchers(store.used), Watchers()
    outbox = OutboxPublisher(database, OUTBOX, log.producer(f"auth-{os.urandom(4).hex()}"), clock)
    policies = GrpcPolicies(
        guardrail_pb2_grpc.GuardrailServiceStub(channels("guardrail")),
        firewall_pb2_grpc.FirewallServiceStub(channels("firewall")),
    )
    ledger = GrpcLedger(ledger_pb2_grpc.LedgerServiceStub(channels("ledger")))
    settle = Settling(outbox.notify, key_watch, channel_watch)
    operations = Operations(store, settle)
    keys = KeyOperations(store, policies, pepper.encode(), settle)
    upstreams = ChannelOperations(store, box, settle)
    asgi = create_api("Orca auth", LocalAuthenticator(identity))
    asgi.include_router(account_routes(store, identity, operations, secure_cookie=settings.session_cookie_secure))
    # Before the workspaces: `members` and `settings` are no workspace's ids.
    asgi.include_router(member_routes(store, operations))
    asgi.include_router(settings_routes(store, operations))
    asgi.include_router(workspace_routes(store, operations))
    asgi.include_router(key_routes(store, keys, ledger))
    asgi.include_router(channel_routes(store, upstreams, book, ChannelProbe(settings.upstream_allow_cidrs)))
    asgi.include_router(model_routes(store, upstreams, book))
    asgi.include_router(audit_routes(store))
    servicer = AuthServicer(store, identity, book, key_watch, channel_watch)
    audit = ConsumerLoop(log, GROUP, (topics.AUDIT,), AuditChain(database), clock=clock)
    return App(settings, store, operations, keys, servicer, asgi, outbox, audit)
