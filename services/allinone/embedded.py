"""The embedded profile: every service's App in one process, over loopback channels and local files.

Start order follows the call graph (auth first, console last); stop is the reverse, so that the relay drains
while everything it needs still answers. One process per state directory: chDB and the log admit one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
from pydantic import SecretStr

from services.allinone.hosting import HttpServer, address, listen, with_health
from services.allinone.profile import ProfileSettings, Settings
from services.allinone.secrets import load_or_create
from services.allinone.sqlite_log import SqliteEventLog
from services.analytics.app import build as build_analytics
from services.auth.app import build as build_auth
from services.common.clock import SystemClock
from services.common.rpc import LoopbackChannel, LoopbackServer
from services.common.telemetry import metrics_app
from services.common.tracing import configure_tracing
from services.console.app import build as build_console
from services.firewall.app import build as build_firewall
from services.guardrail.app import build as build_guardrail
from services.ledger.app import build as build_ledger
from services.relay.app import build as build_relay
from services.relay.edge.reply import error_body as relay_error_body

LOOPBACK_CIDRS = "127.0.0.0/8,::1/128"
SERVICES = ("auth", "guardrail", "firewall", "ledger", "analytics", "relay")


class App(Protocol):
    """What every service's composition root returns."""

    asgi: Any

    def register(self, server: Any) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def ready(self) -> Mapping[str, bool]: ...


class StateLocked(Exception):
    """Another process uses the state directory."""


def lock_state(home: Path) -> int:
    """Creates the directory (mode 0700) and takes its lock; returns the descriptor that holds it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StateLocked(f"another Orca process uses {home} (ORCA_HOME)") from None
    return descriptor


def embedded_settings(settings: Settings) -> Settings:
    """The same settings with local secrets, the echo model and loopback upstreams."""
    secrets = {name: SecretStr(value) for name, value in load_or_create(settings.profile.home).items()}
    cidrs = ",".join(filter(None, (LOOPBACK_CIDRS, settings.profile.upstream_allow_cidrs)))
    return settings.replace(secrets=secrets, upstream_allow_cidrs=cidrs, echo_model=True)


@dataclass
class Embedded:
    """A running embedded profile."""

    profile: ProfileSettings
    apps: dict[str, Any]
    log: SqliteEventLog
    servers: list[HttpServer]
    relay_address: str
    management_address: str
    started: list[Any] = field(default_factory=list)
    first_access: Any = None

    async def start(self) -> None:
        """Starts services in call order, then the ports."""
        for app in self.apps.values():
            await app.start()
            self.started.append(app)
        # Before the ports open: whoever sees the process ready can log in.
        self.first_access = await self.apps["auth"].bootstrap()
        for server in self.servers:
            await server.start()

    async def stop(self) -> None:
        """Stops the ports, then the services in reverse order."""
        for server in self.servers:
            await server.stop()
        for app in reversed(self.started):
            await app.stop()
        await self.log.stop()


async def build(settings: Settings) -> Embedded:
    """Wires everything; nothing runs yet. Raises BindError, StateLocked or OrcaErrors."""
    settings = embedded_settings(settings)
    profile = settings.profile
    if profile.otlp_endpoint:
        configure_tracing("embedded", profile.otlp_endpoint)
    relay_sock = listen(profile.relay_bind, "ORCA_RELAY_BIND")
    management_sock = listen(profile.management_bind, "ORCA_MANAGEMENT_BIND")
    metrics_sock = listen(profile.metrics_bind, "ORCA_METRICS_BIND")
    clock = SystemClock()
    log = SqliteEventLog(profile.home / "events.db", clock)
    await log.start()
    await log.ensure_topics()
    servers = {name: LoopbackServer() for name in SERVICES}

    def channels(name: str) -> Any:
        return LoopbackChannel(servers[name])

    def url(name: str) -> str:
        return f"sqlite:///{(profile.home / f'{name}.db').absolute()}"

    apps: dict[str, Any] = {}
    builders: dict[str, Any] = {
        "auth": build_auth,
        "guardrail": build_guardrail,
        "firewall": build_firewall,
        "ledger": build_ledger,
        "analytics": build_analytics,
    }
    for name, builder in builders.items():
        apps[name] = await builder(settings.of(name), channels=channels, log=log, database_url=url(name), clock=clock)
    apps["relay"] = await build_relay(
        settings.of("relay"), channels=channels, log=log, state_dir=profile.home / "relay", clock=clock
    )
    for name in SERVICES:
        apps[name].register(servers[name])
    upstreams = {
        name: httpx.AsyncClient(
            transport=httpx.ASGITransport(with_health(apps[name].asgi, apps[name].ready)), base_url=f"http://{name}"
        )
        for name in builders
    }
    apps["console"] = await build_console(settings.of("console"), upstreams=upstreams)
    grace = profile.shutdown_grace_s
    return Embedded(
        profile,
        apps,
        log,
        [
            HttpServer(apps["relay"].asgi, relay_sock, grace_s=grace, error_body=relay_error_body),
            HttpServer(apps["console"].asgi, management_sock, grace_s=grace),
            HttpServer(metrics_app, metrics_sock, grace_s=1),
        ],
        address(relay_sock),
        address(management_sock),
    )


def banner(running: Embedded, command: str) -> str:
    """What to print once ready: URLs always; credentials only on the first start. `command` starts orca here."""
    relay, management = f"http://{running.relay_address}", f"http://{running.management_address}"
    lines = ["Orca is ready.", f"  relay URL       {relay}/v1", f"  management URL  {management}"]
    first = running.first_access
    if first is None:
        lines += [
            f"  regain access   {command} admin reset-password · {command} admin new-key",
        ]
        return "\n".join(lines)
    body = '{"model": "orca/echo", "messages": [{"role": "user", "content": "Hello, Orca"}]}'
    lines += [
        f"  administrator   {first.email}",
        f"  password        {first.password or '(as set by ORCA_BOOTSTRAP_ADMIN_PASSWORD)'}",
        f"  relay key       {first.key}   (cap $5)",
        "",
        "Try it:",
        f"  curl {relay}/v1/chat/completions -H 'Authorization: Bearer {first.key}' "
        f"-H 'Content-Type: application/json' -d '{body}'",
    ]
    return "\n".join(lines)
