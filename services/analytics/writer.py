"""The block writer: items of one partition in, exactly-once inserts out.

Order of effects: bounds into the relational database, rows into the column store under the bounds' token,
confirmation. A crash between any two repeats the block with identical bounds (`recover`); a repeated insert
changes neither the raw table nor its views. Failures leave the state as it was, so `write` can be called again
with the same items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.analytics.domain.blocks import Block, Bounds, Item, build, cut
from services.analytics.domain.rows import COLUMNS
from services.analytics.events import TABLES
from services.analytics.ports import ColumnStore
from services.analytics.previous_tools import CALLS, Last, PreviousTools, Run
from services.analytics.storage.blocks import Recovery
from services.common.eventlog.ports import TopicPartition
from services.common.tracing import SpanKind, span


class Positions(Protocol):
    """Where bounds are kept; `BlockStore` says what each may raise."""

    async def recover(self, topic: str, partition: int) -> Recovery: ...

    async def store(self, blocks: Sequence[Block]) -> None: ...

    async def confirm(self, blocks: Sequence[Block]) -> None: ...


@dataclass(slots=True)
class PartitionState:
    """Where one partition stands. `held` waits until a block that must be repeated is complete."""

    next_offset: int
    producers: Mapping[str, int]
    resend: Bounds | None
    held: list[Item] = field(default_factory=list)


class BlockWriter:
    """Writes the partitions this consumer owns."""

    def __init__(self, blocks: Positions, store: ColumnStore) -> None:
        self._blocks = blocks
        self._store = store
        self._previous = PreviousTools(store)
        self._states: dict[TopicPartition, PartitionState] = {}

    async def acquire(self, place: TopicPartition) -> int:
        """Takes a partition over; returns the offset to read from. Raises Unavailable."""
        recovery = await self._blocks.recover(place.topic, place.partition)
        self._states[place] = PartitionState(recovery.next_offset, recovery.producers, recovery.resend)
        return recovery.next_offset

    def release(self, place: TopicPartition) -> None:
        """Forgets a partition; what was not confirmed is the next owner's to repeat."""
        self._states.pop(place, None)
        self._previous.forget()

    async def write(self, items: Mapping[TopicPartition, Sequence[Item]]) -> int:
        """Writes all items of owned partitions; returns how many rows. Raises Fenced, Unavailable."""
        plans: list[tuple[PartitionState, Sequence[Block], Sequence[Item]]] = []
        for place, fresh in items.items():
            state = self._states.get(place)
            if state is not None:
                plans.append((state, *_plan(place, state, fresh)))
        blocks = [block for _, planned, _ in plans for block in planned]
        if blocks:
            await self._blocks.store(blocks)
            for block in blocks:
                await self._insert(block)
            await self._blocks.confirm(blocks)
        for state, planned, held in plans:
            state.held = list(held)
            if planned:
                state.next_offset = planned[-1].bounds.last + 1
                state.producers = planned[-1].producers
                state.resend = None
        return sum(len(block.rows) for block in blocks)

    async def _insert(self, block: Block) -> None:
        if not block.rows:
            return
        bounds = block.bounds
        table = TABLES[bounds.topic]
        columns = list(map(list, zip(*(row.values for _, row in block.rows), strict=True)))
        count = len(block.rows)
        learned: Mapping[Run, Last] = {}
        if table == CALLS:
            columns[-1], learned = await self._previous.before(block)
        columns += [[bounds.topic] * count, [bounds.partition] * count, [offset for offset, _ in block.rows]]
        with span(f"INSERT {table}", SpanKind.CLIENT, attributes={"db.system.name": "clickhouse"}):
            await self._store.insert(table, COLUMNS[table], columns, bounds.token)
        self._previous.learn(learned)


def _plan(
    place: TopicPartition, state: PartitionState, fresh: Sequence[Item]
) -> tuple[Sequence[Block], Sequence[Item]]:
    """Blocks to write now, and items to hold until the block to repeat is complete."""
    known = state.held[-1].offset + 1 if state.held else state.next_offset
    items = [*state.held, *(item for item in fresh if item.offset >= known)]
    if not items:
        return (), ()
    if state.resend is None:
        return cut(place.topic, place.partition, state.next_offset, items, state.producers), ()
    if items[-1].offset < state.resend.last:
        return (), items
    repeated = build(state.resend, items, state.producers)
    rest = [item for item in items if item.offset > state.resend.last]
    following = cut(place.topic, place.partition, state.resend.last + 1, rest, repeated.producers)
    return [repeated, *following], ()
