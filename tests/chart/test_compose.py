"""compose.yaml starts what it says, in an order that works, with variables that exist."""

from __future__ import annotations

import re
from typing import Any

import yaml

from services.allinone.profile import MODELS, ProfileSettings, known_variables
from tests.chart.rendering import ROOT

FILE = ROOT / "deploy/compose/compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
STORES = {"postgres", "kafka", "clickhouse"}


def started_before(name: str) -> set[str]:
    """Everything that `name` waits for, directly or not. Fails on a cycle."""
    found: set[str] = set()
    pending = list(SERVICES[name].get("depends_on", {}))
    while pending:
        other = pending.pop()
        assert other != name, "a cycle"
        if other not in found:
            found.add(other)
            pending += SERVICES[other].get("depends_on", {})
    return found


def test_every_service_runs_once() -> None:
    commands = {name: service["command"] for name, service in SERVICES.items() if name not in STORES}
    assert commands == {"migrate": ["migrate"], **{name: ["serve", name] for name in MODELS}}


def test_images_are_pinned() -> None:
    for name in STORES:
        assert re.fullmatch(r"[a-z/-]+:\d+(\.\d+)+", SERVICES[name]["image"]), name


def test_every_variable_exists() -> None:
    known = known_variables()
    for name in SERVICES.keys() - STORES:
        assert [v for v in SERVICES[name]["environment"] if v not in known] == [], name


def test_secrets_are_required_and_documented() -> None:
    text = FILE.read_text(encoding="utf-8")
    required = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    documented = set(re.findall(r"^([A-Z_]+)=$", (ROOT / "deploy/compose/.env.example").read_text(), re.MULTILINE))
    assert required == documented
    assert required > {"ORCA_KEY_PEPPER", "ORCA_CHANNEL_SECRET", "ORCA_FINGERPRINT_SECRET", "ORCA_FIREWALL_SECRET"}


def test_each_service_gets_its_own_secrets_and_stores() -> None:
    shared = {name for name in SERVICES["console"]["environment"] if not name.endswith("_URL")}
    stores = {"ORCA_KAFKA_BOOTSTRAP", "ORCA_DATABASE_URL"}
    own = {
        "auth": {*stores, "ORCA_KEY_PEPPER", "ORCA_CHANNEL_SECRET"}
        | {"ORCA_BOOTSTRAP_ADMIN_EMAIL", "ORCA_BOOTSTRAP_ADMIN_PASSWORD"},
        "guardrail": {*stores, "ORCA_FINGERPRINT_SECRET"},
        "firewall": {*stores, "ORCA_KEY_PEPPER", "ORCA_FIREWALL_SECRET"},
        "ledger": stores,
        "analytics": {*stores, "ORCA_CLICKHOUSE_URL"},
        "relay": {"ORCA_KAFKA_BOOTSTRAP", "ORCA_KEY_PEPPER", "ORCA_RELAY_BIND"},
    }
    given = {name: set(SERVICES[name]["environment"]) - shared for name in own}
    assert given == own
    # Every service is built to be migrated, so that job sees what its services see.
    migrated = set().union(*(own[name] for name in own if name != "relay"))
    assert set(SERVICES["migrate"]["environment"]) - shared == migrated
    owners = {"ORCA_AUTH_URL", "ORCA_GUARDRAIL_URL", "ORCA_FIREWALL_URL", "ORCA_LEDGER_URL", "ORCA_ANALYTICS_URL"}
    assert {name for name in SERVICES["console"]["environment"] if name.endswith("_URL")} == owners


def test_the_start_waits_for_health() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other == "migrate" else "service_healthy"
            assert how == {"condition": wanted}, name
            assert other == "migrate" or "test" in SERVICES[other]["healthcheck"], other
    for name in MODELS:
        assert started_before(name) >= {*STORES, "migrate"}, name
    assert started_before("relay") >= {"auth", "guardrail", "firewall", "ledger"}
    assert started_before("console") == SERVICES.keys() - {"console"}


def test_state_is_in_named_volumes_and_containers_are_restricted() -> None:
    mounted = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert mounted == COMPOSE["volumes"].keys()
    for name in SERVICES.keys() - STORES:
        service = SERVICES[name]
        assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"]), name


def test_only_the_planes_are_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"relay": ["127.0.0.1:8080:8080"], "console": ["127.0.0.1:8081:8081"]}


def test_every_service_may_finish_before_it_is_killed() -> None:
    for name, model in MODELS.items():
        needed = model.model_fields["shutdown_grace_s"].default + ProfileSettings.model_fields["drain_delay_s"].default
        assert float(SERVICES[name]["stop_grace_period"].removesuffix("s")) > needed, name
