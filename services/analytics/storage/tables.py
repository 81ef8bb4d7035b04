"""Tables of analytics' relational database."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.storage import Migration

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

MIGRATIONS = (Migration(1, "blocks", METADATA.create_all),)
