"""Renders the chart with Helm's own engine; no cluster, no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import helm_python.chart as helm
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/orca"
EXAMPLES = sorted((CHART / "ci").glob("*.yaml"))
NAMESPACE = "orca"
RELEASE = "demo"
Manifest = dict[str, Any]


def values_of(path: Path) -> dict[str, Any]:
    """An example values file."""
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def render(values: Mapping[str, Any]) -> list[Manifest]:
    """Every manifest. Raises the engine's HelmError on values that are refused."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(dict(values), name=RELEASE, namespace=NAMESPACE)
    return [document for text in files.values() for document in yaml.safe_load_all(text) if document]


@cache
def example(name: str) -> list[Manifest]:
    """Manifests of one example values file, rendered once."""
    return render(values_of(CHART / "ci" / f"{name}.yaml"))


def kinds(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Manifests of one kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """(kind/name, pod spec) of everything that runs containers."""
    for manifest in manifests:
        name = f"{manifest['kind']}/{manifest['metadata']['name']}"
        if manifest["kind"] == "Pod":
            yield name, manifest["spec"]
        elif manifest["kind"] in {"Deployment", "StatefulSet", "Job", "DaemonSet"}:
            yield name, manifest["spec"]["template"]["spec"]


def service_of(name: str) -> str:
    """`Deployment/demo-auth` → `auth`."""
    return name.rpartition(f"{RELEASE}-")[2]
