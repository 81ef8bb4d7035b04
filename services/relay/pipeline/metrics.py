"""Counters of the data plane, on the process's metrics port. Labels are closed sets, never tenant data."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("orca_relay_requests", "Relay requests by status.", ("status",))
DROPPED_FIELDS = Counter("orca_relay_dropped_answer_fields", "Unlisted answer fields that were dropped.")
OVERRUN_NANO_USD = Counter("orca_relay_overrun_nano_usd", "Billed by providers beyond reservations, nano-USD.")
REQUEST_SECONDS = Histogram(
    "orca_relay_request_seconds",
    "From first byte in to last byte out.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
UPSTREAM_SECONDS = Histogram(
    "orca_relay_upstream_seconds",
    "Spent waiting for providers, per request.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
POLICY_SECONDS = Histogram(
    "orca_relay_policy_seconds",
    "One policy call as the relay saw it.",
    ("plane",),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
# Looked up once: finding a child costs as much as counting.
GUARDRAIL_SECONDS, FIREWALL_SECONDS = POLICY_SECONDS.labels("guardrail"), POLICY_SECONDS.labels("firewall")
POLICY_FAILURES = Counter("orca_relay_policy_failures_total", "Policy calls that failed or came late.", ("plane",))
IN_FLIGHT = Gauge("orca_relay_in_flight", "Requests in flight.")
