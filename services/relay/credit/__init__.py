"""Leases from the ledger, and reservations from leases."""

from services.relay.credit.gate import LeaseCreditGate
from services.relay.credit.ports import CreditRefused, LeaseLog, NullLeaseLog, Orphans

__all__ = ["CreditRefused", "LeaseCreditGate", "LeaseLog", "NullLeaseLog", "Orphans"]
