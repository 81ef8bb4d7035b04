"""The youngest records of the embedded log, in memory.

Consumers that keep up read them here: no turn of the log's thread, no second decoding. The oldest go when the
bound is reached; whoever needs those reads the file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from services.common.eventlog.ports import ConsumedRecord, TopicPartition

TAIL_BYTES_MAX = 8 * 1024 * 1024


class Tail:
    """Per partition a run of consecutive offsets that ends at the partition's end."""

    def __init__(self, bytes_max: int = TAIL_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._runs: dict[TopicPartition, deque[ConsumedRecord]] = {}
        self._order: deque[ConsumedRecord] = deque()
        self._bytes = 0

    def clear(self) -> None:
        """Forgets all, for instance what the file's trimming may have deleted."""
        self._runs.clear()
        self._order.clear()
        self._bytes = 0

    def add(self, records: Sequence[ConsumedRecord]) -> None:
        """Takes what was stored, in its order."""
        for record in records:
            run = self._runs.get(place := TopicPartition(record.topic, record.partition))
            if run is None:
                run = self._runs[place] = deque()
            run.append(record)
            self._bytes += len(record.value) + len(record.key)
        self._order.extend(records)
        while self._bytes > self._bytes_max:
            oldest = self._order.popleft()
            self._runs[TopicPartition(oldest.topic, oldest.partition)].popleft()
            self._bytes -= len(oldest.value) + len(oldest.key)

    def read(self, wanted: Sequence[tuple[TopicPartition, int]], max_records: int) -> list[ConsumedRecord]:
        """Records from the given offsets on; none where the first wanted one is not here.

        A later partition that is not here is left out: callers take turns at which comes first.
        """
        found: list[ConsumedRecord] = []
        for partition, offset in wanted:
            run = self._runs.get(partition)
            if not run or not run[0].offset <= offset <= run[-1].offset:
                if not found:
                    return []
                continue
            # Counted from the end: who keeps up is near it, and walks over nothing else.
            newest = list(islice(reversed(run), run[-1].offset + 1 - offset))
            newest.reverse()
            found += newest[: max_records - len(found)]
            if len(found) >= max_records:
                break
        return found
