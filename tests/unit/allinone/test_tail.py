"""The embedded log's memory of its youngest records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.allinone.tail import Tail
from services.common.eventlog.ports import ConsumedRecord, TopicPartition

PARTITIONS = 3


def record(partition: int, offset: int, size: int = 10) -> ConsumedRecord:
    return ConsumedRecord("t", partition, offset, b"", bytes(size), (), 0)


class History:
    """Appends to a tail, and the whole log it should be the end of."""

    def __init__(self, placements: list[tuple[int, int]], bytes_max: int) -> None:
        self.tail = Tail(bytes_max)
        self.log: dict[int, list[ConsumedRecord]] = {n: [] for n in range(PARTITIONS)}
        for partition, size in placements:
            added = record(partition, len(self.log[partition]), size)
            self.log[partition].append(added)
            self.tail.add([added])


PLACEMENTS = st.lists(st.tuples(st.integers(0, PARTITIONS - 1), st.integers(1, 40)), max_size=60)


class TestRead:
    @given(PLACEMENTS, st.integers(1, 400), st.lists(st.integers(0, 20), min_size=3, max_size=3), st.integers(1, 30))
    def test_is_the_logs_answer_or_none(
        self, placements: list[tuple[int, int]], bytes_max: int, offsets: list[int], max_records: int
    ) -> None:
        history = History(placements, bytes_max)
        wanted = [(TopicPartition("t", n), at) for n, at in enumerate(offsets) if at < len(history.log[n])]
        found = history.tail.read(wanted, max_records)
        assert len(found) <= max_records
        for n, at in enumerate(offsets):
            mine = [r for r in found if r.partition == n]
            assert mine == history.log[n][at : at + len(mine)]
        if found:
            assert found[0].partition == wanted[0][0].partition

    @given(PLACEMENTS)
    def test_everything_while_it_fits(self, placements: list[tuple[int, int]]) -> None:
        history = History(placements, 10_000)
        wanted = [(TopicPartition("t", n), 0) for n, records in history.log.items() if records]
        assert history.tail.read(wanted, 100) == [r for records in history.log.values() for r in records]

    def test_a_consumer_behind_it_reads_the_file(self) -> None:
        history = History([(0, 10)] * 5, 30)
        assert history.tail.read([(TopicPartition("t", 0), 1)], 10) == []
        assert history.tail.read([(TopicPartition("t", 0), 2)], 10) == history.log[0][2:]

    def test_nothing_once_cleared(self) -> None:
        history = History([(0, 10)] * 5, 1_000)
        history.tail.clear()
        assert history.tail.read([(TopicPartition("t", 0), 0)], 10) == []
        history.tail.add([record(0, 5)])
        assert history.tail.read([(TopicPartition("t", 0), 5)], 10) == [record(0, 5)]
