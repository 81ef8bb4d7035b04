"""Every example renders into manifests that Kubernetes accepts and the restricted Pod Security Standard admits."""

from __future__ import annotations

import copy
import functools
import re
from pathlib import Path
from typing import Any

import helm_python.chart as helm
import pytest
from kubernetes_validate import utils as kubernetes  # type: ignore[import-untyped]

from services.allinone.profile import MODELS, known_variables
from tests.chart.rendering import CHART, EXAMPLES, Manifest, example, kinds, pods, service_of, values_of

# The oldest version the chart admits, and the newest whose schemas are at hand.
VERSIONS = ("1.27.0", kubernetes.all_versions()[-1])
CUSTOM = {
    "cert-manager.io/v1/Certificate": {"secretName", "issuerRef", "dnsNames", "usages", "privateKey"},
    "monitoring.coreos.com/v1/ServiceMonitor": {"selector", "endpoints"},
    "monitoring.coreos.com/v1/PrometheusRule": {"groups"},
    "gateway.networking.k8s.io/v1/HTTPRoute": {"parentRefs", "hostnames", "rules"},
}
NAMES = [path.stem for path in EXAMPLES]


@pytest.fixture(autouse=True)
def _schemas_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package reads a megabyte of definitions per manifest; the tests keep them."""
    monkeypatch.setattr(kubernetes, "schema_contents", SCHEMAS)


SCHEMAS = functools.cache(kubernetes.schema_contents)


def type_of(manifest: Manifest) -> str:
    return f"{manifest['apiVersion']}/{manifest['kind']}"


def containers(name: str) -> list[tuple[str, Manifest, Manifest]]:
    return [(pod, spec, container) for pod, spec in pods(example(name)) for container in spec["containers"]]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_lints(path: Path) -> None:
    report = helm.lint(CHART, values_of(path), strict=True)
    found = [m for m in report["messages"] if m["error"] != "icon is recommended"]
    assert (report["errors"], found) == ([], [])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_kubernetes_accepts_each_manifest(name: str, version: str) -> None:
    for manifest in example(name):
        if type_of(manifest) not in CUSTOM:
            kubernetes.validate(manifest, version, strict=True)


def test_the_schemas_do_refuse() -> None:
    broken = copy.deepcopy(kinds(example("minimal"), "Deployment")[0])
    broken["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(broken, VERSIONS[-1], strict=True)


def test_custom_resources_have_their_parts() -> None:
    seen = {}
    for name in NAMES:
        for manifest in example(name):
            if type_of(manifest) in CUSTOM:
                seen[type_of(manifest)] = manifest
                assert CUSTOM[type_of(manifest)] <= set(manifest["spec"]), type_of(manifest)
    assert seen.keys() == CUSTOM.keys()


@pytest.mark.parametrize("name", NAMES)
def test_names_are_unique_and_namespaced(name: str) -> None:
    keys = [(type_of(m), m["metadata"]["name"]) for m in example(name)]
    assert len(keys) == len(set(keys))
    assert {m["metadata"].get("namespace") for m in example(name)} == {"orca"}


@pytest.mark.parametrize("name", NAMES)
def test_pods_are_restricted(name: str) -> None:
    for pod, spec, container in containers(name):
        assert spec["automountServiceAccountToken"] is False, pod
        assert spec["enableServiceLinks"] is False, pod
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), pod
        security = spec["securityContext"]
        assert (security["runAsNonRoot"], security["seccompProfile"]) == (True, {"type": "RuntimeDefault"}), pod
        assert security["runAsUser"] >= 10000, pod
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }, pod
        assert {next(iter(v.keys() - {"name"})) for v in spec.get("volumes", [])} <= {"emptyDir", "secret"}, pod


@pytest.mark.parametrize("name", NAMES)
def test_containers_have_a_pinned_image_limits_and_probes(name: str) -> None:
    for pod, _spec, container in containers(name):
        assert re.fullmatch(r"orca(:\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})", container["image"]), pod
        for bound in ("requests", "limits"):
            assert set(container["resources"][bound]) == {"cpu", "memory"}, pod
        if pod.startswith(("Deployment/", "StatefulSet/")):
            ports = {port["name"] for port in container["ports"]}
            for probe, path in (("startup", "/livez"), ("liveness", "/livez"), ("readiness", "/readyz")):
                get = container[f"{probe}Probe"]["httpGet"]
                assert get["path"] == path and get["port"] in ports, (pod, probe)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_exists_and_none_can_be_a_service_link(name: str) -> None:
    known = known_variables()
    for pod, _spec, container in containers(name):
        names = [entry["name"] for entry in container.get("env", [])]
        assert len(names) == len(set(names)), pod
        assert [n for n in names if n.endswith("_PORT")] == [], pod
        assert [n for n in names if n.startswith("ORCA_") and n not in known] == [], pod
    assert [n for n in known if n.endswith("_PORT")] == []


def test_values_stand_where_the_settings_take_them() -> None:
    """The settings models themselves read each service's plain variables."""
    for pod, _spec, container in containers("production"):
        service = service_of(pod)
        plain = {e["name"]: e["value"] for e in container["env"] if "value" in e}
        model = MODELS.get(service)
        if model is None:
            continue
        fields = {field.alias or f"ORCA_{name.upper()}": name for name, field in model.model_fields.items()}
        read: dict[str, Any] = {
            (model.model_fields[fields[n]].alias or fields[n]): v for n, v in plain.items() if n in fields
        }
        model.model_validate(read)


