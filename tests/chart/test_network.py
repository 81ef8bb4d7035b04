"""NetworkPolicies allow exactly the calls that the code makes.

`arrows.txt` is the golden file: one line per allowed connection. What it says about services is compared with the
composition roots, which name every channel they open, so that neither a new call nor a dead rule goes unnoticed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from services.console.routes import SERVICES as OWNERS
from tests.chart.rendering import ROOT, Manifest, example, kinds, pods, render, service_of

GOLDEN = Path(__file__).parent / "arrows.txt"
GRPC, HTTP = 9090, 8090
CALL = re.compile(r'channels\("([a-z]+)"\)')
NAMED = "app.kubernetes.io/component"


def peer(selector: dict[str, Any]) -> str:
    if "podSelector" in selector:
        return str(selector["podSelector"]["matchLabels"][NAMED])
    if "ipBlock" in selector:
        return str(selector["ipBlock"]["cidr"])
    labels = selector["namespaceSelector"].get("matchLabels", {})
    return f"namespaces({','.join(labels.values()) or '*'})"


def arrows(policies: list[Manifest]) -> set[str]:
    """`from -> to:port`, one per allowed connection, of both sides' policies."""
    found = set()
    for policy in policies:
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        service = spec["podSelector"]["matchLabels"][NAMED]
        for side, key in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(side) or []:
                for port in rule["ports"]:
                    if port["protocol"] != "TCP":
                        continue
                    for other in map(peer, rule[key]) if key in rule else ["anybody"]:
                        source, target = (other, service) if side == "ingress" else (service, other)
                        found.add(f"{source} -> {target}:{port['port']} ({side})")
    return found


def between_services(lines: set[str], port: int, side: str) -> set[tuple[str, str]]:
    pattern = re.compile(rf"([a-z]+) -> ([a-z]+):{port} \({side}\)")
    return {match.groups() for line in lines if (match := pattern.fullmatch(line))}  # type: ignore[misc]


def calls_in_the_code() -> set[tuple[str, str]]:
    return {
        (path.parts[-2], target)
        for path in (ROOT / "services").glob("*/app.py")
        for target in CALL.findall(path.read_text(encoding="utf-8"))
    }


def test_the_arrows_are_the_golden_ones() -> None:
    assert sorted(arrows(kinds(example("production"), "NetworkPolicy"))) == GOLDEN.read_text().splitlines()


@pytest.mark.parametrize("side", ["ingress", "egress"])
def test_grpc_arrows_are_the_calls_in_the_code(side: str) -> None:
    allowed = between_services(arrows(kinds(example("minimal"), "NetworkPolicy")), GRPC, side)
    assert allowed == calls_in_the_code()


@pytest.mark.parametrize("side", ["ingress", "egress"])
def test_only_the_console_reaches_the_services_http(side: str) -> None:
    allowed = between_services(arrows(kinds(example("minimal"), "NetworkPolicy")), HTTP, side)
    assert allowed == {("console", owner) for owner in OWNERS}


def test_only_services_that_dial_others_addresses_get_out() -> None:
    """Whoever uses the SSRF guard dials addresses of others; nobody else may leave the cluster."""
    dialling = {
        path.relative_to(ROOT / "services").parts[0]
        for path in (ROOT / "services").glob("*/**/*.py")
        if "common.dialing import" in path.read_text(encoding="utf-8")
    } - {"common"}
    lines = arrows(kinds(example("production"), "NetworkPolicy"))
    assert {line.partition(" ")[0] for line in lines if line.endswith("-> anybody:443 (egress)")} == dialling


def test_every_pod_is_selected_by_its_policy() -> None:
    policies = kinds(example("minimal"), "NetworkPolicy")
    selected = {policy["spec"]["podSelector"]["matchLabels"][NAMED] for policy in policies}
    assert selected == {service_of(pod) for pod, _ in pods(example("minimal"))} - {"test"}


def test_stores_are_reached_by_those_that_are_given_them() -> None:
    """A service with a store's address in its environment has the arrow, and no other has."""
    ports = {"ORCA_DATABASE_URL": 5432, "ORCA_CLICKHOUSE_URL": 8443, "ORCA_KAFKA_BOOTSTRAP": 9093}
    lines = arrows(kinds(example("minimal"), "NetworkPolicy"))
    for variable, port in ports.items():
        given = {
            service_of(pod)
            for pod, spec in pods(example("minimal"))
            if variable in {entry["name"] for entry in spec["containers"][0]["env"]}
        }
        allowed = {line.partition(" ")[0] for line in lines if line.endswith(f"-> anybody:{port} (egress)")}
        assert allowed == given, variable


def test_traces_get_out_only_where_there_is_a_collector() -> None:
    def senders(values: dict[str, Any]) -> set[str]:
        lines = arrows(kinds(render(values), "NetworkPolicy"))
        return {line.partition(" ")[0] for line in lines if line.endswith("-> anybody:4318 (egress)")}

    assert senders({}) == set()
    assert senders({"otlpEndpoint": "http://collector:4318/v1/traces"}) >= {"relay", "analytics", "console"}


def test_the_smoke_test_reaches_both_planes() -> None:
    lines = arrows(kinds(example("production"), "NetworkPolicy"))
    assert {"test -> relay:8080 (ingress)", "test -> console:8081 (ingress)"} <= lines
