"""Refusals at checks 1–5, counted per key, code and second; at most REFUSALS_MAX counters at a time."""

from __future__ import annotations

from orca.events.v1.events_pb2 import Envelope, RefusalAggregate
from services.relay.ports import KeyEntry

REFUSALS_MAX = 10_000


class RefusalCounts:
    """Counters that wait for their second to end."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], list[int]] = {}
        self._entries: dict[str, KeyEntry] = {}

    def add(self, entry: KeyEntry, code: str, second: int) -> bool:
        """Counts one; False when there is no room for another counter."""
        counter = self._counts.get((entry.key.key_id, code, second))
        if counter is None:
            if len(self._counts) >= REFUSALS_MAX:
                return False
            counter = self._counts[entry.key.key_id, code, second] = [0]
            self._entries[entry.key.key_id] = entry
        counter[0] += 1
        return True

    def take(self, before_second: int) -> list[Envelope]:
        """Aggregates of the seconds that are over."""
        over = [name for name in self._counts if name[2] < before_second]
        events = []
        for key_id, code, second in over:
            key = self._entries[key_id].key
            event = Envelope(
                workspace_id=key.workspace_id,
                key_id=key_id,
                owner_user_id=key.owner_user_id,
                environment=key.environment,
                refusals=RefusalAggregate(
                    code=code, second_unix_s=second, count=self._counts.pop((key_id, code, second))[0]
                ),
            )
            events.append(event)
        if not self._counts:
            self._entries.clear()
        return events
