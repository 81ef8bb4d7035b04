"""Metrics of the ledger; the forfeit, gap, overrun and parked counters are what alerts watch."""

from __future__ import annotations

from prometheus_client import Counter

EVENTS = Counter("orca_ledger_spend_events_total", "Spend events booked.")
OVERRUN = Counter("orca_ledger_overrun_nano_usd_total", "Provider charges beyond every bound, nano-USD.")
FORFEITS = Counter("orca_ledger_forfeits_total", "Leases forfeited because their relay was lost.")
FORFEITED = Counter("orca_ledger_forfeited_nano_usd_total", "Credit forfeited, nano-USD.")
GAPS = Counter("orca_ledger_gaps_total", "Batches after which a lease's running total was ahead of its entries.")
PARKED = Counter("orca_ledger_parked_total", "Spend records that could not be booked.")
