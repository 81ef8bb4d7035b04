"""Blocks: how records become inserts that can be repeated without counting twice.

A block is a run of offsets of one partition; its bounds are stored before its rows are written, and its rows
follow from bounds and the state before it alone, so that writing it again writes the same rows under the same
token. Blocks start where the one before ended, hold one calendar month (the tables' partition) and at most
`BLOCK_RECORDS_MAX` records. A producer's sequence numbers rise within a partition, so an event not above the
highest one seen is a re-produced duplicate. Records are held as columns from the start: nothing is built per row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import compress, pairwise
from typing import Any

BLOCK_RECORDS_MAX = 20_000
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


@dataclass(slots=True)
class Records:
    """Decoded records of one partition in offset order: every list has one entry per record.

    `values` holds one list per column of the table, without the position's. A record that is not `kept` is counted
    as read and leaves no row (a body without consent).
    """

    offsets: list[int] = field(default_factory=list)
    producers: list[str] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    occurred_us: list[int] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offsets)

    def extend(self, later: Records) -> None:
        """Appends records behind these."""
        if not self.offsets:
            self.values = [[] for _ in later.values]
        for mine, more in zip(self._lists(), later._lists(), strict=True):
            mine += more

    def between(self, first: int, last: int) -> Records:
        """Records of these offsets, both inclusive."""
        return self.part(bisect_left(self.offsets, first), bisect_left(self.offsets, last + 1))

    def since(self, first: int) -> Records:
        """Records from this offset on."""
        return self.part(bisect_left(self.offsets, first), len(self.offsets))

    def part(self, begin: int, end: int) -> Records:
        """Records of these indexes."""
        if begin == 0 and end >= len(self.offsets):
            return self
        return Records(
            self.offsets[begin:end], self.producers[begin:end], self.sequences[begin:end],
            self.occurred_us[begin:end], self.kept[begin:end], [column[begin:end] for column in self.values],
        )  # fmt: skip

    def _lists(self) -> tuple[list[Any], ...]:
        return (self.offsets, self.producers, self.sequences, self.occurred_us, self.kept, *self.values)


@dataclass(frozen=True, slots=True)
class Block:
    """What one insert holds, as columns. `producers` is the highest sequence per producer after it."""

    bounds: Bounds
    offsets: Sequence[int]
    values: Sequence[Sequence[Any]]
    producers: Mapping[str, int]


def month_of(occurred_us: int) -> tuple[int, int]:
    """UTC year and month of Unix microseconds: the tables' partition."""
    moment = datetime.fromtimestamp(occurred_us // 1_000_000, UTC)
    return moment.year, moment.month


def build(bounds: Bounds, records: Records, producers: Mapping[str, int]) -> Block:
    """The block of these bounds; records outside them are left out, duplicates dropped."""
    inside = records.between(bounds.first, bounds.last)
    seen = dict(producers)
    stays: list[bool] = []
    last_used = ""
    for producer, sequence, kept in zip(inside.producers, inside.sequences, inside.kept, strict=True):
        # Events without a sequence (from an outbox) carry no proof of repetition.
        if producer and sequence > 0:
            if sequence <= seen.get(producer, 0):
                stays.append(False)
                continue
            if producer != last_used:
                # Re-insertion keeps the map in order of last use, oldest first, for the eviction below.
                seen.pop(producer, None)
                last_used = producer
            seen[producer] = sequence
        stays.append(kept)
    while len(seen) > PRODUCERS_MAX:
        seen.pop(next(iter(seen)))
    if all(stays):
        return Block(bounds, inside.offsets, inside.values, seen)
    values = [list(compress(column, stays)) for column in inside.values]
    return Block(bounds, list(compress(inside.offsets, stays)), values, seen)


def cut(topic: str, partition: int, first: int, records: Records, producers: Mapping[str, int]) -> list[Block]:
    """Splits records into blocks, the first starting at `first`."""
    blocks: list[Block] = []
    for begin, end in _runs(records.occurred_us):
        inside = records.part(begin, end)
        block = build(Bounds(topic, partition, first, inside.offsets[-1]), inside, producers)
        blocks.append(block)
        first, producers = block.bounds.last + 1, block.producers
    return blocks


def _runs(occurred_us: Sequence[int]) -> list[tuple[int, int]]:
    """Index ranges that are one block each."""
    total = len(occurred_us)
    if not total:
        return []
    edges = [0, total]
    if month_of(min(occurred_us)) != month_of(max(occurred_us)):
        months = list(map(month_of, occurred_us))
        edges[1:1] = [index for index in range(1, total) if months[index] != months[index - 1]]
    return [
        (begin, min(begin + BLOCK_RECORDS_MAX, end))
        for start, end in pairwise(edges)
        for begin in range(start, end, BLOCK_RECORDS_MAX)
    ]
