"""Relational storage: one API over SQLite (embedded) and PostgreSQL (distributed)."""

from services.common.storage.counters import bump, change_counter, read_counter
from services.common.storage.database import Database, insert_for, upsert
from services.common.storage.migrations import Migration, add_missing
from services.common.storage.outbox import OutboxPublisher, audit_envelope, outbox_add, outbox_table
from services.common.storage.policies import (
    HistoryRow,
    PolicyRows,
    Stored,
    policy_history,
    policy_table,
)
from services.common.storage.snapshot import PolledSnapshot

__all__ = [
    "Database",
    "HistoryRow",
    "Migration",
    "OutboxPublisher",
    "PolicyRows",
    "PolledSnapshot",
    "Stored",
    "add_missing",
    "audit_envelope",
    "bump",
    "change_counter",
    "insert_for",
    "outbox_add",
    "outbox_table",
    "policy_history",
    "policy_table",
    "read_counter",
    "upsert",
]
