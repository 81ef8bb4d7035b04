"""Values that cannot work are refused when they are rendered, with the name of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from helm_python import HelmError

from services.allinone.profile import known_variables
from tests.chart.rendering import CHART, kinds, pods, render

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
FREE = {"global", "podSelector", "namespaceSelector"}


def objects(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    if schema.get("type") == "object":
        yield path, schema
    for name, part in {**schema.get("properties", {}), **schema.get("definitions", {})}.items():
        yield from objects(part, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from objects(schema["items"], f"{path}[]")


def test_the_schema_is_closed_everywhere() -> None:
    """Only label selectors, and what Helm hands to sub-charts, are somebody else's."""
    open_ones = [path for path, schema in objects(SCHEMA) if schema.get("additionalProperties") in (None, True)]
    assert {path.rpartition(".")[2] for path in open_ones} == FREE


def test_every_default_is_in_the_schema_and_every_property_has_a_default() -> None:
    optional = {".global"}

    def compare(schema: Mapping[str, Any], values: Mapping[str, Any], path: str) -> None:
        if "$ref" in schema:
            schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
        properties = schema.get("properties")
        if properties is None:
            return
        assert {f"{path}.{n}" for n in properties.keys() ^ values.keys()} - optional == set()
        for name, part in properties.items():
            if isinstance(values.get(name), dict):
                compare(part, values[name], f"{path}.{name}")

    compare(SCHEMA, DEFAULTS, "")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicas": 3}, "replicas"),
        ({"relay": {"replica": 3}}, "replica"),
        ({"services": {"gaurdrail": {}}}, "gaurdrail"),
        ({"services": {"auth": {"resources": {"limits": {"cpus": "1"}}}}}, "cpus"),
        ({"kafka": {"securityProtocol": "sasl_ssl"}}, "securityProtocol"),
        ({"tls": {"mode": "certmanager"}}, "mode"),
        ({"tls": {"enabled": "yes"}}, "enabled"),
        ({"relay": {"replicas": 0}}, "replicas"),
        ({"database": {"port": 70000}}, "port"),
        ({"database": {"cidrs": ["10.0.0.1"]}}, "cidrs"),
        ({"image": {"digest": "sha256:abc"}}, "digest"),
        ({"logLevel": "trace"}, "logLevel"),
        ({"extraEnv": {"ORCA_POLICY_DEADLINE": "5000"}}, "ORCA_POLICY_DEADLINE"),
        ({"extraEnv": {"ORCA_HTTP_BIND": "0.0.0.0:1"}}, "ORCA_HTTP_BIND"),
        ({"extraEnv": {"ORCA_KEY_PEPPER": "plain"}}, "ORCA_KEY_PEPPER"),
        ({"extraEnv": {"ORCA_LEASE_TTL_S": 30}}, "extraEnv"),
    ],
    ids=json.dumps,
)
def test_a_typo_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(HelmError, match=named):
        render(values)


HOSTS = {"relay": {"host": "a.example.test"}, "management": {"host": "a.example.test"}}
GATEWAY = {"enabled": True, "parentRef": {"name": "public"}}
SCALING = {"enabled": True, "minReplicas": 5, "maxReplicas": 2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image": {"tag": "latest"}}, "image.tag: pin a version"),
        ({"tls": {"mode": "provided", "existingSecretPrefix": ""}}, "tls.existingSecretPrefix: needed"),
        ({"tls": {"issuerRef": {"name": ""}}}, "tls.issuerRef.name: needed"),
        ({"kafka": {"existingSecret": ""}}, "kafka.existingSecret: needed with SASL"),
        ({"kafka": {"securityProtocol": "PLAINTEXT", "caSecret": "ca"}}, "kafka.caSecret: only with"),
        ({"kafka": {"bootstrap": "a:9093,b:9094"}}, "kafka.port: 9093 is not the port of b:9094"),
        ({"ingress": {"enabled": True, **HOSTS}, "gateway": GATEWAY}, "exclude each other"),
        ({"ingress": {"enabled": True}}, "ingress.relay.host and ingress.management.host: needed"),
        ({"ingress": {"enabled": True, **HOSTS}}, "ingress: the two planes need hosts of their own"),
        ({"gateway": {"enabled": True}}, "gateway.parentRef.name: needed"),
        ({"gateway": GATEWAY}, "needed with gateway.enabled"),
        ({"gateway": GATEWAY, "ingress": HOSTS}, "gateway: the two planes need hosts of their own"),
        ({"services": {"auth": {"autoscaling": SCALING}}}, "services.auth.autoscaling: minReplicas is above"),
        ({"relay": {"autoscaling": SCALING}}, "relay.autoscaling: minReplicas is above"),
        ({"relay": {"journal": {"size": "4Gi"}}}, "relay.journal.maxBytes: must be below relay.journal.size"),
    ],
    ids=json.dumps,
)
def test_an_impossible_combination_is_refused_with_its_reason(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HelmError, match=message):
        render(values)


def test_extra_variables_reach_every_service() -> None:
    manifests = render({"extraEnv": {"ORCA_LEASE_TTL_S": "60"}})
    for pod, spec in pods(manifests):
        names = {e["name"]: e.get("value") for e in spec["containers"][0].get("env", [])}
        assert pod == "Pod/demo-test" or names["ORCA_LEASE_TTL_S"] == "60"
    assert set(SCHEMA["properties"]["extraEnv"]["propertyNames"]["enum"]) <= known_variables().keys()


def test_both_planes_know_the_ingress_and_no_other_service_does() -> None:
    told = {
        pod
        for pod, spec in pods(render({"trustedProxies": ["10.0.0.0/16", "10.2.0.0/16"]}))
        for variable in spec["containers"][0].get("env", [])
        if variable == {"name": "ORCA_TRUSTED_PROXIES", "value": "10.0.0.0/16,10.2.0.0/16"}
    }
    assert told == {"StatefulSet/demo-relay", "Deployment/demo-console"}


def test_what_is_off_is_not_rendered() -> None:
    kinds_of = {m["kind"] for m in render({"tls": {"enabled": False}, "networkPolicy": {"enabled": False}})}
    assert kinds_of & {"Certificate", "NetworkPolicy", "Ingress", "HTTPRoute", "ServiceMonitor"} == set()
    assert kinds(render({"echoModel": False}), "Pod") == []
