"""The block writer: records of many partitions in, exactly-once inserts out.

Order of effects: bounds into the relational database, rows into the column store under the bounds' token,
confirmation. A crash between any two repeats the block with identical bounds (`recover`); a repeated insert
changes neither the raw table nor its views. Records are held in memory until `flush`; a failure leaves them held,
so it can be called again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.analytics.domain.blocks import Block, Bounds, Records, build, cut
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
    """Where one partition stands: `held` begins at `next_offset`, and so do the blocks whose bounds are stored and
    whose rows may or may not be (`resend`)."""

    next_offset: int
    producers: Mapping[str, int]
    resend: Sequence[Bounds]
    held: Records = field(default_factory=Records)


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

    def next_offset(self, place: TopicPartition) -> int | None:
        """The first offset of an owned partition that is not held yet; None when another member owns it."""
        state = self._states.get(place)
        if state is None:
            return None
        return state.held.offsets[-1] + 1 if state.held else state.next_offset

    def hold(self, place: TopicPartition, records: Records) -> None:
        """Keeps an owned partition's records, from `next_offset` on, until the next `flush`."""
        self._states[place].held.extend(records)

    def strike(self, strike: Callable[[str, Records], None]) -> None:
        """Has every table's held records looked through: what shall leave no row is marked in place."""
        for place, state in self._states.items():
            if state.held:
                strike(TABLES[place.topic], state.held)

    def holding(self) -> frozenset[TopicPartition]:
        """Partitions with records that are not written."""
        return frozenset(place for place, state in self._states.items() if state.held)

    async def flush(self) -> int:
        """Writes all that is held; returns how many rows. Raises Fenced, Unavailable."""
        plans = [(state, _plan(place, state)) for place, state in self._states.items() if state.held]
        blocks = [block for _, planned in plans for block in planned]
        if not blocks:
            return 0
        await self._blocks.store(blocks)
        for state, planned in plans:
            # From here on these bounds are what is written, whatever is held beside them by then.
            state.resend = [block.bounds for block in planned] + list(state.resend[len(planned) :])
        for block in blocks:
            await self._insert(block)
        await self._blocks.confirm(blocks)
        for state, planned in plans:
            if planned:
                state.next_offset = planned[-1].bounds.last + 1
                state.producers = planned[-1].producers
                state.resend = state.resend[len(planned) :]
                state.held = state.held.since(state.next_offset)
        return sum(len(block.offsets) for block in blocks)

    async def _insert(self, block: Block) -> None:
        if not block.offsets:
            return
        bounds = block.bounds
        table = TABLES[bounds.topic]
        count = len(block.offsets)
        values = list(block.values)
        learned: Mapping[Run, Last] = {}
        if table == CALLS:
            values[-1], learned = await self._previous.before(block)
        values += [[bounds.topic] * count, [bounds.partition] * count, block.offsets]
        with span(f"INSERT {table}", SpanKind.CLIENT, attributes={"db.system.name": "clickhouse"}):
            await self._store.insert(table, COLUMNS[table], values, bounds.token)
        self._previous.learn(learned)


def _plan(place: TopicPartition, state: PartitionState) -> list[Block]:
    """Blocks to write now: first those to repeat, each once it is complete, then the rest of what is held."""
    blocks: list[Block] = []
    first, producers = state.next_offset, state.producers
    for bounds in state.resend:
        if state.held.offsets[-1] < bounds.last:
            return blocks
        blocks.append(build(bounds, state.held, producers))
        first, producers = bounds.last + 1, blocks[-1].producers
    return blocks + cut(place.topic, place.partition, first, state.held.since(first), producers)
