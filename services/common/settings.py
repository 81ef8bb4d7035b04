"""Settings shared by every service: frozen models read from `ORCA_…` variables.

Each service subclasses `OrcaSettings`; the union of all fields is what the `orca` command knows, and any
other `ORCA_…` variable stops the start (`check_unknown`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "ORCA_"


class OrcaSettings(BaseSettings):
    """What every process needs to know."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", populate_by_name=True)

    home: Path = Field(Path(".orca"), description="State directory (created with mode 0700).")
    replica_id: str = Field("", description="Name of this replica; empty = generated at start.")
    database_url: str | None = Field(None, description="PostgreSQL URL; unset = embedded SQLite files.")
    kafka_bootstrap: str | None = Field(None, description="Kafka bootstrap servers; unset = embedded log.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to speak to Kafka: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."
    )
    kafka_sasl_username: str = Field("", description="SASL user of this process.")
    kafka_sasl_password: SecretStr = Field(SecretStr(""), description="Its password.")
    kafka_ca_file: Path | None = Field(None, description="Authorities that sign the brokers; unset = the system's.")
    kafka_cert_file: Path | None = Field(None, description="Client certificate for Kafka, where it asks for one.")
    kafka_key_file: Path | None = Field(None, description="Its key.")
    tls_cert_file: Path | None = Field(
        None, description="Certificate of this process for calls between services; unset = no mutual TLS."
    )
    tls_key_file: Path | None = Field(None, description="Its key.")
    tls_ca_file: Path | None = Field(None, description="Authorities that sign the services' certificates.")
    secrets_dir: Path | None = Field(
        None, description="Directory with one file per variable, named in lower case, e.g. orca_key_pepper."
    )
    otlp_endpoint: str = Field(
        "", description="OTLP/HTTP endpoint for traces, e.g. http://collector:4318/v1/traces; empty = no traces."
    )
    clickhouse_url: str | None = Field(None, description="ClickHouse URL; unset = embedded chDB.")
    relay_bind: str = Field("127.0.0.1:8080", description="Address of the data plane, host:port.")
    management_bind: str = Field("127.0.0.1:8081", description="Address of the management plane, host:port.")
    metrics_bind: str = Field("127.0.0.1:0", description="Address of /metrics; a zero after the colon = any free one.")
    grpc_bind: str = Field("127.0.0.1:9090", description="Address of this process's gRPC server, host:port.")
    http_bind: str = Field("127.0.0.1:8090", description="Address of this service's own HTTP API, host:port.")
    log_level: str = Field("info", description="debug, info, warning or error.")
    shutdown_grace_s: float = Field(20.0, gt=0, le=600, description="Seconds in-flight work may take after SIGTERM.")
    trusted_proxies: str = Field(
        "", description="Addresses and CIDRs of proxies whose X-Forwarded-For is believed, comma-separated."
    )
    upstream_allow_cidrs: str = Field(
        "", description="Private ranges that channels may dial, comma-separated; the embedded profile adds loopback."
    )
    policy_deadline_ms: int = Field(5000, ge=100, le=60_000, description="Deadline of one policy call.")
    policy_snapshot_max_age_s: float = Field(
        60.0, gt=0, alias="ORCA_POLICY_SNAPSHOT_MAX_AGE", description="Seconds a policy snapshot outlives its database."
    )
    key_snapshot_max_age_s: float = Field(
        60.0, gt=0, alias="ORCA_KEY_SNAPSHOT_MAX_AGE", description="Seconds relays trust their keys without auth."
    )
    key_pepper: SecretStr = Field(
        SecretStr(""), description="Server pepper of relay keys, at least 32 characters; generated when embedded."
    )
    auth_grpc: str = Field("127.0.0.1:9091", description="gRPC target of auth.")
    guardrail_grpc: str = Field("127.0.0.1:9092", description="gRPC target of guardrail.")
    firewall_grpc: str = Field("127.0.0.1:9093", description="gRPC target of firewall.")
    ledger_grpc: str = Field("127.0.0.1:9094", description="gRPC target of ledger.")
    analytics_grpc: str = Field("127.0.0.1:9095", description="gRPC target of analytics.")
    relay_grpc: str = Field("127.0.0.1:9096", description="gRPC target of relay.")


def variables(models: Iterable[type[OrcaSettings]]) -> Mapping[str, str]:
    """Every variable the models read, with its description."""
    known: dict[str, str] = {}
    for model in models:
        for name, field in model.model_fields.items():
            known[field.alias or f"{PREFIX}{name.upper()}"] = field.description or ""
    return known


def check_unknown(known: Iterable[str], environ: Mapping[str, str] | None = None) -> list[str]:
    """`ORCA_…` variables that no service knows, sorted. Compared without regard to case, as they are read."""
    names = {name.upper() for name in known}
    present = os.environ if environ is None else environ
    return sorted(name for name in present if name.upper().startswith(PREFIX) and name.upper() not in names)


def host_port(bind: str) -> tuple[str, int]:
    """Splits `host:port` (IPv6 hosts in brackets). Raises ValueError."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{bind!r} is not host:port")
    return host.strip("[]"), int(port)
