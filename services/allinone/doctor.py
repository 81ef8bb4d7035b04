"""What `orca doctor` finds: every dependency of a deployment, and what its processes say about themselves.

A finding is a value, never an exception: the doctor's work is to name all faults, not to stop at the first. No finding
carries an address with credentials or a driver's own text. Each check has a deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import httpx
import sqlalchemy as sa
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer import AIOKafkaConsumer
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from services.allinone.distributed import BUILDERS, tls_files
from services.allinone.kafka_security import kafka_options
from services.allinone.profile import Settings
from services.common.errors import OrcaError
from services.common.eventlog.topics import DLQ, TOPICS
from services.common.rpc import channel_to
from services.common.rpc.tls import RotatingChannel
from services.common.storage.database import Database

CHECK_S = 8.0
PROBE_S = 3.0
SKEW_MAX_S = 1.0
CERTIFICATE_DAYS_MIN = 7
# The limits are those of the alerts (deploy/helm/orca/files/alerts.yaml).
LAG_MAX = 10_000
JOURNAL_AGE_MAX_S = 60.0
JOURNAL_SHARE_MAX = 0.5
SNAPSHOT_AGE_MAX_S = 10.0
SNAPSHOT_READ = "orca_policy_snapshot_read_timestamp_seconds"
GROUPS = ("auth-audit", "ledger-spend", "ledger-config", "analytics", "analytics-config")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, whether it is well, and what was seen."""

    name: str
    ok: bool
    detail: str = ""


Check = Callable[[Settings], Awaitable[Sequence[Finding]]]


def report(findings: Iterable[Finding]) -> dict[str, Any]:
    """The findings as the command prints them."""
    found = list(findings)
    return {
        "ok": all(finding.ok for finding in found),
        "checks": {finding.name: {"ok": finding.ok, "detail": finding.detail} for finding in found},
        "faults": [f"{finding.name}: {finding.detail}" for finding in found if not finding.ok],
    }


def readings(source: str, exposition: str, now_s: float) -> list[Finding]:
    """What a process's metrics say: lag, dead letters, journal, snapshots, frozen accounts, books. Pure.

    A series that the process does not have is no finding; `source` names the process in the findings.
    """
    samples: dict[str, list[tuple[str, float]]] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            label = next((value for name, value in sample.labels.items() if name != "le"), "")
            samples.setdefault(sample.name, []).append((label, sample.value))
    limit = dict(samples.get("orca_relay_journal_limit_bytes", [])).get("", 0.0)
    judged: tuple[tuple[str, str, Callable[[float], bool], str], ...] = (
        ("consumer_stopped", "orca_consumer_stopped", lambda v: v == 0, "stopped (0 or 1)"),
        ("consumer_lag", "orca_consumer_lag", lambda v: v <= LAG_MAX, "records behind"),
        ("dead_letters", "orca_consumer_dead_letters_total", lambda v: v == 0, "since its start"),
        ("journal_age", "orca_relay_journal_age_seconds", lambda v: v <= JOURNAL_AGE_MAX_S, "s, oldest event"),
        ("journal_bytes", "orca_relay_journal_bytes", lambda v: not limit or v <= limit * JOURNAL_SHARE_MAX, "bytes"),
        ("frozen_accounts", "orca_ledger_frozen_accounts", lambda v: v == 0, "accounts"),
        ("lease_gaps", "orca_ledger_gap_leases", lambda v: v == 0, "leases"),
        (
            "policy_snapshot",
            "orca_policy_snapshot_read_timestamp_seconds",
            lambda v: now_s - v <= SNAPSHOT_AGE_MAX_S,
            "",
        ),
    )
    found = []
    for name, metric, well, unit in judged:
        for label, value in samples.get(metric, []):
            shown = f"{now_s - value:.1f} s old" if metric.endswith("timestamp_seconds") else f"{value:g} {unit}"
            found.append(Finding(".".join(filter(None, (source, name, label))), well(value), shown))
    for book, value in samples.get("orca_analytics_audit_difference", []):
        # The ledger is read at another moment than the rows, so a difference there may be what is on its way.
        found.append(Finding(f"{source}.books.{book}", value == 0 or book == "ledger", f"difference {value:g}"))
    return found


async def diagnose(settings: Settings, probes: Sequence[str] = ()) -> list[Finding]:
    """All checks of a distributed deployment, side by side; `probes` are base URLs that have /readyz and /metrics."""
    checks: list[tuple[str, Check]] = [("tls", _tls), ("database", _database), ("kafka", _kafka)]
    if settings.profile.clickhouse_url:
        checks.append(("clickhouse", _clickhouse))
    checks += [(f"service.{name}", _service(name)) for name in (*BUILDERS, "relay")]
    checks += [(f"probe.{url}", _probe(url)) for url in probes]
    results = await asyncio.gather(*(_bounded(name, check, settings) for name, check in checks))
    return [finding for result in results for finding in result]


