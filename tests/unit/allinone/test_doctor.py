"""The doctor names each fault, and only faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.allinone.doctor import Finding, diagnose, readings, report
from services.allinone.profile import load

NOW_S = 1_000_000.0
HEALTHY = {
    'orca_consumer_stopped{group="analytics"}': 0,
    'orca_consumer_lag{group="ledger-spend"}': 12,
    "orca_relay_journal_age_seconds": 0.2,
    "orca_relay_journal_bytes": 100,
    "orca_relay_journal_limit_bytes": 1000,
    "orca_ledger_frozen_accounts": 0,
    "orca_ledger_gap_leases": 0,
    'orca_policy_snapshot_read_timestamp_seconds{plane="guardrail"}': NOW_S - 0.25,
    'orca_analytics_audit_difference{book="requests"}': 0,
    'orca_analytics_audit_difference{book="ledger"}': 5,
}
TARGETS = ("AUTH", "GUARDRAIL", "FIREWALL", "LEDGER", "ANALYTICS", "RELAY")


def exposition(**changed: float) -> str:
    names = {name.partition("{")[0]: name for name in HEALTHY}
    values = {**HEALTHY, **{names[name]: value for name, value in changed.items()}}
    return "".join(f"{name} {value}\n" for name, value in values.items())


def test_a_healthy_process_has_no_fault() -> None:
    found = readings("p", exposition(), NOW_S)
    assert [finding for finding in found if not finding.ok] == []
    # The limit is no finding of its own.
    assert len(found) == len(HEALTHY) - 1


@pytest.mark.parametrize(
    ("metric", "value", "fault"),
    [
        ("orca_consumer_stopped", 1, "p.consumer_stopped.analytics"),
        ("orca_consumer_lag", 10_001, "p.consumer_lag.ledger-spend"),
        ("orca_relay_journal_age_seconds", 61, "p.journal_age"),
        ("orca_relay_journal_bytes", 501, "p.journal_bytes"),
        ("orca_ledger_frozen_accounts", 1, "p.frozen_accounts"),
        ("orca_ledger_gap_leases", 1, "p.lease_gaps"),
        ("orca_policy_snapshot_read_timestamp_seconds", NOW_S - 11, "p.policy_snapshot.guardrail"),
    ],
)
def test_each_reading_past_its_limit_is_named(metric: str, value: float, fault: str) -> None:
    found = readings("p", exposition(**{metric: value}), NOW_S)
    assert [finding.name for finding in found if not finding.ok] == [fault]


def test_books_that_differ_are_named() -> None:
    text = 'orca_analytics_audit_difference{book="cost"} -3\n'
    assert readings("p", text, NOW_S) == [Finding("p.books.cost", False, "difference -3")]


def test_a_report_is_well_only_when_everything_is() -> None:
    findings = [Finding("database", True, "answers"), Finding("kafka", False, "cannot be reached")]
    assert report(findings) == {
        "ok": False,
        "checks": {
            "database": {"ok": True, "detail": "answers"},
            "kafka": {"ok": False, "detail": "cannot be reached"},
        },
        "faults": ["kafka: cannot be reached"],
    }


async def test_a_deployment_with_everything_down_has_every_fault_named_and_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ORCA_DATABASE_URL", "postgresql://orca:hidden-word@127.0.0.1:1/orca")
    monkeypatch.setenv("ORCA_CLICKHOUSE_URL", "http://orca:hidden-word@127.0.0.1:1/orca")
    monkeypatch.setenv("ORCA_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    for target in TARGETS:
        monkeypatch.setenv(f"ORCA_{target}_GRPC", "127.0.0.1:1")
    for name in ("CERT", "KEY", "CA"):
        monkeypatch.setenv(f"ORCA_TLS_{name}_FILE", str(tmp_path / name))
    monkeypatch.setattr("services.allinone.doctor.CHECK_S", 4.0)
    findings = await diagnose(load(), ["http://127.0.0.1:1"])
    services = {f"service.{target.lower()}" for target in TARGETS}
    assert {f.name for f in findings if not f.ok} == services | {
        "tls", "database", "kafka", "clickhouse", "probe.http://127.0.0.1:1",
    }  # fmt: skip
    assert "hidden-word" not in str(findings)