def test_secrets_are_references_and_each_service_sees_its_own() -> None:
    seen: dict[str, set[str]] = {}
    for pod, _spec, container in containers("production"):
        for entry in container.get("env", []):
            if "secretKeyRef" in entry.get("valueFrom", {}):
                seen.setdefault(service_of(pod), set()).add(entry["valueFrom"]["secretKeyRef"]["key"])
    kafka = {"username", "password"}
    assert seen == {
        "auth": {"key-pepper", "channel-secret", "bootstrap-admin-password", "url"} | kafka,
        "guardrail": {"fingerprint-secret", "url"} | kafka,
        "firewall": {"key-pepper", "firewall-secret", "url"} | kafka,
        "ledger": {"url"} | kafka,
        "analytics": {"url"} | kafka,
        "relay": {"key-pepper"} | kafka,
        "migrate": {
            "key-pepper", "channel-secret", "fingerprint-secret", "firewall-secret", "bootstrap-admin-password", "url",
        } | kafka,
        "test": {"bootstrap-admin-password"},
    }  # fmt: skip
    assert kinds(example("production"), "Secret") == []


def test_a_relay_keeps_its_journal_and_drains() -> None:
    (relay,) = kinds(example("production"), "StatefulSet")
    spec = relay["spec"]["template"]["spec"]
    assert relay["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenScaled": "Retain", "whenDeleted": "Retain"}
    assert [claim["metadata"]["name"] for claim in relay["spec"]["volumeClaimTemplates"]] == ["journal"]
    (container,) = spec["containers"]
    assert {"name": "journal", "mountPath": "/var/lib/orca"} in container["volumeMounts"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = {e["name"]: e.get("value") for e in container["env"]}["ORCA_SHUTDOWN_GRACE_S"]
    assert spec["terminationGracePeriodSeconds"] > pause + int(grace)


@pytest.mark.parametrize("name", NAMES)
def test_every_pod_may_finish_before_it_is_killed(name: str) -> None:
    for pod, spec, container in containers(name):
        if pod.startswith(("Deployment/", "StatefulSet/")):
            plain = {e["name"]: e["value"] for e in container["env"] if "value" in e}
            model = MODELS[service_of(pod)].model_fields["shutdown_grace_s"]
            grace = float(plain.get("ORCA_SHUTDOWN_GRACE_S", model.default))
            stop = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
            needed = float(plain["ORCA_DRAIN_DELAY_S"]) + grace + float(stop[1])
            assert needed >= 6 and spec["terminationGracePeriodSeconds"] > needed, pod


def test_scaling_spreads_and_keeps_one_away_at_most() -> None:
    manifests = example("production")
    names = {service_of(pod) for pod, _ in pods(manifests)} - {"migrate", "test"}
    budgets = {m["metadata"]["name"]: m["spec"]["maxUnavailable"] for m in kinds(manifests, "PodDisruptionBudget")}
    assert budgets == {f"demo-{name}": 1 for name in names}
    for pod, spec in pods(manifests):
        if service_of(pod) in names:
            assert spec["topologySpreadConstraints"][0]["topologyKey"] == "topology.kubernetes.io/zone"
    scaled = {m["metadata"]["name"]: m["spec"] for m in kinds(manifests, "HorizontalPodAutoscaler")}
    metrics = [m[m["type"].lower()] for m in scaled["demo-relay"]["metrics"]]
    assert [m.get("name") or m["metric"]["name"] for m in metrics] == ["cpu", "orca_relay_in_flight"]
    for manifest in [*kinds(manifests, "Deployment"), *kinds(manifests, "StatefulSet")]:
        assert ("replicas" in manifest["spec"]) != (manifest["metadata"]["name"] in scaled)


def test_grpc_balances_over_every_replica() -> None:
    headless = [m for m in kinds(example("minimal"), "Service") if m["metadata"]["name"].endswith("-grpc")]
    assert {m["spec"]["clusterIP"] for m in headless} == {"None"}
    names = {f"dns:///{m['metadata']['name']}.orca.svc:9090" for m in headless}
    for pod, _spec, container in containers("minimal"):
        targets = {e["value"] for e in container.get("env", []) if e["name"].endswith("_GRPC")}
        assert targets <= names, pod
    certified = {name for m in kinds(example("minimal"), "Certificate") for name in m["spec"]["dnsNames"]}
    assert {name.removeprefix("dns:///").removesuffix(":9090") for name in names} <= certified


def test_migrations_run_before_the_services_and_need_no_certificate() -> None:
    (job,) = kinds(example("production"), "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    names = {e["name"] for e in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert {n for n in names if "_TLS_" in n} == set()


@pytest.mark.parametrize("kind", ["Ingress", "HTTPRoute"])
def test_both_planes_have_a_route_and_the_relay_only_its_own_path(kind: str) -> None:
    routes = kinds(example("production" if kind == "Ingress" else "provided-certificates"), kind)
    found = {}
    for route in routes:
        rule = route["spec"]["rules"][0]
        if kind == "Ingress":
            path = rule["http"]["paths"][0]
            found[rule["host"]] = (path["path"], path["backend"]["service"]["name"])
        else:
            back = rule["backendRefs"][0]
            found[route["spec"]["hostnames"][0]] = (rule["matches"][0]["path"]["value"], back["name"])
    assert found == {"llm.example.test": ("/v1", "demo-relay"), "orca.example.test": ("/", "demo-console")}
