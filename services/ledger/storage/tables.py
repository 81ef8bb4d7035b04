"""Tables of the ledger. Amounts are nano-USD in 64 bits; times are Unix microseconds.

A workspace's account has the workspace's id. Rows of `entries` are what accounts were charged, unique by
event id; `consumer_positions` moves in the transaction of the effects, so a redelivered batch is told apart.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.common.storage import Migration, add_missing, outbox_table

METADATA = sa.MetaData()

LIVING = "state = 'open' OR outstanding > 0"
TIED_UP = "outstanding > 0 AND state <> 'forfeited'"
BLOCKED = "blocked > 0"
FROZEN = "frozen"
"""Predicates of partial indexes; queries repeat them word for word, or SQLite would not use the index."""


def _partial(name: str, predicate: str, *columns: str) -> sa.Index:
    where = sa.text(predicate)
    return sa.Index(name, *columns, sqlite_where=where, postgresql_where=where)


def _amount(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


ACCOUNTS = sa.Table(
    "accounts",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("limit_nano_usd", sa.BigInteger),
    # Version of the key record the limit came from; an older one never overwrites a newer, −1 = none seen.
    sa.Column("limit_version", sa.BigInteger, nullable=False, server_default="-1"),
    _amount("settled"),
    _amount("held"),
    _amount("unconfirmed"),
    _amount("forfeited"),
    _amount("blocked"),
    _amount("overrun"),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("frozen", sa.Boolean, nullable=False, server_default=sa.false()),
    _partial("accounts_frozen", FROZEN, "id"),
)

LEASES = sa.Table(
    "leases",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("replica_id", sa.Text, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("granted", sa.BigInteger, nullable=False),
    _amount("returned"),
    _amount("reported"),
    _amount("running_total"),
    sa.Column("final_used", sa.BigInteger),
    # granted − returned − reported, floored at 0: what the sweeper looks for.
    sa.Column("outstanding", sa.BigInteger, nullable=False),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Column("recalled", sa.Boolean, nullable=False, server_default=sa.false()),
    # The sweeper's and an account's views touch the few living leases among all that ever were.
    _partial("leases_account", LIVING, "account_id"),
    _partial("leases_key", LIVING, "key_id"),
    _partial("leases_expiry", TIED_UP, "expires_at_us"),
)

ACQUIRES = sa.Table(
    "acquires",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key_lease_id", sa.Text),
    sa.Column("workspace_lease_id", sa.Text),
    sa.Column("blocked_lease_id", sa.Text),
    sa.Column("expires_at_us", sa.BigInteger, nullable=False),
    sa.Index("acquires_expiry", "expires_at_us"),
)

ENTRIES = sa.Table(
    "entries",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("occurred_at_us", sa.BigInteger, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False, server_default=""),
    sa.Column("model", sa.Text, nullable=False, server_default=""),
    sa.Column("lease_id", sa.Text, nullable=False, server_default=""),
    sa.Column("workspace_lease_id", sa.Text, nullable=False, server_default=""),
    sa.Column("blocked_lease_id", sa.Text, nullable=False, server_default=""),
    sa.Column("refers_to", sa.Text, nullable=False, server_default=""),
    # What `forfeit`, `reversal`, `redeem` moved; positive.
    _amount("amount"),
    # The change of the key's account; an account is the sum of its entries and of what its leases tie up.
    _amount("settled"),
    _amount("unconfirmed"),
    _amount("blocked"),
    _amount("overrun"),
    # What of `blocked` the key's blocked limit counts.
    _amount("blocked_counted"),
    # The same on the workspace's account, which differs after an overrun.
    _amount("workspace_settled"),
    _amount("workspace_unconfirmed"),
    _amount("workspace_blocked"),
    _amount("workspace_overrun"),
    sa.Column("estimated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reversed", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("entries_account", "account_id", "occurred_at_us", "id"),
    sa.Index("entries_workspace", "workspace_id", "occurred_at_us", "id"),
    # Finds the held answer that an approval redeems.
    _partial("entries_blocked", BLOCKED, "request_id"),
)

CONSUMER_POSITIONS = sa.Table(
    "consumer_positions",
    METADATA,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
)

PARKED = sa.Table(
    "parked_records",
    METADATA,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("record_offset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    # An Admin has let its account go on without it.
    sa.Column("resolved", sa.Boolean, nullable=False, server_default=sa.false()),
)

KEYS = sa.Table(
    "keys",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

OUTBOX = outbox_table(METADATA)


def _blocked_limit(connection: sa.Connection) -> None:
    # Spends from before have no lease of refused answers, so a replay counts them nowhere: no more does this.
    for table in (ACCOUNTS, ACQUIRES, ENTRIES):
        add_missing(connection, table)


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "initial", METADATA.create_all),
    Migration(2, "blocked limits by leases", _blocked_limit),
    Migration(3, "accounts are unfrozen", lambda connection: add_missing(connection, PARKED)),
)
