"""Counters of the data plane, on the process's metrics port. Labels are closed sets, never tenant data."""

from __future__ import annotations

from prometheus_client import Counter

REQUESTS = Counter("orca_relay_requests", "Relay requests by status.", ("status",))
DROPPED_FIELDS = Counter("orca_relay_dropped_answer_fields", "Unlisted answer fields that were dropped.")
OVERRUN_NANO_USD = Counter("orca_relay_overrun_nano_usd", "Billed by providers beyond reservations, nano-USD.")
