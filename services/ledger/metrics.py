"""Metrics of the ledger; the forfeit, gap, overrun and parked counters are what alerts watch."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

EVENTS = Counter("orca_ledger_spend_events_total", "Spend events booked.")
OVERRUN = Counter("orca_ledger_overrun_nano_usd_total", "Provider charges beyond every bound, nano-USD.")
FORFEITS = Counter("orca_ledger_forfeits_total", "Leases forfeited because their relay was lost.")
FORFEITED = Counter("orca_ledger_forfeited_nano_usd_total", "Credit forfeited, nano-USD.")
GAPS = Counter("orca_ledger_gaps_total", "Batches after which a lease's running total was ahead of its entries.")
GAP_LEASES = Gauge("orca_ledger_gap_leases", "Leases whose close waits for spend that was told of and is missing.")
FROZEN = Gauge("orca_ledger_frozen_accounts", "Accounts frozen by a parked spend record.")
PARKED = Counter("orca_ledger_parked_total", "Spend records that could not be booked.")
