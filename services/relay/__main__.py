"""`python -m services.relay`: the relay as one process of the distributed profile, serving `ORCA_RELAY_BIND`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
import uvloop

from services.common.eventlog.kafka_log import KafkaEventLog
from services.common.rpc import GrpcServer, channel_to
from services.common.settings import host_port
from services.common.telemetry import configure_logging
from services.relay.app import build
from services.relay.settings import RelaySettings


class _Server(uvicorn.Server):
    """Ends on SIGTERM and SIGINT without raising the signal again, so that the relay can drain."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled by the loop."""
        yield


async def serve(settings: RelaySettings) -> None:
    """Runs until a signal; finishes what is in flight."""
    if not settings.kafka_bootstrap:
        raise SystemExit("ORCA_KAFKA_BOOTSTRAP is not set; the embedded profile is `orca up`")
    log = KafkaEventLog(settings.kafka_bootstrap)
    await log.ensure_topics()
    targets = {
        "auth": settings.auth_grpc,
        "guardrail": settings.guardrail_grpc,
        "firewall": settings.firewall_grpc,
        "ledger": settings.ledger_grpc,
    }
    channels: dict[str, Any] = {name: channel_to(target) for name, target in targets.items()}
    app = await build(settings, channels=channels.__getitem__, log=log, state_dir=settings.home / "relay")
    grpc_server = GrpcServer(settings.grpc_bind)
    app.register(grpc_server)
    await app.start()
    await grpc_server.start()
    try:
        await _serve_http(app.asgi, settings)
    finally:
        await grpc_server.stop(1)
        await app.stop()
        for channel in channels.values():
            await channel.close()


async def _serve_http(asgi: Any, settings: RelaySettings) -> None:
    host, port = host_port(settings.relay_bind)
    sock = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048)
    server = _Server(
        uvicorn.Config(
            asgi,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_s)),
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    await server.serve(sockets=[sock])


def main() -> None:
    """Reads the environment and serves."""
    settings = RelaySettings()
    configure_logging(settings.log_level)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
