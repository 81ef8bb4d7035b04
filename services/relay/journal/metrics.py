"""The journal's metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

JOURNAL_BYTES = Gauge("orca_relay_journal_bytes", "Bytes in the relay's journal.")
JOURNAL_LIMIT = Gauge("orca_relay_journal_limit_bytes", "Bytes of journal at which requests are refused.")
JOURNAL_AGE = Gauge("orca_relay_journal_age_seconds", "How long the oldest unpublished event has waited.")
REFUSALS = Counter("orca_relay_refusals_total", "Refusals at checks 1 to 5 by code.", ["code"])
REFUSALS_SHED = Counter("orca_relay_refusal_aggregates_shed_total", "Refusals whose aggregate was not kept.")
OVERSIZED = Counter("orca_relay_events_oversized_total", "Events too large for the event log, dropped.", ["topic"])
LOST_REQUESTS = Counter("orca_relay_lost_requests_total", "Requests of a killed predecessor, settled as unknown.")
