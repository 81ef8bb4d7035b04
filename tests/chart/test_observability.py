"""Alerts and dashboards read series that the processes expose, and each alert has its runbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import services.analytics.app
import services.auth.app
import services.firewall.app
import services.guardrail.app
import services.ledger.app
import services.relay.app  # noqa: F401  (its metrics, like the others', register on import)
from tests.chart.promql import BadQuery, metrics
from tests.chart.rendering import ROOT, example, kinds
from tests.support.required import missing

RULES = ROOT / "deploy/helm/orca/files/alerts.yaml"
DASHBOARDS = sorted((ROOT / "deploy/dashboards").glob("*.json"))
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}
SUFFIXES = {
    "counter": ("_total", "_created"), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum", "_created"),
}  # fmt: skip


def exposed() -> dict[str, set[str]]:
    """Series name → label names, as registered by the services."""
    found: dict[str, set[str]] = {}
    for collector in list(REGISTRY._collector_to_names):
        families = list(collector.describe() if hasattr(collector, "describe") else collector.collect())
        # The library's own collectors name their labels; others show them in what they collect.
        shown = {label for family in families for sample in family.samples for label in sample.labels}
        labels = set(getattr(collector, "_labelnames", shown - {"le"}))
        for family in families:
            for suffix in SUFFIXES.get(family.type, ("",)):
                found[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def queries() -> Iterator[tuple[str, str]]:
    for name, rule in ALERTS.items():
        yield name, rule["expr"]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


@pytest.mark.parametrize(("name", "query"), list(queries()))
def test_a_query_parses_and_reads_what_is_exposed(name: str, query: str) -> None:
    series = exposed()
    read = metrics(query)
    assert read <= series.keys(), name
    # What the scrape adds, beside what the series have themselves.
    labels = {"pod"}.union(*(series[metric] for metric in read))
    for listed in re.findall(r"by \(([^)]*)\)", query):
        assert set(listed.split(", ")) <= labels, name
    for label in re.findall(r"[{,]\s*(\w+)\s*[=!]", query):
        assert label in labels, name


@pytest.mark.parametrize(
    "query", ["rate(x)", "sum(rate(x[5m]", "x >", "x > 1 2", "rat(x[5m])", "x{a=b}", "sum by () (x)", "rate(x[5 m])"]
)
def test_a_broken_query_is_refused(query: str) -> None:
    with pytest.raises(BadQuery):
        metrics(query)


def test_each_alert_says_what_it_means_and_has_a_runbook() -> None:
    headings = set(re.findall(r"^## (Orca\w+)$", (ROOT / "docs/runbooks.md").read_text(), re.MULTILINE))
    assert headings == set(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in {"warning", "critical"}, name
        assert rule["annotations"]["summary"], name
        assert rule["annotations"]["runbook"] == f"docs/runbooks.md#{name.lower()}", name


def test_every_metric_that_reports_trouble_has_an_alert() -> None:
    alarmed = set().union(*(metrics(rule["expr"]) for rule in ALERTS.values()))
    trouble = {
        name
        for name in exposed()
        if name.startswith("orca_")
        and re.search(r"(lost|shed|oversized|stopped|dead_letters|forfeits|gap_leases|frozen|parked)", name)
    }
    assert {name for name in trouble if not name.endswith("_created")} <= alarmed


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    panels = board["panels"]
    assert board["uid"] == f"orca-{path.stem}"
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    assert len({(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels}) == len(panels)
    assert {p["datasource"]["uid"] for p in panels} == {"${datasource}"}
    assert [v["name"] for v in board["templating"]["list"]] == ["datasource"]


def test_the_chart_carries_the_dashboards_and_the_rules() -> None:
    carried = {
        name: json.loads(text)
        for manifest in kinds(example("production"), "ConfigMap")
        for name, text in manifest["data"].items()
    }
    assert carried == {path.name: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS}
    assert carried.keys() == {f"{n}.json" for n in ("relay", "policies", "ledger", "pipeline", "anomalies")}
    (rule,) = kinds(example("production"), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(RULES.read_text(encoding="utf-8"))


@pytest.fixture
def promtool() -> str:
    return shutil.which("promtool") or missing("promtool", "not installed (Debian: apt-get install prometheus)")


def test_prometheus_own_tool_accepts_the_rules(promtool: str) -> None:
    checked = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


MINUTES = "x60"
FIRING: dict[str, list[tuple[str, str]]] = {
    "OrcaRelayErrors": [
        ('orca_relay_requests_total{status="error"}', "0+10" + MINUTES),
        ('orca_relay_requests_total{status="ok"}', "0+90" + MINUTES),
    ],
    "OrcaRelayLostRequests": [("orca_relay_lost_requests_total", "0+1" + MINUTES)],
    "OrcaRelayOverrun": [("orca_relay_overrun_nano_usd_total", "0+1" + MINUTES)],
    "OrcaJournalOld": [("orca_relay_journal_age_seconds", "61+0" + MINUTES)],
    "OrcaJournalFilling": [
        ("orca_relay_journal_bytes", "6+0" + MINUTES),
        ("orca_relay_journal_limit_bytes", "10+0" + MINUTES),
    ],
    "OrcaRefusalsShed": [("orca_relay_refusal_aggregates_shed_total", "0+1" + MINUTES)],
    "OrcaEventsOversized": [("orca_relay_events_oversized_total", "0+1" + MINUTES)],
    "OrcaPolicyFailures": [('orca_relay_policy_failures_total{plane="guardrail"}', "0+60" + MINUTES)],
    # Read at the beginning of time, and never again.
    "OrcaPolicySnapshotStale": [("orca_policy_snapshot_read_timestamp_seconds", "0+0" + MINUTES)],
    "OrcaPolicySlow": [
        ('orca_relay_policy_seconds_bucket{plane="guardrail",le="0.25"}', "0+90" + MINUTES),
        ('orca_relay_policy_seconds_bucket{plane="guardrail",le="0.5"}', "0+100" + MINUTES),
        ('orca_relay_policy_seconds_bucket{plane="guardrail",le="+Inf"}', "0+100" + MINUTES),
    ],
    "OrcaConsumerStopped": [('orca_consumer_stopped{group="analytics"}', "1+0" + MINUTES)],
    "OrcaConsumerLag": [('orca_consumer_lag{group="analytics"}', "10001+0" + MINUTES)],
    "OrcaDeadLetters": [('orca_consumer_dead_letters_total{group="analytics"}', "0+1" + MINUTES)],
    "OrcaAnalyticsAuditDifference": [('orca_analytics_audit_difference{book="runs"}', "-1+0" + MINUTES)],
    "OrcaLedgerFrozen": [("orca_ledger_frozen_accounts", "1+0" + MINUTES)],
    "OrcaSpendParked": [("orca_ledger_parked_total", "0+1" + MINUTES)],
    "OrcaLedgerGap": [("orca_ledger_gap_leases", "1+0" + MINUTES)],
    "OrcaLedgerForfeit": [("orca_ledger_forfeits_total", "0+1" + MINUTES)],
    "OrcaLedgerOverrun": [("orca_ledger_overrun_nano_usd_total", "0+1" + MINUTES)],
}
"""Series, one value a minute, on which each alert must fire within an hour."""


def test_each_alert_fires_on_its_fault_and_on_no_other(promtool: str, tmp_path: Path) -> None:
    """Prometheus evaluates the rules over an hour of each fault: that alert, as the only one."""
    assert FIRING.keys() == ALERTS.keys()
    for name, series in FIRING.items():
        labels = {k: v for s, _ in series for k, v in re.findall(r'(plane|group|book)="(\w+)"', s)}
        expected = {
            "exp_labels": {"severity": ALERTS[name]["labels"]["severity"], **labels},
            "exp_annotations": ALERTS[name]["annotations"],
        }
        tests = [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": values} for s, values in series],
                "alert_rule_test": [
                    {"eval_time": "55m", "alertname": other, "exp_alerts": [expected] if other == name else []}
                    for other in ALERTS
                ],
            }
        ]
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
        ran = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, f"{name}: {ran.stdout}{ran.stderr}"
