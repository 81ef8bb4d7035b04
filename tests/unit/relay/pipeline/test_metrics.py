"""The relay's own histogram says what Prometheus's would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from services.relay.pipeline import metrics
from services.relay.pipeline.metrics import _Timings

BOUNDS = (0.005, 0.5, 1, 10)


@pytest.fixture
def timings() -> Iterator[_Timings]:
    made = _Timings("orca_test_seconds", "Of a test.", BOUNDS, "plane", ("one", "two"))
    yield made
    REGISTRY.unregister(made)


def lines(registry: CollectorRegistry) -> set[str]:
    text = generate_latest(registry).decode()
    return {line for line in text.splitlines() if "orca_test_seconds" in line and "_created" not in line}


def test_it_is_exposed_as_a_histogram_is(timings: _Timings) -> None:
    own = CollectorRegistry()
    reference = Histogram("orca_test_seconds", "Of a test.", ("plane",), buckets=BOUNDS, registry=own)
    for plane, seconds in (("one", 0.0), ("one", 0.005), ("one", 0.0051), ("two", 1.0), ("two", 99.0), ("one", 0.25)):
        reference.labels(plane).observe(seconds)
        timings.series[plane].observe(seconds)
    assert lines(REGISTRY) == lines(own)


def test_every_series_is_there_before_anything_happened() -> None:
    text = generate_latest(REGISTRY).decode()
    for name in ("orca_relay_request_seconds_count", "orca_relay_upstream_seconds_sum"):
        assert f"\n{name} " in text
    for plane in ("guardrail", "firewall"):
        assert f'orca_relay_policy_seconds_bucket{{le="+Inf",plane="{plane}"}}' in text
    assert set(metrics.ENDED) == {"ok", "error", "blocked", "cancelled"}
