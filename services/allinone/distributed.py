"""One service per process: `grpc.aio`, Kafka, PostgreSQL, ClickHouse, all by settings.

Every process serves its gRPC service on ORCA_GRPC_BIND and its HTTP on the plane it belongs to: the relay on
ORCA_RELAY_BIND, the console on ORCA_MANAGEMENT_BIND, the others on ORCA_HTTP_BIND.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from services.allinone.hosting import BindError, HttpServer, listen, settle_heap, with_health
from services.allinone.kafka_log import KafkaEventLog
from services.allinone.kafka_security import kafka_options
from services.allinone.profile import ProfileSettings, Settings
from services.analytics.app import build as build_analytics
from services.auth.app import build as build_auth
from services.common.clock import SystemClock
from services.common.errors import Invalid
from services.common.http import error_body
from services.common.rpc import GrpcServer, channel_to
from services.common.rpc.tls import RotatingChannel, TlsFiles
from services.common.settings import OrcaSettings
from services.common.telemetry import metrics_app
from services.common.tracing import configure_tracing
from services.console.app import build as build_console
from services.console.app import http_upstreams
from services.firewall.app import build as build_firewall
from services.guardrail.app import build as build_guardrail
from services.ledger.app import build as build_ledger
from services.relay.app import build as build_relay
from services.relay.edge.reply import error_body as relay_error_body

BUILDERS: dict[str, Any] = {
    "auth": build_auth,
    "guardrail": build_guardrail,
    "firewall": build_firewall,
    "ledger": build_ledger,
    "analytics": build_analytics,
}
BINDS = {"relay": ("relay_bind", "ORCA_RELAY_BIND"), "console": ("management_bind", "ORCA_MANAGEMENT_BIND")}


async def serve(settings: Settings, service: str, stop_event: Callable[[], asyncio.Event]) -> int:
    """Runs one service until signalled."""
    stop = stop_event()
    profile = settings.profile
    field, variable = BINDS.get(service, ("http_bind", "ORCA_HTTP_BIND"))
    sock = listen(getattr(profile, field), variable)
    metrics_sock = listen(profile.metrics_bind, "ORCA_METRICS_BIND")
    log = _log(settings) if service != "console" else None
    if log is not None:
        await log.start()
        await log.ensure_topics()
    if profile.otlp_endpoint:
        configure_tracing(service, profile.otlp_endpoint)
    tls = tls_files(profile)
    app = await _build(settings, service, log)
    # The planes' own ports answer their probes themselves, and stand behind an ingress that ends TLS.
    plane = (
        HttpServer(
            app.asgi,
            sock,
            grace_s=profile.shutdown_grace_s,
            error_body=relay_error_body if service == "relay" else error_body,
        )
        if service in BINDS
        else HttpServer(with_health(app.asgi, app.ready), sock, grace_s=profile.shutdown_grace_s, tls=tls)
    )
    # Probes cannot present a client certificate, so this port answers them as well.
    probes = HttpServer(with_health(metrics_app, app.ready), metrics_sock, grace_s=1)
    await app.start()
    if service == "auth":
        await app.bootstrap()
    # Whoever can connect gets an answer: nothing listens before the service has what it needs.
    rpc = await _serve_grpc(app, profile, tls) if service != "console" else None
    await plane.start()
    await probes.start()
    settle_heap()
    await stop.wait()
    plane.leave()
    probes.leave()
    await asyncio.sleep(profile.drain_delay_s)
    if service == "auth":
        app.end_watches()
    await asyncio.gather(plane.stop(), *([rpc.stop(profile.shutdown_grace_s)] if rpc else []))
    await app.stop()
    if log is not None:
        await log.stop()
    await probes.stop()
    return 0


async def _serve_grpc(app: Any, profile: ProfileSettings, tls: TlsFiles | None) -> GrpcServer:
    try:
        server = GrpcServer(profile.grpc_bind, tls.server_credentials() if tls else None)
    except RuntimeError:
        raise BindError(f"ORCA_GRPC_BIND={profile.grpc_bind}: cannot be listened on") from None
    app.register(server)
    await server.start()
    return server


async def migrate(settings: Settings) -> int:
    """Applies every service's migrations and stops."""
    log = _log(settings)
    await log.ensure_topics()
    for service in BUILDERS:
        app = await _build(settings, service, log)
        if service == "analytics":
            await app.migrate()
        print(f"{service}: migrated")
    return 0


def _log(settings: Settings) -> KafkaEventLog:
    bootstrap = settings.profile.kafka_bootstrap
    if not bootstrap:
        raise Invalid("ORCA_KAFKA_BOOTSTRAP must be set for `orca serve`")
    return KafkaEventLog(bootstrap, options=kafka_options(settings.profile))


def tls_files(profile: OrcaSettings) -> TlsFiles | None:
    """The files of mutual TLS, None where it is off. Raises Invalid when only part of them is set."""
    paths = (profile.tls_cert_file, profile.tls_key_file, profile.tls_ca_file)
    cert, key, ca = paths
    if cert is not None and key is not None and ca is not None:
        return TlsFiles(cert, key, ca)
    if any(path is not None for path in paths):
        raise Invalid("ORCA_TLS_CERT_FILE, ORCA_TLS_KEY_FILE and ORCA_TLS_CA_FILE go together")
    return None


async def _build(settings: Settings, service: str, log: Any) -> Any:
    profile = settings.profile
    clock = SystemClock()

    tls = tls_files(profile)

    def channels(name: str) -> Any:
        target = getattr(profile, f"{name}_grpc")
        return channel_to(target) if tls is None else RotatingChannel(target, tls)

    if service == "console":
        context = tls.context(ssl.Purpose.SERVER_AUTH) if tls else None
        upstreams = http_upstreams(settings.of("console"), context)
        return await build_console(settings.of("console"), upstreams=upstreams)
    if service == "relay":
        state_dir = profile.home / "relay"
        state_dir.mkdir(parents=True, exist_ok=True)
        return await build_relay(settings.of("relay"), channels=channels, log=log, state_dir=state_dir, clock=clock)
    if not profile.database_url:
        raise Invalid("ORCA_DATABASE_URL must be set for `orca serve`")
    return await BUILDERS[service](
        settings.of(service), channels=channels, log=log, database_url=profile.database_url, clock=clock
    )
