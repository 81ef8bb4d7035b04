"""Blocks: how records become inserts that can be repeated without counting twice.

A block is a run of offsets of one partition; its bounds are stored before its rows are written, and its rows
follow from bounds and the state before it alone, so that writing it again writes the same rows under the same
token. Blocks start where the one before ended, hold one calendar month (the tables' partition) and at most
`BLOCK_RECORDS_MAX` records. A producer's sequence numbers rise within a partition, so an event not above the
highest one seen is a re-produced duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.analytics.domain.rows import Row

BLOCK_RECORDS_MAX = 10_000
PRODUCERS_MAX = 256


@dataclass(frozen=True, slots=True)
class Bounds:
    """Offsets of one block, both inclusive."""

    topic: str
    partition: int
    first: int
    last: int

    @property
    def token(self) -> str:
        """Deduplication token of the insert."""
        return f"{self.topic}:{self.partition}:{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Item:
    """One record as decoded, at its offset."""

    offset: int
    producer_id: str
    producer_seq: int
    row: Row
    # False: the record is counted as read, and leaves no row (a body without consent).
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """What one insert holds. `producers` is the highest sequence per producer after it."""

    bounds: Bounds
    rows: tuple[tuple[int, Row], ...]
    producers: Mapping[str, int]


def month_of(occurred_us: int) -> tuple[int, int]:
    """UTC year and month of Unix microseconds: the tables' partition."""
    moment = datetime.fromtimestamp(occurred_us // 1_000_000, UTC)
    return moment.year, moment.month


def build(bounds: Bounds, items: Sequence[Item], producers: Mapping[str, int]) -> Block:
    """The block of these bounds; items outside them are left out, duplicates dropped."""
    seen = dict(producers)
    rows: list[tuple[int, Row]] = []
    for item in items:
        if not bounds.first <= item.offset <= bounds.last:
            continue
        # Events without a sequence (from an outbox) carry no proof of repetition.
        if item.producer_id and item.producer_seq > 0:
            if item.producer_seq <= seen.get(item.producer_id, 0):
                continue
            # Re-insertion keeps the map in order of last use, oldest first, for the eviction below.
            seen.pop(item.producer_id, None)
            seen[item.producer_id] = item.producer_seq
        if item.kept:
            rows.append((item.offset, item.row))
    while len(seen) > PRODUCERS_MAX:
        seen.pop(next(iter(seen)))
    return Block(bounds, tuple(rows), seen)


def cut(topic: str, partition: int, first: int, items: Sequence[Item], producers: Mapping[str, int]) -> list[Block]:
    """Splits items in offset order into blocks, the first starting at `first`."""
    blocks: list[Block] = []
    pending: list[Item] = []
    month: tuple[int, int] | None = None

    def close() -> None:
        nonlocal first, producers
        block = build(Bounds(topic, partition, first, pending[-1].offset), pending, producers)
        blocks.append(block)
        first, producers = block.bounds.last + 1, block.producers
        pending.clear()

    for item in items:
        item_month = month_of(item.row.occurred_us)
        if pending and (len(pending) >= BLOCK_RECORDS_MAX or item_month != month):
            close()
        month = item_month
        pending.append(item)
    if pending:
        close()
    return blocks
