"""Mutual TLS between services, from three PEM files that may be rotated while the process runs.

Servers read the files again for new handshakes; clients open a new channel when a file has changed and let calls
on the old one end. A file that is unreadable in the middle of a rotation changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from services.common.rpc.client import OPTIONS

log = logging.getLogger("orca.tls")

CHECK_S = 5.0
OLD_CHANNEL_GRACE_S = 30.0

Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificate chain, its key, and the authorities that both sides trust."""

    cert: Path
    key: Path
    ca: Path

    def stamp(self) -> Stamp:
        """Changes when a file does. Raises OSError."""
        found = [path.stat() for path in (self.cert, self.key, self.ca)]
        return tuple((stat.st_mtime_ns, stat.st_ino) for stat in found)

    def read(self) -> tuple[bytes, bytes, bytes]:
        """(certificate chain, key, authorities). Raises OSError."""
        return self.cert.read_bytes(), self.key.read_bytes(), self.ca.read_bytes()

    def server_credentials(self) -> grpc.ServerCredentials:
        """gRPC credentials that demand a client certificate and follow rotations. Raises OSError."""

        def configuration() -> grpc.ServerCertificateConfiguration:
            cert, key, ca = self.read()
            return grpc.ssl_server_certificate_configuration([(key, cert)], root_certificates=ca)

        seen = self.stamp()

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal seen
            try:
                now = self.stamp()
                if now == seen:
                    return None
                fresh = configuration()
            except OSError as error:
                log.warning("certificates cannot be read", extra={"error_class": type(error).__name__})
                return None
            seen = now
            return fresh

        # The stubs do not know that None keeps the current configuration.
        return grpc.dynamic_ssl_server_credentials(configuration(), fetch, require_client_authentication=True)  # type: ignore[arg-type]

    def context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        """An HTTP context with both sides authenticated. Raises OSError, ssl.SSLError."""
        context = ssl.create_default_context(purpose, cafile=str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(str(self.cert), str(self.key))
        return context

    async def follow(self, context: ssl.SSLContext) -> None:
        """Loads rotated files into a context until cancelled; new handshakes use them."""
        seen = self.stamp()
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                now = self.stamp()
                if now != seen:
                    context.load_cert_chain(str(self.cert), str(self.key))
                    context.load_verify_locations(cafile=str(self.ca))
                    seen = now
            except (OSError, ssl.SSLError) as error:
                log.warning("certificates cannot be read", extra={"error_class": type(error).__name__})


class RotatingChannel:
    """A channel for generated stubs that is opened anew when the files change."""

    def __init__(self, target: str, files: TlsFiles, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._files = files
        self._monotonic_s = monotonic_s
        self._stamp = files.stamp()
        self._checked_s = monotonic_s()
        self._channel = self._open()
        self._generation = 0
        self._closing: set[asyncio.Task[None]] = set()

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        """As a channel's, following rotations."""
        return self._method("unary_unary", args, kwargs)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As a channel's, following rotations."""
        return self._method("unary_stream", args, kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        """As a channel's, following rotations."""
        return self._method("stream_stream", args, kwargs)

    async def close(self, grace: float | None = None) -> None:
        """Closes the channel."""
        await self._channel.close(grace)

    def _method(self, kind: str, args: Any, kwargs: Any) -> Any:
        generation, made = -1, None

        def invoke(*call_args: Any, **call_kwargs: Any) -> Any:
            nonlocal generation, made
            self._renew()
            if generation != self._generation:
                generation, made = self._generation, getattr(self._channel, kind)(*args, **kwargs)
            if made is None:
                raise RuntimeError("no channel is open")
            return made(*call_args, **call_kwargs)

        return invoke

    def _open(self) -> grpc.aio.Channel:
        cert, key, ca = self._files.read()
        credentials = grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)
        scheme, _, addresses = self._target.partition(":")
        # A list of addresses has no one name to verify; all of them must prove to be the first.
        name = addresses.split(",")[0].rpartition(":")[0] if scheme == "ipv4" else ""
        options = (*OPTIONS, ("grpc.ssl_target_name_override", name)) if name else OPTIONS
        return grpc.aio.secure_channel(self._target, credentials, options=options)

    def _renew(self) -> None:
        now_s = self._monotonic_s()
        if now_s - self._checked_s < CHECK_S:
            return
        self._checked_s = now_s
        try:
            stamp = self._files.stamp()
            if stamp == self._stamp:
                return
            fresh = self._open()
        except OSError as error:
            log.warning("certificates cannot be read", extra={"error_class": type(error).__name__})
            return
        old, self._channel, self._stamp = self._channel, fresh, stamp
        self._generation += 1
        task = asyncio.create_task(old.close(OLD_CHANNEL_GRACE_S))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
