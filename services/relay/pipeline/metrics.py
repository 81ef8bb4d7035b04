"""Counters of the data plane, on the process's metrics port. Labels are closed sets, never tenant data."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector

_TO_MINUTES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_TO_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class _Series:
    """Observations of one label value. Filled and read by the event loop's thread alone, so that it needs no lock: the
    library's takes 4 µs for each of a request's five observations, this 0.15."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """(cumulative counts by upper bound, the sum)."""
        names = (*(repr(float(bound)) for bound in self._bounds), "+Inf")
        return list(zip(names, map(float, accumulate(self._counts)), strict=True)), self._sum


class _Timings(Collector):
    """A histogram in seconds, by the values of at most one label."""

    def __init__(self, name: str, help_: str, bounds: Sequence[float], label: str = "", values: Sequence[str] = ("",)):
        self._family = (name, help_, [label] if label else [])
        self.series = {value: _Series(bounds) for value in values}
        REGISTRY.register(self)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What the metrics port shows."""
        name, help_, labels = self._family
        family = HistogramMetricFamily(name, help_, labels=labels)
        for value, series in self.series.items():
            buckets, total = series.read()
            family.add_metric([value] if labels else [], buckets, total)
        yield family


REQUESTS = Counter("orca_relay_requests", "Relay requests by status.", ("status",))
# Looked up once: finding a child costs as much as counting.
ENDED = {status: REQUESTS.labels(status) for status in ("ok", "error", "blocked", "cancelled")}
DROPPED_FIELDS = Counter("orca_relay_dropped_answer_fields", "Unlisted answer fields that were dropped.")
OVERRUN_NANO_USD = Counter("orca_relay_overrun_nano_usd", "Billed by providers beyond reservations, nano-USD.")
REQUEST_SECONDS = _Timings("orca_relay_request_seconds", "From first byte in to last byte out.", _TO_MINUTES).series[""]
UPSTREAM_SECONDS = _Timings(
    "orca_relay_upstream_seconds", "Spent waiting for providers, per request.", _TO_MINUTES
).series[""]
POLICY_SECONDS = _Timings(
    "orca_relay_policy_seconds", "One policy call as the relay saw it.", _TO_SECONDS, "plane", ("guardrail", "firewall")
).series
GUARDRAIL_SECONDS, FIREWALL_SECONDS = POLICY_SECONDS["guardrail"], POLICY_SECONDS["firewall"]
POLICY_FAILURES = Counter("orca_relay_policy_failures_total", "Policy calls that failed or came late.", ("plane",))
IN_FLIGHT = Gauge("orca_relay_in_flight", "Requests in flight.")
