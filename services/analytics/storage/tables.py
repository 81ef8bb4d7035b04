"""Tables of analytics' relational database."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.storage import Migration, outbox_table

METADATA = sa.MetaData()

BLOCKS = sa.Table(
    "blocks",
    METADATA,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("first_offset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last_offset", sa.BigInteger, nullable=False),
    # Which consumer wrote the bounds; a different one finding them adopts them or stops.
    sa.Column("owner", sa.Text, nullable=False),
    # Highest producer sequence per producer after this block, JSON, in order of last use.
    sa.Column("producers", sa.Text, nullable=False),
    # The insert was acknowledged: raw table and views hold the block.
    sa.Column("confirmed", sa.Boolean, nullable=False),
    sa.Column("created_at_us", sa.BigInteger, nullable=False),
)


# What analytics needs to know of a workspace, from `orca.config.v1`.
WORKSPACES = sa.Table(
    "workspaces",
    METADATA,
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("retention_days", sa.Integer, nullable=False),
    # 0: no consent, so no body is kept.
    sa.Column("consent_version", sa.BigInteger, nullable=False),
)

# Anomalies that are open, or whose kind fires once per series: one per series and episode.
EPISODES = sa.Table(
    "episodes",
    METADATA,
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("series", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("anomaly_id", sa.Text, nullable=False),
    sa.Column("opened_at_us", sa.BigInteger, nullable=False),
    sa.Column("fired_at_us", sa.BigInteger, nullable=False),
    sa.Column("told_observed", sa.Float, nullable=False),
    sa.Column("closed_at_us", sa.BigInteger, nullable=True),
)

# Which replica runs a job that must run once.
JOB_LEASES = sa.Table(
    "job_leases",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
)

# Personal data to remove, now and after every replay.
ERASURES = sa.Table(
    "erasures",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("requested_at_us", sa.BigInteger, nullable=False),
    # Tables done so far, JSON; a job that was cut short goes on with the others.
    sa.Column("done", sa.Text, nullable=False),
    sa.Column("finished_at_us", sa.BigInteger, nullable=True),
)

OUTBOX = outbox_table(METADATA)


def _later(connection: sa.Connection) -> None:
    for table in (WORKSPACES, EPISODES, JOB_LEASES, ERASURES, OUTBOX):
        table.create(connection, checkfirst=True)


MIGRATIONS = (
    Migration(1, "blocks", lambda connection: BLOCKS.create(connection, checkfirst=True)),
    Migration(2, "workspaces, episodes, job leases, erasures", _later),
)