async def _bounded(name: str, check: Check, settings: Settings) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(CHECK_S):
            return await check(settings)
    except TimeoutError:
        return [Finding(name, False, f"no answer within {CHECK_S:g} s")]
    except OrcaError as error:
        return [Finding(name, False, error.message)]
    except Exception as error:  # a fault of whatever kind is this command's result
        return [Finding(name, False, f"cannot be reached ({type(error).__name__})")]


async def _tls(settings: Settings) -> Sequence[Finding]:
    files = tls_files(settings.profile)
    if files is None:
        return [Finding("tls", True, "off")]
    try:
        certificate, _, _ = files.read()
        left = x509.load_pem_x509_certificate(certificate).not_valid_after_utc - datetime.now(UTC)
    except (OSError, ValueError) as error:
        return [Finding("tls", False, f"the files cannot be read ({type(error).__name__})")]
    return [Finding("tls", left.days >= CERTIFICATE_DAYS_MIN, f"certificate valid for {left.days} days")]


async def _database(settings: Settings) -> Sequence[Finding]:
    url = settings.profile.database_url
    if not url:
        return [Finding("database", False, "ORCA_DATABASE_URL is not set")]
    database = await Database.open(url, service="ledger")
    try:
        if database.dialect != "postgresql":
            return [Finding("database", False, "ORCA_DATABASE_URL is not PostgreSQL's")]
        async with database.write() as tx:
            begun = time.time()
            theirs = float((await tx.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())"))).scalar_one())
            skew = theirs - (begun + time.time()) / 2
    finally:
        await database.close()
    return [
        Finding("database", True, "answers"),
        Finding("clock", abs(skew) <= SKEW_MAX_S, f"{skew:+.3f} s from the database's"),
    ]


async def _kafka(settings: Settings) -> Sequence[Finding]:
    if not settings.profile.kafka_bootstrap:
        return [Finding("kafka", False, "ORCA_KAFKA_BOOTSTRAP is not set")]
    options = {"bootstrap_servers": settings.profile.kafka_bootstrap, **kafka_options(settings.profile)}
    admin = AIOKafkaAdminClient(**options)
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **options)
    try:
        await admin.start()
        await consumer.start()
        missing = sorted({topic.name for topic in TOPICS} - set(await admin.list_topics()))
        found = [Finding("kafka", not missing, f"topics missing: {', '.join(missing)}" if missing else "answers")]
        dead = await _dead_letters(consumer)
        found.append(Finding("dead_letters", dead == 0, f"{dead} records in {DLQ}"))
        for group in GROUPS:
            lag = await _lag(admin, consumer, group)
            found.append(Finding(f"lag.{group}", lag <= LAG_MAX, f"{lag} records behind"))
        return found
    finally:
        await admin.close()
        await consumer.stop()


async def _dead_letters(consumer: AIOKafkaConsumer) -> int:
    topic = next(topic for topic in TOPICS if topic.name == DLQ)
    partitions = [TopicPartition(DLQ, number) for number in range(topic.partitions)]
    first, last = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    return sum(last[partition] - first[partition] for partition in partitions)


async def _lag(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, group: str) -> int:
    committed = await admin.list_consumer_group_offsets(group)
    ends = await consumer.end_offsets(list(committed)) if committed else {}
    return sum(max(0, end - committed[partition].offset) for partition, end in ends.items())


async def _clickhouse(settings: Settings) -> Sequence[Finding]:
    import clickhouse_connect

    def work() -> None:
        client = clickhouse_connect.get_client(
            dsn=settings.profile.clickhouse_url, connect_timeout=PROBE_S, send_receive_timeout=PROBE_S
        )
        client.query("SELECT 1")
        client.close()

    await asyncio.to_thread(work)
    return [Finding("clickhouse", True, "answers")]


def _service(name: str) -> Check:
    async def check(settings: Settings) -> Sequence[Finding]:
        target = getattr(settings.profile, f"{name}_grpc")
        tls = tls_files(settings.profile)
        channel: Any = channel_to(target) if tls is None else RotatingChannel(target, tls)
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_S)
        except grpc.aio.AioRpcError as error:
            return [Finding(f"service.{name}", False, f"{error.code().name} at {target}")]
        finally:
            await channel.close()
        serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        return [Finding(f"service.{name}", serving, "serving" if serving else "not serving")]

    return check


def _probe(url: str) -> Check:
    async def check(_settings: Settings) -> Sequence[Finding]:
        async with httpx.AsyncClient(base_url=url, timeout=PROBE_S, trust_env=False) as client:
            ready = await client.get("/readyz")
            metrics = await client.get("/metrics")
        bad = [part for part, well in ready.json().get("checks", {}).items() if not well]
        detail = f"not ready: {', '.join(bad)}" if bad else "ready" if ready.status_code == 200 else "not ready"
        found = [Finding(f"probe.{url}", ready.status_code == 200, detail)]
        return found + (readings(url, metrics.text, time.time()) if metrics.status_code == 200 else [])

    return check
