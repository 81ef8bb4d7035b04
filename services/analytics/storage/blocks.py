"""Block bounds: written before the rows, unique on (topic, partition, first offset).

A writer whose next block overlaps a stored one that is not its own has lost its partition: it gets `Fenced`.
Storing the same bounds again is allowed to their owner, so that an interrupted flush can be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.analytics.domain.blocks import Block, Bounds
from services.analytics.storage.tables import BLOCKS
from services.common.clock import Clock
from services.common.storage import Database

KEPT_PER_PARTITION = 2
PRUNE_EVERY = 64


class Fenced(Exception):
    """Another consumer owns one of these partitions by now."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Where a partition stands: what comes next, and which blocks to write again from there.

    `producers` is the state before `next_offset`. Nothing stored at all leaves `next_offset` at 0.
    """

    next_offset: int
    producers: Mapping[str, int]
    resend: Sequence[Bounds]


class BlockStore:
    """The `blocks` table."""

    def __init__(self, database: Database, owner: str, clock: Clock) -> None:
        self._database = database
        self._owner = owner
        self._clock = clock
        self._stores = 0

    async def recover(self, topic: str, partition: int) -> Recovery:
        """Where the partition stands; unfinished blocks become this owner's. Raises Unavailable."""
        mine = sa.and_(BLOCKS.c.topic == topic, BLOCKS.c.partition == partition)
        async with self._database.write() as tx:
            rows = (await tx.execute(sa.select(BLOCKS).where(mine).order_by(BLOCKS.c.first_offset))).all()
            finished = [row for row in rows if row.confirmed]
            # Taking rows over fences the writer that left them: its confirmation no longer applies.
            await tx.execute(BLOCKS.update().where(mine, BLOCKS.c.confirmed.is_(False)).values(owner=self._owner))
        resend = [Bounds(topic, partition, row.first_offset, row.last_offset) for row in rows if not row.confirmed]
        if not finished:
            return Recovery(resend[0].first if resend else 0, {}, resend)
        last = finished[-1]
        return Recovery(last.last_offset + 1, json.loads(last.producers), resend)

    async def store(self, blocks: Sequence[Block]) -> None:
        """Stores bounds, all or none. Raises Fenced, Unavailable."""
        try:
            async with self._database.write() as tx:
                stored = await self._stored(tx)
                fresh = [block for block in blocks if not self._known(block, stored)]
                if fresh:
                    await tx.execute(BLOCKS.insert(), [self._values(block) for block in fresh])
                self._stores += 1
                if self._stores % PRUNE_EVERY == 0:
                    await self._prune(tx)
        except IntegrityError:
            raise Fenced("these bounds exist already") from None

    async def confirm(self, blocks: Sequence[Block]) -> None:
        """Notes that the inserts of these blocks were acknowledged. Raises Unavailable."""
        statement = (
            BLOCKS.update()
            .where(
                BLOCKS.c.topic == sa.bindparam("b_topic"),
                BLOCKS.c.partition == sa.bindparam("b_partition"),
                BLOCKS.c.first_offset == sa.bindparam("b_first"),
                BLOCKS.c.owner == self._owner,
            )
            .values(confirmed=True)
        )
        places = [
            {"b_topic": block.bounds.topic, "b_partition": block.bounds.partition, "b_first": block.bounds.first}
            for block in blocks
        ]
        async with self._database.write() as tx:
            await tx.execute(statement, places)

    async def _stored(self, tx: AsyncConnection) -> Mapping[tuple[str, int], Sequence[Any]]:
        """Blocks per partition; the table holds a bounded number of each."""
        query = sa.select(BLOCKS.c.topic, BLOCKS.c.partition, BLOCKS.c.first_offset, BLOCKS.c.last_offset,
                          BLOCKS.c.owner)  # fmt: skip
        found: dict[tuple[str, int], list[Any]] = {}
        for row in (await tx.execute(query)).all():
            found.setdefault((row.topic, row.partition), []).append(row)
        return found

    def _known(self, block: Block, stored: Mapping[tuple[str, int], Sequence[Any]]) -> bool:
        """Whether exactly these bounds are stored as this owner's. Raises Fenced on any other overlap."""
        bounds = block.bounds
        known = False
        for row in stored.get((bounds.topic, bounds.partition), ()):
            if row.last_offset < bounds.first:
                continue
            if (row.first_offset, row.last_offset, row.owner) == (bounds.first, bounds.last, self._owner):
                known = True
            elif row.owner != self._owner or row.first_offset <= bounds.last:
                raise Fenced("another block holds these offsets")
        return known

    def _values(self, block: Block) -> dict[str, object]:
        bounds = block.bounds
        return {
            "topic": bounds.topic,
            "partition": bounds.partition,
            "first_offset": bounds.first,
            "last_offset": bounds.last,
            "owner": self._owner,
            "producers": json.dumps(dict(block.producers), separators=(",", ":")),
            "confirmed": False,
            "created_at_us": self._clock.now_us(),
        }

    async def _prune(self, tx: AsyncConnection) -> None:
        """Of the confirmed blocks the latest stay: recovery starts behind them, and they fence who comes late."""
        later = BLOCKS.alias("later")
        newer = (
            sa.select(sa.func.count())
            .select_from(later)
            .where(
                later.c.topic == BLOCKS.c.topic,
                later.c.partition == BLOCKS.c.partition,
                later.c.first_offset > BLOCKS.c.first_offset,
                later.c.confirmed,
            )
            .correlate(BLOCKS)
            .scalar_subquery()
        )
        await tx.execute(BLOCKS.delete().where(BLOCKS.c.confirmed, newer >= KEPT_PER_PARTITION))
